"""What a paid visit costs, counted and not timed: `run` on a stock Mosquitto, with a tap on its line.

The loops are another vendor's, so their messages are not among those counted.
"""

import asyncio
import os
import statistics
import subprocess
import tempfile
import time
from collections import Counter
from pathlib import Path

from terminal.clock import SystemClock, new_id
from tests.bench.rows import Progress
from tests.bench.tap import Passed, Tap
from tests.conftest import Mosquitto
from tests.support.garage import Garage
from tests.support.leaving import leaves

SHIM = Path(__file__).with_name("flushes.c")
WARM, VISITS = 1, 5
IDLE_S = 20.0
AFTER_S = 2.5
"""So long after its car has gone, a visit has said and asked all: the worker's last query comes within two seconds."""
RELAY, BROKER = "GPIO17", "mosquitto"


class CountedGarage(Garage):
    """Its ``run`` is counted (counted.py)."""

    def words(self, command: str) -> list[str]:
        log = str(self.folder / "calls")
        return ["-W", "error", "-m", "tests.bench.counted", log, command, "--config", str(self.file)]


class Window:
    """What was counted between two moments (ns, monotonic)."""

    def __init__(self, calls: list[tuple[int, str, str]], passed: list[Passed], since: int, until: int) -> None:
        self.calls = [call for call in calls if since <= call[0] < until]
        self.passed = [p for p in passed if since <= p.at_ns < until and not p.kind.startswith("health/")]

    def of(self, what: str) -> list[tuple[int, str]]:
        return [(at, of) for at, kind, of in self.calls if kind == what]

    def counts(self) -> dict[str, float]:
        said = [p for p in self.passed if p.said]
        names = [p.kind for p in said]
        paid = names.index("paid")
        lift = names.index("lift", paid)
        pulsed = next(at for at, of in self.of("pin") if of == f"{RELAY} 1")
        flushes = [(at, Path(of).name.partition(".")[0]) for at, of in self.of("flush")]
        flushed = Counter(of for _, of in flushes)
        between = [of for at, of in flushes if said[paid].at_ns <= at <= pulsed and of != BROKER]
        return {
            "messages": len(said),
            "bytes of messages": sum(p.size for p in said),
            "hops to the pin": 1 + lift - paid,
            "flushes to the pin": len(between),
            "flushes of the worker": flushed["journal"],
            "flushes of the barrier": flushed["barrier"],
            "flushes of the broker": flushed[BROKER],
            "flushes of anything else": flushed.total() - sum(flushed[of] for of in ("journal", "barrier", BROKER)),
            "signatures": len(self.of("sign")),
            "verifications": len(self.of("verify")),
            "keys parsed": len(self.of("load")),
            "pulses": sum(of == f"{RELAY} 1" for _, of in self.of("pin")),
        }

    def told(self) -> list[str]:
        """In the order of time, for who wonders where a count comes from."""
        lines = [(at, f"{what} {of}") for at, what, of in self.calls]
        lines += [(p.at_ns, f"{'said' if p.said else 'heard'} {p.kind} {p.size} B") for p in self.passed]
        first = min(at for at, _ in lines)
        return [f"{(at - first) / 1e6:9.1f} ms  {line}" for at, line in sorted(lines)]


def shim(folder: Path) -> Path:
    """flushes.c, compiled."""
    library = folder / "flushes.so"
    subprocess.run(["gcc", "-shared", "-fPIC", "-O2", "-o", library, SHIM], check=True)
    return library


async def one(garage: Garage) -> int:
    """A car that pays and leaves; when it began."""
    await garage.vehicle(True, car=(car := new_id(SystemClock())))
    await asyncio.sleep(0.2)
    began = time.monotonic_ns()
    mark = garage.scan(garage.ticket())
    order = await garage.order(since=mark)
    await garage.sandbox.pay(order["token_url"])
    await garage.heard.until("barrier", since=mark, state="up")
    await garage.vehicle(True, car=car, under=True)
    await garage.vehicle(False, car=car, under=True)
    await garage.vehicle(False)
    await leaves(garage, mark)
    await garage.heard.until("screen", since=mark, state="idle")
    await asyncio.sleep(AFTER_S)
    return began


async def counted(progress: Progress) -> tuple[dict[str, float], list[str]]:
    """The median of each count of a visit, what an idle lane says, and one visit's story."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        server = Mosquitto(folder)
        calls = folder / "garage" / "calls"
        (folder / "garage").mkdir()
        environment = {"LD_PRELOAD": str(shim(folder)), "FLUSHES": str(calls)}
        try:
            os.environ.update(environment)
            try:
                server.start()
            finally:
                for name in environment:
                    del os.environ[name]
            async with Tap(server.url) as tap, CountedGarage(folder / "garage", tap.url) as garage:
                await garage.start("run", env={**os.environ, **environment})
                began = []
                for number in range(WARM + VISITS):
                    progress(f"visit {number + 1} of {WARM + VISITS}")
                    began.append(await one(garage))
                ends = time.monotonic_ns()
                progress(f"{IDLE_S:.0f} s of idleness")
                await asyncio.sleep(IDLE_S)
                idle = [p.kind for p in tap.passed if p.said and p.at_ns >= ends]
        finally:
            server.stop()
        log = [line.split(" ", 2) for line in calls.read_text().splitlines()]
        lines = [(int(at), what, of) for at, what, of in log]
        passed = tap.passed
    windows = [Window(lines, passed, since, until) for since, until in zip(began, [*began[1:], ends], strict=True)][
        WARM:
    ]
    found = [window.counts() for window in windows]
    middle = {name: statistics.median(counts[name] for counts in found) for name in found[0]}
    often = [kind for kind in idle if kind == "health/run" or not kind.startswith("health/")]
    middle["idle messages a minute"] = len(often) * 60 / IDLE_S  # and once a minute each role's own health
    return middle, windows[-1].told()
