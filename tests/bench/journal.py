"""The worker's journal: what a visit costs, whether that grows, and how long a start takes.

    python -m tests.bench.journal [--visits N]

Paid visits with loops are told to the very ledger and store of the worker, on a real file. Flushes and bytes are
counted; the disk's own time is left out (``synchronous=OFF``), as only the number of flushes is ours. Exit status 1 if
a visit takes more than 6 flushes or 8 kB, if a visit costs more CPU, bytes or memory at the end than at the beginning,
or if a replay of 100,000 rows takes 1 s of CPU or more.
"""

import argparse
import asyncio
import base64
import json
import random
import sqlite3
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Coroutine
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import msgspec

from terminal.core import events as e
from terminal.core.ids import derived_id
from terminal.core.model import ParkingFee, PaymentProof, Rules
from terminal.core.retention import slim
from terminal.eventstore.store import EventStore
from terminal.journal.kinds import CHECKPOINT, SHELVED
from terminal.roles.worker.journal_keeper import WorkerJournal
from terminal.roles.worker.payby_requests import PayByRequests
from tests.bench.rows import Progress
from tests.support.memory_journal import MemoryJournal
from tests.support.story import T0, TOKEN
from tests.support.worker_lane import TARIFF

LANE = "exit-1"
FLUSHES, BYTES, REPLAY_S, REPLAY_ROWS = 6.0, 8_192, 1.0, 100_000
LAST, RECALLS = 1_000, 20
TOLD, BULK = 20_000, 160
"""So many visits are told to the store; beyond, what they would have written is written, so many in one commit."""
GROWS_BY = 1.3
"""CPU of a visit at the end against the beginning: the machine's own noise is allowed for."""
WORDING = PayByRequests("marina", "Marina Garage", "مواقف المارينا", "https://pay.example.com/payby/notify", TARIFF)
SIGN = base64.b64encode(bytes(range(256))).decode()


class Counted(sqlite3.Connection):
    """Counts the flushes: one a commit, and two each time that the log is folded into the file."""

    flushes = 0

    def execute(self, sql: str, *args: Any) -> sqlite3.Cursor:
        if sql == "COMMIT":
            Counted.flushes += 1
        elif sql.startswith("PRAGMA wal_checkpoint"):
            Counted.flushes += 2
        elif sql == "PRAGMA synchronous=FULL":
            sql = "PRAGMA synchronous=OFF"
        return super().execute(sql, *args)


def connect(path: str) -> sqlite3.Connection:
    return sqlite3.connect(path, isolation_level=None, check_same_thread=False, factory=Counted)


def said(order_no: str, status: str, *, answer: bool) -> PaymentProof:
    """PayBy's words about an order, as long as they are."""
    order = {
        "merchantOrderNo": order_no, "orderNo": "131722516290000001", "status": status,
        "product": "Basic Payment Gateway",
        "totalAmount": {"amount": 20.00, "currency": "AED"}, "payeeMid": "200000000888", "expiredTime": T0,
        "requestTime": T0, "notifyUrl": WORDING.notify_url, "subject": "Parking Marina Garage", "paySceneCode": "DYNQR",
        "deviceId": "marina-exit-1", "reserved": "exit-1", "revoked": "false", "accessoryContent": {
            "amountDetail": {"vatAmount": {"amount": 0.95, "currency": "AED"}}, "goodsDetail": {"goodsId": "parking"}},
    }  # fmt: skip
    if status != "CREATED":
        paid = {"amount": 20.00, "currency": "AED"}
        order["paymentInfo"] = {"paidTime": T0, "payerMid": "100000003456", "paidAmount": paid, "payChannel": "BALANCE"}
    head = {"applyStatus": "SUCCESS", "code": "0", "msg": "SUCCESS", "traceCode": "4FF94E"}
    whole = {"head": head, "body": {"acquireOrder": order, "interActionParams": {"tokenUrl": TOKEN}}}
    notice = {"notify_timestamp": T0, "notify_id": "20260722000000000001", "acquireOrder": order}
    return PaymentProof(json.dumps(whole if answer else notice), SIGN)


async def visit(event_store: EventStore, number: int) -> None:
    """A car with a ticket drives up, pays and drives off: what the worker hears of it."""
    at = T0 + number * 45_000
    car, session = derived_id(at, "car", str(number)), derived_id(at, "stay", str(number))
    ticket = f"P1.marina.{session}.k1.{SIGN[:43]}"

    async def take(event: Any) -> None:
        await event_store.take(event)

    await take(e.VehicleSeen(at, LANE, True, False, car))
    fee = ParkingFee(derived_id(at, "fee", str(number)), session, ticket[:64], 2000, "due", 90, car)
    await take(e.TicketRead(at + 3_000, LANE, fee))
    no = event_store.garage.stays[session].orders[-1].no
    created = said(no, "CREATED", answer=True)
    await take(e.OrderReported(at + 3_100, no, "CREATED", 2000, created, "131722516290000001", TOKEN))
    for second in range(3, 18, 3):
        await take(e.OrderReported(at + second * 1000, no, "CREATED", 2000, created, "131722516290000001"))
    paid = said(no, "PAID_SUCCESS", answer=False)
    await take(e.OrderReported(at + 20_000, no, "PAID", 2000, paid, "131722516290000001", notified=True))
    lift = event_store.garage.stays[session].grants[-1].id
    await take(e.BoomSeen(at + 20_100, LANE, "rising", lift))
    await take(e.LiftAnswered(at + 20_100, LANE, session, lift, "raised"))
    await take(
        e.OrderReported(at + 20_200, no, "PAID", 2000, said(no, "PAID_SUCCESS", answer=True), "131722516290000001")
    )
    await take(e.TimePassed(at + 21_100, lane=LANE))
    await take(e.BoomSeen(at + 22_100, LANE, "up", lift))
    await take(e.VehicleSeen(at + 24_000, LANE, True, True, car))
    await take(e.VehicleSeen(at + 25_000, LANE, False, True))
    await take(e.VehicleSeen(at + 26_000, LANE, False, False))
    await take(e.BoomSeen(at + 30_000, LANE, "lowering", lift))
    await take(e.BoomSeen(at + 32_000, LANE, "down", lift))


def a_ledger(store: WorkerJournal) -> EventStore:
    return EventStore(Rules("marina"), store, lambda pursuit: WORDING(pursuit, 0))


@dataclass(frozen=True, slots=True)
class Point:
    """What a visit cost, when so many were in the journal."""

    visits: int
    flushes: float
    bytes: float
    rows: float
    cpu_us: float
    recall_us: float
    """CPU of the reading of a ticket that left long ago: its stay comes back from the journal."""
    stays: int
    memory_mib: float


@dataclass(frozen=True, slots=True)
class Replay:
    rows: int
    cpu_s: float
    wall_s: float

    @property
    def per(self) -> float:
        """Seconds of CPU for REPLAY_ROWS at that pace."""
        return self.cpu_s / self.rows * REPLAY_ROWS


async def grow(path: Path, visits: int, progress: Progress = lambda _: None) -> AsyncIterator[Point]:
    """Visits, up to so many; a point at each decade: of the last ``LAST`` before it, or all since the decade before."""
    steps = [n for n in (100, 1_000, 10_000, 100_000, 1_000_000) if n < visits] + [visits]
    dice = random.Random(1)
    with WorkerJournal.open(path, lambda: T0, connect=connect) as store:
        event_store = a_ledger(store)
        event_store.replay()
        await event_store.take(e.BoomSeen(T0, LANE, "down"))
        for number in range(50):  # what a start needs once
            await visit(event_store, number)
        done = 50
        for step in steps:
            while done < step + 50 - LAST:
                if done < TOLD:
                    await visit(event_store, done)
                    done += 1
                else:
                    done = written(event_store, store, done, min(step + 50 - LAST, done + 10_000))
                    progress(f"{done:,} visits in the journal")
            flushes, size, rows = Counted.flushes, stored(path), store.journal.last_seq
            count, cpu = step + 50 - done, time.process_time()
            for number in range(done, done + count):
                await visit(event_store, number)
            cpu = time.process_time() - cpu
            done += count
            flushes, rows = Counted.flushes - flushes, store.journal.last_seq - rows
            grown = stored(path) - size
            recalled = [dice.randrange(max(1, done - 60)) for _ in range(RECALLS)]
            again = time.process_time()
            for number in recalled:
                await read_again(event_store, number, done)
            again = time.process_time() - again
            yield Point(
                step, flushes / count, grown / count, rows / count, cpu / count * 1e6, again / RECALLS * 1e6,
                len(event_store.garage.stays), memory_mib(),
            )  # fmt: skip


def written(event_store: EventStore, store: WorkerJournal, since: int, until: int) -> int:
    """Visits that are written as one was once told, under other names: what a start or a later visit reads of them."""
    rows, stay, old = told_once()
    for first in range(since, until, BULK):
        last, ahead = min(until, first + BULK), store.journal.last_seq
        sealed: list[tuple[str, bytes]] = []
        for number in range(first, last):
            session = derived_id(T0 + number * 45_000, "stay", str(number))
            new = session.encode()
            sealed += [(kind, data.replace(old, new)) for kind, data in rows]
            sealed.append((SHELVED, stay.replace(old, new)))
            event_store.resting_stays.put(session, ahead + len(sealed))
        sealed.append((CHECKPOINT, event_store._checkpoint(())))  # as often as the store would have made one
        store.journal.append_now(sealed, T0 + last * 45_000)
    return until


@cache
def told_once() -> tuple[list[tuple[str, bytes]], bytes, bytes]:
    """The rows of a visit, the list of its one stay as it is shelved, and its session."""
    memory = MemoryJournal()
    event_store = EventStore(Rules("marina"), memory, lambda pursuit: WORDING(pursuit, 0))
    driven(event_store.take(e.BoomSeen(T0, LANE, "down")))
    before = len(memory.rows)
    driven(visit(event_store, 1))
    (stay,) = event_store.garage.stays.values()
    rows = [(row.kind, row.data) for row in memory.rows[before:]]
    return rows, msgspec.json.encode([slim(stay)]), stay.session.encode()


def driven(taking: Coroutine[Any, Any, object]) -> None:
    """What waits for nobody is done at once."""
    with suppress(StopIteration):
        taking.send(None)
        raise AssertionError("a store in memory made somebody wait")


def stored(path: Path) -> int:
    """Bytes of the journal, with the log folded in."""
    connect(str(path)).execute("PRAGMA wal_checkpoint(TRUNCATE)").connection.close()
    return path.stat().st_size


def memory_mib() -> float:
    """Of this process, what is its own."""
    kept = [line.split() for line in Path("/proc/self/smaps_rollup").read_text().splitlines()[1:]]
    return sum(int(words[1]) for words in kept if words[0] in ("Private_Clean:", "Private_Dirty:")) / 1024


async def read_again(event_store: EventStore, number: int, done: int) -> None:
    """A ticket whose car left long ago is held under the scanner again."""
    at, now = T0 + number * 45_000, T0 + done * 45_000
    session = derived_id(at, "stay", str(number))
    ticket = f"P1.marina.{session}.k1.{SIGN[:43]}"
    fee = ParkingFee(derived_id(now, "again", str(number)), session, ticket[:64], 2000, "due", 90, None)
    await event_store.take(e.TicketRead(now, LANE, fee))


def replayed(path: Path) -> Replay:
    with WorkerJournal.open(path, lambda: T0, connect=connect) as store:
        event_store = a_ledger(store)
        start, wall = time.process_time(), time.perf_counter()
        rows = event_store.replay()
        return Replay(rows, time.process_time() - start, time.perf_counter() - wall)


async def measured(path: Path, visits: int) -> bool:
    """Print it; is it within its targets?"""
    well, first_cpu = True, 0.0
    heads = zip(("visits", "flushes", "bytes", "rows", "us CPU", "us again", "in memory", "MiB"),
                (10, 8, 8, 6, 8, 9, 10, 6), strict=True)  # fmt: skip
    print(" ".join(f"{name:>{width}}" for name, width in heads))
    async for point in grow(path, visits):
        first_cpu = first_cpu or point.cpu_us
        print(
            f"{point.visits:>10,} {point.flushes:>8.2f} {point.bytes:>8.0f} {point.rows:>6.1f} {point.cpu_us:>8.0f} "
            f"{point.recall_us:>9.0f} {point.stays:>10} {point.memory_mib:>6.1f}",
            flush=True,
        )
        well &= point.flushes <= FLUSHES and point.stays <= 50 + RECALLS
        if point.visits >= 1_000:
            well &= point.bytes <= BYTES and point.cpu_us <= first_cpu * GROWS_BY
    print(f"{'at most':>10} {FLUSHES:>8} {BYTES:>8} {'':>6} {first_cpu * GROWS_BY:>8.0f}")
    found = replayed(path)
    print(f"replay of {found.rows:,} rows: {found.cpu_s:.2f} s of CPU, {found.wall_s:.2f} s in all")
    print(f"replay of {REPLAY_ROWS:,} rows at that pace: {found.per:.2f} s of CPU (less than {REPLAY_S})")
    return well and found.per < REPLAY_S


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--visits", type=int, default=12_000)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        return int(not asyncio.run(measured(Path(folder) / "journal.db", arguments.visits)))


if __name__ == "__main__":
    sys.exit(main())
