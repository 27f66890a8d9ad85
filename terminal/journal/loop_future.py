"""What another thread brings to a coroutine, in one turn of the event loop."""

import asyncio
import contextlib
from collections.abc import Callable, Generator
from functools import partial
from typing import Generic, TypeVar

T = TypeVar("T")


class LoopFuture(Generic[T]):
    """The part of concurrent.futures.Future that a writer needs, for a coroutine of the running loop, which awaits it.
    asyncio.wrap_future() around that one would take a second turn of the loop, and a driver waits for each commit."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._done: asyncio.Future[T] = self._loop.create_future()

    def __await__(self) -> Generator[object, None, T]:
        return self._done.__await__()

    def set_running_or_notify_cancel(self) -> bool:
        """Whoever is cancelled from now on undoes nothing."""
        return True

    def set_result(self, result: T) -> None:
        """Called in the other thread."""
        self._settle(partial(self._done.set_result, result))

    def set_exception(self, error: BaseException) -> None:
        """Called in the other thread."""
        self._settle(partial(self._done.set_exception, error))

    def _settle(self, settle: Callable[[], None]) -> None:
        def finish() -> None:
            if not self._done.done():  # else its caller was cancelled
                settle()

        with contextlib.suppress(RuntimeError):  # the loop has ended meanwhile
            self._loop.call_soon_threadsafe(finish)
