"""How fast we may call: a token bucket in which new orders go before queries, and which PayBy's 402 slows down."""

import asyncio
import heapq
from collections.abc import Awaitable, Callable
from enum import IntEnum

_RECOVERY_S = 60.0  # from zero back to the full rate
_SLOWEST_PER_S = 0.5
_ONE_COMPLAINT_MS = 1000  # refusals of calls that were under way together count as one


class Turn(IntEnum):
    """Who goes first when calls must wait."""

    MONEY = 0
    """Placing, closing, refunding: somebody is waiting for it."""
    QUERY = 1
    """An order's status: asked again in a few seconds anyway."""
    REPORT = 2
    """Lists and statements."""


class RateLimit:
    """Lets at most ``calls_per_s`` through, in bursts of up to one second's worth."""

    def __init__(
        self, calls_per_s: float, *, steady_ms: Callable[[], int], sleep: Callable[[float], Awaitable[None]]
    ) -> None:
        self._full = max(calls_per_s, _SLOWEST_PER_S)
        self._burst = max(self._full, 1.0)
        self._rate = self._full
        self._tokens = self._burst
        self._steady_ms = steady_ms
        self._sleep = sleep
        self._counted_ms = steady_ms()
        self._slowed_ms: int | None = None
        self._waiting: list[tuple[Turn, int, asyncio.Future[None]]] = []
        self._arrivals = 0
        self._server: asyncio.Task[None] | None = None

    @property
    def calls_per_s(self) -> float:
        """The present rate, in calls a second."""
        self._count()
        return self._rate

    async def wait(self, turn: Turn) -> None:
        """Return when this call may go."""
        self._count()
        if not self._waiting and self._tokens >= 1:
            self._tokens -= 1
            return
        future = asyncio.get_running_loop().create_future()
        self._arrivals += 1
        heapq.heappush(self._waiting, (turn, self._arrivals, future))
        if self._server is None or self._server.done():
            self._server = asyncio.create_task(self._serve(), name="payby-rate")
        await future

    def slow_down(self) -> None:
        """PayBy said that we are too fast: halve the rate, drop stored bursts, and recover within a minute."""
        self._count()
        now = self._steady_ms()
        if self._slowed_ms is None or now - self._slowed_ms >= _ONE_COMPLAINT_MS:
            self._slowed_ms = now
            self._rate = max(self._rate / 2, _SLOWEST_PER_S)
            self._tokens = 0.0

    async def close(self) -> None:
        """Cancel every call that still waits."""
        if self._server is not None:
            self._server.cancel()
            await asyncio.wait([self._server])
        for _, _, future in self._waiting:
            future.cancel()

    async def _serve(self) -> None:
        while self._waiting:
            self._count()
            if self._tokens < 1:
                await self._sleep((1 - self._tokens) / self._rate)
                continue
            _, _, future = heapq.heappop(self._waiting)
            if not future.done():  # its caller may have given up
                self._tokens -= 1
                future.set_result(None)

    def _count(self) -> None:
        now = self._steady_ms()
        passed_s = (now - self._counted_ms) / 1000
        self._counted_ms = now
        self._tokens = min(self._burst, self._tokens + passed_s * self._rate)
        self._rate = min(self._full, self._rate + passed_s * self._full / _RECOVERY_S)
