"""The garage as the rules see it, and the draft of a change that they write on."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from terminal.core.actions import Action, ClearAlert, RaiseAlert, ReceiptOutcome, SendReceipt
from terminal.core.alert_codes import RuleAlertCode, Severity
from terminal.core.invoice import InvoiceBooks
from terminal.core.model import OPEN, Lane, Rules, Stay


@dataclass(slots=True)
class Garage:
    """All lanes by id and all stays by session. step() never changes it; apply() does."""

    rules: Rules
    lanes: dict[str, Lane] = field(default_factory=dict)
    stays: dict[str, Stay] = field(default_factory=dict)
    books: InvoiceBooks = field(default_factory=InvoiceBooks)

    def apply(self, change: "Change") -> None:
        """Put the nouns of step()'s ``change`` in place of the old ones; its actions are left to the caller."""
        self.rules = change.rules or self.rules
        self.books = change.books or self.books
        self.lanes.update(change.lanes)
        self.stays.update(change.stays)

    @property
    def in_doubt(self) -> bool:
        """May an order still be paid whose fate a damaged journal lost?"""
        return any(o.doubtful and o.stage in OPEN for stay in self.stays.values() for o in stay.orders)


@dataclass(slots=True)
class Change:
    """The nouns that a step made anew, and the actions that follow."""

    lanes: dict[str, Lane]
    stays: dict[str, Stay]
    actions: list[Action]
    rules: Rules | None = None
    """The rules in force from here on, if they changed."""
    doubts: bool = False
    """The journal turned out to lack facts: PayBy must be asked which of our orders it has."""
    books: InvoiceBooks | None = None
    """How far the numbers of invoices are, if one was given."""

    def __bool__(self) -> bool:
        return bool(self.lanes or self.stays or self.actions or self.rules)


class Draft:
    """Reads through to the garage; what a rule puts here replaces what is there."""

    def __init__(self, garage: Garage, at: int) -> None:
        self.at = at
        self.rules = garage.rules
        self.lanes: dict[str, Lane] = {}
        self.stays: dict[str, Stay] = {}
        self.actions: list[Action] = []
        self.new_rules: Rules | None = None
        self.doubts = False
        self.books = garage.books
        self._garage = garage
        self._touched: list[str] = []

    def lane(self, name: str) -> Lane:
        """The lane as the rules have it now; one that nobody has mentioned yet is new and empty."""
        return self.lanes.get(name) or self._garage.lanes.get(name) or Lane(name)

    def stay(self, session: str) -> Stay:
        """The stay as the rules have it now; an unknown one is new and empty (see knows())."""
        return self.stays.get(session) or self._garage.stays.get(session) or Stay(session)

    def knows(self, session: str) -> bool:
        """Is the stay in memory? One that has left it must not be made anew."""
        return session in self.stays or session in self._garage.stays

    def all_lanes(self) -> Iterable[Lane]:
        """Every lane of the garage as the rules have it now, without those that are new in this draft."""
        return [self.lane(name) for name in self._garage.lanes]

    def all_stays(self) -> Iterable[Stay]:
        """Every stay in memory as it was before this draft; stay() has the present one."""
        return list(self._garage.stays.values())

    def put(self, noun: Lane | Stay) -> None:
        """Put a lane or stay in place of the one with its id. A lane is touched by it; an equal noun changes
        nothing."""
        if isinstance(noun, Lane):
            self.touch(noun.id)
            if noun != self.lane(noun.id):
                self.lanes[noun.id] = noun
        elif noun != self.stay(noun.session):
            self.stays[noun.session] = noun

    def touch(self, lane: str) -> None:
        """Note that the lane must be looked at again after the event: what is due there may have changed."""
        if lane not in self._touched:
            self._touched.append(lane)

    def touched(self) -> Iterable[str]:
        """Lanes in the order of their first touch, including those touched during the iteration."""
        yield from self._touched

    def alert(
        self,
        code: RuleAlertCode,
        severity: Severity,
        text: str,
        lane: str | None,
        stay: Stay | None = None,
        order_no: str | None = None,
        *,
        help_code: str | None = None,
        owed: bool = False,
    ) -> None:
        """Alert a person of an occurrence. ``lane`` None: it concerns the garage, not a lane. ``owed``: the state holds
        it as untold."""
        session = stay.session if stay else None
        self.actions.append(RaiseAlert(code, severity, text, lane, session, order_no, True, help_code, owed))

    def alert_until_cleared(
        self,
        code: RuleAlertCode,
        severity: Severity,
        text: str,
        lane: str | None,
        stay: Stay | None = None,
        order_no: str | None = None,
    ) -> None:
        """Alert a person of a condition that lasts until clear(), or until a person ends it."""
        self.actions.append(RaiseAlert(code, severity, text, lane, stay.session if stay else None, order_no))

    def clear(self, code: RuleAlertCode, text: str, lane: str | None) -> None:
        """End the alert that alert_until_cleared() raised. ``lane`` None: it concerns the garage, not a lane."""
        self.actions.append(ClearAlert(code, text, lane))

    def reply(self, outcome: ReceiptOutcome, why: str = "") -> None:
        """Answer the operator's command or PayBy's notification with a receipt."""
        self.actions.append(SendReceipt(outcome, why))

    def change(self) -> Change:
        """Everything that was put here, as a change."""
        books = None if self.books == self._garage.books else self.books
        return Change(self.lanes, self.stays, self.actions, self.new_rules, self.doubts, books)
