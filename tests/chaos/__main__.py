"""``python -m tests.chaos``: real processes on loopback that are killed, cut off and flooded while cars come and pay.

Afterwards PayBy's book, the journals, the pins, the messages and the logs are compared (history.py). Prints a table;
status 1 where anything was violated, or a step at which processes are to die was never reached. ``--quick`` is a
bounded part, which reaches what it reaches.
"""

import argparse
import asyncio
import logging
import shutil
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.chaos.reading import finish
from tests.chaos.scenarios import BROKERS, SCENARIOS, SETTINGS, Setting
from tests.chaos.steps import steps
from tests.chaos.two_workers import slow
from tests.support.postgres import programs

SHARE, TAKEOVERS = 100, 50
"""Kills, and take-overs, for one garage."""
COUNTS = {
    "broker-restarts": 50,
    "cuts": 100,
    "half-open": 3,
    "flood": 10,
    "power-cut": 7,
    "put-back": 6,
    "stolen-lane": 40,
    "lane-flood": 20,
}
QUICK = {
    "broker-restarts": 3,
    "cuts": 12,
    "half-open": 1,
    "flood": 2,
    "power-cut": 2,
    "put-back": 1,
    "stolen-lane": 3,
    "lane-flood": 4,
    "two-workers": 2,
}
QUICK_SLACK = 3.0
"""A bounded part says whether it works, not how fast: it may share its machine."""
AT_ONCE, QUICK_AT_ONCE = 2, 4
"""Garages side by side: they mostly wait, but a full run measures."""
ALONE = frozenset({"flood", "lane-flood"})
"""What is measured in milliseconds has the machine to itself."""


@dataclass(frozen=True, slots=True)
class Part:
    scenario: str
    broker: str
    count: int
    seed: int
    loops: bool = True
    lanes: int = 1


@dataclass(frozen=True, slots=True)
class Outcome:
    part: Part
    wrong: list[str]
    cars: int
    out: int
    kills: Counter[str]
    hits: Counter[str]
    figures: dict[str, list[float]]
    took_s: float


async def run(part: Part, folder: Path, limit_s: float, slack: float) -> Outcome:
    began = time.monotonic()
    setting = SETTINGS.get(part.scenario, Setting())
    own: dict[str, Any] = {"guarded": setting.guarded, "more": setting.more}
    async with setting.scene(folder, part.broker, part.seed, loops=part.loops, lanes=part.lanes, **own) as scene:
        wrong = await SCENARIOS[part.scenario](scene, part.count, began + limit_s, slack)
        kills = +scene.kills
        history = await finish(scene)
        wrong += scene.judged(history)
    hits = sum((kerb.hits for kerb in scene.kerbs), scene.moments)
    out = sum(car.out for car in history.cars)
    return Outcome(part, wrong, len(history.cars), out, kills, hits, scene.figures, time.monotonic() - began)


def parts(asked: argparse.Namespace) -> list[Part]:
    """What is to be run, in this order; many kills are shared among several garages, with loops and without."""
    brokers = asked.broker or BROKERS
    counts = QUICK if asked.quick else COUNTS
    made = []
    for name in SCENARIOS:
        if asked.only and name not in asked.only:
            continue
        if name == "kills":
            garages = max(len(brokers), asked.kills // SHARE)
            made += [
                Part(name, brokers[n % len(brokers)], -(-asked.kills // garages), asked.seed + n, loops=n % 4 in (0, 3))
                for n in range(garages)
            ]
        elif name == "two-workers":
            count = counts.get(name, asked.takeovers)
            garages = -(-count // TAKEOVERS)
            lanes = SETTINGS[name].lanes
            made += [
                Part(name, "mosquitto", -(-count // garages), asked.seed + n, loops=n % 4 != 3, lanes=lanes)
                for n in range(garages if "mosquitto" in brokers else 0)
            ]
        elif name == "broker-restarts":
            made += [Part(name, b, counts[name], asked.seed, lanes=2 if b == "amqtt" else 4) for b in brokers]
        else:
            setting = SETTINGS.get(name, Setting())
            able = [broker for broker in brokers if broker in setting.brokers]
            some = (able * 2)[len(made) % len(brokers) :][:1] if asked.quick else able
            made += [Part(name, broker, counts[name], asked.seed, lanes=setting.lanes) for broker in some]
    return made


def described(outcome: Outcome) -> str:
    part = outcome.part
    killed = ", ".join(f"{role} {count}" for role, count in sorted(outcome.kills.items()))
    lines = [
        f"{part.scenario:16} {part.broker:10} {'loops' if part.loops else '     '} {outcome.cars:4} cars, "
        f"{outcome.out:4} out, {outcome.took_s:5.0f} s, {len(outcome.wrong)} violations; kill -9: {killed or 'none'}"
    ]
    for name, values in outcome.figures.items():
        if values and part.scenario != "two-workers":
            spread = f"half {sorted(values)[len(values) // 2]:.3g}, all {max(values):.3g}, of {len(values)}"
            lines.append(f"    {name}: {spread if len(values) > 1 else f'{values[0]:.3g}'}")
    return "\n".join([*lines, *(f"    VIOLATION {line}" for line in outcome.wrong)])


def reached(outcomes: list[Outcome]) -> tuple[str, list[str]]:
    """How often each step was reached, and which never was."""
    hits = sum((outcome.hits for outcome in outcomes), Counter[str]())
    names = list(dict.fromkeys(step.name for step in steps(loops=True)))
    lines = ["died at", *(f"{hits[name]:6}  {name}" for name in names)]
    return "\n".join(lines), [name for name in names if not hits[name]]


async def main_(asked: argparse.Namespace, folder: Path) -> int:
    todo = list(enumerate(parts(asked)))
    at_once = asyncio.Semaphore(asked.at_once or (QUICK_AT_ONCE if asked.quick else AT_ONCE))
    outcomes: list[Outcome] = []
    slack = asked.slack or (QUICK_SLACK if asked.quick else 1.0)

    async def one(number: int, part: Part) -> None:
        async with at_once:
            outcome = await run(part, folder / f"{number}-{part.scenario}-{part.broker}", asked.seconds, slack)
        outcomes.append(outcome)
        print(described(outcome), flush=True)

    async with asyncio.TaskGroup() as tasks:
        for number, part in todo:
            if part.scenario not in ALONE:
                tasks.create_task(one(number, part))
    for number, part in todo:
        if part.scenario in ALONE:
            await one(number, part)
    killed = [outcome for outcome in outcomes if outcome.part.scenario == "kills"]
    missed: list[str] = []
    if killed:
        table, missed = reached(killed)
        print(table)
    pairs = [outcome.figures for outcome in outcomes if outcome.part.scenario == "two-workers"]
    late: list[str] = []
    if pairs:
        table, late = slow(pairs, slack)
        print("\n".join([table, *(f"    VIOLATION {line}" for line in late)]))
    total = sum(outcome.kills.total() for outcome in outcomes)
    bad = sum(len(outcome.wrong) for outcome in outcomes) + len(late)
    print(f"{sum(o.cars for o in outcomes)} cars, {total} times kill -9, {bad} violations (seed {asked.seed})")
    if missed and not asked.quick:
        print(f"never reached: {', '.join(missed)}")
    return 1 if bad or (missed and not asked.quick) else 0


def main() -> int:
    ask = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    ask.add_argument("--kills", type=int, default=1000, help="kill -9 in the scenario of that name (default 1000)")
    ask.add_argument("--takeovers", type=int, default=100, help="of one worker by another (default 100)")
    ask.add_argument(
        "--seconds", type=float, default=3600, help="a scenario ends after this many seconds (default 3600)"
    )
    ask.add_argument("--seed", type=int, default=1)
    ask.add_argument("--broker", choices=BROKERS, action="append", help="this one alone")
    ask.add_argument("--only", choices=list(SCENARIOS), action="append")
    ask.add_argument("--quick", action="store_true", help="a bounded part of each")
    ask.add_argument("--slack", type=float, help=f"times the limits in seconds (default 1; quick {QUICK_SLACK:g})")
    ask.add_argument("--at-once", type=int, help=f"garages side by side (default {AT_ONCE}; quick {QUICK_AT_ONCE})")
    ask.add_argument("--keep", type=Path, metavar="FOLDER", help="keep journals and logs there")
    asked = ask.parse_args()
    if shutil.which("mosquitto") is None:
        print("no mosquitto here: apt-get install mosquitto", file=sys.stderr)
        return 2
    if not asked.only or "two-workers" in asked.only:
        try:
            programs()
        except RuntimeError as error:
            print(error, file=sys.stderr)
            return 2
    logging.getLogger("terminal").setLevel(logging.CRITICAL)  # the watcher's own connection breaks as well
    with tempfile.TemporaryDirectory(prefix="chaos-") as made:
        return asyncio.run(main_(asked, asked.keep or Path(made)))


if __name__ == "__main__":
    sys.exit(main())
