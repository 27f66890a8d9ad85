"""How large a process with every role is, and how soon it is ready, beside what it must import.

    python -m tests.bench.small [--rounds N] [--visits N]

A real `run` beside a real Mosquitto and PayBy's sandbox. In each round three processes take turns: a Python that
imports the packages of others that `run` has imported, and nothing else; one that imports all of its modules; and `run`
itself, which serves visits once it is ready. Another is killed while a driver pays, and started again. Then the same
modules are counted for other machines. Figures are medians of the rounds; exit status 1 if a target is missed.
"""

import argparse
import asyncio
import itertools
import json
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.conftest import Mosquitto
from tests.support.eventually import eventually
from tests.support.leash import running
from tests.support.leaving import leaves
from tests.support.loaded import LoadedGarage, strangers

MEMORY, READY, RESTART_S = 1.25, 1.2, 2.0
"""How many times what its packages take; how many times as long as its imports; how long from a start to the boom."""
MACHINES = {
    "a lane with everything": ("worker", "listener", "barrier", "lcd", "reader"),
    "a garage server": ("worker", "listener"),
    "a lane beside a server": ("barrier", "lcd", "reader"),
    "a worker": ("worker",),
    "a listener": ("listener",),
    "a barrier": ("barrier",),
    "an lcd": ("lcd",),
    "a reader": ("reader",),
}
IMPORTS = """\
import importlib, sys
for name in sys.argv[1].split():
    importlib.import_module(name)
print("ready", flush=True)
sys.stdin.read()
"""
Progress = Callable[[str], None]


def quietly(_: str) -> None:
    """Tell nobody."""


def resident_mib(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    found = re.search(r"VmRSS:\s+(\d+)", status)
    assert found, "proc(5): each process with memory of its own has this line"
    return int(found[1]) / 1024


def warm(pid: int) -> None:
    """Read each file that a process has mapped: of a file, as much is resident as the page cache has at a fault."""
    for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
        file = Path(line[line.index("/") :] if "/" in line else "/")
        if file.is_file():
            file.read_bytes()


def imported(names: list[str]) -> tuple[float, float]:
    """A Python that imports these alone: its seconds until they are there, and its MiB then."""
    began = time.perf_counter()
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with running(sys.executable, "-c", IMPORTS, " ".join(names), **pipes) as python:
        assert python.stdout and python.stdout.readline() == "ready\n"
        return time.perf_counter() - began, resident_mib(python.pid)


def importable(modules: set[str]) -> list[str]:
    """Those that can be imported by their name: some packages put other things among the modules."""
    script = """
import importlib, sys
for name in sys.argv[1].split():
    try:
        importlib.import_module(name)
    except Exception:  # a module that only its own program can import; what counts is the memory of the others
        continue
    print(name)
"""
    names = " ".join(sorted(modules - {"__main__", "terminal.__main__"}))
    ended = subprocess.run([sys.executable, "-c", script, names], capture_output=True, text=True, check=True)
    return ended.stdout.split()


async def visit(garage: LoadedGarage) -> None:
    mark = garage.scan(garage.ticket())
    order = await garage.order(since=mark)
    await garage.code_on_glass(order["token_url"])
    await garage.sandbox.pay(order["token_url"])
    await leaves(garage, mark)


async def served(folder: Path, broker: str, machine: str, visits: int) -> dict[str, Any]:
    """Start one, serve visits, end it: seconds until it is ready, MiB then and after the visits, and its modules."""
    folder.mkdir()
    async with LoadedGarage(folder, broker, machines=MACHINES) as garage:
        began = time.perf_counter()
        process = await garage.spawn(machine)
        await eventually(lambda: " ready: " in process.said(), limit_s=120, every_s=0.005)
        found: dict[str, Any] = {"ready_s": time.perf_counter() - began}
        warm(process.pid)
        await asyncio.sleep(2)  # what it does at its start it has done
        found["idle_mib"] = resident_mib(process.pid)
        for _ in range(visits):
            await visit(garage)
        found["work_mib"] = resident_mib(process.pid)
        found["modules"] = importable(await garage.loaded(machine))
    return found


async def restarted(folder: Path, broker: str) -> float:
    """Kill it while a driver pays: seconds from its next start until the boom rises for him."""
    folder.mkdir()
    machine = next(iter(MACHINES))
    async with LoadedGarage(folder, broker, machines=MACHINES) as garage:
        process = await garage.spawn(machine)
        await eventually(lambda: " ready: " in process.said(), limit_s=120, every_s=0.005)
        mark = garage.scan(garage.ticket())
        order = await garage.order(since=mark)
        await garage.code_on_glass(order["token_url"])
        await garage.kill(machine)
        await garage.sandbox.pay(order["token_url"])
        began, mark = time.perf_counter(), len(garage.heard.all)
        await garage.spawn(machine)
        await garage.heard.until("barrier", since=mark, state=lambda state: state in ("rising", "up"), reason="paid")
        return time.perf_counter() - began


async def rounds_of(folder: Path, broker: str, count: int, visits: int, progress: Progress) -> dict[str, Any]:
    numbers = itertools.count()
    whole = next(iter(MACHINES))

    async def one(machine: str, visits: int) -> dict[str, Any]:
        return await served(folder / str(next(numbers)), broker, machine, visits)

    names = (await one(whole, 1))["modules"]
    others = [name for name in names if strangers({name})]
    found: dict[str, list[float]] = {}
    for number in range(count):
        progress(f"round {number + 1} of {count}")
        alone_s, alone_mib = await asyncio.to_thread(imported, others)
        all_s, all_mib = await asyncio.to_thread(imported, names)
        ours = await one(whole, visits)
        del ours["modules"]
        ours["restart_s"] = await restarted(folder / f"restarted-{number}", broker)
        figures = {"others_s": alone_s, "others_mib": alone_mib, "imports_s": all_s, "imports_mib": all_mib}
        for key, value in (figures | ours).items():
            found.setdefault(key, []).append(value)
    result: dict[str, Any] = {key: statistics.median(values) for key, values in found.items()}
    result["machines"] = {}
    for machine in MACHINES:
        progress(machine)
        ours = await one(machine, 0)
        names = ours.pop("modules")
        others = [name for name in names if strangers({name})]
        ours["others_mib"] = (await asyncio.to_thread(imported, others))[1]
        result["machines"][machine] = ours | {"packages": sorted(strangers(set(others))), "modules": len(names)}
    return result


def measure(progress: Progress = quietly, *, rounds: int = 5, visits: int = 20) -> dict[str, Any]:
    """Medians over the rounds, in seconds and MiB; ``memory`` (at work), ``memory_idle`` and ``ready`` are the ratios
    that MEMORY and READY bound, ``restart_s`` what RESTART_S does; ``machines``: what each other machine imports."""
    with tempfile.TemporaryDirectory() as folder:
        server = Mosquitto(Path(folder))
        server.start()
        try:
            found = asyncio.run(rounds_of(Path(folder), server.url, rounds, visits, progress))
        finally:
            server.stop()
    found["memory"] = found["work_mib"] / found["others_mib"]
    found["memory_idle"] = found["idle_mib"] / found["others_mib"]
    found["ready"] = found["ready_s"] / found["imports_s"]
    bounds = (("memory", MEMORY), ("ready", READY), ("restart_s", RESTART_S))
    found["missed"] = [name for name, most in bounds if found[name] > most]
    return found


def table(found: dict[str, Any]) -> str:
    lines = [
        f"{'packages of others alone':<34}{found['others_s']:8.2f} s{found['others_mib']:8.1f} MiB",
        f"{'all that it imports':<34}{found['imports_s']:8.2f} s{found['imports_mib']:8.1f} MiB",
        f"{'run, ready':<34}{found['ready_s']:8.2f} s{found['idle_mib']:8.1f} MiB",
        f"{'run, after its visits':<34}{'':10}{found['work_mib']:8.1f} MiB",
        f"{'memory, at most ' + str(MEMORY):<34}{found['memory']:8.2f}  (idle {found['memory_idle']:.2f})",
        f"{'ready, at most ' + str(READY):<34}{found['ready']:8.2f}",
        f"{'restart, at most ' + str(RESTART_S) + ' s':<34}{found['restart_s']:8.2f} s",
        "",
        f"{'machine':<26}{'ready':>8}{'MiB':>7}{'modules':>9}  packages of others",
    ]
    for name, one in found["machines"].items():
        figures = f"{one['ready_s']:6.2f} s{one['idle_mib']:7.1f}{one['modules']:9}"
        lines.append(f"{name:<26}{figures}  {', '.join(one['packages'])}")
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--visits", type=int, default=20)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures")
    asked = parser.parse_args()
    found = measure(lambda said: print(said, file=sys.stderr, flush=True), rounds=asked.rounds, visits=asked.visits)
    print(table(found))
    for name in found["missed"]:
        print(f"MISSED {name}")
    if asked.json:
        asked.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    return int(bool(found["missed"]))


if __name__ == "__main__":
    sys.exit(main())
