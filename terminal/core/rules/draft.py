"""The garage as the rules see it, and the draft of a change that they write on."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from terminal.core.actions import Action, ClearAlert, RaiseAlert, ReceiptOutcome, SendReceipt
from terminal.core.alert_codes import RuleAlertCode, Severity
from terminal.core.model import OPEN, Lane, Rules, Stay


@dataclass(slots=True)
class Garage:
    """All lanes and stays by id and session. step() never changes it; apply() does."""

    rules: Rules
    lanes: dict[str, Lane] = field(default_factory=dict)
    stays: dict[str, Stay] = field(default_factory=dict)

    def apply(self, change: "Change") -> None:
        self.rules = change.rules or self.rules
        self.lanes.update(change.lanes)
        self.stays.update(change.stays)

    @property
    def in_doubt(self) -> bool:
        """Might an order still be paid of which a damaged journal lost what became of it?"""
        return any(o.doubtful and o.stage in OPEN for stay in self.stays.values() for o in stay.orders)


@dataclass(slots=True)
class Change:
    """The nouns that a step made anew, and what it asks to be said."""

    lanes: dict[str, Lane]
    stays: dict[str, Stay]
    actions: list[Action]
    rules: Rules | None = None
    """Those in force from here on, where they are others."""
    doubts: bool = False
    """The journal was found to lack what happened: PayBy must be asked which orders it has of us."""

    def __bool__(self) -> bool:
        return bool(self.lanes or self.stays or self.actions or self.rules)


class Draft:
    """Reads through to the garage; what is put here differs from what is there."""

    def __init__(self, garage: Garage, at: int) -> None:
        self.at = at
        self.rules = garage.rules
        self.lanes: dict[str, Lane] = {}
        self.stays: dict[str, Stay] = {}
        self.actions: list[Action] = []
        self.new_rules: Rules | None = None
        self.doubts = False
        self._garage = garage
        self._touched: list[str] = []

    def lane(self, name: str) -> Lane:
        return self.lanes.get(name) or self._garage.lanes.get(name) or Lane(name)

    def stay(self, session: str) -> Stay:
        return self.stays.get(session) or self._garage.stays.get(session) or Stay(session)

    def knows(self, session: str) -> bool:
        """Is the stay in memory? One that was put away is not to be made anew in its place."""
        return session in self.stays or session in self._garage.stays

    def all_lanes(self) -> Iterable[Lane]:
        return [self.lane(name) for name in self._garage.lanes]

    def all_stays(self) -> Iterable[Stay]:
        return list(self._garage.stays.values())

    def put(self, noun: Lane | Stay) -> None:
        if isinstance(noun, Lane):
            self.touch(noun.id)
            if noun != self.lane(noun.id):
                self.lanes[noun.id] = noun
        elif noun != self.stay(noun.session):
            self.stays[noun.session] = noun

    def touch(self, lane: str) -> None:
        if lane not in self._touched:
            self._touched.append(lane)

    def touched(self) -> Iterable[str]:
        """Lanes in the order of their first touch, those touched meanwhile included."""
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
        """Tell a person of an occurrence; ``lane`` None: it concerns the garage, not a lane. ``owed``: the state has it
        as untold."""
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
        """Tell a person of a condition that lasts until clear() says that it is over, or a person does."""
        self.actions.append(RaiseAlert(code, severity, text, lane, stay.session if stay else None, order_no))

    def clear(self, code: RuleAlertCode, text: str, lane: str | None) -> None:
        self.actions.append(ClearAlert(code, text, lane))

    def reply(self, outcome: ReceiptOutcome, why: str = "") -> None:
        self.actions.append(SendReceipt(outcome, why))

    def change(self) -> Change:
        """What was written here."""
        return Change(self.lanes, self.stays, self.actions, self.new_rules, self.doubts)
