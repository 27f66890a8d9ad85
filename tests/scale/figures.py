"""What a run of `make scale` finds, as it is printed, kept in JSON, drawn, and reckoned with."""

from collections.abc import Sequence
from typing import Literal

import msgspec

Setup = Literal["mosquitto", "rabbitmq", "patroni"]
SETUPS: tuple[Setup, ...] = ("mosquitto", "rabbitmq", "patroni")
PARTS = ("worker", "listener", "broker", "database")
"""What a cell consists of. PayBy's sandbox and the lanes are beside it, on the same cores."""
BESIDE = ("sandbox", "lanes")
REACHED, FULL = 0.9, 0.97
"""A step is too much if fewer visits than so great a part of those asked came through; the part of the cores that
counts as all."""
NODE_S, HOST_S = 1.0, 25.0
"""The longest that decisions may stop when a broker's node dies, and when the database's host does."""


class Spread(msgspec.Struct, frozen=True):
    """Of some durations, in ms."""

    p50: float
    p95: float
    p99: float

    @classmethod
    def of(cls, seconds: Sequence[float]) -> "Spread":
        """The smallest value that so large a part does not exceed; 0 where there is none."""
        values = sorted(seconds)
        at = [
            values[min(len(values) - 1, int(len(values) * part))] * 1000 if values else 0.0
            for part in (0.5, 0.95, 0.99)
        ]
        return cls(*(round(value, 1) for value in at))


class Step(msgspec.Struct, frozen=True):
    """So many garages with so many lanes each, a car every ``every_s`` at each lane."""

    setup: Setup
    garages: int
    lanes: int
    every_s: float
    seconds: float
    visits: int
    code: Spread
    lift: Spread
    busy: float
    """Part of the machine's cores that the run took, 0 to 1."""
    machine: float
    """… and that all did which ran: where it is more, others slowed the run."""
    visit_cpu_ms: dict[str, float]
    """By part: of a visit, without what the part takes when no car comes; not below 0, as where it then does its idle
    work in larger pieces."""
    idle_cpu_ms: dict[str, float]
    """By part: in a second without cars."""
    memory_mib: dict[str, float]
    messages_per_s: float
    """Said and heard by the lanes."""
    commits_per_s: float | None
    """Of the database server, renewals of the leases included."""

    @property
    def all_lanes(self) -> int:
        return self.garages * self.lanes

    @property
    def visits_per_s(self) -> float:
        return self.visits / self.seconds

    @property
    def reached(self) -> float:
        """Part of the visits that were asked for."""
        return self.visits_per_s * self.every_s / self.all_lanes

    @property
    def too_much(self) -> bool:
        return self.reached < REACHED


class Outage(msgspec.Struct, frozen=True):
    """Something was killed while cars came. Times in s."""

    setup: Setup
    killed: str
    garages: int
    lanes: int
    before_s: float
    """The longest time without a decision of a garage's worker in the time before: so exact are the others."""
    stopped_s: float
    """The same from the kill on, of the garage where it was longest."""
    median_s: float
    """… of the middle garage."""
    waited_s: float
    """The longest that a driver waited for the code, or for the lift after paying."""
    limit_s: float

    @property
    def well(self) -> bool:
        return self.stopped_s <= self.limit_s


class Ledger(msgspec.Struct, frozen=True):
    """What became of every payment and message of a set-up's run."""

    setup: Setup
    paid: int
    """Orders that PayBy calls paid."""
    lifted_once: int
    answers: int
    """Answers to lifts that the broker acknowledged to a lane."""
    journaled: int
    """… and that stand in their worker's journal."""
    asked_again: int
    """Lifts that came again although their answer was acknowledged: a worker repeats them after 0.5 s."""
    rows: int
    gapless: bool
    commits_a_visit: float
    """Different times of rows: rows of one commit have one."""
    rows_a_visit: float
    bytes_a_visit: float
    """Of the rows' data."""
    disk_a_visit: float
    """Bytes by which the files, or the databases, grew."""
    said_again: dict[str, int]
    """Why a driver held the ticket out again, and how often."""
    stuck: list[str]

    @property
    def well(self) -> bool:
        whole = self.paid == self.lifted_once and self.answers == self.journaled
        return whole and self.gapless and not self.stuck


class Run(msgspec.Struct):
    """All of it. ``engines``: the names and versions behind each set-up."""

    at: str
    cores: int
    memory_gib: int
    engines: dict[Setup, str]
    steps: list[Step]
    outages: list[Outage]
    ledgers: list[Ledger]

    def with_others_of(self, older: "Run") -> "Run":
        """This run, and of an older one the set-ups that this one did not have."""
        here = self.engines.keys()
        merged = Run(
            self.at, self.cores, self.memory_gib, {**older.engines, **self.engines},
            self.steps + [one for one in older.steps if one.setup not in here],
            self.outages + [one for one in older.outages if one.setup not in here],
            self.ledgers + [one for one in older.ledgers if one.setup not in here],
        )  # fmt: skip
        merged.engines = {setup: merged.engines[setup] for setup in SETUPS if setup in merged.engines}
        for part in merged.steps, merged.outages, merged.ledgers:
            part.sort(key=lambda one: SETUPS.index(one.setup))
        return merged

    def with_deaths_of(self, newer: "Run") -> "Run":
        """This run, and what died and what became of the payments in another one, of another size."""
        merged = self.with_others_of(newer)
        merged.outages = sorted(self.outages + newer.outages, key=lambda one: SETUPS.index(one.setup))
        merged.ledgers = sorted(self.ledgers + newer.ledgers, key=lambda one: SETUPS.index(one.setup))
        return merged

    @property
    def well(self) -> bool:
        return all(one.well for one in self.outages) and all(one.well for one in self.ledgers)
