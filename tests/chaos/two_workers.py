"""Two workers of one garage in a payment storm: one dies, freezes, is cut off or hands over, and the other serves."""

import asyncio
import math
import random
import signal
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping

from terminal.journal.kinds import OPENED
from tests.chaos.kerb import Kerb
from tests.chaos.pair import PairScene
from tests.chaos.scene import Scene
from tests.chaos.seats import Taking
from tests.chaos.steps import JOURNALED

TAKE_OVER_S, PLANNED_S = 5.0, 1.0
"""What deploy/postgresql.md promises: of a death, and of a planned stop."""
ALL_S, SLOWEST_S = 40.0, 25.0
"""The longest that is waited for any take-over, and that one may take; also where the database's server died."""
NEXT_S = 2.0
"""The next car comes by then."""
FREEZES_S = 2, 4, 8, 40
STEP_S = 10.0
"""A step of the journal is reached within that time, or the worker is killed where it is."""
FIRST = "stale append", "database dies", "released"
"""A bounded part has these."""
DECK = {
    "killed": 4, "killed at a step": 5, "frozen 2 s": 1, "frozen 4 s": 2, "frozen 8 s": 1, "frozen 40 s": 1,
    "frozen at a step": 3, "cut off the database": 2, "cut off both": 2, "cut off the broker": 1, "database dies": 1,
    "stopped": 2, "released": 2, "both killed": 1, "stale append": 2,
}  # fmt: skip
"""How often each comes in a round of all."""
STAYS = frozenset({"frozen 2 s", "cut off the broker"})
"""The lease may outlive that: nobody has to take over."""
PLANNED = frozenset({"stopped", "released"})
UNCOUNTED = frozenset({"database dies", "both killed", "stale append"})
"""What is gone then is not a worker, or not one alone."""
FORCED = tuple(card for card in DECK if card not in STAYS | PLANNED | UNCOUNTED)
ROW, WORK = ": until the next row", ": until at work"
HANDED, DEATH = "from one to the other, as planned", "after any death, freeze or cut: until at work"
STEPS = tuple(
    step.at
    for step in JOURNALED
    if step.role == "worker"
    and {"pays", "free"} & {*step.manner}
    and step.at.split(":")[1] not in ("Started", "BarrierGone")
)
"""In a visit: the first row of a worker comes before it, and no barrier goes."""
BEFORE = tuple(step for step in STEPS if step.startswith("before"))
MANNERS = {True: ("pays", "pays", "pays", "free", "fumbles", "leaves", "returns"), False: ("pays", "pays", "free")}
"""Of visits, by whether loops tell of a car."""


class Storm:
    """Drivers at every lane, one after the other, while the block lasts."""

    def __init__(self, scene: Scene) -> None:
        self._scene, self._over = scene, False
        self._lanes: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> None:
        self._lanes = [asyncio.create_task(self._drive(kerb), name=kerb.name) for kerb in self._scene.kerbs]

    async def __aexit__(self, *_: object) -> None:
        self._over = True
        await asyncio.gather(*self._lanes)

    async def _drive(self, kerb: Kerb) -> None:
        dice = random.Random(f"{self._scene.seed}/{kerb.name}")
        while not self._over:
            await self._scene.car(dice.choice(MANNERS[kerb.has_loops]), kerb=kerb)
            await asyncio.sleep(dice.uniform(0.0, NEXT_S))  # the drivers' pace


class Faults:
    """Takes one worker away after another, as a seeded deck of cards says."""

    def __init__(self, scene: PairScene, slack: float) -> None:
        self._scene, self._slack = scene, slack
        self._cards: Iterator[str] = _cards(scene.dice)
        self.takeovers = 0
        """How often the other one took over."""
        self.wrong: list[str] = []

    async def next(self) -> bool:
        """Both workers are there; then one fault, and what must follow from it. False where they are not."""
        card, scene = next(self._cards), self._scene
        taking = await scene.paired()
        if taking is None:
            self.wrong.append(f"before {card}: no worker works while another stands by")
            return False
        await asyncio.sleep(scene.dice.uniform(0.0, 1.5))  # any moment of a visit
        active = scene.active() or taking
        struck_ms = await self._done(card, active)
        limit_s = 0.0 if card in STAYS else ALL_S
        after = await scene.taken_over(active.epoch, limit_s)
        if after is None:
            if card not in STAYS:
                self.wrong.append(f"{card}: nobody took over within {ALL_S:g} s from {active.worker} ({active.pid})")
        else:
            self._measure(card, active, after, struck_ms)
        return True

    async def _done(self, card: str, active: Taking) -> int:
        """Do it; returns the ms at which it struck."""
        word, _, rest = card.partition(" ")
        match word, rest:
            case "killed", "":
                return self._kill(active)
            case "killed", _:
                return await self._at_step(active, "")
            case "frozen", "at a step":
                return await self._at_step(active, "halt-")
            case "frozen", _:
                return await self._freeze(active, float(rest.split()[0]))
            case "cut", _:
                return await self._cut_off(active, rest)
            case "database", _:
                return await self._fail_over()
            case "stale", _:
                return await self._stale_append(active)
            case "both", _:
                return await self._kill_both(active)
            case "stopped", _:
                self._scene.end(active.worker)
                return _now()
            case _:
                status, began = await self._scene.release()
                if status:
                    self.wrong.append(f"--release ended with status {status}")
                return began

    def _kill(self, active: Taking) -> int:
        self._scene.kill(active.worker)
        return _now()

    async def _kill_both(self, active: Taking) -> int:
        """The one that takes over dies at its first row, too."""
        other = self._scene.other(active.worker)
        step = self._scene.dice.choice(("before:Started:1", "after:Started:1"))
        reached = self._arm(other, step, ALL_S)
        struck_ms = self._kill(active)
        if not await reached():
            self.wrong.append(f"both killed: {other} did not come to its start")
        return struck_ms

    async def _stale_append(self, active: Taking) -> int:
        """It freezes with rows in its hand, and sends them when the other one has the lease and has not written yet."""
        scene, other = self._scene, self._scene.other(active.worker)
        takes = self._arm(other, f"halt-before:{OPENED}:1", ALL_S)
        if not await self._arm(active.worker, f"halt-{scene.dice.choice(BEFORE)}")():
            scene.kerbs[0].disarm()
            return self._kill(active)
        struck_ms = _now()
        if not await takes():
            self.wrong.append(f"stale append: {other} did not take the lease")
        scene.signal(active.worker, signal.SIGCONT)
        if not await scene.bell.until(lambda: scene.stands_by(active.worker), ALL_S):
            self.wrong.append(f"stale append: {active.worker} did not get up")
        scene.signal(other, signal.SIGCONT)
        return struck_ms

    def _arm(self, worker: str, step: str, limit_s: float = STEP_S) -> Callable[[], Awaitable[bool]]:
        """What waits until the worker has died or frozen there, for a while: then it may go on without."""
        kerb, name = self._scene.kerbs[0], f"{worker} {step}"
        before = kerb.hits[name]
        kerb.arm(worker, step)

        async def reached() -> bool:
            if not await self._scene.bell.until(lambda: kerb.hits[name] > before, limit_s):
                kerb.arm(worker, "-")
            return kerb.hits[name] > before

        return reached

    async def _at_step(self, active: Taking, how: str) -> int:
        """Around the commit of a row, or where it is if none such comes."""
        scene = self._scene
        if not await self._arm(active.worker, how + scene.dice.choice(STEPS))():
            return self._kill(active)
        struck_ms = _now()
        if how:
            await asyncio.sleep(scene.dice.choice(FREEZES_S[1:3]))  # the fault itself: how long it is frozen
            scene.signal(active.worker, signal.SIGCONT)
        return struck_ms

    async def _freeze(self, active: Taking, for_s: float) -> int:
        self._scene.signal(active.worker, signal.SIGSTOP)
        struck_ms = _now()
        await asyncio.sleep(for_s)  # the fault itself
        self._scene.signal(active.worker, signal.SIGCONT)
        return struck_ms

    async def _cut_off(self, active: Taking, rest: str) -> int:
        """From the database, the broker or both, which it does not hear of; half the time what hung arrives late."""
        lines = (*(("broker",) if "database" not in rest else ()), *(("a", "b") if "broker" not in rest else ()))
        self._scene.hole(active.worker, *lines)
        struck_ms = _now()
        # The fault itself: with the database away longer than a lease, so that another takes it.
        await asyncio.sleep(self._scene.dice.uniform(4.5, 9.0) if "a" in lines else self._scene.dice.uniform(1.0, 8.0))
        self._scene.heal(active.worker, late=self._scene.dice.random() < 0.5)
        return struck_ms

    async def _fail_over(self) -> int:
        """The primary's machine ends, its standby is promoted, and a fresh standby follows it."""
        pair, struck_ms = self._scene.databases, _now()
        await asyncio.to_thread(pair.kill)
        await asyncio.to_thread(pair.promote)
        promoted_ms = _now()
        await asyncio.to_thread(pair.follow)
        await pair.synchronous()
        spans = ((promoted_ms - struck_ms) / 1000, (_now() - struck_ms) / 1000)
        self._scene.note(
            f"{pair.primary} is promoted after {spans[0]:.2f} s, and has its standby after {spans[1]:.2f} s"
        )
        return struck_ms

    def _measure(self, card: str, active: Taking, after: Taking, struck_ms: int) -> None:
        scene = self._scene
        self.takeovers += after.worker != active.worker or card in ("both killed", "stale append")
        heard_ms = scene.heard(after)
        assert heard_ms
        row_s, work_s = ((at - struck_ms) / 1000 for at in (scene.seats.wrote[after.epoch], heard_ms))
        scene.note(f"{card}: {active.worker} {active.pid}, then {after.worker} {after.pid}: {row_s}, {work_s}")
        scene.figures.setdefault(f"{card}{ROW}", []).append(row_s)
        scene.figures.setdefault(f"{card}{WORK}", []).append(work_s)
        released_ms = scene.seats.releases.get(active.epoch)
        if card in PLANNED and released_ms:
            scene.figures.setdefault(HANDED, []).append((heard_ms - released_ms) / 1000)
        if work_s > SLOWEST_S * self._slack:
            self.wrong.append(f"{card}: a worker was at work only after {work_s:.1f} s")


def _cards(dice: random.Random) -> Iterator[str]:
    yield from FIRST
    while True:
        deck = [card for card, times in DECK.items() for _ in range(times)]
        yield from dice.sample(deck, len(deck))


def _now() -> int:
    return time.time_ns() // 1_000_000


async def two_workers(scene: Scene, count: int, until: float, slack: float) -> list[str]:
    """``count`` times the other worker takes over. Rows, PayBy's calls and bytes are judged besides (seats.py)."""
    assert isinstance(scene, PairScene)
    faults = Faults(scene, slack)
    async with Storm(scene):
        while faults.takeovers < count and time.monotonic() < until and await faults.next():
            pass
    return faults.wrong


def slow(parts: Iterable[Mapping[str, list[float]]], slack: float) -> tuple[str, list[str]]:
    """A table of all parts' figures, and what of them is longer than was promised at the 99th percentile."""
    found: dict[str, list[float]] = {}
    for figures in parts:
        for name, values in figures.items():
            found.setdefault(name, []).extend(values)
    forced = [value for card in FORCED for value in found.get(f"{card}{WORK}", ())]
    found |= {DEATH: forced} if forced else {}
    lines = [f"{'take-over, s':48} {'half':>6} {'p99':>6} {'all':>6} {'of':>5}"]
    for name, values in sorted(found.items()):
        ordered = sorted(values)
        half, p99 = ordered[len(ordered) // 2], ordered[math.ceil(0.99 * len(ordered)) - 1]
        lines.append(f"{name:48} {half:6.2f} {p99:6.2f} {ordered[-1]:6.2f} {len(ordered):5}")
    wrong = []
    for name, limit_s in ((DEATH, TAKE_OVER_S), (HANDED, PLANNED_S)):
        ordered = sorted(found.get(name, ()))
        if ordered and (p99 := ordered[math.ceil(0.99 * len(ordered)) - 1]) > limit_s * slack:
            wrong.append(f"{name}: {p99:.2f} s at the 99th percentile, and {limit_s:g} s were promised")
    return "\n".join(lines), wrong
