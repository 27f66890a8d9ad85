"""Who opened the boom: a payment, an operator with a reason, a hand, or nobody knows."""

from dataclasses import dataclass
from typing import Literal

from terminal.contract.describe import MessageFields

By = Literal["paid", "free", "credit", "operator", "by hand", "unknown"]
REASONS: tuple[By, ...] = ("paid", "free", "credit", "operator")
LIFTS_KEPT = 64
"""Lifts of a lane that are remembered until its barrier names one."""


@dataclass(frozen=True, slots=True)
class Opened:
    """One raise. ``at_ms``: ms since the epoch, when it was heard of. ``who`` and ``note`` are an operator's; ``lift``,
    ``session``, ``order_no`` and ``amount`` (AED, as text) are empty where nobody said."""

    at_ms: int
    by: By
    who: str = ""
    note: str = ""
    lift: str = ""
    session: str = ""
    order_no: str = ""
    amount: str = ""

    def words(self) -> str:
        """Who opened it, in a few words."""
        of_amount = f" of AED {self.amount}" if self.amount else ""
        match self.by:
            case "paid":
                return f"opened by a payment{of_amount}"
            case "credit":
                return f"opened by a credit{of_amount}"
            case "free":
                return "opened for a free stay"
            case "operator":
                who = f"opened by operator {self.who}" if self.who else "opened by an operator"
                return f"{who}: {self.note}" if self.note else who
            case "by hand":
                return "opened by hand, no lift raised it"
            case "unknown":
                return "opened, nobody knows by whom"


class Lifts:
    """The last lifts that were published for a lane, by id."""

    def __init__(self) -> None:
        self._known: dict[str, MessageFields] = {}

    def note(self, lift: MessageFields) -> None:
        """A ``lift`` was said."""
        if isinstance(name := lift.get("id"), str):
            self._known.pop(name, None)
            self._known[name] = lift
            if len(self._known) > LIFTS_KEPT:
                self._known.pop(next(iter(self._known)))

    def session_of(self, lift: object) -> str:
        """The stay that a lift is for; empty where it was not heard."""
        return _text(self._known.get(lift, {}) if isinstance(lift, str) else {}, "session")

    def opened(self, barrier: MessageFields, at_ms: int, *, before: str) -> Opened:
        """Who raised the arm, by the barrier's word that it rises; ``before``: the lift that it named when it was at
        rest, since some devices name the last one for ever."""
        lift = _text(barrier, "lift")
        if not lift or lift == before:
            return Opened(at_ms, "by hand")
        said = self._known.get(lift, {})
        reason = said.get("reason", barrier.get("reason"))
        by: By = next((known for known in REASONS if known == reason), "unknown")
        return Opened(
            at_ms,
            by,
            who=_text(said, "by") if by == "operator" else "",
            note=_text(said, "note") if by == "operator" else "",
            lift=lift,
            session=_text(said, "session") or _text(barrier, "session"),
            order_no=_text(said, "order_no"),
            amount=_text(said, "amount"),
        )


def _text(data: MessageFields, name: str) -> str:
    value = data.get(name)
    return value if isinstance(value, str) else ""
