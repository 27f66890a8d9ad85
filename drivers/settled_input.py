"""One debounced digital input, through which loops and limit switches are read.

Every input is active high with the pin's own pull-down: the contact, or the opto-coupler's output, connects 3.3 V to
the pin. A broken wire therefore reads as not active.
"""

from collections.abc import Callable

from gpiozero import DigitalInputDevice, Factory

from drivers.pins import claiming
from drivers.timing import Handover, Timer, Timers

POLL_S = 5.0
"""How often (s) the level is read besides its edges: a lost edge must not leave a wrong level for ever."""
BOUNCING_S = 2.0
"""An input that has not settled for this long (s) is bouncing."""


class SettledInput:
    """A pin's level once it has kept still for ``settle_s``; until then the level before.

    ``changed`` is called in the event loop's thread after ``active`` or ``bouncing`` changed, but not for the level at
    the start, which is read here because an input that is already active causes no edge. A chattering contact costs one
    wake-up per ``settle_s``, however fast its edges come.
    """

    def __init__(
        self,
        pin: int,
        *,
        pin_factory: Factory,
        timers: Timers,
        handover: Handover,
        settle_s: float,
        changed: Callable[[], None],
    ) -> None:
        self._timers, self._handover = timers, handover
        self._settle_s, self._changed = settle_s, changed
        with claiming(pin):
            self._device = DigitalInputDevice(pin, pull_up=False, pin_factory=pin_factory)
        self.active = bool(self._device.is_active)
        self.bouncing = False
        self._last_edge = self._first_edge = timers.now()
        self._armed = False
        self._timer: Timer | None = None
        self._poll: Timer | None = timers.after(POLL_S, self._look)
        self._device.when_activated = self._device.when_deactivated = self._edge

    def close(self) -> None:
        """Release the pin; may be called twice."""
        self._device.close()
        for timer in (self._timer, self._poll):
            if timer is not None:
                timer.cancel()
        self._timer = self._poll = None

    def _edge(self) -> None:
        """In whatever thread the pin's edges come from."""
        self._last_edge = self._timers.now()
        if not self._armed:
            self._armed, self._first_edge = True, self._last_edge
            self._handover.call(self._arm)

    def _arm(self) -> None:
        if not self._device.closed:
            self._timer = self._timers.after(self._settle_s, self._settle)

    def _settle(self) -> None:
        left_s = self._last_edge + self._settle_s - self._timers.now()
        if left_s > 1e-6:  # less is a rounding error
            self._timer = self._timers.after(left_s, self._settle)
            if not self.bouncing and self._last_edge - self._first_edge >= BOUNCING_S:
                self.bouncing = True
                self._changed()
            return
        self._timer = None
        self._armed = False  # before the level is read, so that an edge from here on counts again
        before = self.active, self.bouncing
        self.active, self.bouncing = bool(self._device.is_active), False
        if (self.active, self.bouncing) != before:
            self._changed()

    def _look(self) -> None:
        self._poll = self._timers.after(POLL_S, self._look)
        if not self._armed and bool(self._device.is_active) != self.active:
            self._edge()
