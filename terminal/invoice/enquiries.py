"""Asks the worker for a tax invoice, and waits for its answer."""

import asyncio
from typing import Any

from terminal.contract.invoice_messages import Enquiry, Invoice, IssuedInvoice
from terminal.contract.topics import GARAGE_WIDE
from terminal.mqtt.endpoint import Endpoint, MessageStream
from terminal.mqtt.errors import MqttError

LIMIT_S, AGAIN_S = 3.0, 1.0
"""How long an answer may take, and after how long the question is repeated, with the same id."""
MOST = 32
"""How many questions may wait at once: whoever asks then is told to come again."""


class NoAnswer(Exception):
    """The worker did not answer in time, or too many questions wait already."""


class InvoiceEnquiries:
    """The questions of ``endpoint``; ``run()`` hears the answers."""

    def __init__(self, endpoint: Endpoint, *, limit_s: float = LIMIT_S, again_s: float = AGAIN_S) -> None:
        self._endpoint, self._limit_s, self._again_s = endpoint, limit_s, again_s
        self._open: dict[str, asyncio.Future[IssuedInvoice | None]] = {}

    async def run(self) -> None:
        """Take answers until cancelled."""
        with self._endpoint.subscribe("invoice", lane=GARAGE_WIDE) as stream:
            await self._hear(stream)

    async def _hear(self, stream: MessageStream) -> None:
        async for received in stream:
            received.ack()
            answer = received.message
            if isinstance(answer, Invoice) and (waiting := self._open.get(answer.enquiry)) and not waiting.done():
                waiting.set_result(answer.invoice)

    async def by_address(self, address: str) -> IssuedInvoice | None:
        """The invoice at an address; None: there is none. Raises NoAnswer."""
        return await self._ask(address=address)

    async def of_order(self, order_no: str) -> IssuedInvoice | None:
        """The invoice of an order; None: there is none. Raises NoAnswer."""
        return await self._ask(order_no=order_no)

    async def _ask(self, **what: Any) -> IssuedInvoice | None:
        if len(self._open) >= MOST:
            raise NoAnswer("too many questions wait for an answer")
        question = Enquiry(**self._endpoint.head(), **what)
        answer: asyncio.Future[IssuedInvoice | None] = asyncio.get_running_loop().create_future()
        self._open[question.id] = answer
        try:
            async with asyncio.timeout(self._limit_s):
                while not answer.done():
                    await self._endpoint.publish(question, lane=GARAGE_WIDE)
                    await asyncio.wait({answer}, timeout=self._again_s)
            return answer.result()
        except (TimeoutError, MqttError):
            raise NoAnswer("the worker does not answer") from None
        finally:
            del self._open[question.id]
