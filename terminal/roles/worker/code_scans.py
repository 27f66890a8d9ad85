"""Whether a phone has read the code that a lane shows, and more time for the driver who confirms.

No money depends on it. PayBy is asked between two queries of an order, within the same rate limit, and a failure says
nothing about PayBy's health: an endpoint that does not exist, or not for this merchant, is left alone for an hour.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from terminal.core.events import Event, OrderScanned
from terminal.core.model import VisitOrder
from terminal.mqtt.endpoint import Endpoint
from terminal.payby.errors import CallFailed, OurMistake, OutcomeUnknown, PayByError, Unauthorised
from terminal.payby.messages import Payer
from terminal.roles.worker.payby_calls import PayByScans

GIVEN_UP_S = 3600.0
LIMIT_S = 3.0
"""An answer that takes longer is useless: the driver has moved on."""
TRIES = 3
"""How often at most PayBy is told a later end; the end that it has lies ten minutes after ours."""
logger = logging.getLogger(__name__)


async def _unknown(_: str) -> Payer | None:
    return None


async def _not_extended(_: str, __: int) -> None:
    pass


@dataclass(slots=True)
class CodeScans:
    """``ask`` tells which phone has read a token URL; ``extend`` gives an order a later end, in ms since the epoch by
    PayBy's clock, which is ``ahead`` of ours; ``post`` takes an event; ``tell`` an operator."""

    ask: Callable[[str], Awaitable[Payer | None]] = _unknown
    extend: Callable[[str, int], Awaitable[object]] = _not_extended
    now: Callable[[], int] = int
    ahead: Callable[[], int] = int
    post: Callable[[Event], None] = lambda _: None
    tell: Callable[[str], Awaitable[None]] | None = None
    _asking: set[str] = field(default_factory=set)
    _tries: dict[str, int] = field(default_factory=dict)
    _not_before_s: float = 0.0

    def between(self, group: asyncio.TaskGroup, order: VisitOrder, after_s: float) -> None:
        """A query of the order begins now, and the next follows after twice ``after_s``."""
        if order.extended:
            if self._tries.get(order.no, 0) < TRIES:
                self._tries[order.no] = self._tries.get(order.no, 0) + 1
                group.create_task(self._extend(order), name=f"updateExpiredTime {order.no}")
        elif not order.scanned and order.token_url and order.no not in self._asking and not self._is_given_up():
            group.create_task(self._ask(order, after_s), name=f"getCashierUrlInfo {order.no}")

    def forget(self, no: str) -> None:
        """Forget an order that is no longer pursued."""
        self._tries.pop(no, None)

    def _is_given_up(self) -> bool:
        return asyncio.get_running_loop().time() < self._not_before_s

    async def _ask(self, order: VisitOrder, after_s: float) -> None:
        self._asking.add(order.no)
        try:
            await asyncio.sleep(after_s)
            async with asyncio.timeout(LIMIT_S):
                payer = await self.ask(order.token_url)
        except TimeoutError:
            return
        except PayByError as error:
            await self._failed(error)
        else:
            if payer is not None:
                self.post(OrderScanned(self.now(), order.no, str(payer.mobile_number_mask or "")))
        finally:
            self._asking.discard(order.no)

    async def _failed(self, error: PayByError) -> None:
        said = error.said if isinstance(error, OutcomeUnknown) and error.said else error
        absent = isinstance(said, CallFailed) and (said.code == "404" or said.why.startswith(("HTTP 404", "HTTP 403")))
        if not absent and not isinstance(said, Unauthorised | OurMistake):
            return
        if self._is_given_up():
            return  # another lane's call found out too
        self._not_before_s = asyncio.get_running_loop().time() + GIVEN_UP_S
        if self.tell:
            await self.tell(f"PayBy does not tell whether a code was scanned; it is asked again in an hour: {error}")

    async def _extend(self, order: VisitOrder) -> None:
        try:
            await self.extend(order.no, order.payby_expires + self.ahead())
        except PayByError as error:
            logger.info("%s", error)
        else:
            self._tries[order.no] = TRIES


def codes_of(
    payby: PayByScans,
    endpoint: Endpoint,
    *,
    now: Callable[[], int],
    ahead: Callable[[], int],
    post: Callable[[Event], None],
) -> CodeScans:
    """The code scans of a worker."""
    return CodeScans(
        ask=payby.get_cashier_url_info,
        extend=lambda no, ms: payby.update_expired_time(no, expires_ms=ms),
        now=now,
        ahead=ahead,
        post=post,
        tell=lambda text: endpoint.alert("cashier-unknown", text),
    )
