"""Bytecodes that Python executes for what computes only: the same on every machine, under one version of Python.

    python -m tests.bench.pure_counts    as JSON, by name

Work inside compiled libraries is not in it: `python -m tests.bench --only instructions` counts that too.
"""

import asyncio
import json
import random
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

from drivers.panel import SpiPanel
from terminal.contract.lift_rules import refusal
from terminal.contract.messages import Lift, decode, encode
from terminal.core import events as e
from terminal.core.ids import derived_id
from terminal.core.model import Rules
from terminal.core.quote import quote
from terminal.core.rules import Garage, step
from terminal.core.ticket import sign_ticket
from terminal.eventstore.store import EventStore
from terminal.roles.worker.journal_keeper import WorkerJournal
from terminal.screen import qr
from terminal.screen.layouts import layout_for
from terminal.screen.renderer import Renderer
from terminal.screen.view import Site, View
from tests.bench.journal import LANE, WORDING, Counted, connect, visit
from tests.bench.lcd import TOKEN, Counter
from tests.support.lifts import NOW, lift, situation, trust
from tests.support.memory_journal import MemoryJournal
from tests.support.story import T0
from tests.support.worker_lane import KEYS, TARIFF

STAYS, VISITS = 20, 200


def bytecodes(job: Callable[[], object]) -> int:
    """How many this thread executes in ``job``, which ran once before, so that nothing is counted that is kept."""
    count = 0

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal count
        frame.f_trace_lines, frame.f_trace_opcodes = False, True
        count += event == "opcode"
        return trace

    job()
    sys.settrace(trace)
    try:
        job()
    finally:
        sys.settrace(None)
    return count


class Kept(EventStore):
    """Keeps what it took."""

    def __init__(self) -> None:
        super().__init__(Rules("marina"), MemoryJournal(), lambda pursuit: WORDING(pursuit, 0))
        self.taken: list[Any] = []

    async def take(self, event: Any) -> Any:
        self.taken.append(event)
        return await super().take(event)


async def a_visit() -> list[Any]:
    store = Kept()
    await store.take(e.BoomSeen(T0, LANE, "down"))
    await visit(store, 1)
    return store.taken


def steps(taken: list[Any]) -> None:
    garage = Garage(Rules("marina"))
    for event in taken:
        garage.apply(step(garage, event))


def stays() -> list[tuple[int, int]]:
    rng = random.Random(1)
    return [(NOW - rng.randrange(1, 3 * 1440) * 60_000, NOW) for _ in range(STAYS)]


async def journal() -> dict[str, float]:
    """Of a visit in the very journal of the worker, without its disk's own time."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "journal.db"
        with WorkerJournal.open(path, lambda: T0, connect=connect) as store:
            event_store = EventStore(Rules("marina"), store, lambda pursuit: WORDING(pursuit, 0))
            await event_store.take(e.BoomSeen(T0, LANE, "down"))
            before = Counted.flushes, 0, 0
            for number in range(2 * VISITS):
                if number == VISITS:
                    connect(str(path)).execute("PRAGMA wal_checkpoint(TRUNCATE)").connection.close()
                    before = Counted.flushes, path.stat().st_size, store.journal.last_seq
                await visit(event_store, number)
            flushes, rows = Counted.flushes, store.journal.last_seq
            connect(str(path)).execute("PRAGMA wal_checkpoint(TRUNCATE)").connection.close()
            now = flushes, path.stat().st_size, rows
    each = [(end - begin) / VISITS for begin, end in zip(before, now, strict=True)]
    return {"journal flushes": each[0], "journal bytes": round(each[1]), "journal rows": each[2]}


def main() -> dict[str, float]:
    taken = asyncio.run(a_visit())
    text = sign_ticket("marina", derived_id(NOW - 5_400_000, "stay"), NOW - 5_400_000, "k1", KEYS["k1"])
    read = partial(quote, text, NOW, garage="marina", keys=KEYS, tariff=TARIFF, lost_session="")
    signed = lift()
    wire, judged, asked = encode(signed), trust(), situation()
    assert refusal(signed, judged, asked) is None
    page = Renderer(layout_for("ili9488", 480, 320), Site("Marina Garage", "مرآب المارينا", "+971 4 000 0000"))
    symbol = qr.encode(TOKEN)
    view = View("pay", amount="25.00", minutes=125, tail="8F3A", left=179, symbol=symbol)
    later = View("pay", amount="25.00", minutes=125, tail="8F3A", left=178, symbol=symbol)
    frames = page.compose(view), page.compose(later)
    panel = SpiPanel("ili9488", lambda: Counter(), pause=lambda _: None, clock=lambda: 0.0)

    def second() -> None:
        panel.show(frames[0])
        panel.show(frames[1])

    jobs: dict[str, Callable[[], object]] = {
        "rules, a visit's events": partial(steps, taken),
        f"price of {STAYS} stays": lambda: [TARIFF.fee(*stay) for stay in stays()],
        "quote of a ticket": read,
        "decode a lift": partial(decode, Lift, wire),
        "judge a lift": partial(refusal, signed, judged, asked),
        "symbol of a code": partial(qr.encode, TOKEN),
        "pay screen": partial(page.compose, view),
        "two frames to a panel": second,
    }
    found: dict[str, float] = {name: bytecodes(job) for name, job in jobs.items()}
    return {**found, **asyncio.run(journal())}


if __name__ == "__main__":
    json.dump(main(), sys.stdout)
