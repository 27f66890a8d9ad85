"""The listener's process: the product's own listener without its socket."""

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from aiohttp import web

from terminal.roles.listener.role import ListenerRole
from tests.sim.loop import Owner
from tests.sim.net import SimBus, SimClock

if TYPE_CHECKING:
    from tests.sim.world import World


class _Connection:
    """What a request came on, as far as the listener asks."""

    def complete(self) -> None:
        pass

    def idle(self) -> None:
        pass


@dataclass(frozen=True, slots=True)
class _Request:
    """A whole request, as far as the listener asks."""

    body: bytes
    headers: dict[str, str]

    @property
    def content_length(self) -> int:
        return len(self.body)

    @property
    def content(self) -> "_Request":
        return self

    @staticmethod
    def is_eof() -> bool:
        return True

    async def read(self) -> bytes:
        return self.body


class ListenerProcess:
    """The real Listener; what its socket would bring is handed to it."""

    def __init__(self, world: "World") -> None:
        self.world = world
        self.is_dead = True
        self._listener: ListenerRole
        self._bus: SimBus
        self._task: asyncio.Task[None] | None = None
        self._answering: set[asyncio.Task[Any]] = set()

    @property
    def bus(self) -> SimBus:
        return self._bus

    def starts(self) -> None:
        world = self.world
        if not self.is_dead:
            return
        self.is_dead = False
        self._bus = SimBus(world.broker, "listener", world.ids(world.true_ms()))
        clock = SimClock(world.loop, world.epoch_ms)
        endpoint = world.link_kind(self._bus, world.ids, garage=world.garage, lane=None, role="listener", clock=clock)
        self._listener = ListenerRole(endpoint, payby_keys=world.keys.payby_public, host="127.0.0.1", port=0)
        self._owner = Owner("listener")
        self._task = world.loop.create_owned(
            self._owner, self._listener._hear(endpoint.subscribe("receipt", lane="+")), name="listener process"
        )

    def dies(self) -> None:
        if self.is_dead:
            return
        self.world.note("listener", "dies")
        self.is_dead = True
        self._bus.dies()
        for task in (self._task, *self._answering):
            if task:
                task.cancel()
        self.world.loop.after(0.001, setattr, self._owner, "is_dead", True)
        self.world.loop.after(self.world.restart_s(), self.starts)

    async def notify(self, body: bytes, signature: str) -> int:
        """PayBy posts; returns the HTTP status, 0 where nobody answered."""
        if self.is_dead:
            return 0
        work = self._listener._notified(
            cast(web.BaseRequest, _Request(body, {"sign": signature})),
            cast(Any, _Connection()),
        )
        task = self.world.loop.create_owned(self._owner, work, name="listener answers")
        self._answering.add(task)
        await asyncio.wait([task])
        self._answering.discard(task)
        return 0 if task.cancelled() else task.result()[1]
