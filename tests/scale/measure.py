"""One set-up: it grows step by step, something is killed, and then every payment and message is accounted for."""

import asyncio
import json
import statistics
import time
import urllib.request
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any, Protocol

from tests.scale import gauges
from tests.scale.cell import Cell
from tests.scale.figures import Ledger, Outage, Setup, Spread, Step
from tests.scale.lane import Lane

IDLE_S, SETTLES_S, LAST_S = 10.0, 2.0, 130.0
"""How long no car comes before a step's, how long new lanes are left in peace, how long the last cars may take."""
OUTAGE_GARAGES, OUTAGE_LANES = 3, 4
"""To which of them cars come while something is killed: few, so that a lack of CPU is not taken for a stop."""
PAID = ("PAID_SUCCESS", "SETTLED")
Progress = Callable[[str], None]


class Killer(Protocol):
    """What can be killed, and mended afterwards. Both block."""

    def kill(self, garage: int) -> str: ...
    def settle(self, garage: int) -> None: ...


class Measured:
    """A running cell's figures."""

    def __init__(self, setup: Setup, cell: Cell, every_s: float, progress: Progress) -> None:
        self._setup, self._cell, self._every_s, self._progress = setup, cell, every_s, progress
        self._grew_by, self._grew_in = 0, 0
        """Bytes, and the visits that they are of."""

    async def step(self, garages: int, lanes: int, seconds: float, idle_s: float = IDLE_S) -> Step:
        """Grow to that size; then no car comes for a while, and then cars come at every lane."""
        cell = self._cell
        self._progress(f"{garages} × {lanes} lanes: workers and lanes start")
        await cell.grow(garages, lanes)
        await asyncio.sleep(SETTLES_S)
        pids, findings, traffic = cell.pids(), cell.findings, cell.traffic
        before, idle_began = gauges.cpu_s(pids), time.monotonic()
        await asyncio.sleep(idle_s)
        idle_took = time.monotonic() - idle_began
        after = gauges.cpu_s(pids)
        idle = {part: (after[part] - before[part]) / idle_took for part in pids}
        marks = len(findings.code), len(findings.lift), findings.left
        messages, commits = traffic.said + traffic.heard, await asyncio.to_thread(cell.journals.commits)
        disk = await asyncio.to_thread(cell.journals.disk)
        before, machine, began = gauges.cpu_s(pids), gauges.all_cpu_s(), time.monotonic()
        every = [lane for here in cell.garages.values() for lane in here]
        driving = asyncio.create_task(self._drive(every, seconds, self._every_s))
        while (took := time.monotonic() - began) < seconds:
            self._progress(f"{garages} × {lanes} lanes: {findings.left - marks[2]} cars have left in {took:.0f} s")
            await asyncio.sleep(min(5.0, seconds - took))
            cell.complain()
        took, driven, machine_after = time.monotonic() - began, gauges.cpu_s(pids), gauges.all_cpu_s()
        messages = traffic.said + traffic.heard - messages
        now = await asyncio.to_thread(cell.journals.commits)
        memory = gauges.memory_mib(pids)
        await driving
        lasted, after, visits = time.monotonic() - began, gauges.cpu_s(pids), findings.left - marks[2]
        self._grew_by += await asyncio.to_thread(cell.journals.disk) - disk
        self._grew_in += visits
        whole, each = machine_after[1] - machine[1], 1000 / max(1, visits)
        return Step(
            self._setup, garages, lanes, self._every_s, seconds, visits,
            Spread.of([s for _, s in findings.code[marks[0] :]]), Spread.of([s for _, s in findings.lift[marks[1] :]]),
            round(sum(driven[part] - before[part] for part in pids) / whole, 3),
            round((machine_after[0] - machine[0]) / whole, 3),
            {part: round(max(0.0, after[part] - before[part] - idle[part] * lasted) * each, 2) for part in pids},
            {part: round(value * 1000, 2) for part, value in idle.items()},
            {part: round(value, 1) for part, value in memory.items()},
            round(messages / took, 1),
            None if commits is None or now is None else round((now - commits) / took, 1),
        )  # fmt: skip

    async def outage(self, killer: Killer, every_s: float, before_s: float, after_s: float, limit_s: float) -> Outage:
        """Cars come to some lanes all the while, the others are connected; after ``before_s`` it is killed, and it is
        mended in the end."""
        cell, findings = self._cell, self._cell.findings
        loop = asyncio.get_running_loop()
        some = {garage: here[:OUTAGE_LANES] for garage, here in list(cell.garages.items())[:OUTAGE_GARAGES]}
        lanes = [lane for here in some.values() for lane in here]
        began, marks = loop.time(), (len(findings.code), len(findings.lift))
        driving = asyncio.create_task(self._drive(lanes, before_s + after_s, every_s))
        await asyncio.sleep(before_s)
        killed_at = loop.time()
        what = await asyncio.to_thread(killer.kill, 0)
        self._progress(f"{what}, was killed")
        while (left := killed_at + after_s - loop.time()) > 0:
            await asyncio.sleep(min(5.0, left))
            self._progress(f"{loop.time() - killed_at:.0f} s since the kill, {findings.left} cars have left")
            cell.complain()
        until = loop.time()
        await driving
        await asyncio.to_thread(killer.settle, 0)
        gaps = {g: longest(findings.decisions[g], killed_at, until) for g in some}
        waits = [s for _, s in findings.code[marks[0] :]] + [s for _, s in findings.lift[marks[1] :]]
        return Outage(
            self._setup, what, len(some), max(map(len, some.values())),
            round(max(longest(findings.decisions[g], began + 1.0, killed_at) for g in some), 2),
            round(max(gaps.values()), 2), round(statistics.median(gaps.values()), 2), round(max(waits), 2), limit_s,
        )  # fmt: skip

    async def _drive(self, lanes: Sequence[Lane], seconds: float, every_s: float) -> None:
        """Cars at these lanes, the lanes' first ones spread over the time between two."""
        loop = asyncio.get_running_loop()
        now = loop.time()
        async with asyncio.timeout(seconds + LAST_S), asyncio.TaskGroup() as group:
            for number, lane in enumerate(lanes):
                group.create_task(lane.cars(every_s, now + every_s * number / len(lanes), now + seconds))

    async def ledger(self) -> Ledger:
        """Read every journal, and ask PayBy, when the last car has left."""
        self._progress("the journals are read, and PayBy is asked")
        await asyncio.sleep(SETTLES_S)
        return await asyncio.to_thread(self._account)

    def _account(self) -> Ledger:
        cell, findings = self._cell, self._cell.findings
        orders: list[dict[str, Any]] = json.load(urllib.request.urlopen(cell.orders_url, timeout=30))
        paid = [order["merchantOrderNo"] for order in orders if order["status"] in PAID]
        once = [number for number in paid if len(findings.lifted.get(number, ())) == 1]
        rows, journaled, gapless, commits, size = 0, 0, True, 0, 0
        for garage in cell.garages:
            numbers, times, words = list[int](), set[int](), list[bytes]()
            for row in cell.journals.rows(garage):  # each is checked by the hash of the one before it
                numbers.append(row.seq)
                times.add(row.at_ms)
                words.append(row.data)
            rows, commits, size = rows + len(numbers), commits + len(times), size + sum(map(len, words))
            gapless &= numbers == list(range(1, len(numbers) + 1))
            whole = b"\n".join(words)
            journaled += sum(lift.encode() in whole for lift, where in findings.answered.items() if where == garage)
        visits = max(1, findings.left)
        return Ledger(
            self._setup, len(paid), len(once), len(findings.answered), journaled, findings.asked_again, rows, gapless,
            round(commits / visits, 2), round(rows / visits, 2), round(size / visits),
            round(self._grew_by / max(1, self._grew_in)), dict(findings.said_again), findings.stuck,
        )  # fmt: skip


def longest(times: Sequence[float], since: float, until: float) -> float:
    """The longest time between two of them, or between one and an end, in s."""
    inside = [since, *(at for at in times if since < at < until), until]
    return max(later - earlier for earlier, later in pairwise(inside))
