"""What the broker counts and remembers; the guard and the clients' connections share it."""

import asyncio
from dataclasses import dataclass, field
from typing import Protocol

from broker.outbox import Outbox


class LiveConnection(Protocol):
    """A client's connection, as a newer one of the same client sees it when it takes over."""

    finished: asyncio.Event
    """Set when nothing of it is left."""

    def drop(self) -> None:
        """End it from outside."""


@dataclass
class Counts:
    """How much was refused since the start."""

    connects: int = 0
    malformed: int = 0
    silent: int = 0
    publishes: int = 0
    subscriptions: int = 0


@dataclass(frozen=True, slots=True)
class Kept:
    """A retained message."""

    data: bytes
    qos: int


@dataclass
class Tables:
    """What the broker remembers, by client id and by topic."""

    outboxes: dict[str, Outbox] = field(default_factory=dict)
    live: dict[str, LiveConnection] = field(default_factory=dict)
    retained: dict[str, Kept] = field(default_factory=dict)
    retained_bytes: int = 0
    watching: set[str] = field(default_factory=set)
    """The client ids of the watchers that are connected."""
    routes: dict[str, list[tuple[str, int]]] = field(default_factory=dict)
