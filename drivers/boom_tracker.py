"""Where the boom is, as far as pulses, limit switches, a loop and time can tell. Pure: every time is an argument.

With an upper and a lower switch, only the switches tell, and time tells when the arm is overdue. With one switch, time
stands in for the other. With none, the arm is assumed to follow its rise and close times after each pulse, and to stay
up while the loop under it is covered.
"""

from typing import Literal

ArmState = Literal["down", "rising", "up", "lowering", "unknown", "fault"]


class BoomTracker:
    """The state of one arm. All times are seconds on one clock that never jumps.

    ``due`` is when tick() must be called next; None: never. ``fault``: after a pulse the arm did not leave ``down``, or
    did not reach ``up``, within twice its rise time and a second; or it is between both switches for as long; or both
    switches are active. A fault ends when the arm moves, or with the next pulse.
    """

    def __init__(
        self,
        rise_s: float,
        close_s: float,
        *,
        now: float,
        up: bool | None = None,
        down: bool | None = None,
        quiet_s: float = 0.0,
    ) -> None:
        """``up`` and ``down``: the limit switches' levels; None: there is no such switch. ``quiet_s``: for how long
        before ``now`` there was certainly no pulse."""
        self.state: ArmState = "unknown"
        self.due: float | None = None
        self._rise_s, self._close_s = rise_s, close_s
        self._limit_s = 2 * rise_s + 1
        self._has_up, self._has_down = up is not None, down is not None
        self._up, self._down = bool(up), bool(down)
        self._pulsed_at: float | None = None
        self._close_at = now
        self._covered = False
        if self._up and self._down:
            self._enter("fault", None)
        elif self._up or self._down:
            self._enter("up" if self._up else "down", None)
        elif self._has_down:
            self._enter("unknown", now + self._limit_s)
        elif quiet_s >= rise_s + close_s:
            self._enter("down", None)
        else:  # by then the effect of any earlier pulse is over
            self._enter("unknown", now + rise_s + close_s - quiet_s)

    def pulse(self, now: float) -> None:
        """The relay closed."""
        if self.state == "up":
            if self._switchless:
                self._raised(now)
            return
        must_answer = self._has_up or self._down
        self._enter("rising", now + (self._limit_s if must_answer else self._rise_s))
        self._pulsed_at = now

    def switches(self, now: float, *, up: bool, down: bool) -> None:
        """The limit switches' levels; one that does not exist is passed as False."""
        before = self._up, self._down
        if (up, down) == before:
            return
        self._up, self._down = up, down
        match before, (up, down):
            case _, (True, True):
                self._enter("fault", None)
            case _, (True, False):
                self._enter("up", None)
            case _, (False, True):
                self._enter("down", None)
            case (True, True), _:
                self._enter("unknown", now + self._limit_s)
            case (True, False), _:
                self._enter("lowering", now + (self._limit_s if self._has_down else self._rise_s))
            case _:
                self._left_down(now)

    def boom_loop(self, now: float, *, covered: bool) -> None:
        """Tell whether the loop under the boom is covered; it matters only without switches, where it holds the arm
        up."""
        self._covered = covered
        if not self._switchless:
            return
        if covered and self.state in ("up", "lowering"):
            self._enter("up", None)
        elif not covered and self.state == "up":
            late = now >= self._close_at
            self._enter("lowering" if late else "up", now + self._rise_s if late else self._close_at)

    def tick(self, now: float) -> None:
        """Time has passed."""
        if self.due is None or now < self.due:
            return
        match self.state:
            case "rising" if self._has_up or self._down:
                self._enter("fault", None)
            case "rising" if self._has_down:
                self._enter("up", None)
            case "rising":
                self._raised(now)
            case "lowering" | "unknown" if self._has_down:
                self._enter("fault", None)
            case _:
                self._enter("down", None)

    @property
    def _switchless(self) -> bool:
        return not (self._has_up or self._has_down)

    def _enter(self, state: ArmState, due: float | None) -> None:
        self.state, self.due, self._pulsed_at = state, due, None

    def _raised(self, now: float) -> None:
        """Up without a switch: from here the close time runs, unless a car holds the arm."""
        self._close_at = now + self._close_s
        self._enter("up", None if self._covered else self._close_at)

    def _left_down(self, now: float) -> None:
        """The arm left the lower switch, by our pulse or by hand."""
        if self._has_up:
            self._enter("rising", self.due if self._pulsed_at is not None else now + self._limit_s)
        else:
            self._enter("rising", max(now, (now if self._pulsed_at is None else self._pulsed_at) + self._rise_s))
