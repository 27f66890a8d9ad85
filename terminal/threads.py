"""Work that may hang, beside the event loop."""

import asyncio
import contextlib
import threading
from collections.abc import Callable


async def aside(work: Callable[[], object], name: str) -> None:
    """Run ``work`` in a thread of its own, and wait for its end; raises what it raises.

    It does not use the loop's pool of threads, because a process waits for the pool before it ends, and a bus that
    hangs would prevent that. If the caller is cancelled, nothing waits for the work any more.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[None] = loop.create_future()

    def settle(error: BaseException | None) -> None:
        if done.done():
            return  # cancelled
        if error is None:
            done.set_result(None)
        else:
            done.set_exception(error)

    def run() -> None:
        failed: BaseException | None = None
        try:
            work()
        except BaseException as error:
            failed = error
        with contextlib.suppress(RuntimeError):  # the loop has ended meanwhile
            loop.call_soon_threadsafe(settle, failed)

    threading.Thread(target=run, name=name, daemon=True).start()
    await done
