"""The alerts that tell of something that happened, until somebody has seen them. What is raised until it is cleared
stands in the roles' lists (monitor.garage); this is the rest, which no list has."""

from collections import OrderedDict
from dataclasses import dataclass

from terminal.contract.alerts import ALERTS
from terminal.core.alert_codes import Severity
from terminal.payby.plain_text import plain
from terminal.roles.console.history import HeardLine

KEPT_MS = 24 * 60 * 60_000
MOST = 500
"""Kinds of occurrences that wait to be seen: an occurrence that comes again is counted, not listed anew."""
SEVERITIES: dict[Severity, int] = {"critical": 0, "warning": 1, "info": 2}


@dataclass(frozen=True, slots=True)
class Occurrence:
    """Something that happened, ``count`` times; ``text`` and ``at_ms`` (ms since the epoch) are the last one's."""

    lane: str
    code: str
    severity: Severity
    text: str
    at_ms: int
    session: str
    order_no: str
    help_code: str
    count: int = 1

    @property
    def key(self) -> str:
        """Names it, with its time: one that comes again has not been seen."""
        return f"{self.lane} {self.code} {self.session or self.order_no or '-'} {self.at_ms}"


class AlertInbox:
    """What waits to be seen, bounded however many come."""

    def __init__(self) -> None:
        self._waiting: OrderedDict[tuple[str, str, str], Occurrence] = OrderedDict()
        self.unlisted = 0
        """How many kinds of occurrences had no room."""

    def take(self, line: HeardLine) -> bool:
        """Note an ``alert`` that was heard; True if anything has changed."""
        if line.kind != "alert":
            return False
        code, text = line.field("code"), line.field("text")
        severity = next((name for name in SEVERITIES if name == line.field("severity")), None)
        if line.field("state") != "raised" or not code or severity is None or not _is_told_once(line, code):
            return False
        key = line.lane, code, line.session or line.order_no
        before = self._waiting.pop(key, None)
        self._waiting[key] = Occurrence(
            line.lane,
            plain(code, 40),
            severity,
            plain(text, 400),
            line.at_ms,
            line.session,
            line.order_no,
            line.code,
            before.count + 1 if before else 1,
        )
        if len(self._waiting) > MOST:
            self._waiting.popitem(last=False)
            self.unlisted += 1
        return True

    def helped(self, lane: str) -> bool:
        """The lane shows no help any more: its drivers' calls have ended. True if there were any."""
        ended = [key for key in self._waiting if key[:2] == (lane, "help")]
        for key in ended:
            del self._waiting[key]
        return bool(ended)

    def seen(self, key: str) -> Occurrence | None:
        """Somebody has seen it."""
        for name, one in self._waiting.items():
            if one.key == key:
                del self._waiting[name]
                if not self._waiting:
                    self.unlisted = 0
                return one
        return None

    def all(self, now_ms: int) -> list[Occurrence]:
        """What waits, the gravest first, then the newest."""
        for name in [name for name, one in self._waiting.items() if now_ms - one.at_ms > KEPT_MS]:
            del self._waiting[name]
        return sorted(self._waiting.values(), key=lambda one: (SEVERITIES[one.severity], -one.at_ms))


def _is_told_once(line: HeardLine, code: str) -> bool:
    """Will nobody ever clear it? A code of a newer version may be either: shown twice is better than never."""
    kind = next((kind for name, kind in ALERTS.items() if name == code), None)
    if kind is None or kind.lasts == "once":
        return True
    return kind.lasts == "once or until cleared" and bool(line.order_no)
