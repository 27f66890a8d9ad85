"""A worker, and the other roles of its lane as it hears them: the bus and the journal are in memory, PayBy is the
sandbox over HTTP.
"""

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import msgspec
import pytest

from terminal.clock import SystemClock, new_id
from terminal.contract.messages import Barrier, Fee, Health, Lift, Order, Paid, stamp
from terminal.contract.signatures import TrustedKeys
from terminal.core import money
from terminal.core.actions import Pursuit
from terminal.core.ids import derived_id
from terminal.core.model import Rules
from terminal.core.quote import quote
from terminal.core.tariff import Tariff, TicketPricing
from terminal.core.ticket import sign_ticket
from terminal.mqtt.endpoint import Endpoint
from terminal.payby.client import PayByClient
from terminal.payby.sandbox.server import Sandbox
from terminal.payby.signing import sign
from terminal.roles.worker.event_mapper import JudgementSettings
from terminal.roles.worker.message_builder import WorkerSigner
from terminal.roles.worker.payby_requests import PayByRequests
from terminal.roles.worker.role import WorkerRole
from terminal.roles.worker.settings import WorkerSettings
from terminal.roles.worker.ticket_readings import ForeignTicketSettings
from terminal.roles.worker.ticket_source import TicketSource
from tests.support.lifts import GARAGE, LANE, PAYEE, payby_key, private_key, trusted
from tests.support.memory_bus import MemoryBus
from tests.support.memory_journal import MemoryJournal

KEYS = {"k1": b"k" * 32}
COUPON_KEYS = {"c1": b"c" * 32}
TARIFF = Tariff.from_texts(
    free_minutes=10,
    block_minutes=60,
    block_price="10.00",
    day_cap="100.00",
    lost_ticket="150.00",
    vat_percent="5",
    exit_grace=15,
)
CLOCK = SystemClock()
LIMIT_S = 10.0

WORDING = PayByRequests(GARAGE, "Marina", "", None, TARIFF)


def worker_settings(
    words_for: Callable[[Pursuit, int], bytes] | None = None,
    device_ids: Mapping[str, str] | None = None,
    rules: Rules | None = None,
    foreign: ForeignTicketSettings | None = None,
    keys: Mapping[str, bytes] = KEYS,
    receipt_url: str = "",
    stations: TrustedKeys | None = None,
    soft_passback: bool = False,
    tariff: TicketPricing = TARIFF,
) -> WorkerSettings:
    devices = device_ids or {}
    return WorkerSettings(
        GARAGE,
        rules or Rules(GARAGE),
        JudgementSettings(GARAGE, keys, tariff, [payby_key("payby").public_key()], PAYEE, COUPON_KEYS, soft_passback),
        WorkerSigner("worker", private_key("worker")),
        trusted(),
        2.0,
        words_for or replace(WORDING, device_ids=devices),
        "test",
        device_ids=devices,
        foreign=foreign or ForeignTicketSettings(),
        receipt_url=receipt_url,
        stations=stations,
    )


class Lane:
    """The other roles of a lane, as the worker hears them, and what it says."""

    def __init__(
        self,
        sandbox: Sandbox,
        log: MemoryJournal | None = None,
        *,
        payby: Callable[[PayByClient], Any] = lambda client: client,
        words_for: Callable[[Pursuit, int], bytes] | None = None,
        device_ids: Mapping[str, str] | None = None,
        timeout_s: float = 2.0,
        rules: Rules | None = None,
        foreign: ForeignTicketSettings | None = None,
        tickets: Callable[[Endpoint], TicketSource] | None = None,
        keys: Mapping[str, bytes] = KEYS,
        receipt_url: str = "",
        stations: TrustedKeys | None = None,
        soft_passback: bool = False,
        tariff: TicketPricing = TARIFF,
        bus: MemoryBus | None = None,
        **options: Any,
    ) -> None:
        """``payby`` may stand between the worker and its client; ``tickets`` makes whom it asks of others' tickets."""
        self.sandbox = sandbox
        self.log = log or MemoryJournal()
        self.bus = bus or MemoryBus()
        self.bus.instance = new_id(CLOCK)
        endpoint = Endpoint(self.bus.as_bus(), garage=GARAGE, lane=None, role="worker", version="test", clock=CLOCK)
        payby_keys = [payby_key("payby").public_key()]
        self.payby = PayByClient(sandbox.base_url, PAYEE, payby_key("merchant"), payby_keys, timeout_s=timeout_s)
        told = worker_settings(
            words_for, device_ids or {}, rules, foreign, keys, receipt_url, stations, soft_passback, tariff
        )
        options["tickets"] = tickets(endpoint) if tickets else None
        self.worker = WorkerRole(endpoint, payby(self.payby), self.log, told, seed=1, **options)
        self._count = itertools.count()

    def head(self) -> dict[str, Any]:
        return {"id": new_id(CLOCK), "at": stamp(CLOCK.wall_ms())}

    def topic(self, what: str, lane: str = LANE) -> str:
        return f"parking/{GARAGE}/{lane}/{what}"

    async def boom_is_down(self, lane: str = LANE, **more: Any) -> None:
        await self.bus.hears(self.topic("barrier", lane), Barrier(**self.head(), state="down", **more))

    def ticket(self, minutes: int = 90) -> str:
        entered = CLOCK.wall_ms() - minutes * 60_000
        session = derived_id(entered, "stay", str(next(self._count)))
        return sign_ticket(GARAGE, session, entered, "k1", KEYS["k1"])

    def fee(
        self,
        text: str | None = None,
        *,
        exited: int | None = None,
        keys: Mapping[str, bytes] = KEYS,
        **changes: Any,
    ) -> Fee:
        text, at = text or self.ticket(), CLOCK.wall_ms() if exited is None else exited
        found = quote(text, at, garage=GARAGE, keys=keys, tariff=TARIFF, lost_session="")
        fields: dict[str, Any] = {
            **self.head(),
            "ticket": text,
            "reason": found.reason,
            "session": found.session,
            "entered": stamp(found.entered_ms or 0),
            "exited": stamp(at),
            "minutes": found.minutes,
            "amount": money.text(found.amount or 0),
            "currency": "AED",
        }
        return Fee(**{**fields, **changes})

    def number(self, number: str = "000123456789", *, exited: int | None = None, **changes: Any) -> Fee:
        """What a reader says of another system's ticket."""
        exited = CLOCK.wall_ms() if exited is None else exited
        return Fee(**{**self.head(), "ticket": number, "reason": "number", "exited": stamp(exited), **changes})

    async def reads(self, fee: Fee, lane: str = LANE) -> None:
        await self.bus.hears(self.topic("fee", lane), fee)

    async def until(self, kind: type[Any], **fields: Any) -> Any:
        """The first message of ``kind`` with these fields, also among those already said."""
        async with asyncio.timeout(LIMIT_S):
            while True:
                for message in self.bus.of(kind):
                    if all(getattr(message, name) == value for name, value in fields.items()):
                        return message
                await self.bus.until(kind, len(self.bus.of(kind)) + 1)

    async def pays_at_the_qr(self, lane: str = LANE) -> Order:
        """A ticket is read, and its order created."""
        await self.boom_is_down(lane)
        fee = self.fee()
        await self.reads(fee, lane)
        return await self.until(Order, status="created", session=fee.session)  # type: ignore[no-any-return]


@asynccontextmanager
async def working(
    sandbox: Sandbox, log: MemoryJournal | None = None, *, kind: type[Lane] = Lane, **options: Any
) -> AsyncIterator[Lane]:
    """A worker at work among the roles of a lane, which is of ``kind``."""
    lane = kind(sandbox, log, **options)
    async with lane.payby:
        task = asyncio.create_task(lane.worker.run())
        await asyncio.sleep(0)
        while not lane.bus.of(Health) and not task.done():
            await asyncio.sleep(0)
        try:
            yield lane
        finally:
            task.cancel()
            done = await asyncio.gather(task, return_exceptions=True)
            assert all(isinstance(d, asyncio.CancelledError) for d in done), done


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with Sandbox(
        merchant_keys=[payby_key("merchant").public_key()], private_key=payby_key("payby"), partner_id=PAYEE, seed=1
    ) as server:
        yield server


def to_json(words: dict[str, Any]) -> str:
    return msgspec.json.Encoder(decimal_format="number").encode(words).decode()


def notification(sandbox: Sandbox, order_no: str) -> Paid:
    body = to_json({"acquireOrder": sandbox.book.orders[order_no].words(), "notify_id": "n1", "notify_timestamp": 1})
    return Paid(
        id=new_id(CLOCK),
        at=stamp(CLOCK.wall_ms()),
        order_no=order_no,
        notify_id="n1",
        body=body,
        sign=sign(payby_key("payby"), body.encode()),
    )


async def is_served(lane: Lane, at: str) -> None:
    """A driver reads a ticket, pays, and the lift for it goes out."""
    order = await lane.pays_at_the_qr(at)
    await lane.sandbox.pay(order.order_no, notify=False)
    await lane.until(Lift, order_no=order.order_no)
