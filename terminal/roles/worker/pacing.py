"""How often something is asked: turns within two bounds, and pauses that grow."""

import asyncio
from collections.abc import Callable, Iterable


class Pace:
    """Turns that begin ``fast`` to ``slow`` seconds apart, from start to start."""

    def __init__(self, pause: Callable[[float, float], float], fast: float, slow: float, *, at_once: bool) -> None:
        self._pause = pause
        self._bounds = (fast, slow)
        self._next = asyncio.get_running_loop().time() + (0.0 if at_once else pause(fast, slow))

    async def turn(self) -> bool:
        """Wait for the next turn; always True."""
        now = asyncio.get_running_loop().time
        await asyncio.sleep(max(0.0, self._next - now()))
        self._next = now() + self._pause(*self._bounds)
        return True

    def within(self, seconds: float) -> None:
        """Begin the next turn no later than this many seconds from now."""
        self._next = min(self._next, asyncio.get_running_loop().time() + seconds)


def lengthening(pauses: tuple[float, ...]) -> Iterable[float]:
    """Yield each in turn, then the last one for ever."""
    yield from pauses
    while True:
        yield pauses[-1]
