"""A bell: something happened, and every waiter wakes."""

import asyncio
import contextlib
from collections.abc import Callable


class Bell:
    """``rung`` counts the rings; wait for more than a count with ``beyond``."""

    def __init__(self) -> None:
        self.rung = 0
        self._waiting: set[asyncio.Future[None]] = set()

    def ring(self) -> None:
        self.rung += 1
        for waiting in self._waiting:
            if not waiting.done():
                waiting.set_result(None)

    async def beyond(self, rung: int, limit_s: float) -> None:
        """Wait until it has rung more often than that, or the time is over."""
        if self.rung > rung:
            return
        waiting = asyncio.get_running_loop().create_future()
        self._waiting.add(waiting)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(limit_s):
                await waiting
        self._waiting.discard(waiting)

    async def until(self, so: Callable[[], bool], limit_s: float) -> bool:
        """Wait until the condition holds or the time is over; returns whether it holds."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(limit_s):
                while not so():
                    await self.beyond(self.rung, limit_s)
        return so()
