"""Whether PayBy works: every call tells, idle lanes and the worker's health show it, probes find its return."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Literal

from terminal.config.schema import advice
from terminal.contract.alerts import AlertCode
from terminal.mqtt.endpoint import Endpoint
from terminal.payby import errors
from terminal.roles.worker.payby_calls import PayByConnection

PROBE_S = 15.0
TROUBLED_AFTER = 4
"""How many calls in a row without an answer put idle lanes out of order."""
SKEW_TOLD_MS = 60_000
"""From this skew on a person is alerted: calls to PayBy are corrected, but tickets, deadlines and reports go by this
machine's clock."""
Trouble = Literal["", "payby", "unauthorised", "clock"]
TROUBLE_CODES: dict[Trouble, AlertCode] = {
    "payby": "payby-payby",
    "unauthorised": "payby-unauthorised",
    "clock": "payby-clock",
}
logger = logging.getLogger(__name__)


class WorkerTroubles:
    """What is wrong with the worker now, by the alert's code; its health names all of it."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._texts: dict[AlertCode, str] = {}

    async def tell(self, code: AlertCode, text: str) -> None:
        """Something is wrong: set ``degraded``, and raise a critical alert of the garage until over()."""
        self._texts[code] = text
        self._endpoint.degraded("; ".join(self._texts.values()))
        await self._endpoint.alert(code, text, once=False)

    async def over(self, code: AlertCode, text: str) -> None:
        """It is right again: clear the alert, if it was raised."""
        if self._texts.pop(code, None) is None:
            return
        if self._texts:
            self._endpoint.degraded("; ".join(self._texts.values()))
        else:
            self._endpoint.healthy()
        await self._endpoint.clear(code, text)


class PayByHealth:
    """``trouble`` is one of the contract's `out-of-order` reasons, empty while PayBy answers. ``changed`` is awaited
    after each change of it."""

    def __init__(
        self,
        troubles: WorkerTroubles,
        payby: PayByConnection,
        *,
        changed: Callable[[], Awaitable[None]],
        spawn: Callable[[Coroutine[Any, Any, None], str], asyncio.Task[None]],
    ) -> None:
        self.trouble: Trouble = ""
        self._troubles, self._payby, self._changed, self._spawn = troubles, payby, changed, spawn
        self._failures = 0
        self._is_clock_off = False
        self._probing: asyncio.Task[None] | None = None

    def expect_call(self) -> None:
        """A driver has come: open a connection ahead."""
        self._spawn(self._payby.open_ahead(), "worker opens a connection")

    def heard(self) -> None:
        """A call was answered."""
        self._failures = 0
        if self.trouble:
            self._become("")
        self._look_at_clock()

    def unheard(self, error: errors.CallFailed) -> None:
        """A call failed; a signed refusal still counts as an answer. What PayBy's gateway says about us without a
        signature is believed here, because it moves no money."""
        said = error.said if isinstance(error, errors.OutcomeUnknown) else None
        match said if isinstance(said, errors.ClockWrong | errors.Unauthorised) else error:
            case errors.ClockWrong():
                self._become("clock", str(error))
            case errors.Unauthorised():
                self._become("unauthorised", str(error) + advice((said or error).code))
            case errors.OutcomeUnknown():
                self._failures += 1
                if self._failures >= TROUBLED_AFTER:
                    self._become("payby", str(error))
            case errors.NotSent():
                pass
            case _:
                self.heard()

    def _look_at_clock(self) -> None:
        skew = self._payby.skew_ms
        is_off = skew is not None and abs(skew) >= SKEW_TOLD_MS
        if is_off != self._is_clock_off:
            self._is_clock_off = is_off
            self._spawn(self._tell_clock(skew or 0, is_off), "PayBy's clock")

    async def _tell_clock(self, skew_ms: int, is_off: bool) -> None:
        if is_off:
            away = f"{abs(skew_ms) / 1000:.0f} s {'behind' if skew_ms > 0 else 'ahead of'} PayBy's"
            await self._troubles.tell("clock-skew", f"this machine's clock is {away}; set it by the network")
        else:
            await self._troubles.over("clock-skew", "this machine's clock agrees with PayBy's again")

    def _become(self, trouble: Trouble, text: str = "") -> None:
        if trouble == self.trouble:
            return
        before, self.trouble = self.trouble, trouble
        self._spawn(self._tell(before, trouble, text), "PayBy's health")
        if trouble and (self._probing is None or self._probing.done()):
            self._probing = self._spawn(self._probe(), "PayBy probe")

    async def _tell(self, before: Trouble, trouble: Trouble, text: str) -> None:
        if before:
            await self._troubles.over(TROUBLE_CODES[before], "PayBy answers again")
        if trouble:
            await self._troubles.tell(TROUBLE_CODES[trouble], f"PayBy: {text}")
        await self._changed()

    async def _probe(self) -> None:
        """Probe every 15 s while PayBy is in trouble, so that an idle garage learns when that is over."""
        while self.trouble:
            await asyncio.sleep(PROBE_S)
            try:
                await self._payby.probe()
            except errors.CallFailed as error:
                logger.info("PayBy still does not work: %s", error)
            else:
                self.heard()
