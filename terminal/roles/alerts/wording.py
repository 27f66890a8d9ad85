"""What is sent: a JSON document for programs, and a letter for people."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from terminal.contract.alerts import ALERTS, AlertKind
from terminal.contract.messages import moment
from terminal.contract.topics import GARAGE_WIDE
from terminal.payby.plain_text import plain
from terminal.roles.alerts.grouping import GRAVEST_FIRST, Notice

_KINDS: Mapping[str, AlertKind] = dict(ALERTS.items())
SUBJECT_MOST = 120


@dataclass(frozen=True, slots=True)
class AlertLetter:
    """One message to every receiver. ``id``: UUIDv7; the same each time that it is tried. ``at``: RFC 3339, UTC.
    ``more``: alerts that had no room in it."""

    id: str
    at: str
    garage: str
    name: str
    zone: ZoneInfo
    notices: Sequence[Notice]
    more: int = 0

    def document(self) -> dict[str, Any]:
        """As JSON, in the contract's style: what is absent is left out. ``text`` is what chat programs show."""
        found: dict[str, Any] = {
            "v": 1,
            "id": self.id,
            "at": self.at,
            "garage": self.garage,
            "name": self.name,
            "text": self.text(),
            "alerts": [_fields(one) for one in self.notices],
        }
        return found | ({"more": self.more} if self.more else {})

    def subject(self) -> str:
        """The gravest in a few words, and how many others there are."""
        first = self.notices[0]
        others = len(self.notices) - 1 + self.more
        rest = f" and {others} more" if others else ""
        state = "ended" if first.cleared else first.severity
        return plain(f"{self.name}: {state}, {_head(first)}{rest}", SUBJECT_MOST)

    def text(self) -> str:
        """All of it, in plain lines."""
        parts = [self._part(one) for one in self.notices]
        if self.more:
            parts.append(f"{self.more} more alerts are not listed here; the desk and `exit-terminal watch` have them.")
        return "\n\n".join(parts)

    def _part(self, one: Notice) -> str:
        kind = _KINDS.get(one.code)
        lines = [f"{'ENDED' if one.cleared else one.severity.upper()}: {_head(one)}", one.text]
        when = f"{self._local(one.last)}"
        if one.count > 1:
            when = f"{one.count} times from {self._local(one.since)} to {when}"
        lines.append(when)
        if one.help_code:
            lines.append(f"Help code: {one.help_code}")
        if one.order_no:
            lines.append(f"Order: {one.order_no}")
        if kind and not one.cleared:
            lines.append(f"What to do: {_unmarked(kind.remedy)}")
        return "\n".join(lines)

    def _local(self, stamp: str) -> str:
        at = datetime.fromtimestamp(moment(stamp) / 1000, self.zone)
        return f"{at:%Y-%m-%d %H:%M:%S}"


def _head(one: Notice) -> str:
    where = "the garage" if one.lane == GARAGE_WIDE else one.lane
    return f"{plain(one.code, 40)} at {where}"


def _fields(one: Notice) -> dict[str, Any]:
    kind = _KINDS.get(one.code)
    found = {
        "lane": one.lane,
        "code": one.code,
        "severity": one.severity,
        "state": "cleared" if one.cleared else "raised",
        "text": one.text,
        "count": one.count,
        "since": one.since,
        "last": one.last,
        "session": one.session,
        "order_no": one.order_no,
        "help_code": one.help_code,
        "what_to_do": _unmarked(kind.remedy) if kind and not one.cleared else "",
    }
    return {name: value for name, value in found.items() if value != ""}


def _unmarked(markdown: str) -> str:
    return markdown.replace("`", "")


def gravest(notices: Sequence[Notice]) -> str:
    """The gravest severity among them."""
    return min((one.severity for one in notices), key=lambda severity: GRAVEST_FIRST[severity])
