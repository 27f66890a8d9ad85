"""What a page shows of the garage as a whole: is it cut off, who is away, what is raised, who has seen it."""

from dataclasses import dataclass

from terminal.contract.messages import moment
from terminal.contract.topics import GARAGE_WIDE
from terminal.core.alert_codes import Severity
from terminal.payby.plain_text import plain
from terminal.roles.console.alert_inbox import SEVERITIES
from terminal.roles.console.desk import Desk
from terminal.roles.console.texts import Words

SHOWN_MOST = 100
"""Alerts on the page; of more their number is said."""


@dataclass(frozen=True, slots=True)
class AlertLine:
    """An alert on the page. ``lane`` is empty for the whole garage; ``seen_by`` and ``note`` are whoever's has seen
    it."""

    key: str
    lane: str
    severity: Severity
    code: str
    text: str
    at_ms: int
    session: str
    help_code: str
    count: int = 1
    seen_by: str = ""
    note: str = ""


def alert_lines(desk: Desk) -> tuple[list[AlertLine], int]:
    """What is raised and what waits to be seen, the gravest first, what nobody has seen before what somebody has; and
    how many more there are than can be shown."""
    lines = [*_raised(desk), *_waiting(desk)]
    lines.sort(key=lambda one: (bool(one.seen_by), SEVERITIES[one.severity], -one.at_ms))
    more = len(lines) - SHOWN_MOST
    return lines[:SHOWN_MOST], max(0, more) + desk.monitor.raised_unlisted + desk.inbox.unlisted


def desk_fields(desk: Desk, words: Words) -> dict[str, str]:
    """The fields of the page's head."""
    lines, more = alert_lines(desk)
    unseen = [one for one in lines if not one.seen_by]
    roles = desk.roles()
    worst = unseen[0].severity if unseen else ""
    cut = ""
    if desk.away_ms():
        cut = words("cut.broker")
    elif desk.is_cut_off():
        cut = words("cut.silent")
    return {
        "cut": cut,
        "history": words("cut.history", why=desk.history_trouble) if desk.history_trouble else "",
        "alerts": str(len(unseen) + more) if unseen or more else "",
        "alerts_tone": worst,
        "alerts_mark": f"{hash(tuple(lines)) & 0xFFFFFFFF:x}-{more}",
        "roles": f"{sum(one.is_there for one in roles)}/{len(roles)}",
        "roles_tone": "stop" if any(not one.is_there for one in roles) else "go",
        "lanes": " ".join(sorted(desk.monitor.lanes)),
    }


def _raised(desk: Desk) -> list[AlertLine]:
    found = []
    for there in desk.monitor.raised():
        alert = there.alert
        about = alert.session or alert.order_no or "-"
        key = f"{there.lane} {there.role} {alert.code} {about} {alert.since}"
        found.append(
            AlertLine(
                key[:200],
                "" if there.lane == GARAGE_WIDE else there.lane,
                alert.severity,
                plain(alert.code, 40),
                plain(alert.text, 300),
                moment(alert.since),
                alert.session or "",
                alert.help_code or "",
                1,
                *_seen(desk, key[:200]),
            )
        )
    return found


def _waiting(desk: Desk) -> list[AlertLine]:
    return [
        AlertLine(
            one.key, "" if one.lane == GARAGE_WIDE else one.lane, one.severity, one.code, one.text,
            one.at_ms, one.session, one.help_code, one.count,
        )
        for one in desk.inbox.all(desk.clock.wall_ms())
    ]  # fmt: skip


def _seen(desk: Desk, key: str) -> tuple[str, str]:
    found = desk.book.seen.get(key)
    return (found[1].user, found[1].note) if found else ("", "")
