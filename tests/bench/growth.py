"""What a visit costs as a garage grows: lanes at one worker, visits in its journal, watchers at its broker.

    python -m tests.bench.growth [--visits N] [--rounds N] [--only lanes journal watchers] [--png FILE] [--json FILE]

Real workers, each with a stock Mosquitto of its own, and PayBy's sandbox. Garages of each size take turns, some visits
at a time, so that whatever else the machine does falls on all of them; CPU is that of the worker, in all its threads.
The journal grows by paid visits told to the worker's own store, on a real file without the disk's own time. Status 1 if
a visit costs more where the garage is larger.
"""

import argparse
import asyncio
import contextlib
import json
import statistics
import sys
import tempfile
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from terminal.mqtt.client import MqttClient
from tests.bench import journal
from tests.bench.plot import Curve, Plot, curves, save
from tests.bench.rows import Progress
from tests.bench.visits import Visits, cpu_ms
from tests.conftest import Mosquitto
from tests.support.garage import ROOT, Garage
from tests.support.leash import LEASH

LANES, WATCHERS = (1, 10, 50, 200), (0, 10, 50)
BLOCK, REPLAYED = 10, 1_000_000
ALLOWED = 1.25
"""A visit of the largest garage costs at most so many times what it costs in the smallest."""


@dataclass
class Sized:
    """A garage of one size, and what its visits took."""

    size: int
    visits: Visits
    broker_pid: int
    worker_ms: list[float] = field(default_factory=list)
    broker_ms: list[float] = field(default_factory=list)
    waited_ms: list[float] = field(default_factory=list)

    @property
    def worker_pid(self) -> int:
        return self.visits.garage.running["worker"].pid

    async def some(self, lanes: Sequence[str]) -> None:
        worker, broker = cpu_ms(self.worker_pid), cpu_ms(self.broker_pid)
        for lane in lanes:
            self.waited_ms.append(await self.visits.one(lane) * 1000)
        self.worker_ms.append((cpu_ms(self.worker_pid) - worker) / len(lanes))
        self.broker_ms.append((cpu_ms(self.broker_pid) - broker) / len(lanes))
        self.visits.garage.heard.all.clear()


@contextlib.asynccontextmanager
async def garages(folder: Path, sizes: Sequence[int]) -> AsyncIterator[list[Sized]]:
    async with contextlib.AsyncExitStack() as stack:
        made = []
        for size in sizes:
            own = folder / str(size)
            (own / "garage").mkdir(parents=True)
            server = Mosquitto(own)
            server.start()
            stack.callback(server.stop)
            garage = await stack.enter_async_context(Garage(own / "garage", server.url, notify=False, forks=False))
            await garage.start("worker")
            assert server.process
            made.append(Sized(size, Visits(garage), server.process.pid))
        yield made


async def by_lanes(folder: Path, rounds: int, progress: Progress) -> list[Sized]:
    async with garages(folder, LANES) as found:
        names = {one.size: [f"exit-{n}" for n in range(1, one.size + 1)] for one in found}
        for one in found:
            progress(f"{one.size} lanes are served for the first time")
            for lane in names[one.size]:
                await one.visits.one(lane)
            for _ in range(BLOCK):  # all have had as many visits, or more
                await one.visits.one(names[one.size][0])
            one.visits.garage.heard.all.clear()
        for number in range(rounds):
            progress(f"lanes, round {number + 1} of {rounds}")
            for one in found:
                lanes = names[one.size]
                await one.some([lanes[(number * BLOCK + n) * 7 % len(lanes)] for n in range(BLOCK)])
    return found


@contextlib.asynccontextmanager
async def watching(url: str, count: int) -> AsyncIterator[None]:
    """So many watchers, who read all that is said, in a process of their own."""
    if not count:
        yield
        return
    words = [*LEASH, sys.executable, "-m", "tests.bench.growth", "--watch", url, "--count", str(count)]
    process = await asyncio.create_subprocess_exec(*words, stdout=asyncio.subprocess.PIPE, cwd=ROOT)
    try:
        assert process.stdout
        await process.stdout.readline()
        yield
    finally:
        process.kill()
        await process.wait()


async def watch(url: str, count: int) -> None:
    async def one(number: int, ready: asyncio.Semaphore) -> None:
        async with MqttClient(url, client_id=f"watch-{number}") as bus:
            subscription = bus.subscribe("parking/marina/#")
            await subscription.granted()
            ready.release()
            async for delivery in subscription:
                delivery.ack()

    ready = asyncio.Semaphore(0)
    async with asyncio.TaskGroup() as group:
        for number in range(count):
            group.create_task(one(number, ready))
        for _ in range(count):
            await ready.acquire()
        print("ready", flush=True)


async def by_watchers(folder: Path, rounds: int, progress: Progress) -> list[Sized]:
    async with garages(folder, [1]) as (only,):
        garage = only.visits.garage
        found = [Sized(count, only.visits, only.broker_pid) for count in WATCHERS]
        for _ in range(BLOCK):
            await only.visits.one()
        for number in range(rounds):
            progress(f"watchers, round {number + 1} of {rounds}")
            for one in found:
                async with watching(garage.broker, one.size):
                    await one.visits.one()  # what has just connected has been told what is retained
                    await one.some(["exit-1"] * BLOCK)
    return found


async def by_journal(folder: Path, visits: int, progress: Progress) -> tuple[list[journal.Point], journal.Replay]:
    path = folder / "journal.db"
    points = []
    async for point in journal.grow(path, visits, progress):
        points.append(point)
        progress(f"{point.visits:,} visits: {point.cpu_us:.0f} us of CPU and {point.bytes:.0f} B each")
    progress("a start reads the journal")
    return points, journal.replayed(path)


def sizes_table(name: str, found: Sequence[Sized]) -> list[str]:
    print(f"\n{name:<12}{'worker CPU':>12}{'driver waits':>14}{'broker CPU':>12}   ms a visit, medians")
    for one in found:
        print(
            f"{one.size:<12}{middle(one.worker_ms):>12.2f}{middle(one.waited_ms):>14.1f}{middle(one.broker_ms):>12.2f}"
        )
    first, last = found[0], found[-1]
    ratio = middle(last.worker_ms) / middle(first.worker_ms)
    waits = middle(last.waited_ms) / middle(first.waited_ms)
    print(f"{last.size} beside {first.size}: worker x {ratio:.2f}, driver x {waits:.2f} (at most {ALLOWED})")
    return [f"{name}: worker x {ratio:.2f}"] if ratio > ALLOWED else []


def journal_table(points: Sequence[journal.Point], start: journal.Replay) -> list[str]:
    print(f"\n{'visits':>10} {'flushes':>8} {'bytes':>8} {'us CPU':>8} {'us again':>9} {'in memory':>10} {'MiB':>7}")
    for p in points:
        print(
            f"{p.visits:>10,} {p.flushes:>8.2f} {p.bytes:>8.0f} {p.cpu_us:>8.0f} {p.recall_us:>9.0f} {p.stays:>10} "
            f"{p.memory_mib:>7.1f}"
        )
    print(f"a start reads {start.rows:,} rows: {start.cpu_s:.2f} s of CPU, {start.per:.2f} s for 100,000")
    first, last = points[0], points[-1]
    return [
        f"journal: {name} x {now / before:.2f}"
        for name, before, now in (("CPU", first.cpu_us, last.cpu_us), ("bytes", first.bytes, last.bytes))
        if now > before * ALLOWED
    ]


def middle(values: Sequence[float]) -> float:
    return statistics.median(values)


def sized_plot(title: str, x: str, found: Sequence[Sized], *, logs: bool) -> Plot:
    return Plot(
        title,
        x,
        [
            Curve("worker, CPU", [(one.size, middle(one.worker_ms)) for one in found]),
            Curve("driver waits", [(one.size, middle(one.waited_ms)) for one in found]),
            Curve("Mosquitto, CPU", [(one.size, middle(one.broker_ms)) for one in found]),
        ],
        logs=logs,
    )


async def measure(asked: argparse.Namespace, folder: Path) -> int:
    grows: list[str] = []
    plots: list[Plot] = []
    told: dict[str, Any] = {}

    def progress(said: str) -> None:
        print(f"  {said}", file=sys.stderr, flush=True)

    for name, run in (("lanes", by_lanes), ("watchers", by_watchers)):
        if name in asked.only:
            found = await run(folder / name, asked.rounds, progress)
            grows += sizes_table(name, found)
            title = f"ms a visit, by {name}"
            plots.append(sized_plot(title, f"{name} at one worker", found, logs=name == "lanes"))
            told[name] = [
                [one.size, middle(one.worker_ms), middle(one.waited_ms), middle(one.broker_ms)] for one in found
            ]
    if "journal" in asked.only:
        points, start = await by_journal(folder, asked.visits, progress)
        grows += journal_table(points, start)
        x = "visits in the journal"
        cpu = [
            Curve("a visit", [(p.visits, p.cpu_us / 1000) for p in points]),
            Curve("an old ticket again", [(p.visits, p.recall_us / 1000) for p in points]),
        ]
        plots.append(Plot("ms of CPU, by what is in the journal", x, cpu, logs=True))
        plots.append(Plot("bytes a visit", x, [Curve("journal", [(p.visits, p.bytes) for p in points])], logs=True))
        told["journal"] = [[p.visits, p.flushes, p.bytes, p.cpu_us, p.recall_us, p.stays, p.memory_mib] for p in points]
        told["start"] = [start.rows, start.cpu_s, start.wall_s]
    print("\n" + (f"grows: {'; '.join(grows)}" if grows else "nothing grows"))
    if asked.png:
        save(curves("A visit's cost, as the garage grows", "one worker, Mosquitto, PayBy's sandbox", plots), asked.png)
    if asked.json:
        asked.json.write_text(json.dumps(told, indent=1) + "\n")
    return int(bool(grows))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parts = ["lanes", "watchers", "journal"]
    parser.add_argument(
        "--visits", type=int, default=1_000_000, help="in the journal; a million needs 7 GB for a while"
    )
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--only", choices=parts, nargs="+", default=parts)
    parser.add_argument("--png", type=Path)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--watch", metavar="URL", help=argparse.SUPPRESS)
    parser.add_argument("--count", type=int, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.watch:
        asyncio.run(watch(asked.watch, asked.count))
        return 0
    with tempfile.TemporaryDirectory(prefix="growth-") as folder:
        return asyncio.run(measure(asked, Path(folder)))


if __name__ == "__main__":
    sys.exit(main())
