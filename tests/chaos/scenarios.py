"""What is done to a garage while drivers come and pay; each scenario is one coroutine over a running scene."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from terminal.payby.sandbox.faults import NotifyFault
from tests.chaos.drivers import Driver
from tests.chaos.floods import flood, lane_flood
from tests.chaos.handouts import SECTIONS
from tests.chaos.kerb import Kerb
from tests.chaos.pair import PairScene
from tests.chaos.power import power_cuts
from tests.chaos.putback import put_back
from tests.chaos.scene import Scene
from tests.chaos.steps import Plan, Step
from tests.chaos.stolen import stolen_lane
from tests.chaos.two_workers import two_workers

BROKERS = ("amqtt", "mosquitto")
BACK_S = 5.0
"""A paid car's boom rises so soon after the broker is back."""
NOTICED_S = 15.0
"""A half-open line is noticed so soon."""
READY_S = 30.0
"""How long the drivers of a storm wait for each other."""
COPIES = 50
AWAY_S = 17.0
"""Longer than a role counts as there without a heartbeat, and than half of a lift's time."""

Scenario = Callable[[Scene, int, float, float], Awaitable[list[str]]]
"""Over a scene, so often, until then at the latest, with so many times the time that a quiet machine needs."""


async def kills(scene: Scene, count: int, until: float, slack: float) -> list[str]:
    """``count`` times kill -9: worker and barrier at each step of their journals, the others in mid-sentence."""
    kerb = scene.kerbs[0]
    plan = Plan(scene.dice, loops=kerb.has_loops)
    while scene.killed < count and time.monotonic() < until:
        worker, manner = plan.first()
        planned = [worker, *plan.more(manner)]
        before = kerb.hits + scene.moments
        strikes = [_strike(scene, step) for step in planned if ":" not in step.at]
        for step in planned:
            if ":" in step.at:
                kerb.arm(step.role, step.at)
        if ":Started:" in worker.at:
            scene.kill("worker")  # the next one's first row

        def trouble(what: str, message: dict[str, Any], strikes: list[Any] = strikes) -> None:
            for strike in strikes:
                strike(what)

        began = time.monotonic()
        car = await scene.car(manner, trouble)
        kerb.disarm()
        after = kerb.hits + scene.moments
        names = (f"{'' if after[step.name] > before[step.name] else 'not '}{step.name}" for step in planned)
        scene.note(f"{time.monotonic() - began:5.1f} s {manner}, {'out' if car.out else 'gone'}: {', '.join(names)}")
        for step in planned:
            if after[step.name] == before[step.name]:
                plan.again(step)
    return []


def _strike(scene: Scene, step: Step) -> Callable[[str], None]:
    """Kills the step's role as soon as that is said."""
    done: list[str] = []

    def strike(what: str) -> None:
        if what == step.at and not done:
            done.append(what)
            scene.moments[step.name] += 1
            scene.kill(step.role)

    return strike


class Storm:
    """Drivers at every lane who pay at the same moment; the broker dies then."""

    def __init__(self, scene: Scene, *, at_paid: bool, away_s: float) -> None:
        self._scene, self._left = scene, len(scene.kerbs)
        self._all_ready, self._at_paid, self._away_s = asyncio.Event(), at_paid, away_s
        self.struck_ms = 0

    async def readied(self, driver: Driver) -> None:
        self._left -= 1
        if not self._left:
            self._all_ready.set()
            if not self._at_paid:
                self._strike()
        try:
            async with asyncio.timeout(READY_S):
                await self._all_ready.wait()
        except TimeoutError:
            self._all_ready.set()

    def trouble(self, what: str, message: dict[str, Any]) -> None:
        if what == "paid" and self._at_paid:
            self._strike()

    def _strike(self) -> None:
        if not self.struck_ms:
            self.struck_ms = time.time_ns() // 1_000_000
            self._scene.kill("broker", away_s=self._away_s)


async def broker_restarts(scene: Scene, count: int, until: float, slack: float) -> list[str]:
    """The broker dies as drivers at all lanes pay, fifty copies of each notification at once; they leave within 5 s of
    its return, also where it was away for longer than anybody is believed. It then lives for a heartbeat of each
    role."""
    wrong = []
    sandbox, waits = scene.garage.sandbox, scene.figures.setdefault("from the broker's return to the boom, s", [])
    sandbox.notify_fault = NotifyFault(copies=COPIES)
    for number in range(count):
        if time.monotonic() > until:
            break
        storm = Storm(scene, at_paid=number % 2 == 0, away_s=AWAY_S if number % 5 == 2 else 0.0)
        visits = (scene.car(trouble=storm.trouble, kerb=kerb, readied=storm.readied) for kerb in scene.kerbs)
        cars = await asyncio.gather(*visits)
        await scene.broker_back.wait()
        for car in cars:
            if car.risen is None:
                wrong.append(f"round {number}: the car at {car.lane} did not leave after the broker's restart")
            elif car.risen > scene.back_ms > storm.struck_ms > 0:
                waits.append((car.risen - scene.back_ms) / 1000)
                scene.note(f"{number} {car.lane} {car.session}: back {scene.back_ms}, risen {car.risen}, {waits[-1]}")
                if waits[-1] > BACK_S * slack:
                    wrong.append(
                        f"round {number}: the boom at {car.lane} rose {waits[-1]:.1f} s after the broker's return"
                    )
    await sandbox.notified()
    sandbox.notify_fault = NotifyFault()
    return wrong


async def cuts(scene: Scene, count: int, until: float, slack: float) -> list[str]:
    """The line breaks ``count`` times, every 0.7 to 2.2 s, while cars come; every tenth time it hangs for as long
    instead."""
    made = 0

    async def cut() -> None:
        nonlocal made
        while True:
            await asyncio.sleep(scene.dice.uniform(0.7, 2.2))
            if scene.dice.random() < 0.1:
                scene.line.hang()
                await asyncio.sleep(scene.dice.uniform(0.7, 2.2))
                scene.line.flow()
            else:
                scene.line.cut()
            made += 1

    cutting = asyncio.create_task(cut(), name="cuts the line")
    try:
        while made < count and time.monotonic() < until:
            await scene.car("pays" if scene.dice.random() < 0.8 else "free")
    finally:
        cutting.cancel()
        scene.line.flow()
    scene.figures["cuts"] = [float(made)]
    return []


async def half_open(scene: Scene, count: int, until: float, slack: float) -> list[str]:
    """The line hangs, and nobody is told, as a driver is about to pay: noticed within 15 s, and he leaves."""
    wrong = []
    noticed = scene.figures.setdefault("until a half-open line was noticed, s", [])

    async def hangs(kerb: Kerb) -> None:
        scene.line.hang()
        try:
            async with asyncio.timeout(NOTICED_S * slack):
                await scene.line.noticed()
        except TimeoutError:
            wrong.append(f"a half-open line was not noticed within {NOTICED_S * slack:.0f} s")
        scene.line.flow()

    for _ in range(count):
        if time.monotonic() > until:
            break
        hanging: list[asyncio.Task[None]] = []

        async def readied(driver: Driver, hanging: list[asyncio.Task[None]] = hanging) -> None:
            if not hanging:
                hanging.append(asyncio.create_task(hangs(driver.kerb), name="hangs"))

        car = await scene.car(readied=readied)
        await asyncio.gather(*hanging)
        if not hanging or not car.out:
            wrong.append("a car did not leave after a half-open line")
    noticed += scene.line.noticed_s
    return wrong


SCENARIOS: dict[str, Scenario] = {
    "kills": kills,
    "broker-restarts": broker_restarts,
    "cuts": cuts,
    "half-open": half_open,
    "flood": flood,
    "power-cut": power_cuts,
    "put-back": put_back,
    "stolen-lane": stolen_lane,
    "lane-flood": lane_flood,
    "two-workers": two_workers,
}


@dataclass(frozen=True, slots=True)
class Setting:
    """What a scenario needs of its garage (scene.py)."""

    brokers: tuple[str, ...] = BROKERS
    lanes: int = 1
    guarded: bool = False
    more: str = ""
    scene: type[Scene] = Scene


SHORT_GRACE = "[tariff]\nexit_grace = 1\n"
"""Minutes: what is credit goes back, or to a person, while somebody looks on."""
SETTINGS = {
    "kills": Setting(more=SECTIONS),
    "power-cut": Setting(more=SHORT_GRACE),
    "put-back": Setting(more=SHORT_GRACE),
    "stolen-lane": Setting(("mosquitto",), lanes=2, guarded=True),  # the embedded broker has one lane's users
    "lane-flood": Setting(lanes=2, guarded=True),
    "two-workers": Setting(("mosquitto",), lanes=3, scene=PairScene),  # the embedded broker is of one machine
}
