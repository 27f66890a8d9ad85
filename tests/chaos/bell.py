"""Something happened: a bell that wakes whoever waits for anything."""

import asyncio
import contextlib
from collections.abc import Callable


class Bell:
    """``rung`` counts; whoever saw it so waits with ``beyond``."""

    def __init__(self) -> None:
        self.rung = 0
        self._waiting: set[asyncio.Future[None]] = set()

    def ring(self) -> None:
        self.rung += 1
        for waiting in self._waiting:
            if not waiting.done():
                waiting.set_result(None)

    async def beyond(self, rung: int, limit_s: float) -> None:
        """Until it has rung more often than that, or so long."""
        if self.rung > rung:
            return
        waiting = asyncio.get_running_loop().create_future()
        self._waiting.add(waiting)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(limit_s):
                await waiting
        self._waiting.discard(waiting)

    async def until(self, so: Callable[[], bool], limit_s: float) -> bool:
        """Until it is so, or so long; is it?"""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(limit_s):
                while not so():
                    await self.beyond(self.rung, limit_s)
        return so()
