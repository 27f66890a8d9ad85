"""The two induction loops: one before the boom, one under it."""

import asyncio
from collections.abc import Callable
from typing import Self

from gpiozero import Factory

from drivers.settled_input import SettledInput
from drivers.timing import Handover, LoopTimers, Timers

SETTLE_S = 0.05
"""A detector's relay bounces for a few ms; a car stands on a loop for seconds."""


class InductionLoops:
    """Both loops' detectors as digital inputs, active high with pull-down (see settled_input.py).

    Use as ``async with InductionLoops(...) as loops``: the pins are taken on entering and released on leaving. A loop
    that is covered at the start shows so at once, without a callback.
    """

    def __init__(
        self,
        waiting_pin: int,
        boom_pin: int,
        *,
        pin_factory: Factory,
        settle_s: float = SETTLE_S,
        timers: Timers | None = None,
    ) -> None:
        """Pins by their BCM numbers."""
        self._pins = waiting_pin, boom_pin
        self._pin_factory, self._settle_s, self._timers = pin_factory, settle_s, timers
        self._inputs: list[SettledInput] = []
        self._callbacks: list[Callable[[], None]] = []

    async def __aenter__(self) -> Self:
        """Raises PinHeld for a line that cannot be used."""
        loop = asyncio.get_running_loop()
        timers, handover = self._timers or LoopTimers(loop), Handover(loop)
        try:
            for pin in self._pins:
                made = SettledInput(
                    pin,
                    pin_factory=self._pin_factory,
                    timers=timers,
                    handover=handover,
                    settle_s=self._settle_s,
                    changed=self._changed,
                )
                self._inputs.append(made)
        except BaseException:
            self.close()
            raise
        return self

    async def __aexit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Release the pins; may be called twice."""
        for made in self._inputs:
            made.close()

    @property
    def waiting(self) -> bool:
        """Does metal cover the loop before the boom?"""
        return self._inputs[0].active

    @property
    def under_boom(self) -> bool:
        """The same for the loop under the boom."""
        return self._inputs[1].active

    @property
    def trouble(self) -> str | None:
        """What is wrong with a loop, in one line; None if nothing is."""
        names = [name for name, made in zip(("waiting", "boom"), self._inputs, strict=True) if made.bouncing]
        return f"the {' and the '.join(names)} loop bounces" if names else None

    def on_change(self, callback: Callable[[], None]) -> None:
        """Call ``callback``, in the event loop's thread, after each change of either loop or of ``trouble``."""
        self._callbacks.append(callback)

    def _changed(self) -> None:
        for callback in self._callbacks:
            callback()
