"""How a cell grows: N garages of M lanes at real workers, on Mosquitto, on three RabbitMQ nodes, and on PostgreSQL
under Patroni; while cars come a node is killed, and the primary halted, and killed.

    python -m tests.scale [--quick] [--only SETUP ...] [--lanes N] [--seconds S] [--json FILE] [--png FILE]

Each lane is a connection that says and hears what a lane's `run` does (lane.py); PayBy is the sandbox. All of it shares
this machine's cores, so the lanes and PayBy are measured beside the cell. Status 1 if a payment, an acknowledged answer
or a row is missing, or if decisions stopped for longer than they may.
"""

import argparse
import asyncio
import os
import sys
import tempfile
import time
from pathlib import Path

import msgspec

from tests.bench.plot import save
from tests.scale.cell import Broker, Cell, Journals, lane_names, names
from tests.scale.figures import HOST_S, NODE_S, SETUPS, Run, Setup
from tests.scale.journals import FileJournals, HaltedPrimary, PatroniJournals
from tests.scale.measure import Killer, Measured
from tests.scale.mosquitto_broker import MosquittoBroker
from tests.scale.plot import picture
from tests.scale.rabbitmq_cluster import RabbitMqCluster
from tests.scale.tables import told

TREE = Path(__file__).resolve().parents[2]
ROOT, PATRONI = TREE / "build/roots/rabbitmq", TREE / ".venv/patroni/bin"
"""A root of a release that has RabbitMQ 4, and Patroni of PyPI; `make scale` makes both."""
GROWTH = ((1, 1), (1, 4), (2, 4), (4, 4), (4, 8), (8, 8), (8, 16), (16, 16))
QUICK = ((1, 1), (2, 4))
EVERY_S, OFTEN_S = 3.0, 1.5
"""Between two cars at a lane, and while something is killed, so that a short stop shows."""


async def one(setup: Setup, asked: argparse.Namespace, run: Run, folder: Path) -> None:
    """A set-up from its start to its end; adds what it finds to ``run``."""
    began = time.monotonic()

    def progress(said: str) -> None:
        print(f"{time.monotonic() - began:5.0f} s  {setup}: {said}", file=sys.stderr, flush=True)

    steps = [(n, m) for n, m in (QUICK if asked.quick else GROWTH) if n * m <= asked.lanes]
    garages, lanes = (max(size) for size in zip(*steps, strict=True))
    progress("the servers start")
    broker: Broker = MosquittoBroker(folder / "mosquitto")
    journals: Journals = FileJournals(folder / "journals")
    killers: list[Killer] = []
    if setup == "rabbitmq":
        users = {garage: lane_names(lanes) for garage in names(garages)}
        broker = nodes = RabbitMqCluster(folder / "rabbitmq", ROOT if ROOT.is_dir() else None, users)
        killers = [nodes]
    elif setup == "patroni":
        journals = servers = PatroniJournals(names(garages))
        killers = [HaltedPrimary(servers), servers]
    async with Cell(folder, broker, journals, lanes) as cell:
        run.engines[setup] = f"{broker.name}, {journals.name}"
        progress(f"{run.engines[setup]} is there")
        measured = Measured(setup, cell, asked.every, progress)
        for size in steps:
            step = await measured.step(*size, asked.seconds, 5.0 if asked.quick else 10.0)
            run.steps.append(step)
            progress(f"{step.visits_per_s:.1f} visits a second, code p99 {step.code.p99:.0f} ms, {step.busy:.0%} busy")
            if step.too_much:
                break
        for killer in killers:
            after_s, limit_s = (20.0, NODE_S) if setup == "rabbitmq" else (60.0, HOST_S)
            run.outages.append(await measured.outage(killer, asked.often, 10.0, after_s, limit_s))
        run.ledgers.append(await measured.ledger())


def keep(run: Run, file: Path, *, deaths_alone: bool = False) -> None:
    """Write what was found so far, beside the other set-ups that the file has; ``deaths_alone``: see Run."""
    if file.exists():
        older = msgspec.json.decode(file.read_bytes(), type=Run)
        run = older.with_deaths_of(run) if deaths_alone else run.with_others_of(older)
    file.write_bytes(msgspec.json.format(msgspec.json.encode(run), indent=1) + b"\n")


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--quick", action="store_true", help="a minute: Mosquitto and SQLite, up to eight lanes")
    made.add_argument("--only", choices=SETUPS, nargs="+", metavar="SETUP", help=", ".join(SETUPS))
    made.add_argument("--lanes", type=int, default=128, help="the most lanes in all (default: %(default)s)")
    made.add_argument("--seconds", type=float, help="of cars at each size (default: 20, quick: 8)")
    made.add_argument(
        "--every", type=float, default=EVERY_S, help="s between two cars at a lane (default: %(default)s)"
    )
    made.add_argument("--often", type=float, default=OFTEN_S, help="… while something is killed (default: %(default)s)")
    made.add_argument("--json", type=Path, help="keep it there; other set-ups that stand there stay")
    made.add_argument("--deaths", action="store_true", help="add to that file what died, and what was lost, alone")
    made.add_argument("--png", type=Path)
    made.add_argument("--keep", type=Path, metavar="FOLDER", help="keep journals and logs there")
    return made


def main() -> int:
    asked = parser().parse_args()
    asked.seconds = asked.seconds or (8.0 if asked.quick else 20.0)
    os.environ["PATH"] = f"{PATRONI}:{os.environ['PATH']}"
    gib = round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30)
    run = Run(time.strftime("%Y-%m-%d"), os.cpu_count() or 1, gib, {}, [], [], [])
    setups: tuple[Setup, ...] = tuple(asked.only or (SETUPS[:1] if asked.quick else SETUPS))
    for setup in setups:
        with tempfile.TemporaryDirectory(prefix="scale-") as made:
            folder = (asked.keep or Path(made)) / setup
            folder.mkdir(parents=True)
            asyncio.run(one(setup, asked, run, folder))
        if asked.json:
            keep(run, asked.json, deaths_alone=asked.deaths)
    print(told(run))
    if asked.png:
        save(picture(msgspec.json.decode(asked.json.read_bytes(), type=Run) if asked.json else run), asked.png)
    return int(not run.well)


if __name__ == "__main__":
    sys.exit(main())
