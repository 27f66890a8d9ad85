"""An event loop whose time is a number: asyncio's tasks, timers and timeouts run on it, and nothing ever waits.

When nothing is ready, time jumps to the next timer. Callbacks of one moment run in the order in which they were
asked for, so the same program runs the same way each time. There is no socket, thread or signal.

Several programs may share it, as processes share a machine: each runs as an ``Owner``, and what a dead one had still
asked for does not happen.
"""

import asyncio
import contextvars
from collections import deque
from collections.abc import Callable, Coroutine
from heapq import heappop, heappush
from types import TracebackType
from typing import Any, Self

BUSY_LIMIT = 1_000_000
"""This many callbacks without progress of time mean that something runs in a circle."""


class Stuck(Exception):
    """Nothing is left that could happen, or time stands still for ever."""


class Owner:
    """A program that shares the loop with others; everything that it asks for is its own, tasks of tasks included.

    While it ``is_frozen``, as by SIGSTOP, what is due for it is ``held``; thaw() lets it happen."""

    __slots__ = ("context", "held", "is_dead", "is_frozen", "name")

    def __init__(self, name: str) -> None:
        self.name = name
        self.is_dead = self.is_frozen = False
        self.held: list[Handle] = []
        self.context = contextvars.copy_context()
        self.context.run(_OWNER.set, self)


_OWNER: contextvars.ContextVar[Owner] = contextvars.ContextVar("owner")
NOBODY = Owner("nobody")


class Handle:
    """One callback to come; a timer's sorts by its moment, then by the order of asking."""

    __slots__ = ("args", "callback", "context", "is_cancelled", "owner")

    def __init__(
        self,
        callback: Callable[..., object],
        args: tuple[Any, ...],
        context: contextvars.Context | None,
        owner: Owner,
    ) -> None:
        self.callback = callback
        self.args = args
        self.context = context
        self.owner = owner
        self.is_cancelled = False

    def cancel(self) -> None:
        self.is_cancelled = True
        self.callback = _nothing
        self.args = ()

    def cancelled(self) -> bool:
        return self.is_cancelled


def _nothing() -> None:
    pass


class VirtualLoop(asyncio.AbstractEventLoop):
    """``with VirtualLoop() as loop: loop.run(main())``. ``now`` is in seconds from 0.

    ``escaped`` holds what no task or callback caught: whoever runs a simulation looks there.
    """

    def __init__(self) -> None:
        self.now = 0.0
        self.escaped: list[dict[str, Any]] = []
        self._ready: deque[Handle] = deque()
        self._timers: list[tuple[float, int, Handle]] = []
        self._asked = 0
        self._tasks: dict[asyncio.Task[Any], None] = {}
        self._owner = NOBODY
        self._frozen: list[Owner] = []

    # What asyncio calls

    def time(self) -> float:
        return self.now

    def call_soon(  # type: ignore[override]
        self, callback: Callable[..., object], *args: Any, context: contextvars.Context | None = None
    ) -> Handle:
        handle = Handle(callback, args, context, self._owner if context is None else context.get(_OWNER, NOBODY))
        self._ready.append(handle)
        return handle

    def call_later(  # type: ignore[override]
        self, delay: float, callback: Callable[..., object], *args: Any, context: contextvars.Context | None = None
    ) -> Handle:
        return self.call_at(self.now + delay if delay > 0 else self.now, callback, *args, context=context)

    def call_at(  # type: ignore[override]
        self, when: float, callback: Callable[..., object], *args: Any, context: contextvars.Context | None = None
    ) -> Handle:
        handle = Handle(callback, args, context, self._owner if context is None else context.get(_OWNER, NOBODY))
        self._asked += 1
        heappush(self._timers, (when, self._asked, handle))
        return handle

    def create_future(self) -> "asyncio.Future[Any]":
        return asyncio.Future(loop=self)

    def create_task(  # type: ignore[override]
        self, coro: Coroutine[Any, Any, Any], *, name: str | None = None, context: contextvars.Context | None = None
    ) -> "asyncio.Task[Any]":
        task: asyncio.Task[Any] = asyncio.Task(coro, loop=self, name=name, context=context)
        self._tasks[task] = None
        task.add_done_callback(self._forget)
        return task

    def _forget(self, task: "asyncio.Task[Any]") -> None:
        self._tasks.pop(task, None)

    def get_debug(self) -> bool:
        return False

    def is_running(self) -> bool:
        return True

    def is_closed(self) -> bool:
        return False

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        self.escaped.append(context)

    # What a simulation calls

    @property
    def owner(self) -> Owner:
        """Whose callback runs now."""
        return self._owner

    def after(self, delay: float, callback: Callable[..., object], *args: Any) -> Handle:
        """call_later() for the simulation's own parts: it happens even if programs have died meanwhile."""
        handle = Handle(callback, args, None, NOBODY)
        self._asked += 1
        heappush(self._timers, (self.now + delay if delay > 0 else self.now, self._asked, handle))
        return handle

    def call_soon_as(self, owner: Owner, callback: Callable[..., object], *args: Any) -> None:
        self._ready.append(Handle(callback, args, None, owner))

    def freeze(self, owner: Owner) -> None:
        """Nothing of it happens until it is thawed, or never."""
        owner.is_frozen = True
        if owner not in self._frozen:
            self._frozen.append(owner)

    def thaw(self, owner: Owner) -> None:
        """It goes on where it was, and what was due for it meanwhile happens now."""
        owner.is_frozen = False
        held, owner.held = owner.held, []
        self._ready.extend(held)

    def create_owned(self, owner: Owner, coro: Coroutine[Any, Any, Any], *, name: str) -> "asyncio.Task[Any]":
        """A task of ``owner``'s, and with it all that it begins."""
        return self.create_task(coro, name=name, context=owner.context.copy())

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Run until ``work`` is done; returns or raises what it does. Raises Stuck."""
        main = self.create_task(work, name="main")
        ready, timers = self._ready, self._timers
        while not main.done():
            for _ in range(BUSY_LIMIT):
                if not ready:
                    break
                handle = ready.popleft()
                self._owner = owner = handle.owner
                if owner.is_dead:
                    continue
                if owner.is_frozen:
                    owner.held.append(handle)
                    continue
                if (context := handle.context) is not None:
                    context.run(handle.callback, *handle.args)
                elif owner is NOBODY:
                    handle.callback(*handle.args)  # this context is nobody's as well
                else:
                    owner.context.run(handle.callback, *handle.args)
            else:
                raise Stuck(f"{BUSY_LIMIT} callbacks at {self.now} s, the last: {handle.callback}")
            if main.done():
                break
            while timers and timers[0][2].is_cancelled:
                heappop(timers)
            if not timers:
                raise Stuck("nothing is left that could happen")
            when = timers[0][0]
            self.now = when
            while timers and timers[0][0] <= when:
                ready.append(heappop(timers)[2])
        return main.result()

    def __enter__(self) -> Self:
        self._before = asyncio._get_running_loop()
        asyncio._set_running_loop(self)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        """End what still runs, so that nothing of one simulation is left for the next."""
        try:
            self._timers.clear()
            for owner in self._frozen:
                self._ready.extend(owner.held)
            for _ in range(100):
                for task in list(self._tasks):
                    task.cancel()
                while self._ready:
                    handle = self._ready.popleft()
                    (handle.context or handle.owner.context).run(handle.callback, *handle.args)
                if not self._tasks:
                    break
        finally:
            asyncio._set_running_loop(self._before)
