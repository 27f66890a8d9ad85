"""What each lane took today, by the orders that were heard to be paid. For the books there is `reconcile`."""

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from terminal.contract.messages import stamp
from terminal.core import money

LAST_MOST = 50
"""The last orders of a day are known by their numbers: each is said again and again."""


@dataclass(slots=True)
class DayTakings:
    """One place's day by the garage's clock; amounts in fils. ``last``: the orders that were counted last."""

    day: date
    fils: int = 0
    payments: int = 0
    last: list[str] = field(default_factory=list)

    def state(self, zone: ZoneInfo) -> dict[str, Any]:
        """As it is published; from this it goes on after a start."""
        begins = datetime(self.day.year, self.day.month, self.day.day, tzinfo=zone)
        return {
            "amount": money.text(self.fils),
            "currency": "AED",
            "payments": self.payments,
            "day": self.day.isoformat(),
            "since": stamp(round(begins.timestamp() * 1000)),
            "last": self.last,
        }


class Takings:
    """Each place's takings of the day."""

    def __init__(self, zone: ZoneInfo) -> None:
        self.zone = zone
        self._days: dict[str, DayTakings] = {}

    def today(self, place: str, now_ms: int) -> DayTakings:
        """The place's day; a new one begins at midnight."""
        day = datetime.fromtimestamp(now_ms / 1000, self.zone).date()
        if (known := self._days.get(place)) is None or known.day != day:
            known = self._days[place] = DayTakings(day)
        return known

    def is_of_today(self, at_ms: int, now_ms: int) -> bool:
        """Is it of the same day by the garage's clock?"""
        days = (datetime.fromtimestamp(ms / 1000, self.zone).date() for ms in (at_ms, now_ms))
        return next(days) == next(days)

    def paid(self, place: str, order_no: str, amount: str, now_ms: int) -> bool:
        """An order is paid; False: it was counted already, or its amount is none."""
        day = self.today(place, now_ms)
        try:
            fils = money.parse(amount)
        except ValueError:
            return False
        if order_no in day.last:
            return False
        day.fils, day.payments = day.fils + fils, day.payments + 1
        day.last = [*day.last, order_no][-LAST_MOST:]
        return True

    def restore(self, place: str, state: Any, now_ms: int) -> None:
        """Go on from what was published before this start, if it is today's and nothing was counted yet."""
        day = self.today(place, now_ms)
        match state:
            case {"day": text, "amount": str(amount), "payments": int(payments), "last": list(last)}:
                if text != day.day.isoformat() or day.payments:
                    return
                try:
                    day.fils = money.parse(amount)
                except ValueError:
                    return
                day.payments, day.last = payments, [one for one in last if isinstance(one, str)][-LAST_MOST:]

    def until_midnight_s(self, now_ms: int) -> float:
        """The time until the day ends."""
        now = datetime.fromtimestamp(now_ms / 1000, self.zone)
        after = now.date() + timedelta(days=1)
        ends = datetime(after.year, after.month, after.day, tzinfo=self.zone)
        return max(0.0, ends.timestamp() - now_ms / 1000)
