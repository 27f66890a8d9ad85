"""The relay on the barrier's raise input, and where the boom is.

We only ever ask the barrier's own controller to raise. It lowers the arm by itself, under its own safety loop, and no
output here could. The relay is active high and normally open, so that a crash, an unplugged cable and a start all mean
"no pulse" (gpiozero's active-low outputs click once when they are made).
"""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Self

from gpiozero import DigitalOutputDevice, Factory

from drivers.boom_tracker import ArmState, BoomTracker
from drivers.pins import claiming
from drivers.settled_input import SettledInput
from drivers.timing import Handover, LoopTimers, Timer, Timers

SETTLE_S = 0.03
"""How long (s) a limit switch must keep still: its contact bounces for some ms."""
GAP_S = 0.2
"""The least pause (s) between two pulses: a controller must see two pulses, not one long one."""

Hold = Callable[[threading.Event, float], object]
"""Waits this many seconds, or less if the event is set; threading.Event.wait is one."""


class RelayClosed(Exception):
    """A pulse was asked for, but the driver is not open."""


class RelayBarrier:
    """One barrier: a relay that asks it to raise, and its state by limit switches, by time, or both (see
    boom_tracker.py).

    Use as ``async with RelayBarrier(...) as barrier``, once: the pins are taken on entering and released on leaving,
    with the relay off. Switches are active high with pull-down (see settled_input.py). A thread of its own times a
    pulse, so that a busy event loop cannot stretch it, and the pulse ends with the relay off whatever happens.
    """

    def __init__(
        self,
        raise_pin: int,
        *,
        pin_factory: Factory,
        pulse_s: float = 0.5,
        rise_s: float = 2.0,
        close_s: float = 8.0,
        up_pin: int | None = None,
        down_pin: int | None = None,
        quiet_s: float = 0.0,
        settle_s: float = SETTLE_S,
        timers: Timers | None = None,
        hold: Hold = threading.Event.wait,
    ) -> None:
        """Pins by their BCM numbers; ``close_s`` counts from ``up`` to ``down`` if no switch or loop tells.
        ``quiet_s``: for how long there was certainly no pulse before this start."""
        self._raise_pin, self._up_pin, self._down_pin = raise_pin, up_pin, down_pin
        self._pin_factory, self._settle_s, self._hold = pin_factory, settle_s, hold
        self._pulse_s, self._rise_s, self._close_s, self._quiet_s = pulse_s, rise_s, close_s, quiet_s
        self._timers_given = timers
        self._relay: DigitalOutputDevice | None = None
        self._up: SettledInput | None = None
        self._down: SettledInput | None = None
        self._due: Timer | None = None
        self._closing = threading.Event()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="relay")
        self._off_at = float("-inf")
        self._callbacks: list[Callable[[], None]] = []

    async def __aenter__(self) -> Self:
        """Raises PinHeld for a line that cannot be used."""
        loop = asyncio.get_running_loop()
        self._timers = self._timers_given or LoopTimers(loop)
        self._handover = Handover(loop)
        try:
            with claiming(self._raise_pin):
                self._relay = DigitalOutputDevice(
                    self._raise_pin, active_high=True, initial_value=False, pin_factory=self._pin_factory
                )
            self._up, self._down = self._switch(self._up_pin), self._switch(self._down_pin)
        except BaseException:
            self.close()
            raise
        self._arm = BoomTracker(
            self._rise_s,
            self._close_s,
            now=self._timers.now(),
            up=self._up.active if self._up else None,
            down=self._down.active if self._down else None,
            quiet_s=self._quiet_s,
        )
        self._schedule()
        return self

    async def __aexit__(self, *error: object) -> None:
        self._closing.set()
        try:
            await asyncio.to_thread(self._thread.shutdown)
        finally:
            self.close()

    def close(self) -> None:
        """End a running pulse with the relay off, and release the pins; may be called twice."""
        self._closing.set()
        self._thread.shutdown()  # pulses that still wait their turn end in RelayClosed
        if self._relay is not None and not self._relay.closed:
            self._relay.off()
            self._relay.close()
        for switch in (self._up, self._down):
            if switch is not None:
                switch.close()
        if self._due is not None:
            self._due.cancel()

    @property
    def state(self) -> ArmState:
        """Where the boom is, as far as can be told."""
        return self._arm.state

    def on_change(self, callback: Callable[[], None]) -> None:
        """Call ``callback``, in the event loop's thread, after each change of ``state``."""
        self._callbacks.append(callback)

    def under_boom(self, covered: bool) -> None:
        """Tell whether the loop under the boom is covered: without limit switches a car there holds the arm up."""
        self._step(lambda now: self._arm.boom_loop(now, covered=covered))

    async def pulse(self) -> None:
        """Close the relay once for ``pulse_s``, and return when it is open again.

        Calls that overlap give one pulse each, one after the other. Cancelled while it waits its turn it gives none;
        cancelled during its pulse it still ends that in time. Raises RelayClosed, or what the pin raises.
        """
        try:
            waiting = self._thread.submit(self._pulse)
        except RuntimeError:
            raise RelayClosed("the relay is closed") from None
        await asyncio.wrap_future(waiting)

    def _pulse(self) -> None:
        relay = self._relay
        if relay is None or self._closing.is_set():
            raise RelayClosed("the relay is not open")
        early_s = self._off_at + GAP_S - self._timers.now()
        if early_s > 0 and self._hold(self._closing, early_s):
            raise RelayClosed("the relay was closed")
        try:
            relay.on()
            self._handover.call(lambda: self._step(self._arm.pulse))
            self._hold(self._closing, self._pulse_s)
        finally:
            relay.off()
            self._off_at = self._timers.now()

    def _switch(self, pin: int | None) -> SettledInput | None:
        if pin is None:
            return None
        return SettledInput(
            pin,
            pin_factory=self._pin_factory,
            timers=self._timers,
            handover=self._handover,
            settle_s=self._settle_s,
            changed=self._switched,
        )

    def _switched(self) -> None:
        up, down = (made is not None and made.active for made in (self._up, self._down))
        self._step(lambda now: self._arm.switches(now, up=up, down=down))

    def _step(self, step: Callable[[float], None]) -> None:
        """In the event loop's thread: apply ``step`` to the arm, report a new state, and set the next timer."""
        before = self._arm.state
        step(self._timers.now())
        self._schedule()
        if self._arm.state != before:
            for callback in self._callbacks:
                callback()

    def _schedule(self) -> None:
        if self._due is not None:
            self._due.cancel()
            self._due = None
        if self._arm.due is not None and not self._closing.is_set():
            delay_s = max(0.0, self._arm.due - self._timers.now())
            self._due = self._timers.after(delay_s, lambda: self._step(self._arm.tick))
