"""Simulated pins and what hangs at them, which acts like the real one and remembers, for the demo and for tests."""

import asyncio
from collections.abc import Callable
from typing import Any

from gpiozero.pins.mock import MockFactory, MockPin

from drivers.boom_tracker import ArmState
from drivers.timing import Handover, LoopTimers, Timer, Timers


class RelayPin(MockPin):  # type: ignore[misc]  # gpiozero has no types
    """A mock output that reports every change of its level, in the thread that drives it."""

    def __init__(self, factory: MockFactory, info: Any) -> None:
        self.watchers: list[Callable[[bool], None]] = []
        super().__init__(factory, info)

    def _change_state(self, value: bool) -> bool:
        changed = bool(super()._change_state(value))
        for watcher in self.watchers if changed else ():
            watcher(bool(value))
        return changed


class WiredPin(MockPin):  # type: ignore[misc]
    """A mock input with something wired to it: its level stays as drive() set it, even when a device takes the pin."""

    def __init__(self, factory: MockFactory, info: Any) -> None:
        self.level = False
        super().__init__(factory, info)

    def drive(self, active: bool) -> None:
        """Set the level, from any thread."""
        self.level = active
        if self.function == "input":
            (self.drive_high if active else self.drive_low)()

    def _set_pull(self, value: str) -> None:
        self._pull = value
        self._change_state(self.level)


class SimulatedRelay:
    """The device on the relay's pin. Make the simulated parts before a driver takes their pins."""

    def __init__(self, pins: MockFactory, pin: int) -> None:
        self.pin: RelayPin = pins.pin(pin, pin_class=RelayPin)

    def watch(self, told: Callable[[bool], None]) -> None:
        """Call ``told`` with True as the relay closes and False as it opens, in the thread that switches it."""
        self.pin.watchers.append(told)


class SimulatedLoops:
    """Metal on the two loops: drives their mock pins."""

    def __init__(self, pins: MockFactory, waiting_pin: int, boom_pin: int) -> None:
        self._waiting: WiredPin = pins.pin(waiting_pin, pin_class=WiredPin)
        self._boom: WiredPin = pins.pin(boom_pin, pin_class=WiredPin)
        self._watchers: list[Callable[[bool], None]] = []

    def waiting(self, covered: bool) -> None:
        """Put metal on the loop before the boom, or take it away."""
        self._waiting.drive(covered)

    def under_boom(self, covered: bool) -> None:
        """The same for the loop under the boom."""
        self._boom.drive(covered)
        for told in self._watchers:
            told(covered)

    def watch_boom(self, told: Callable[[bool], None]) -> None:
        """Call ``told`` with the state of the loop under the boom: a barrier's safety loop."""
        self._watchers.append(told)


class SimulatedArm:
    """The barrier itself: it rises on a pulse, lowers by itself, and moves its two limit switches.

    It lowers once a car has gone over the loop under the boom, or ``hold_s`` after it was up; never onto a car, and a
    car that comes under it while it lowers sends it up again. ``stuck``: it ignores pulses.
    """

    def __init__(
        self,
        pins: MockFactory,
        relay: SimulatedRelay,
        *,
        up_pin: int | None = None,
        down_pin: int | None = None,
        loops: SimulatedLoops | None = None,
        rise_s: float = 2.0,
        close_s: float = 2.0,
        hold_s: float = 30.0,
        timers: Timers | None = None,
    ) -> None:
        """``close_s``: how long lowering takes. Make it in the event loop's thread."""
        loop = asyncio.get_running_loop()
        self.rise_s, self.close_s, self._hold_s = rise_s, close_s, hold_s
        self.stuck = False
        self.state: ArmState = "down"
        self._timers, self._handover = timers or LoopTimers(loop), Handover(loop)
        self._up: WiredPin | None = None if up_pin is None else pins.pin(up_pin, pin_class=WiredPin)
        self._down: WiredPin | None = None if down_pin is None else pins.pin(down_pin, pin_class=WiredPin)
        self._timer: Timer | None = None
        self._covered = False
        self._watchers: list[Callable[[str], None]] = []
        self._switch()
        relay.watch(lambda on: self._handover.call(self._pulsed) if on else None)
        if loops is not None:
            loops.watch_boom(lambda covered: self._handover.call(lambda: self._boom(covered)))

    def watch(self, told: Callable[[str], None]) -> None:
        """Call ``told`` with each new state, in the event loop's thread."""
        self._watchers.append(told)

    def force_open(self) -> None:
        """Go up without a pulse and stay there, as by a fire input or by hand."""
        self._enter("rising", self.rise_s, lambda: self._enter("up", None, None))

    def close(self) -> None:
        """Cancel the movements still to come."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _pulsed(self) -> None:
        if self.stuck:
            return
        if self.state == "up":
            self._risen()
        elif self.state != "rising":
            self._enter("rising", self.rise_s, self._risen)

    def _risen(self) -> None:
        self._enter("up", None if self._covered else self._hold_s, self._lower)

    def _lower(self) -> None:
        self._enter("lowering", self.close_s, lambda: self._enter("down", None, None))

    def _boom(self, covered: bool) -> None:
        self._covered = covered
        if covered and self.state == "lowering":
            self._enter("rising", self.rise_s, self._risen)
        elif covered and self.state == "up":
            self._enter("up", None, None)
        elif not covered and self.state == "up":
            self._lower()

    def _enter(self, state: ArmState, then_s: float | None, then: Callable[[], None] | None) -> None:
        self.close()
        told = state != self.state
        self.state = state
        self._switch()
        if then_s is not None and then is not None:
            self._timer = self._timers.after(then_s, then)
        for watcher in self._watchers if told else ():
            watcher(state)

    def _switch(self) -> None:
        for pin, active in ((self._up, self.state == "up"), (self._down, self.state == "down")):
            if pin is not None:
                pin.drive(active)
