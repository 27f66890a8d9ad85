"""What 10,000 lanes need, reckoned from what a run measured, each line with its arithmetic.

What is assumed of garages stands at the top. A cell is on RabbitMQ and on PostgreSQL under Patroni; each was measured
with the other's simpler counterpart, so that their costs are added here. Each part's cost is a straight line: so much
for each visit, and so much for each lane or garage that stands idle.
"""

import math
import statistics
from collections.abc import Callable
from dataclasses import dataclass

from tests.scale.figures import Run, Setup, Step
from tests.scale.tables import table

LANES, CELL_LANES, GARAGE_LANES = 10_000, 1_000, 10
"""What is asked for; of what a cell takes at most, and a garage has."""
CARS_AN_HOUR, CARS_A_DAY, DAYS = 180, 800, 30
"""Of a lane: at the busiest time, and on average; a month."""
BUSY = 0.5
"""The part of a core that may be busy at the busiest time, so that a machine can die and the others carry on."""
COPIES = 3
"""Of each row: the primary's, the synchronous standby's, and the third server's."""
RENEWALS = 1
"""Of a garage's lease, a second."""
WORKERS = 2
"""Of each garage: one that works, and one that stands by with as much memory. So with listeners."""


@dataclass(frozen=True, slots=True)
class Basis:
    """What was measured, in the units of the reckoning. CPU in ms; memory in MiB."""

    visit_ms: dict[str, float]
    idle_ms: dict[str, float]
    """A second of a worker, of a listener, of a lane at the broker, of a garage at the database."""
    memory_mib: dict[str, float]
    """Of a worker, of a listener, of a lane at the broker, of a garage at the database."""
    base_mib: dict[str, float]
    """Of the broker's and of the database's processes before there is any lane."""
    commits: float
    bytes: float


@dataclass(frozen=True, slots=True)
class Need:
    """A line of the reckoning: of a cell, and of all cells."""

    what: str
    cell: float
    unit: str
    arithmetic: str

    @property
    def whole(self) -> float:
        return self.cell * LANES / CELL_LANES


def largest(run: Run, setup: Setup) -> Step:
    """The largest size at which nearly all visits came through."""
    return [step for step in run.steps if step.setup == setup and not step.too_much][-1]


def middle(run: Run, setup: Setup, part: str) -> float:
    """ms of a visit at the middle one of the set-up's good steps: few visits are dearer, and with no CPU to spare many
    share their cost."""
    return statistics.median(s.visit_cpu_ms[part] for s in run.steps if s.setup == setup and not s.too_much)


def slope(run: Run, setup: Setup, value: Callable[[Step], float], size: Callable[[Step], int]) -> tuple[float, float]:
    """By how much a value grows with each of ``size``, from a set-up's smallest step to its largest good one; and what
    it has without any. Neither is below 0."""
    first, last = next(step for step in run.steps if step.setup == setup), largest(run, setup)
    grown = max(0.0, (value(last) - value(first)) / max(1, size(last) - size(first)))
    return grown, max(0.0, value(first) - grown * size(first))


def basis(run: Run) -> Basis:
    """From a run that has both set-ups of a hosted cell."""
    database = largest(run, "patroni")
    ledger = next(one for one in run.ledgers if one.setup == "patroni")

    def lanes(step: Step) -> int:
        return step.all_lanes

    def garages(step: Step) -> int:
        return step.garages

    broker_mib = slope(run, "rabbitmq", lambda step: step.memory_mib["broker"], lanes)
    database_mib = slope(run, "patroni", lambda step: step.memory_mib["database"], garages)
    roles = ("worker", "listener")
    return Basis(
        {
            **{part: middle(run, "patroni", part) for part in (*roles, "database")},
            "broker": middle(run, "rabbitmq", "broker"),
        },
        {
            **{role: database.idle_cpu_ms[role] / database.garages for role in roles},
            "broker": slope(run, "rabbitmq", lambda step: step.idle_cpu_ms["broker"], lanes)[0],
            "database": slope(run, "patroni", lambda step: step.idle_cpu_ms["database"], garages)[0],
        },
        {
            **{role: database.memory_mib[role] / database.garages for role in roles},
            "broker": broker_mib[0],
            "database": database_mib[0],
        },
        {"broker": broker_mib[1], "database": database_mib[1]},
        ledger.commits_a_visit,
        ledger.disk_a_visit,
    )  # fmt: skip


def needs(found: Basis) -> list[Need]:
    """What a cell of CELL_LANES needs, part by part."""
    garages = CELL_LANES // GARAGE_LANES
    per_s = CELL_LANES * CARS_AN_HOUR / 3600

    def cores(part: str, count: int, of: str) -> Need:
        visit, idle = found.visit_ms[part], found.idle_ms[part]
        value = (per_s * visit + count * idle) / 1000 / BUSY
        return Need(
            f"{part}: cores", value, "cores",
            f"({per_s:.0f} visits/s × {visit:.1f} ms + {count} {of} × {idle:.2f} ms/s) ÷ {BUSY:.0%}",
        )  # fmt: skip

    def processes(part: str) -> Need:
        each = found.memory_mib[part]
        return Need(
            f"{part}: memory", WORKERS * garages * each / 1024, "GiB", f"{WORKERS} × {garages} garages × {each:.0f} MiB"
        )

    def servers(part: str, count: int, of: str) -> Need:
        each, base = found.memory_mib[part], found.base_mib[part]
        return Need(
            f"{part}: memory", (base + count * each) / 1024, "GiB", f"{base:.0f} MiB + {count} {of} × {each:.2f} MiB"
        )

    disk = CELL_LANES * CARS_A_DAY * DAYS * found.bytes
    return [
        Need("garages", garages, "", f"{CELL_LANES} lanes ÷ {GARAGE_LANES}"),
        Need("visits", per_s, "a second", f"{CELL_LANES} lanes × {CARS_AN_HOUR} cars an hour ÷ 3600"),
        Need(
            "commits", per_s * found.commits + garages * RENEWALS, "a second",
            f"{per_s:.0f} visits/s × {found.commits:.1f} + {garages} garages × {RENEWALS} renewal of the lease",
        ),
        cores("worker", garages, "garages"),
        cores("listener", garages, "garages"),
        cores("broker", CELL_LANES, "lanes"),
        cores("database", garages, "garages"),
        processes("worker"),
        processes("listener"),
        servers("broker", CELL_LANES, "lanes"),
        servers("database", garages, "garages"),
        Need(
            "database: disk a month", COPIES * disk / 1e9, "GB",
            f"{COPIES} copies × {CELL_LANES} lanes × {CARS_A_DAY} cars × {DAYS} days × {found.bytes:.0f} B",
        ),
    ]  # fmt: skip


def reckoned(run: Run) -> str:
    """The reckoning as a table."""
    found = basis(run)
    needed = needs(found)
    cores = sum(need.cell for need in needed if need.unit == "cores")
    whole = Need("cores in all", cores, "cores", "worker + listener + broker + database")
    machines = Need("machines of 16 cores", max(3, math.ceil(cores / 16)), "", f"{cores:.0f} cores ÷ 16, at least 3")
    rows = [
        [
            need.what,
            f"{_number(need.cell)} {need.unit}".strip(),
            f"{_number(need.whole)} {need.unit}".strip(),
            need.arithmetic,
        ]
        for need in (*needed, whole, machines)
    ]
    each = sum(found.memory_mib[role] for role in ("worker", "listener"))
    hold = f"{run.memory_gib} GiB ÷ {each:.0f} MiB of a worker and a listener"
    rows.append([f"garages in {run.memory_gib} GiB", _number(run.memory_gib * 1024 / each), "", hold])
    return table(["reckoned", f"a cell of {CELL_LANES:,} lanes", f"{LANES:,} lanes", "for a cell"], rows)


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 or value == int(value) else f"{value:.1f}"
