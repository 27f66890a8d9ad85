"""Time as an argument: drivers wait on these timers, so that a test can turn the clock itself."""

import asyncio
from collections.abc import Callable
from typing import Protocol


class Timer(Protocol):
    """One callback that is still to come."""

    def cancel(self) -> None:
        """Cancel the callback; may be called twice, and after the callback."""


class Timers(Protocol):
    """A clock that never jumps, and callbacks on it. Only now() may be called from any thread."""

    def now(self) -> float:
        """Seconds since some fixed moment."""

    def after(self, delay_s: float, callback: Callable[[], None]) -> Timer:
        """Call ``callback`` once, ``delay_s`` from now, in the event loop's thread."""


class LoopTimers:
    """The event loop's own."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop

    def now(self) -> float:
        return self._loop.time()

    def after(self, delay_s: float, callback: Callable[[], None]) -> Timer:
        return self._loop.call_later(delay_s, callback)


class Handover:
    """Calls from any thread into the event loop's; does nothing, silently, once the loop is closed.

    A pin's callback runs in lgpio's one thread, and an exception there would end every later callback.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop

    def call(self, callback: Callable[[], None]) -> None:
        """Have the loop call ``callback`` soon, from any thread. Raises nothing."""
        try:
            self._loop.call_soon_threadsafe(callback)
        except RuntimeError:  # the loop was closed meanwhile, so nobody needs the call
            return
