"""A week of a garage within an hour: does anything grow that should not?

    python -m tests.bench.soak [--visits 10000] [--seconds 7200] [--lanes 8] [--seed 1] [--png FILE] [--json FILE]

Real processes, a stock Mosquitto and PayBy's sandbox; the first lane's roles run apart, each other lane's in one
process. Cars come as fast as the arms move. Most pay; some are free, back out, come back, or fumble. All the while the
line to the broker breaks or hangs, PayBy fails, answers late or notifies wrongly, and rubbish comes from scanners. In
the first third each role and the broker die once by kill -9; from then on the memory, descriptors, threads and disk
writes of each process are sampled, and a line is laid through them (slopes.py). Status 1 if one of them grows, or if a
car did not leave that should have.
"""

import argparse
import asyncio
import contextlib
import itertools
import json
import logging
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from terminal.payby.sandbox.faults import Fault, NotifyFault
from tests.bench.plot import Curve, Plot, curves, save
from tests.bench.slopes import Growth, growth
from tests.chaos.kerb import Kerb
from tests.chaos.scene import Scene
from tests.support.garage import ROOT, Heard
from tests.support.leash import LEASH
from tests.support.mother import Mother

MANNERS = ["pays"] * 84 + ["free"] * 9 + ["fumbles"] * 5 + ["leaves", "returns"]
"""One in fifty backs out, which takes as long as its order."""
GARAGE_ROLES = ("worker", "listener")
SAMPLES, WARM = 90, 1 / 3
KEPT = {"state", "session", "order_no", "token_url", "status", "reason", "waiting", "notify_id", "command", "instance",
        "code", "lift", "role", "amount"}  # fmt: skip
MEMORY_MIB, MEMORY_PART, DESCRIPTORS, THREADS, WRITES_KB, WRITES_PART = 1.5, 0.03, 3, 2, 2.0, 0.15
"""How much each may grow over the measured part: that much, or so large a part of its level."""


class FreshMother(Mother):
    """Starts each process anew: one that was forked shares memory with its mother, and unshares it little by little."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        pass

    async def bear(self, log: Path, words: list[str], env: dict[str, str] | None = None) -> Any:
        with log.open("ab") as out:
            return await asyncio.create_subprocess_exec(
                *LEASH, sys.executable, "-W", "error", "-m", "tests.bench.compressed", *words,
                stdin=asyncio.subprocess.DEVNULL, stdout=out, stderr=out, cwd=ROOT,
            )  # fmt: skip


class Soak(Scene):
    """A scene that remembers of each message only what its drivers act on."""

    mother = FreshMother

    async def __aenter__(self) -> Self:
        await super().__aenter__()
        # Of each message it keeps what it counts: ten thousand visits would fill the memory that it watches.
        self.ears.fields = lambda payload: {k: v for k, v in Heard.fields(payload).items() if k in KEPT}  # type: ignore[method-assign]
        return self

    async def online(self) -> None:
        """A machine that others use as well may take longer than the chaos allows."""
        for _ in range(4):
            with contextlib.suppress(AssertionError):
                return await super().online()
        return await super().online()

    def processes(self) -> dict[str, int]:
        found = {name: process.pid for name, process in self.garage.running.items() if not process.ended}
        if self.mosquitto.process:
            found["mosquitto"] = self.mosquitto.process.pid
        return found


@dataclass
class Series:
    """Of one process: by the number of visits, its memory (MiB), descriptors and threads; and what it has written (KiB)
    by the visits that it served."""

    pid: int
    memory: list[tuple[float, float]] = field(default_factory=list)
    descriptors: list[tuple[float, float]] = field(default_factory=list)
    threads: list[tuple[float, float]] = field(default_factory=list)
    written: list[tuple[float, float, float]] = field(default_factory=list)

    def take(self, visits: int, served: int) -> None:
        """Nothing of a process that has just died. ``served``: those of the visits that came to its lane."""
        proc = Path(f"/proc/{self.pid}")
        with contextlib.suppress(OSError):
            kept = [line.split() for line in (proc / "smaps_rollup").read_text().splitlines()[1:]]
            told = dict(line.split(": ") for line in (proc / "io").read_text().splitlines())
            held, tasks = len(list((proc / "fd").iterdir())), len(list((proc / "task").iterdir()))
            private = sum(int(words[1]) for words in kept if words[0] in ("Private_Clean:", "Private_Dirty:"))
            self.memory.append((visits, private / 1024))
            self.descriptors.append((visits, held))
            self.threads.append((visits, tasks))
            self.written.append((visits, served, int(told["write_bytes"]) / 1024))

    def later_than(self, visits: float) -> "Series":
        """What was measured after so many."""
        kinds = self.memory, self.descriptors, self.threads
        later = ([point for point in points if point[0] > visits] for points in kinds)
        return Series(self.pid, *later, written=[point for point in self.written if point[0] > visits])

    def writes(self) -> list[tuple[float, float]]:
        """KiB a visit that it served, between the samples."""
        pairs = itertools.pairwise(self.written)
        return [
            (visits, (now - before) / max(1, served - since)) for (_, since, before), (visits, served, now) in pairs
        ]


class Trouble:
    """What goes wrong meanwhile, one thing after another, drawn with the scene's dice."""

    def __init__(self, scene: Soak) -> None:
        self._scene, self.done = scene, Counter[str]()
        sandbox = scene.garage.sandbox
        fails = [
            Fault(http_status=500, html=True),
            Fault(drop=True),
            Fault(half=True),
            Fault(sign="wrong"),
            Fault(delay_s=1.0),
        ]
        self._kinds: dict[str, Callable[[], Any]] = {
            "the line is cut": scene.line.cut,
            "the line hangs": self._hang,
            "PayBy fails once": lambda: sandbox.fail("*", scene.dice.choice(fails)),
            "no notification": lambda: self._notify(NotifyFault(never=True)),
            "a notification is forged": lambda: self._notify(NotifyFault(sign="wrong")),
            "notifications come thrice": lambda: self._notify(NotifyFault(copies=3)),
            "a scanner reads rubbish": lambda: scene.dice.choice(scene.kerbs).scan("x" * 3000),
        }

    async def run(self) -> None:
        dice = self._scene.dice
        while True:
            await asyncio.sleep(dice.uniform(2, 6))
            name = dice.choice(list(self._kinds))
            if (waits := self._kinds[name]()) is not None and asyncio.iscoroutine(waits):
                await waits
            self.done[name] += 1

    async def _hang(self) -> None:
        self._scene.line.hang()
        await asyncio.sleep(1.0)
        self._scene.line.flow()

    async def _notify(self, fault: NotifyFault) -> None:
        sandbox = self._scene.garage.sandbox
        sandbox.notify_fault = fault
        await asyncio.sleep(1.0)
        sandbox.notify_fault = NotifyFault()


class Run:
    """Visits at all lanes, until there have been enough."""

    def __init__(self, scene: Soak, visits: int, seconds: float) -> None:
        self.scene, self.visits, self.until = scene, visits, time.monotonic() + seconds
        self.begun = self.ended = 0
        self._ended_at = Counter[str]()
        self.series: dict[str, Series] = {}
        self.faults = Trouble(scene)
        self._sampled, self._every = 0, visits / SAMPLES
        self._began = time.monotonic()
        self._deaths = [*scene.roles, *(kerb.name for kerb in scene.kerbs[1:]), "broker"]

    async def go(self) -> None:
        troubling = asyncio.create_task(self.faults.run(), name="makes trouble")
        try:
            await asyncio.gather(*(self._lane(kerb) for kerb in self.scene.kerbs))
        finally:
            troubling.cancel()
            self.scene.line.flow()
            self.scene.garage.sandbox.heal()

    async def _lane(self, kerb: Kerb) -> None:
        while self.begun < self.visits:
            self.begun += 1
            await self.scene.car(self.scene.dice.choice(MANNERS), kerb=kerb)
            self.ended += 1
            self._ended_at[kerb.name] += 1
            self._die()
            if time.monotonic() > self.until:
                self.visits = self.ended
            if self.ended - self._sampled >= self._every:
                self._sample()

    def _die(self) -> None:
        """Each dies once, evenly spread over the first part."""
        whole = len(self.scene.kerbs) + len(self.scene.roles)
        if self._deaths and self.ended > self.visits * WARM * 0.9 * (whole - len(self._deaths) + 1) / whole:
            self.scene.kill(self._deaths.pop())

    def _sample(self) -> None:
        self._sampled = self.ended
        for name, pid in self.scene.processes().items():
            series = self.series.get(name)
            if series is None or series.pid != pid:
                series = self.series[name] = Series(pid)
            series.take(self.ended, self._served(name))
        pace = self.ended / (time.monotonic() - self._began)
        said = f"{self.ended:>7,} of {self.visits:,} visits, {pace:.1f} a second"
        if (worker := self.series.get("worker")) and worker.memory:
            said += f"; worker {worker.memory[-1][1]:.1f} MiB, {worker.descriptors[-1][1]:.0f} descriptors"
        print(said, file=sys.stderr, flush=True)

    def _served(self, process: str) -> int:
        """How many visits have ended at its lane; the first lane's roles are processes of their own."""
        if process in (*GARAGE_ROLES, "mosquitto"):
            return self.ended
        lane = self.scene.kerbs[0].name if process in self.scene.roles else process
        return self._ended_at[lane]

    def growths(self) -> list[Growth]:
        found = []
        for name, whole in self.series.items():
            series = whole.later_than(self.ended * WARM)
            if len(series.memory) < 5:
                raise AssertionError(f"{name} did not live through the measured part: {len(series.memory)} samples")
            found += [
                growth(f"{name}: memory", series.memory, "MiB", least=MEMORY_MIB, part=MEMORY_PART),
                growth(f"{name}: descriptors", series.descriptors, "", least=DESCRIPTORS, part=0),
                growth(f"{name}: threads", series.threads, "", least=THREADS, part=0),
                growth(f"{name}: disk writes", series.writes(), "KiB", least=WRITES_KB, part=WRITES_PART),
            ]
        return found

    def wrong(self) -> list[str]:
        """What became of the cars."""
        scene = self.scene
        stuck = [car for car in scene.cars if car.waited]
        pulses, out = sum(len(kerb.pulses) for kerb in scene.kerbs), sum(car.out for car in scene.cars)
        found = [f"the car of {car.session} at {car.lane} waited in vain" for car in stuck]
        if pulses > out * 1.02 + 3:  # a car that did not drive through under its first pulse gets another
            found.append(f"{pulses} pulses for {out} cars")
        found += [f"{role} ended by itself with status {status}" for role, status in scene.ended]
        return found


def picture(run: Run) -> Any:
    """The roles of the first lane one by one, and the other lanes' processes as their mean."""
    lanes = [kerb.name for kerb in run.scene.kerbs[1:]]

    def of(values: Callable[[Series], list[tuple[float, float]]]) -> list[Curve]:
        found = [Curve(name, values(one)) for name, one in run.series.items() if name not in (*lanes, "mosquitto")]
        mean = [
            (at[0][0], sum(value for _, value in at) / len(at))
            for at in zip(*(values(run.series[name]) for name in lanes if name in run.series), strict=False)
        ]
        return [*found, Curve("another lane", mean)]

    plots = [
        Plot("memory of its own, MiB", "visits", of(lambda s: s.memory)),
        Plot("disk writes a visit served, KiB", "visits", of(Series.writes)),
        Plot("descriptors", "visits", of(lambda s: s.descriptors)),
        Plot("threads", "visits", of(lambda s: s.threads)),
    ]
    below = f"{run.ended:,} visits at {len(run.scene.kerbs)} lanes, {run.faults.done.total()} faults meanwhile"
    return curves("A week of a garage", below, plots)


@contextlib.asynccontextmanager
async def soaking(folder: Path, lanes: int, seed: int) -> AsyncIterator[Soak]:
    async with Soak(folder, "mosquitto", seed, lanes=lanes) as scene:
        yield scene


async def measure(asked: argparse.Namespace, folder: Path) -> int:
    async with soaking(folder, asked.lanes, asked.seed) as scene:
        run = Run(scene, asked.visits, asked.seconds)
        began = time.monotonic()
        await run.go()
        took = time.monotonic() - began
        await scene.online()
        journal = sum(path.stat().st_size for path in scene.folder.glob("journal.db*")) / 1024 / run.ended
    found, wrong = run.growths(), run.wrong()
    out = sum(car.out for car in scene.cars)
    print(f"{run.ended:,} visits in {took:.0f} s, {out:,} cars out; journal {journal:.1f} KiB a visit")
    print(", ".join(f"{name}: {count}" for name, count in sorted(run.faults.done.items())))
    print(f"{'':<34}{'level':>10} {'':<7}{'grown':>9}")
    print("\n".join([*(one.line() for one in found), *wrong]))
    grows = [one.name for one in found if not one.well]
    print(f"grows: {', '.join(grows)}" if grows else "nothing grows")
    if asked.png:
        save(picture(run), asked.png)
    if asked.json:
        memory = {name: series.memory for name, series in run.series.items()}
        told = {one.name: [one.level, one.grown, one.allowed, one.unit] for one in found}
        asked.json.write_text(
            json.dumps({"visits": run.ended, "seconds": took, "growth": told, "wrong": wrong, "memory": memory})
        )
    return int(bool(grows or wrong))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--visits", type=int, default=10_000)
    parser.add_argument("--seconds", type=float, default=7200, help="end after so long, with the visits until then")
    parser.add_argument("--lanes", type=int, default=8)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--png", type=Path)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="keep journals and logs there")
    asked = parser.parse_args()
    logging.getLogger("terminal").setLevel(logging.CRITICAL)  # the watcher's own connection breaks as well
    with tempfile.TemporaryDirectory(prefix="soak-") as made:
        return asyncio.run(measure(asked, asked.keep or Path(made)))


if __name__ == "__main__":
    sys.exit(main())
