"""``python -m tests.chaos``: real processes on loopback that are killed, cut off and flooded while cars come and pay.

Afterwards PayBy's book, both journals, the pins, the messages and the logs are compared (history.py). Prints a table;
status 1 where anything was violated. ``--quick`` is a bounded part.
"""

import argparse
import asyncio
import logging
import shutil
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from tests.chaos.history import judge
from tests.chaos.lane import opened
from tests.chaos.scenarios import SCENARIOS

BROKERS = ("amqtt", "mosquitto")
SHARE = 100
"""Kills for one garage."""


@dataclass(frozen=True, slots=True)
class Part:
    scenario: str
    broker: str
    count: int
    seed: int


@dataclass(frozen=True, slots=True)
class Outcome:
    part: Part
    wrong: list[str]
    cars: int
    out: int
    kills: dict[str, int]
    took_s: float


async def run(part: Part, folder: Path, limit_s: float) -> Outcome:
    began = time.monotonic()
    async with opened(folder, part.broker, part.seed) as lane:
        wrong = await SCENARIOS[part.scenario](lane, part.count, began + limit_s)
        kills = dict(lane.kills)
        history = await lane.finish()
    wrong += judge(history)
    out = sum(car.out for car in history.cars)
    return Outcome(part, wrong, len(history.cars), out, kills, time.monotonic() - began)


def parts(asked: argparse.Namespace) -> list[Part]:
    """What is to be run, in this order; many kills are shared among several garages."""
    brokers = asked.broker or BROKERS
    counts = {"broker-restarts": 50, "cuts": 20, "half-open": 3, "flood": 10}
    if asked.quick:
        counts = {"broker-restarts": 3, "cuts": 3, "half-open": 1, "flood": 2}
    made = []
    for name in SCENARIOS:
        if asked.only and name not in asked.only:
            continue
        if name == "kills":
            garages = max(len(brokers), asked.kills // SHARE)
            made += [
                Part(name, brokers[n % len(brokers)], -(-asked.kills // garages), asked.seed + n)
                for n in range(garages)
            ]
        else:
            made += [Part(name, broker, counts[name], asked.seed) for broker in brokers[: 1 if asked.quick else None]]
    return made


async def main_(asked: argparse.Namespace, folder: Path) -> int:
    todo = parts(asked)
    at_once = asyncio.Semaphore(asked.at_once)
    outcomes: list[Outcome] = []

    async def one(number: int, part: Part) -> None:
        async with at_once:
            outcome = await run(part, folder / f"{number}-{part.scenario}-{part.broker}", asked.seconds)
        outcomes.append(outcome)
        killed = ", ".join(f"{role} {count}" for role, count in sorted(outcome.kills.items()))
        print(
            f"{part.scenario:16} {part.broker:10} {outcome.cars:4} cars, {outcome.out:4} out, {outcome.took_s:5.0f} s, "
            f"{len(outcome.wrong)} violations; kill -9: {killed or 'none'}",
            flush=True,
        )
        for line in outcome.wrong:
            print(f"    {line}", flush=True)

    async with asyncio.TaskGroup() as tasks:
        for number, part in enumerate(todo):
            tasks.create_task(one(number, part))
    total = sum(sum(outcome.kills.values()) for outcome in outcomes)
    bad = sum(len(outcome.wrong) for outcome in outcomes)
    print(f"{sum(o.cars for o in outcomes)} cars, {total} times kill -9, {bad} violations (seed {asked.seed})")
    return 1 if bad else 0


def main() -> int:
    ask = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    ask.add_argument("--kills", type=int, default=1000, help="kill -9 in the scenario of that name (default 1000)")
    ask.add_argument("--seconds", type=float, default=3600, help="a scenario ends after so many (default 3600)")
    ask.add_argument("--seed", type=int, default=1)
    ask.add_argument("--broker", choices=BROKERS, action="append", help="this one alone")
    ask.add_argument("--only", choices=list(SCENARIOS), action="append")
    ask.add_argument("--quick", action="store_true", help="a bounded part of each")
    ask.add_argument("--at-once", type=int, default=2, help="garages side by side (default 2)")
    ask.add_argument("--keep", type=Path, metavar="FOLDER", help="keep journals and logs there")
    asked = ask.parse_args()
    if shutil.which("mosquitto") is None:
        print("no mosquitto here: apt-get install mosquitto", file=sys.stderr)
        return 2
    logging.getLogger("terminal").setLevel(logging.CRITICAL)  # the watcher's own connection breaks as well
    with tempfile.TemporaryDirectory(prefix="chaos-") as made:
        return asyncio.run(main_(asked, asked.keep or Path(made)))


if __name__ == "__main__":
    sys.exit(main())
