"""How a scene ends, and its history, read off PayBy's book, the journals, the pins and the logs."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from terminal.core.ids import parse_order_no
from terminal.core.model import OPEN, Rules, Stay
from terminal.eventstore.store import EventStore
from terminal.journal.reading import read
from terminal.journal.rows import Row
from tests.chaos.history import Account, Gate, History, Intent, fils
from tests.chaos.kerb import Kerb
from tests.chaos.scene import Scene

RULES = Rules("marina", cancel_after=20_000)


class Rows:
    """A journal that is only read; ``granted``: session by each lift that its replay granted on the way; ``stays``:
    each stay as it was known last, those too that have left memory by the end."""

    def __init__(self, read: Callable[[], Iterator[Row]]) -> None:
        self._read = read
        self.event_store: EventStore
        self.granted: dict[str, str] = {}
        self.stays: dict[str, Stay] = {}

    def replay(self) -> Iterator[Row]:
        for row in self._read():
            yield row
            self.stays |= self.event_store.garage.stays
            for stay in self.event_store.garage.stays.values():
                self.granted |= {grant.id: stay.session for grant in stay.grants}

    async def append(self, rows: Any, at_ms: int) -> int:
        raise AssertionError("it is only read")

    def note(self, rows: Any, at_ms: int) -> None:
        raise AssertionError("it is only read")

    async def fetch(self, seq: int) -> bytes | None:
        raise AssertionError("nothing is spoken of")


def replayed(journal: Callable[[], Iterator[Row]], *, as_started: bool = False) -> Rows:
    """The state that a worker's journal comes to: row by row from its beginning, or as a process starts from it."""
    rows = Rows(journal)
    rows.event_store = EventStore(RULES, rows, lambda _: b"")
    if as_started:
        rows.event_store.replay()
    else:
        for row in rows.replay():
            rows.event_store.read([row])
    return rows


async def finish(scene: Scene) -> History:
    """Nothing goes wrong any more: one more car at each lane, then quiet, then all stop, and what happened is read."""
    for kerb in scene.kerbs:
        kerb.disarm()
    await scene.online()
    last = await asyncio.gather(*(scene.car(kerb=kerb) for kerb in scene.kerbs))
    scene.served_at_last = all(car.out for car in last)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(scene.quiet_s):
            await scene.garage.sandbox.notified()
            while unsettled(scene):
                await scene.garage.heard_more()
    await scene.stop()
    return history(scene)


def unsettled(scene: Scene) -> bool:
    """Is anything under way yet, at PayBy or by the worker's journal?"""
    sandbox = scene.garage.sandbox
    if any(order.status == "CREATED" for order in sandbox.orders.values()):
        return True
    stays = replayed(scene.journal, as_started=True).event_store.garage.stays.values()
    return any(o.stage in OPEN for s in stays for o in s.orders) or any(
        p.holder in ("lift", "refund") for s in stays for p in s.payments
    )


def holder(scene: Scene, number: str) -> str | None:
    """A payment's holder, by the journal of a running worker; None if it knows of no such payment."""
    stays = replayed(scene.journal, as_started=True).event_store.garage.stays.values()
    return next((p.holder for s in stays for p in s.payments if p.order_no == number), None)


def history(scene: Scene) -> History:
    """All of it, once everything has stopped."""
    logs = [(path.name, path.read_text(errors="replace")) for path in sorted(scene.folder.rglob("*.log"))]
    whole = replayed(scene.journal)
    return History(
        accounts=_accounts(scene),
        cars=scene.cars,
        gates=[_controller(kerb) for kerb in scene.kerbs],
        garage=whole.event_store.garage,
        stays=whole.stays,
        again=replayed(scene.journal, as_started=True).event_store.garage,
        granted=scene.granted | whole.granted,
        served_at_last=scene.served_at_last,
        ended=scene.ended,
        texts=logs,
        secrets=_secrets(scene.folder),
    )


def _controller(kerb: Kerb) -> Gate:
    rows = list(read(kerb.folder / "barrier.db"))
    return Gate(
        kerb.name,
        kerb.has_loops,
        [_intent(row) for row in rows if row.kind == "intent"],
        [row.data.decode() for row in rows if row.kind == "done"],
        kerb.pulses,
        frozenset(pin for _, pin, _ in kerb.pins if pin != "GPIO17"),
    )


def _intent(row: Row) -> Intent:
    told = msgspec.json.decode(row.data)
    return Intent(told["id"], told["session"], told["reason"], row.at_ms, told.get("order_no"))


def _accounts(scene: Scene) -> list[Account]:
    sandbox = scene.garage.sandbox
    placed, closed = dict[str, int](), dict[str, int]()
    for call in sandbox.calls:
        number = str(call.biz.get("merchantOrderNo"))
        if call.name == "placeOrder" and call.code == "0":
            placed.setdefault(number, call.at_ms)
        if call.name == "cancelOrder" and call.code == "0":
            closed.setdefault(number, call.at_ms)
    posted = Counter(delivery.notify_id for delivery in sandbox.deliveries if delivery.ok)
    made = []
    for order in sandbox.orders.values():
        name = parse_order_no(order.no)
        assert name is not None
        back = sum(fils(r.amount) for r in order.refunds if r.status == "SUCCESS")
        ids = {d.notify_id for d in sandbox.deliveries if d.order_no == order.no}
        made.append(
            Account(
                order.no,
                name.session,
                name.lane,
                placed.get(order.no, order.requested_ms),
                order.paid_ms,
                fils(order.amount),
                back,
                closed.get(order.no),
                order.expires_ms,
                sum(not posted[notify_id] for notify_id in ids),
            )
        )
    return made


def _secrets(folder: Path) -> list[str]:
    found = []
    for path in sorted([*folder.glob("secrets/*"), *folder.glob("users/*")]):
        if path.is_file() and not path.name.endswith(".pub.pem"):
            lines = [line for line in path.read_text().splitlines() if "-----" not in line]
            found += [line for line in lines if len(line) >= 16]
    return found
