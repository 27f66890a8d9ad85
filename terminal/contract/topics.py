"""The topics: ``parking/<garage>/<lane>/<what>``, and what each of them means."""

import re
from dataclasses import dataclass

from terminal.core.ids import GARAGE_NAME, LANE_NAME, NO_LANE

GARAGE_WIDE = NO_LANE
"""Stands in the lane's place where a message concerns the whole garage."""

OF_A_LANE = frozenset({"fee", "plate", "order", "screen", "lift", "barrier", "vehicle", "command"})
"""The kinds of message that belong to a lane, and never to the garage as a whole."""

BY_ROLE = frozenset({"health", "alerts"})
"""The kinds whose topics end in the role that publishes: ``health/worker``, ``alerts/worker``."""

RETAINED = frozenset({"order", "screen", "barrier", "vehicle", "health", "alerts"})
"""The broker retains the newest of each of these for later subscribers."""
FLEETING = frozenset({"fee", "vehicle", "health"})
"""Subscribed to with QoS 0, because they are repeated all the time. If a broker kept them for a session that is away,
they would come late as if they were new, and a lift for a car that has left would find that car waiting. And a broker
that writes what it keeps to its disk would fall behind when a reader sends a thousand fees a second."""
LATEST_ONLY = frozenset({"order", "screen", "vehicle", "health", "alerts"})
"""Of these only the newest waits for a connection. ``barrier`` is not among them: each may answer another lift."""

SILENT_MS = 15_000
"""Heartbeats, `vehicle` and `barrier` are repeated every 5 s. A sender that was silent for this long is away, whatever
its last message says, and an older message says nothing about now."""

_GARAGE = re.compile(GARAGE_NAME)
_LANE = re.compile(LANE_NAME)
_WHAT = re.compile(r"[a-z]{1,16}(/[a-z]{1,16})?")


class TopicError(ValueError):
    """A name does not fit into a topic, or a topic is not one of ours."""


def check_garage(name: str) -> str:
    """Return ``name``; raise TopicError unless it is 1 to 12 of a-z and 0-9."""
    if not _GARAGE.fullmatch(name):
        raise TopicError(f"garage {name!r}: 1 to 12 characters of a-z and 0-9 are needed")
    return name


def check_lane(name: str) -> str:
    """Return ``name``; raise TopicError unless it is 1 to 16 of a-z, 0-9 and -, and not ``garage``."""
    if not _LANE.fullmatch(name) or name == GARAGE_WIDE:
        raise TopicError(f"lane {name!r}: 1 to 16 characters of a-z, 0-9 and - are needed, and not {GARAGE_WIDE!r}")
    return name


@dataclass(frozen=True, slots=True)
class Topic:
    """One topic of ours. ``lane`` is GARAGE_WIDE for what concerns no single lane;
    ``what`` is a key of messages.MESSAGES, of those in BY_ROLE with a role: ``health/worker``."""

    garage: str
    lane: str
    what: str

    def __str__(self) -> str:
        return f"parking/{self.garage}/{self.lane}/{self.what}"

    @property
    def kind(self) -> str:
        """The key of messages.MESSAGES: ``health`` for every ``health/<role>``, and so with ``alerts``."""
        return self.what.partition("/")[0]

    @property
    def is_misplaced(self) -> bool:
        """Is this the garage's place for what belongs to a lane?"""
        return self.lane == GARAGE_WIDE and self.kind in OF_A_LANE

    @property
    def role(self) -> str:
        """The role of a ``health/<role>`` or ``alerts/<role>`` topic, empty for the others."""
        return self.what.partition("/")[2]


def topic(garage: str, lane: str, what: str) -> str:
    """The text of a topic; raises TopicError for names that no topic may contain."""
    check_garage(garage)
    if lane != GARAGE_WIDE:
        check_lane(lane)
    if not _WHAT.fullmatch(what):
        raise TopicError(f"topic {what!r}: not one of ours")
    return f"parking/{garage}/{lane}/{what}"


def parse(text: str) -> Topic:
    """A received topic, parsed; raises TopicError unless it has our form."""
    match text.split("/", 3):
        case ["parking", garage, lane, what] if (
            _GARAGE.fullmatch(garage) and _LANE.fullmatch(lane) and _WHAT.fullmatch(what)
        ):
            return Topic(garage, lane, what)
    raise TopicError(f"topic {text[:80]!r} is not parking/<garage>/<lane>/<what>")
