"""Wakes the state when time has passed: one timer for each lane and each stay."""

import asyncio
from collections.abc import Callable

from terminal.core.events import TimePassed


class Wakes:
    """``post`` takes the events; ``now`` is the rules' own time, in steady ms."""

    def __init__(self, now: Callable[[], int], post: Callable[[TimePassed], None]) -> None:
        self._now, self._post = now, post
        self._timers: dict[tuple[str | None, str | None], asyncio.TimerHandle] = {}

    def set(self, due: int | None, *, lane: str | None = None, session: str | None = None) -> None:
        """Wake this lane or this stay at ``due`` (ms), at once if that has passed; None: no longer."""
        name = lane, session
        if timer := self._timers.pop(name, None):
            timer.cancel()
        if due is None:
            return
        wait_s = max(0.0, (due - self._now()) / 1000) + 0.001

        def wake() -> None:
            del self._timers[name]
            self._post(TimePassed(self._now(), lane=lane, session=session))

        self._timers[name] = asyncio.get_running_loop().call_later(wait_s, wake)
