"""What stands over (or, in a terminal, under) the lines: who is there, what is raised, each lane now, how old it is."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from rich.text import Text

from terminal.clock import Clock
from terminal.contract.describe import in_words
from terminal.contract.messages import moment
from terminal.contract.topics import SILENT_MS
from terminal.monitor.garage import GarageMonitor
from terminal.monitor.lane import LaneMonitor
from terminal.monitor.roles import RoleStatus
from terminal.payby.plain_text import plain
from terminal.tools.watch.line import STYLES, Tone

LANES_MOST, RAISED_MOST, AWAY_MOST, GARAGES_MOST = 8, 4, 4, 12
"""Rows of each kind; the rest is counted."""


@dataclass(frozen=True, slots=True)
class BrokerConnection:
    """``lost_ms``: since when there is none, by the steady clock; None: there is one. ``trouble``: why."""

    lost_ms: int | None = None
    trouble: str = ""


def age(ms: int) -> str:
    """A time that has passed: 17 s, 4 min, 3 h, 2 d."""
    seconds = ms // 1000
    for unit, length, most in (("s", 1, 120), ("min", 60, 7200), ("h", 3600, 172_800)):
        if seconds < most:
            return f"{seconds // length} {unit}"
    return f"{seconds // 86_400} d"


def in_short(trouble: str) -> str:
    """Why there is no connection, without the system's number for it."""
    return plain(re.sub(r"^(lost: |\[Errno -?\d+\] )+", "", trouble), 60)


def header(monitor: GarageMonitor, clock: Clock, connection: BrokerConnection) -> list[tuple[str, Tone]]:
    """The rows, each with its tone; what is not live never looks alive."""
    if connection.lost_ms is not None:
        return [_cut_off(clock, connection)]
    roles = monitor.roles()
    return [
        _summary(monitor, roles),
        *_away(roles),
        *_raised(monitor, clock),
        *_lanes(monitor, clock),
    ]


def overview(monitors: Iterable[GarageMonitor], clock: Clock, connection: BrokerConnection) -> list[tuple[str, Tone]]:
    """A row for each garage, those in trouble first, with the gravest that is raised there."""
    if connection.lost_ms is not None:
        return [_cut_off(clock, connection)]
    found = []
    for monitor in monitors:
        words, tone = _summary(monitor, monitor.roles())
        if worst := monitor.raised()[:1]:
            words = f"{words}, the gravest: {worst[0].lane} {plain(worst[0].alert.code)}"
        found.append((words, tone))
    graveness: dict[Tone, int] = {"bad": 0, "warn": 1}
    found.sort(key=lambda row: graveness.get(row[1], 2))
    return [*found[:GARAGES_MOST], *_more(len(found) - GARAGES_MOST, "garages")]


def _cut_off(clock: Clock, connection: BrokerConnection) -> tuple[str, Tone]:
    assert connection.lost_ms is not None
    for_ = age(clock.steady_ms() - connection.lost_ms)
    why = f": {in_short(connection.trouble)}" if connection.trouble else ""
    return f"CUT OFF from the broker for {for_}, trying again{why}", "bad"


def summary(monitor: GarageMonitor) -> str:
    """Who is there and what is raised, in one line."""
    return _summary(monitor, monitor.roles())[0]


def rich_of(rows: Iterable[tuple[str, Tone]], width: int) -> Text:
    """The rows for a terminal, each cut to its width."""
    text = Text(no_wrap=True, overflow="ellipsis")
    for number, (row, tone) in enumerate(rows):
        text.append("\n" if number else "")
        cut = row if len(row) <= width else row[: width - 3] + "..."
        text.append(cut, style=f"{STYLES[tone]} reverse" if number == 0 else STYLES[tone])
    return text


def _summary(monitor: GarageMonitor, roles: list[RoleStatus]) -> tuple[str, Tone]:
    there = sum(role.is_there for role in roles)
    count = len(monitor.raised()) + monitor.raised_unlisted
    silent = monitor.silent_ms()
    parts = [monitor.garage, f"{there} of {len(roles)} roles online", f"{count or 'nothing'} raised"]
    if silent is not None and silent > SILENT_MS:
        return " | ".join([*parts, f"NOTHING HEARD for {age(silent)}"]), "bad"
    worst = {raised.alert.severity for raised in monitor.raised()}
    if not roles or there < len(roles) or "critical" in worst:
        return " | ".join(parts), "bad"
    degraded = any(role.state == "degraded" for role in roles)
    return " | ".join(parts), "warn" if worst or degraded else "good"


def _away(roles: list[RoleStatus]) -> list[tuple[str, Tone]]:
    """Who is not there, or not well, and since when he was not heard."""
    found = [role for role in roles if role.state != "online"]
    rows: list[tuple[str, Tone]] = []
    for role in found[:AWAY_MOST]:
        why = f": {plain(role.reason)}" if role.reason else ""
        since = "" if role.state == "degraded" else f", last heard {age(role.age_ms)} ago"
        tone: Tone = "warn" if role.state == "degraded" else "bad"
        rows.append((f"  {role.lane} {role.role} is {role.state}{since}{why}", tone))
    return [*rows, *_more(len(found) - AWAY_MOST, "roles")]


def _raised(monitor: GarageMonitor, clock: Clock) -> list[tuple[str, Tone]]:
    found = monitor.raised()
    tones: dict[str, Tone] = {"critical": "bad", "warning": "warn"}
    rows: list[tuple[str, Tone]] = []
    for there in found[:RAISED_MOST]:
        alert = there.alert
        since = age(max(0, clock.wall_ms() - moment(alert.since)))
        code = f" [{alert.help_code}]" if alert.help_code else ""
        words = f"  {there.lane} {plain(alert.code)}{code} for {since}: {plain(alert.text)}"
        rows.append((words, tones.get(alert.severity, "plain")))
    return [*rows, *_more(len(found) - RAISED_MOST + monitor.raised_unlisted, "alerts")]


def _lanes(monitor: GarageMonitor, clock: Clock) -> list[tuple[str, Tone]]:
    names = sorted(monitor.lanes)
    rows = [
        (_lane(monitor, monitor.lanes[name], clock), _lane_tone(monitor.lanes[name])) for name in names[:LANES_MOST]
    ]
    return [*rows, *_more(len(names) - LANES_MOST, "lanes")]


def _lane(monitor: GarageMonitor, lane: LaneMonitor, clock: Clock) -> str:
    parts = [_screen(lane, clock)]
    vehicle, barrier = monitor.vehicle_of(lane), monitor.barrier_of(lane)
    if lane.vehicle:
        parts.append(in_words("vehicle", vehicle.data) if vehicle else "loops unknown")
    if lane.barrier:
        parts.append(f"boom {plain(barrier.text('state'), 12)}" if barrier else "boom unknown")
    return f"  {lane.name}: " + ", ".join(parts)


def _screen(lane: LaneMonitor, clock: Clock) -> str:
    if lane.screen is None or lane.shown_since is None:
        return "no screen was heard"
    old = lane.screen.age_ms(clock.wall_ms(), clock.steady_ms())
    data, words = lane.screen.data, in_words("screen", lane.screen.data)
    remaining = data.get("remaining")
    if data.get("state") == "pay" and isinstance(remaining, int):
        left = max(0, remaining - old // 1000)
        return plain(in_words("screen", {**data, "remaining": left}))
    return f"{plain(words)} for {age(lane.shown_since.age_ms(clock.wall_ms(), clock.steady_ms()))}"


def _lane_tone(lane: LaneMonitor) -> Tone:
    states: dict[str, Tone] = {"help": "warn", "closed": "warn", "out-of-order": "bad"}
    return states.get(lane.screen.text("state") if lane.screen else "", "plain")


def _more(count: int, what: str) -> list[tuple[str, Tone]]:
    return [(f"  and {count} more {what}", "dim")] if count > 0 else []
