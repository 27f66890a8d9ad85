"""Which roles are online, by their heartbeats."""

from dataclasses import dataclass, replace
from typing import Literal

from terminal.clock import Clock
from terminal.contract.messages import Health
from terminal.contract.topics import SILENT_MS, Topic

PEERS = 5_000
"""How many roles of how many lanes are known at once; a user who may publish for all lanes can invent more."""


KEPT_MS = 150_000
"""How long a silent one is certainly remembered: a role beside others in its process speaks once a minute."""


class SecondWorker(Exception):
    """Another worker serves this garage and was there first."""


@dataclass(frozen=True, slots=True)
class Peer:
    """The last message of a role. ``at_ms`` is its arrival by the steady clock; None: only a retained message, which
    tells what was, not that the role is online now."""

    lane: str
    role: str
    health: Health
    at_ms: int | None
    beat_ms: int | None = None
    """When it last said, live, that it is online; kept when it says that it goes offline."""


class Presence:
    """The roles of a garage. Feed it every ``health`` message, and ask it which roles are online. It has no timers.

    Beyond PEERS a new one takes the place of the one that was heard of longest ago, unless that one may still be there:
    then the new one is not noted, so that nobody who invents lanes pushes out a role that beats."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._began_ms = clock.steady_ms()
        self._peers: dict[tuple[str, str], Peer] = {}

    def take(self, topic: Topic, health: Health, *, retained: bool) -> None:
        """Note a message of ``health/<role>``."""
        at_ms = None if retained else self._clock.steady_ms()
        key = topic.lane, topic.role
        before = self._peers.get(key)
        if retained and before and before.at_ms is not None:
            return  # a late or repeated retained message is older than what came live
        if before is None and len(self._peers) >= PEERS and not self._makes_room():
            return
        self._note(key, health, at_ms)
        if at_ms is not None and health.state != "offline":
            self._all_alive(health.instance, at_ms)
        if topic.role == "run" and health.state == "offline":
            # The connection has one will for all its roles: they share its instance.
            for other, peer in self._peers.items():
                if peer.health.instance == health.instance and other != key:
                    self._note(other, health, at_ms)

    def _all_alive(self, instance: str, at_ms: int) -> None:
        """The roles of one process share its instance, and the process beats for all of them. So a live beat is a sign
        of life of each whose last message, retained or not, did not say offline: the retained one of a living instance
        is what it says now."""
        for key, peer in self._peers.items():
            if peer.health.instance == instance and peer.health.state != "offline":
                self._peers[key] = replace(peer, at_ms=at_ms, beat_ms=at_ms)

    def _makes_room(self) -> bool:
        """Forget the peer that was heard of longest ago, if it is not there any more."""
        key, oldest = min(self._peers.items(), key=lambda known: known[1].at_ms or 0)
        if oldest.at_ms is not None and self._clock.steady_ms() - oldest.at_ms <= KEPT_MS:
            return False
        del self._peers[key]
        return True

    def _note(self, key: tuple[str, str], health: Health, at_ms: int | None) -> None:
        beat_ms = at_ms
        if health.state == "offline":
            before = self._peers.get(key)
            beat_ms = before.beat_ms if before else None
        self._peers[key] = Peer(*key, health, at_ms, beat_ms)

    def state(self, role: str, lane: str | None = None) -> Literal["online", "degraded", "offline"]:
        """The best state among the roles of that name, of all lanes or only ``lane``; an unknown role is offline."""
        now = self._clock.steady_ms()
        states = {
            peer.health.state
            for peer in self._peers.values()
            if peer.role == role
            and lane in (None, peer.lane)
            and peer.at_ms is not None
            and now - peer.at_ms <= SILENT_MS
        }
        return "online" if "online" in states else "degraded" if "degraded" in states else "offline"

    def online(self, role: str, lane: str | None = None) -> bool:
        """Is it online, even if degraded?"""
        return self.state(role, lane) != "offline"

    def silent_ms(self, role: str, lane: str | None = None) -> int:
        """The time (ms) since its last live heartbeat that did not say offline, or since this object was made."""
        beats = [
            peer.beat_ms
            for peer in self._peers.values()
            if peer.role == role and lane in (None, peer.lane) and peer.beat_ms is not None
        ]
        return self._clock.steady_ms() - max(beats, default=self._began_ms)

    def all(self) -> list[Peer]:
        """Everything known, retained messages included, for a page that lists it; sorted by lane and role."""
        return [self._peers[key] for key in sorted(self._peers)]
