"""The button at the pillar for drivers who have lost their tickets."""

import asyncio
from collections.abc import Callable
from typing import Self

from gpiozero import Factory

from drivers.settled_input import SettledInput
from drivers.timing import Handover, LoopTimers, Timers

HELD_S = 1.0
"""It must be held for so long, so that nobody pays for a lost ticket who only touches it."""


class LostButton:
    """A push button that connects 3.3 V to the pin (see settled_input.py). Use as ``async with LostButton(...) as
    button``: the pin is taken on entering and released on leaving. A button that is held at the start is broken or
    leant on, and counts only once it was let go."""

    def __init__(self, pin: int, *, pin_factory: Factory, held_s: float = HELD_S, timers: Timers | None = None) -> None:
        """The pin by its BCM number."""
        self._pin, self._pin_factory, self._held_s, self._timers = pin, pin_factory, held_s, timers
        self._input: SettledInput | None = None
        self._is_down = False
        self._callbacks: list[Callable[[], None]] = []

    async def __aenter__(self) -> Self:
        """Raises PinHeld for a line that cannot be used."""
        loop = asyncio.get_running_loop()
        self._input = SettledInput(
            self._pin,
            pin_factory=self._pin_factory,
            timers=self._timers or LoopTimers(loop),
            handover=Handover(loop),
            settle_s=self._held_s,
            changed=self._changed,
        )
        self._is_down = self._input.active
        return self

    async def __aexit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Release the pin; may be called twice."""
        if self._input is not None:
            self._input.close()

    def on_press(self, callback: Callable[[], None]) -> None:
        """Call ``callback``, in the event loop's thread, each time that it has been held long enough."""
        self._callbacks.append(callback)

    def _changed(self) -> None:
        assert self._input is not None
        was, self._is_down = self._is_down, self._input.active
        if self._is_down and not was:
            for callback in self._callbacks:
                callback()
