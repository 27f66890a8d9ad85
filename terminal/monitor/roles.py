"""Which roles are there, for a person who looks on: what was kept a moment ago counts, and silence has an age."""

from dataclasses import dataclass
from typing import Literal

from terminal.clock import Clock
from terminal.contract.messages import moment
from terminal.contract.topics import SILENT_MS
from terminal.mqtt.presence import Peer, Presence

PROCESS = "run"
"""The health of a process with several roles; each of them has its own as well."""
RoleState = Literal["online", "degraded", "offline", "silent"]


@dataclass(frozen=True, slots=True)
class RoleStatus:
    """A role now. ``offline``: it said so, or its will did; ``silent``: it has not been heard for 15 s. ``reason`` is
    its own; ``age_ms`` since it was last heard, or, of what the broker kept, since that was said."""

    lane: str
    role: str
    state: RoleState
    reason: str
    version: str
    age_ms: int

    @property
    def is_there(self) -> bool:
        """Is it online, even if degraded?"""
        return self.state in ("online", "degraded")


def statuses(presence: Presence, clock: Clock) -> list[RoleStatus]:
    """Every role that was heard of, by lane and name."""
    peers = presence.all()
    lives = {peer.health.instance for peer in peers if _is_fresh(peer, clock) and peer.health.state != "offline"}
    return [_status(peer, clock, peer.health.instance in lives) for peer in peers if peer.role != PROCESS]


def _is_fresh(peer: Peer, clock: Clock) -> bool:
    return _age_ms(peer, clock) <= SILENT_MS


def _age_ms(peer: Peer, clock: Clock) -> int:
    if peer.at_ms is not None:
        return clock.steady_ms() - peer.at_ms
    return abs(clock.wall_ms() - moment(peer.health.at))


def _status(peer: Peer, clock: Clock, lives: bool) -> RoleStatus:
    health = peer.health
    state: RoleState = health.state if lives or health.state == "offline" else "silent"
    return RoleStatus(peer.lane, peer.role, state, health.reason or "", health.version, _age_ms(peer, clock))
