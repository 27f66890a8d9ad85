"""Which alerts are told when: each at once, none twice, and a storm as one message. Pure: times come in."""

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, replace

from terminal.contract.messages import Alert, RaisedAlert
from terminal.core.alert_codes import Severity

SETTLE_MS = 1_000
"""What comes within this time of the first goes with it."""
APART_MS, CRITICAL_APART_MS = 60_000, 10_000
"""The least time between two messages, and between two if the second has something critical that is new."""
KINDS_MOST = 1_000
"""Kinds of alerts at places that are remembered; what has no room is counted."""
VISITS_MOST = 3
"""Visits with the same alert at one place that are told of one by one in a message."""
TOLD_MOST = 50
"""Notices in a message, the gravest first; the others are counted."""
STANDING = "00000000-0000-7000-8000-000000000000"
"""Stands in the id of an alert that was only listed."""
GRAVEST_FIRST: dict[Severity, int] = {"critical": 0, "warning": 1, "info": 2}


@dataclass(frozen=True, slots=True)
class Notice:
    """What a person is told of one kind of alert at one place: how often it came since it was told last, and what it
    said the last time. ``since`` and ``last`` are the alerts' own times, RFC 3339."""

    lane: str
    code: str
    severity: Severity
    cleared: bool
    text: str
    count: int
    since: str
    last: str
    session: str = ""
    order_no: str = ""
    help_code: str = ""


@dataclass(slots=True)
class _Kind:
    waiting: Notice | None = None
    raise_told_ms: int | None = None
    """When it was last told as raised."""
    told_as_raised: bool = False
    """The last that was told of it."""


class AlertGrouping:
    """Feed it every alert; ask when() something is due, and take it then. Two alerts are the same if code, place and
    visit are. ``again_ms``: how long the same one, raised again, is only counted after it was told."""

    def __init__(self, least: Severity, again_ms: int) -> None:
        self._least, self._again_ms = GRAVEST_FIRST[least], again_ms
        self._kinds: OrderedDict[tuple[str, str, str], _Kind] = OrderedDict()
        self._first_ms: int | None = None
        self._sent_ms: int | None = None
        self._unlisted = 0

    def take(self, lane: str, alert: Alert, now_ms: int) -> None:
        """Note an alert, or its end. What is not grave enough is nothing, and so is the end of what was never told."""
        if GRAVEST_FIRST[alert.severity] > self._least:
            return
        key, cleared = (lane, alert.code, alert.session or alert.order_no or ""), alert.state == "cleared"
        kind = self._kinds.get(key)
        if kind is None:
            if cleared:
                return
            if len(self._kinds) >= KINDS_MOST and not self._forget(now_ms):
                self._unlisted += 1
                return
            kind = self._kinds[key] = _Kind()
        before = kind.waiting
        if cleared and before is None and not kind.told_as_raised:
            return
        kind.waiting = Notice(
            lane,
            alert.code,
            alert.severity,
            cleared,
            alert.text,
            (before.count if before else 0) + (not cleared),
            before.since if before else alert.at,
            alert.at,
            alert.session or "",
            alert.order_no or "",
            alert.help_code or "",
        )
        if self._first_ms is None:
            self._first_ms = now_ms

    def take_standing(self, lane: str, raised: RaisedAlert, now_ms: int) -> None:
        """Note what was raised before anything was heard of it. Only what is critical is told again at a start."""
        if (
            raised.severity == "critical"
            and (lane, raised.code, raised.session or raised.order_no or "") not in self._kinds
        ):
            fields = {
                name: getattr(raised, name) for name in ("code", "severity", "text", "session", "order_no", "help_code")
            }
            self.take(lane, Alert(id=STANDING, at=raised.since, state="raised", **fields), now_ms)

    def when(self) -> int | None:
        """When the next message is due; None: nothing waits."""
        return min((max(self._quiet_until(kind), self._earliest(one)) for kind, one in self._waiting()), default=None)

    def due(self, now_ms: int) -> tuple[list[Notice], int]:
        """What is to be told now, the gravest first, and how many alerts are not in it; empty where nothing is due."""
        moment = self.when()
        if moment is None or now_ms < moment:
            return [], 0
        ready = [
            (key, one) for key, kind in self._kinds.items() if (one := kind.waiting) and self._is_ready(kind, now_ms)
        ]
        for key, one in ready:
            kind = self._kinds[key]
            kind.waiting, kind.told_as_raised = None, not one.cleared
            if not one.cleared or kind.raise_told_ms is None:
                kind.raise_told_ms = now_ms
            self._kinds.move_to_end(key)
        self._sent_ms = now_ms
        self._first_ms = now_ms if any(True for _ in self._waiting()) else None
        told = _merged([one for _, one in ready])
        told.sort(key=lambda one: (one.cleared, GRAVEST_FIRST[one.severity]))
        more = self._unlisted + sum(max(1, one.count) for one in told[TOLD_MOST:])
        self._unlisted = 0
        return told[:TOLD_MOST], more

    def _waiting(self) -> Iterator[tuple[_Kind, Notice]]:
        return ((kind, kind.waiting) for kind in self._kinds.values() if kind.waiting)

    def _is_ready(self, kind: _Kind, now_ms: int) -> bool:
        return self._quiet_until(kind) <= now_ms

    def _quiet_until(self, kind: _Kind) -> int:
        """The end of what was told is news at once; the same, raised again, is not."""
        ends = kind.waiting is not None and kind.waiting.cleared and kind.told_as_raised
        return 0 if ends or kind.raise_told_ms is None else kind.raise_told_ms + self._again_ms

    def _earliest(self, notice: Notice) -> int:
        assert self._first_ms is not None
        settled = self._first_ms + SETTLE_MS
        if self._sent_ms is None:
            return settled
        is_urgent = notice.severity == "critical" and not notice.cleared
        return max(settled, self._sent_ms + (CRITICAL_APART_MS if is_urgent else APART_MS))

    def _forget(self, now_ms: int) -> bool:
        """Make room: the one that was told longest ago, if it is quiet and its time is over."""
        key, kind = next(iter(self._kinds.items()))
        if kind.waiting is not None or self._quiet_until(kind) > now_ms:
            return False
        del self._kinds[key]
        return True


def _merged(notices: list[Notice]) -> list[Notice]:
    """Of many visits with the same alert at one place only their number is told, and the last one's text."""
    by_kind: dict[tuple[str, str, bool], list[Notice]] = {}
    for one in notices:
        by_kind.setdefault((one.lane, one.code, one.cleared), []).append(one)
    told = list[Notice]()
    for same in by_kind.values():
        if len(same) <= VISITS_MOST:
            told += same
            continue
        last = max(same, key=lambda one: one.last)
        count, since = sum(one.count for one in same), min(one.since for one in same)
        told.append(replace(last, count=count, since=since, session="", order_no="", help_code=""))
    return told
