"""From PayBy's notification to the relay's pulse: what must happen on the way, and nothing else.

Listener, worker and barrier on one bus in memory, with their own journals on the disk. The seconds are measured by
tests/bench/line.py; here are the counts, which hold on every machine.
"""

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import aiohttp
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from terminal.contract.messages import Answer, Barrier, Health, Lift, Receipt, Screen, stamp
from terminal.contract.topics import parse
from terminal.mqtt.endpoint import Endpoint
from terminal.payby.client import PayByClient
from terminal.payby.sandbox.server import Sandbox
from terminal.roles.barrier.role import BarrierRole
from terminal.roles.barrier.spent_lifts import BarrierJournal
from terminal.roles.listener.role import ListenerRole
from terminal.roles.worker.journal_keeper import WorkerJournal
from terminal.roles.worker.lane_devices import BARRIER_S
from terminal.roles.worker.role import WorkerRole
from terminal.screen import qr
from tests.support.barrier_lane import Arm
from tests.support.eventually import eventually
from tests.support.lifts import GARAGE, LANE, payby_key, trust
from tests.support.memory_bus import MemoryBus
from tests.support.worker_lane import CLOCK, Lane, notification, sandbox, worker_settings, working

__all__ = ["sandbox"]


class CountedKey:
    """PayBy's public key, as one role holds it; counts its verifications."""

    def __init__(self) -> None:
        self._key = payby_key("payby").public_key()
        self.key_size, self.times = self._key.key_size, 0

    def verify(self, *words: Any) -> None:
        self.times += 1
        self._key.verify(*words)

    def as_key(self) -> RSAPublicKey:
        return cast(RSAPublicKey, self)


class Flushes:
    """Counts a journal's commits; each is one flush, in a thread that it stops for as long as the disk takes."""

    def __init__(self) -> None:
        self.count = 0
        self.threads: set[int] = set()

    def connect(self, path: str) -> sqlite3.Connection:
        flushes = self

        class Counted(sqlite3.Connection):
            def execute(self, sql: str, *words: Any) -> sqlite3.Cursor:
                if sql == "COMMIT":
                    flushes.count += 1
                    flushes.threads.add(threading.get_ident())
                return super().execute(sql, *words)

        return sqlite3.connect(path, isolation_level=None, check_same_thread=False, factory=Counted)


class WholeLine(Lane):
    """The lane of a worker whose listener and barrier are there too."""

    def __init__(self, folder: Path, sandbox: Sandbox) -> None:
        self.keys = {role: CountedKey() for role in ("listener", "worker", "barrier")}
        self.flushes = {role: Flushes() for role in ("worker", "barrier")}
        super().__init__(sandbox)
        told = worker_settings()
        judgement = replace(told.judgement, payby_keys=[self.keys["worker"].as_key()])
        self.journal = WorkerJournal.open(folder / "journal.db", CLOCK.wall_ms, connect=self.flushes["worker"].connect)
        self.book = BarrierJournal.open(folder / "barrier.db", CLOCK.wall_ms(), connect=self.flushes["barrier"].connect)
        self.worker = WorkerRole(
            self.endpoint("worker", None), self.payby, self.journal, replace(told, judgement=judgement), seed=1
        )
        self.listener = ListenerRole(
            self.endpoint("listener", None), payby_keys=[self.keys["listener"].as_key()], host="127.0.0.1", port=0
        )
        self.arm = Arm()
        trusted = replace(trust(), payby_keys=[self.keys["barrier"].as_key()])
        self.barrier = BarrierRole(self.endpoint("barrier", LANE), self.arm, self.book, trusted)

    def has_said(self, what: str) -> bool:
        return any(topic.endswith(what) for topic, _, _ in self.bus.said)

    def endpoint(self, role: str, lane: str | None) -> Endpoint:
        return Endpoint(self.bus.as_bus(), garage=GARAGE, lane=lane, role=role, version="test", clock=CLOCK)


def kinds(bus: MemoryBus, since: int) -> list[str]:
    return [parse(topic).kind for topic, _, _ in bus.said[since:] if parse(topic).kind not in ("health", "alerts")]


@asynccontextmanager
async def whole_line(folder: Path, sandbox: Sandbox) -> AsyncIterator[WholeLine]:
    line = WholeLine(folder, sandbox)
    async with line.payby:
        roles = [asyncio.create_task(role.run()) for role in (line.worker, line.listener, line.barrier)]
        await line.listener.started.wait()
        await eventually(lambda: line.has_said("health/worker") and line.has_said("health/barrier"))
        try:
            yield line
        finally:
            for role in roles:
                role.cancel()
            ends = await asyncio.gather(*roles, return_exceptions=True)
            line.book.close()
            line.journal.close()
            assert all(isinstance(end, asyncio.CancelledError) for end in ends), ends


async def test_between_a_notification_and_the_pulse_are_two_flushes_two_messages_and_a_verification_for_each_role(
    tmp_path: Path, sandbox: Sandbox
) -> None:
    async with whole_line(tmp_path, sandbox) as line:
        fee = line.fee()
        await line.reads(fee)
        await line.until(Screen, state="pay", session=fee.session)
        order_no = next(iter(sandbox.book.orders))
        await sandbox.pay(order_no, notify=False)
        words = notification(sandbox, order_no)
        mark, pulsed = len(line.bus.said), asyncio.Event()
        before = {role: flushes.count for role, flushes in line.flushes.items()}
        verified = {role: key.times for role, key in line.keys.items()}
        found: dict[str, Any] = {}

        def at_the_pulse() -> None:
            found["said"] = kinds(line.bus, mark)
            found["flushes"] = {role: flushes.count - before[role] for role, flushes in line.flushes.items()}
            found["verified"] = {role: key.times - verified[role] for role, key in line.keys.items()}
            pulsed.set()

        line.arm.during = at_the_pulse
        for flushes in line.flushes.values():
            flushes.threads.clear()  # of a start, which nobody waits for
        async with aiohttp.ClientSession() as session:
            url = f"http://127.0.0.1:{line.listener.port}/payby/notify"
            async with session.post(url, data=words.body.encode(), headers={"sign": words.sign}) as answer:
                assert answer.status == 200
        await asyncio.wait_for(pulsed.wait(), 10)
        assert threading.get_ident() not in {thread for one in line.flushes.values() for thread in one.threads}
        assert found == {
            "said": ["paid", "lift"],
            "flushes": {"worker": 1, "barrier": 1},
            "verified": {"listener": 1, "worker": 1, "barrier": 1},
        }


async def barrier_is_here(lane: Lane) -> None:
    """The lane's barrier runs in the worker's process."""
    health = Health(**lane.head(), state="online", version="1", instance=lane.bus.instance, since=stamp(0))
    await lane.bus.hears(lane.topic("health/barrier"), health)


async def test_nothing_is_told_of_a_payment_before_its_lift_and_the_rest_waits_for_the_barrier(
    sandbox: Sandbox,
) -> None:
    async with working(sandbox) as lane:
        await barrier_is_here(lane)
        order: Any = await lane.pays_at_the_qr()
        await lane.until(Screen, state="pay")
        await sandbox.pay(order.order_no, notify=False)
        mark = len(lane.bus.said)
        await lane.bus.hears(lane.topic("paid"), notification(sandbox, order.order_no))
        lift = await lane.until(Lift, order_no=order.order_no)
        assert kinds(lane.bus, mark) == ["lift"]
        answer = Answer(lift.id, "raised", None, order.order_no)
        rising = Barrier(
            **lane.head(), state="rising", lift=lift.id, session=lift.session, reason="paid", answer=answer
        )
        await lane.bus.hears(lane.topic("barrier"), rising)
        await lane.until(Screen, state="paid")
        assert kinds(lane.bus, mark)[:3] == ["lift", "receipt", "screen"]


async def test_a_lift_for_another_process_keeps_nothing_waiting(sandbox: Sandbox) -> None:
    async with working(sandbox) as lane:
        order: Any = await lane.pays_at_the_qr()
        await lane.until(Screen, state="pay")
        await sandbox.pay(order.order_no, notify=False)
        mark = len(lane.bus.said)
        await lane.bus.hears(lane.topic("paid"), notification(sandbox, order.order_no))
        await lane.until(Lift, order_no=order.order_no)
        assert kinds(lane.bus, mark)[:3] == ["lift", "receipt", "screen"]


async def test_a_barrier_that_says_nothing_keeps_nobody_waiting(sandbox: Sandbox) -> None:
    async with working(sandbox) as lane:
        await barrier_is_here(lane)
        order: Any = await lane.pays_at_the_qr()
        await lane.until(Screen, state="pay")
        await sandbox.pay(order.order_no, notify=False)
        await lane.bus.hears(lane.topic("paid"), notification(sandbox, order.order_no))
        await lane.until(Lift, order_no=order.order_no)
        async with asyncio.timeout(BARRIER_S + 5):
            await lane.until(Receipt, notify_id="n1")


async def test_a_new_order_goes_to_payby_before_the_lane_is_told_of_it(sandbox: Sandbox) -> None:
    said: list[list[str]] = []

    class Watched:
        def __init__(self, client: PayByClient) -> None:
            self._client = client

        def __getattr__(self, name: str) -> Any:
            if name == "place_order":
                said.append([screen.state for screen in lane.bus.of(Screen)])
            return getattr(self._client, name)

    async with working(sandbox, payby=Watched) as lane:
        await lane.pays_at_the_qr()
        await lane.until(Screen, state="wait")
        assert "wait" not in said[0]


async def test_a_code_is_drawn_and_read_back_beside_the_event_loops_thread(sandbox: Sandbox) -> None:
    threads: set[int] = set()

    def encode(url: str) -> qr.Symbol:
        threads.add(threading.get_ident())
        return qr.proven(url)

    async with working(sandbox, encode=encode) as lane:
        await lane.pays_at_the_qr()
        await lane.until(Screen, state="pay")
        assert threads and threading.get_ident() not in threads
