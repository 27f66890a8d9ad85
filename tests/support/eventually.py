"""Wait for what tells nobody when it comes: another process, a broker, the kernel, a thread.

Where something can be awaited, a test awaits it. This looks again and again, and ends with an error at its limit, so
that a test waits for as long as it must and no longer.
"""

import asyncio
import time
from collections.abc import Callable
from inspect import isawaitable
from typing import Any

LIMIT_S = 10.0
"""A loaded machine may take so long; nothing that comes at all is waited for longer than it takes."""


async def eventually(found: Callable[[], Any], *, limit_s: float = LIMIT_S, every_s: float = 0.005) -> Any:
    """What ``found`` gives, or what it gives to be awaited, once that is true. It is asked every so often, with 0 at
    each turn of the event loop. Raises TimeoutError after ``limit_s``, by the loop's time."""
    async with asyncio.timeout(limit_s):
        while True:
            what = found()
            if isawaitable(what):
                what = await what
            if what:
                return what
            await asyncio.sleep(every_s)


def soon(found: Callable[[], Any], *, limit_s: float = LIMIT_S, every_s: float = 0.01) -> Any:
    """The same where no event loop runs."""
    until_s = time.monotonic() + limit_s
    while not (what := found()):
        if time.monotonic() > until_s:
            raise TimeoutError("it did not come in time")
        time.sleep(every_s)
    return what
