"""Work that may hang, beside the event loop."""

import asyncio
import contextlib
import threading
from collections.abc import Callable
from functools import partial
from queue import SimpleQueue
from typing import TypeVar

T = TypeVar("T")


async def aside(work: Callable[[], object], name: str) -> None:
    """Run ``work`` in a thread of its own, and wait for its end; raises what it raises.

    It does not use the loop's pool of threads, because a process waits for the pool before it ends, and a bus that
    hangs would prevent that. If the caller is cancelled, nothing waits for the work any more.
    """
    thread = OneThread(name)
    try:
        await thread.run(work)
    finally:
        thread.close()


class OneThread:
    """A daemon thread of its own that does one piece of work after the other, from its first run() to close().

    It is kept, because a new thread for each piece would make the event loop wait until it has started.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._queue: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._thread: threading.Thread | None = None

    async def run(self, work: Callable[[], T]) -> T:
        """What ``work`` returns, once its turn has come; raises what it raises. If the caller is cancelled, nothing
        waits for the work any more."""
        loop = asyncio.get_running_loop()
        done: asyncio.Future[T] = loop.create_future()

        def settle(settle_done: Callable[[], None]) -> None:
            if not done.done():  # else it was cancelled
                settle_done()

        def perform() -> None:
            try:
                result = work()
            except BaseException as error:
                settled = partial(settle, partial(done.set_exception, error))
            else:
                settled = partial(settle, partial(done.set_result, result))
            with contextlib.suppress(RuntimeError):  # the loop has ended meanwhile
                loop.call_soon_threadsafe(settled)

        self._queue.put(perform)
        if self._thread is None:
            self._thread = threading.Thread(target=self._serve, name=self._name, daemon=True)
            self._thread.start()
        return await done

    def close(self) -> None:
        """End the thread after the work that it has; does not wait for it. May be called twice."""
        self._queue.put(None)

    def _serve(self) -> None:
        while (perform := self._queue.get()) is not None:
            perform()
