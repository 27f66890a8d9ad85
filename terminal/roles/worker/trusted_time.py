"""The time where money depends on it: confirmed by PayBy, by the kernel, or by nobody.

A clock that differs from PayBy's by a minute or more is corrected by PayBy's. A clock that nobody has confirmed since
the worker started prices nothing (`out-of-order`, `clock`).
"""

import asyncio
from collections.abc import Awaitable, Callable

from terminal.clock import Clock
from terminal.contract.alerts import AlertCode
from terminal.core.clock_turn import BACK_MS
from terminal.payby import errors
from terminal.roles.worker.payby_calls import PayByClock
from terminal.roles.worker.payby_health import SKEW_TOLD_MS, PayByHealth, WorkerTroubles

FIRST_WORD_S = 3.0
"""The longest that a start waits for PayBy to tell the time."""
LOOK_S = 1.0
ASK_AGAIN_S = 5.0
"""The pause between two questions while nobody has confirmed the clock and no lane serves."""
CODE: AlertCode = "clock-unconfirmed"


class TrustedTime:
    """``kept`` takes the wall clock's ms and tells whether the kernel calls that clock right. ``changed`` is awaited
    when the clock becomes confirmed or unconfirmed."""

    def __init__(
        self,
        clock: Clock,
        payby: PayByClock,
        kept: Callable[[int], bool],
        troubles: WorkerTroubles,
        health: PayByHealth,
        *,
        changed: Callable[[], Awaitable[None]],
    ) -> None:
        self._clock, self._payby, self._kept = clock, payby, kept
        self._troubles, self._health, self._changed = troubles, health, changed
        self._confirmed = False
        self._began_blind = False
        self._asking: asyncio.Task[errors.CallFailed | None] | None = None

    @property
    def skew(self) -> int:
        """How far the true time is ahead of this machine's clock, in ms; 0 where it makes no difference to money."""
        skew = self._payby.skew_ms
        return skew if skew is not None and abs(skew) >= SKEW_TOLD_MS else 0

    @property
    def confirmed(self) -> bool:
        """Has anybody confirmed the clock, or told by how much it is wrong, since this process started?"""
        if not self._confirmed:
            told = self._payby.skew_ms is not None
            self._confirmed = told or self._kept(self._clock.wall_ms())
        return self._confirmed

    def hindrance(self) -> str:
        """Why no new visit may begin: the contract's `out-of-order` reason, or nothing."""
        return "" if self.confirmed else "clock"

    def begin(self, last_at: int) -> int:
        """Where the worker's steady time begins, given the journal's last time: at the true time, but not before the
        journal's unless the clock was wrong then. An unconfirmed clock may be ahead, and would let deadlines pass that
        nobody waited for, so the steady time continues where the journal ends."""
        true = self._clock.wall_ms() + self.skew
        self._began_blind = not self.confirmed
        if self._began_blind:
            return last_at or true
        return true if true < last_at - BACK_MS else max(true, last_at)

    def is_apart(self, steady: int) -> bool:
        """Did the worker's steady time begin with an unconfirmed clock that turned out to be wrong?"""
        if not (self._began_blind and self.confirmed):
            return False
        return abs(self._clock.wall_ms() + self.skew - steady) > BACK_MS

    async def first_word(self) -> None:
        """Wait briefly for PayBy's time if the kernel does not confirm the clock."""
        if not self.confirmed:
            self._asking = asyncio.create_task(self._ask(), name="PayBy's time")
            await asyncio.wait({self._asking}, timeout=FIRST_WORD_S)

    async def run(self) -> None:
        """Ask PayBy once, and then until something has confirmed the clock."""
        self._report(await (self._asking or self._ask()))
        if not self.confirmed:
            text = "nothing has confirmed this machine's clock since the start: neither PayBy nor the network's time"
            await self._troubles.tell(CODE, text)
            await self._changed()
            while not await self._confirmed_within(ASK_AGAIN_S):
                self._report(await self._ask())
            await self._troubles.over(CODE, "this machine's clock is confirmed")
        await self._changed()

    async def _confirmed_within(self, seconds: float) -> bool:
        for _ in range(round(seconds / LOOK_S)):
            if self.confirmed:
                return True
            await asyncio.sleep(LOOK_S)
        return self.confirmed

    async def _ask(self) -> errors.CallFailed | None:
        try:
            await self._payby.probe()
        except errors.CallFailed as error:
            return error
        return None

    def _report(self, failed: errors.CallFailed | None) -> None:
        """PayBy's health follows from its answer to this call as to any other."""
        if failed:
            self._health.unheard(failed)
        else:
            self._health.heard()
