"""A garage as its messages tell it: lanes, how old each value is, what is raised, who is there, who opened what.

Nothing here waits or connects. Feed it every message of ``parking/<garage>/#``, retained ones included, in the order in
which they come; ask it what is known now. It believes nothing: what does not fit the contract is shown as such, and no
signature is checked, since nobody acts by this.
"""

import json
from dataclasses import dataclass

from terminal.clock import Clock
from terminal.contract.describe import MessageFields, in_words
from terminal.contract.messages import Alerts, BadMessage, Health, RaisedAlert, decode, moment
from terminal.contract.topics import BY_ROLE, GARAGE_WIDE, Topic, TopicError, parse
from terminal.core import ids
from terminal.core.alert_codes import Severity
from terminal.monitor.heard import Heard
from terminal.monitor.lane import LaneMonitor
from terminal.monitor.opened import Opened
from terminal.monitor.roles import RoleStatus, statuses
from terminal.mqtt.presence import Presence
from terminal.payby.plain_text import plain

REPEATED = frozenset({"health", "vehicle", "barrier", "alerts"})
"""What is said again and again, changed or not."""
WORDS_MOST = 400
LANES_MOST, ASKED_MOST = 1000, 256
_GRAVE: dict[Severity, int] = {"critical": 0, "warning": 1, "info": 2}


@dataclass(frozen=True, slots=True)
class Observation:
    """A message, for a person. ``words``: one plain line. ``is_news``: it says something else than the last one on its
    topic. ``session``, ``order_no`` and ``help_code`` are empty where it is about no visit. ``at_ms``: ms since the
    epoch; of what the broker kept when it was said, else when it came. ``opened``: the raise that begins with it."""

    topic: str
    lane: str
    kind: str
    role: str
    data: MessageFields
    retained: bool
    at_ms: int
    words: str
    is_news: bool
    session: str = ""
    order_no: str = ""
    help_code: str = ""
    opened: Opened | None = None


@dataclass(frozen=True, slots=True)
class RaisedThere:
    """An alert that is raised now, with its place and the role that raised it."""

    lane: str
    role: str
    alert: RaisedAlert


class GarageMonitor:
    """What is known of one garage."""

    def __init__(self, garage: str, clock: Clock) -> None:
        self.garage = garage
        self.lanes: dict[str, LaneMonitor] = {}
        self.heard_ms: int | None = None
        """When anything came last, live, by the steady clock."""
        self._clock = clock
        self._presence = Presence(clock)
        self._raised: dict[tuple[str, str], tuple[tuple[RaisedAlert, ...], int]] = {}
        self._last: dict[str, MessageFields] = {}
        self._asked: dict[str, str] = {}
        """Whose stay a command or a notification is about, by its id, for its receipt."""

    def take(self, topic: str, payload: bytes, *, retained: bool) -> Observation | None:
        """Note a message; None for what is on no topic of this garage, or deletes what was kept."""
        try:
            where = parse(topic)
        except TopicError:
            return None
        if where.garage != self.garage or not payload:
            return None
        data = _fields(payload)
        wall_ms, steady_ms = self._clock.wall_ms(), self._clock.steady_ms()
        if not retained:
            self.heard_ms = steady_ms
        heard = Heard(data, _said_ms(data, wall_ms), steady_ms, retained)
        self._note_of_role(where, payload, retained)
        lane, opened = self._lane(where.lane), None
        if lane:
            opened = lane.take(where.kind, heard)
        is_news = self._is_news(where, topic, data) or opened is not None
        session, order_no = self._about(where, lane, data)
        words = in_words(where.kind, data)
        if opened:
            words = f"{words}, {opened.words()}"
        return Observation(
            topic,
            where.lane,
            where.kind,
            where.role,
            data,
            retained,
            heard.said_ms if retained else wall_ms,
            plain(words, WORDS_MOST),
            is_news,
            session,
            order_no,
            _help_code(data, session),
            opened,
        )

    def roles(self) -> list[RoleStatus]:
        """Every role that was heard of, as it is now."""
        return statuses(self._presence, self._clock)

    def raised(self) -> list[RaisedThere]:
        """What is raised now, the gravest first, then the newest."""
        found = [
            RaisedThere(lane, role, alert) for (lane, role), (alerts, _) in self._raised.items() for alert in alerts
        ]
        found.sort(key=lambda there: there.alert.since, reverse=True)
        found.sort(key=lambda there: _GRAVE[there.alert.severity])
        return found

    @property
    def raised_unlisted(self) -> int:
        """How many more are raised than the roles' messages could hold."""
        return sum(more for _, more in self._raised.values())

    def silent_ms(self) -> int | None:
        """How long nothing at all came; None where nothing came yet."""
        return None if self.heard_ms is None else self._clock.steady_ms() - self.heard_ms

    def vehicle_of(self, lane: LaneMonitor) -> Heard | None:
        """What the loops see now; None where they are not there, or their word is too old to say."""
        return self._now(lane, "loops", lane.vehicle)

    def barrier_of(self, lane: LaneMonitor) -> Heard | None:
        """Where the boom is now; None where its barrier is not there, or its word is too old to say."""
        return self._now(lane, "barrier", lane.barrier)

    def _now(self, lane: LaneMonitor, role: str, heard: Heard | None) -> Heard | None:
        if heard is None:
            return None
        known = next((one for one in self.roles() if (one.lane, one.role) == (lane.name, role)), None)
        if known is not None:
            return heard if known.is_there else None
        return None if heard.is_old(self._clock.wall_ms(), self._clock.steady_ms()) else heard

    def _lane(self, name: str) -> LaneMonitor | None:
        if name == GARAGE_WIDE:
            return None
        if name not in self.lanes and len(self.lanes) < LANES_MOST:
            self.lanes[name] = LaneMonitor(name)
        return self.lanes.get(name)

    def _note_of_role(self, where: Topic, payload: bytes, retained: bool) -> None:
        if where.kind not in BY_ROLE or not where.role:
            return
        try:
            if where.kind == "health":
                self._presence.take(where, decode(Health, payload), retained=retained)
            else:
                said = decode(Alerts, payload)
                self._raised[where.lane, where.role] = said.raised, said.more or 0
        except BadMessage:
            return

    def _is_news(self, where: Topic, topic: str, data: MessageFields) -> bool:
        """Repetitions with a new time are none; nor is the same message, said until somebody answers."""
        passing = ("id", "at", "remaining", "key", "sign", "not_after", "rival")
        said = {name: value for name, value in data.items() if name not in passing}
        if where.kind == "barrier":
            said = {"state": data.get("state"), "answer": data.get("answer")}
        elif where.kind == "health":
            said = {name: data.get(name) for name in ("state", "reason", "instance")}
        elif where.kind not in REPEATED:
            said["id"] = data.get("id") if where.kind not in ("screen", "order") else None
        before = self._last.get(topic)
        self._last[topic] = said
        return before != said

    def _about(self, where: Topic, lane: LaneMonitor | None, data: MessageFields) -> tuple[str, str]:
        answer = data.get("answer")
        order_no = _text(data, "order_no") or (_text(answer, "order_no") if isinstance(answer, dict) else "")
        session = lane.session_of(where.kind, data) if lane else _text(data, "session")
        if not session and (name := ids.parse_order_no(order_no)):
            session = name.session
        if where.kind == "command" and session:
            self._asked[_text(data, "id")] = session
            if len(self._asked) > ASKED_MOST:
                self._asked.pop(next(iter(self._asked)))
        return session or self._asked.get(_text(data, "command"), ""), order_no


def _fields(payload: bytes) -> MessageFields:
    try:
        data = json.loads(payload)
    except (ValueError, RecursionError):
        return {}
    return data if isinstance(data, dict) else {}


def _said_ms(data: MessageFields, otherwise: int) -> int:
    try:
        return moment(data["at"])
    except (KeyError, TypeError, ValueError, OverflowError):
        return otherwise


def _help_code(data: MessageFields, session: str) -> str:
    return _text(data, "help_code") or (ids.help_code(session) if session else "")


def _text(data: MessageFields, name: str) -> str:
    value = data.get(name)
    return value if isinstance(value, str) else ""
