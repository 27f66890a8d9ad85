"""What is done to a lane while drivers come and pay; each scenario is one coroutine over a running lane."""

import asyncio
import contextlib
import random
import time
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp

from terminal.payby.sandbox import NotifyFault
from tests.chaos.lane import ROLES, Lane

WORKER_ROWS = ("TicketRead", "words", "OrderReported", "LiftAnswered", "BoomSeen", "Started")
BARRIER_ROWS = ("intent", "done")
STEPS = {
    "worker": [f"{side}:{row}:1" for row in WORKER_ROWS for side in ("before", "after")]
    + [f"{side}:OrderReported:{n}" for n in (2, 3) for side in ("before", "after")],
    "barrier": [f"{side}:{row}:1" for row in BARRIER_ROWS for side in ("before", "after")] + ["pin:1:1", "pin:0:1"],
}
"""Where a process of these roles dies: around each commit, and as the relay closes and opens."""
MOMENTS = {
    "reader": ("fee", "screen"),
    "listener": ("order", "paid", "receipt"),
    "lcd": ("screen", "barrier"),
    "broker": ("fee", "order", "screen", "paid", "lift", "barrier"),
}
"""Roles without a journal die as they hear or say these."""
BACK_S = 5.0
"""A paid car is out so soon after the broker is back."""

Scenario = Callable[[Lane, int, float], Awaitable[list[str]]]


def plan(dice: random.Random, role: str, count: int) -> deque[str]:
    """So many steps for the next processes of a role, every one as often as the others."""
    steps: list[str] = []
    while len(steps) < count:
        steps += dice.sample(STEPS[role], len(STEPS[role]))
    return deque(steps[:count])


async def kills(lane: Lane, count: int, until: float) -> list[str]:
    """``count`` times kill -9: worker and barrier at each step of their journals, the others in mid-sentence."""
    dice = lane.dice
    lane.garage.steps.update({role: plan(dice, role, count) for role in STEPS})
    for role in STEPS:
        lane.kill(role)  # the next process knows its step
    while lane.killed < count and time.monotonic() < until:
        role = dice.choice(list(MOMENTS))
        moment = dice.choice(MOMENTS[role])
        done: list[str] = []

        def strike(what: str, message: dict[str, Any], role: str = role, moment: str = moment) -> None:
            if what == moment and not done:  # noqa: B023
                done.append(role)  # noqa: B023
                lane.kill(role)

        before = dict(lane.kills)
        await lane.car(strike)
        for journaled in STEPS:
            if lane.kills.get(journaled, 0) == before.get(journaled, 0):
                lane.kill(journaled)  # its step did not come; the next one's may
    return []


async def broker_restarts(lane: Lane, count: int, until: float) -> list[str]:
    """The broker dies each time as somebody has paid; fifty copies of each notification come at once."""
    wrong = []
    lane.garage.sandbox.notify_fault = NotifyFault(copies=50)
    for _ in range(count):
        if time.monotonic() > until:
            break
        struck: list[float] = []

        def strike(what: str, message: dict[str, Any]) -> None:
            if what == "paid" and not struck:  # noqa: B023
                lane.kill("broker")
                struck.append(time.monotonic())  # noqa: B023

        car = await lane.car(strike)
        if struck and (not car.out or lane.told.waits_s[-1] > BACK_S):
            wrong.append(f"a paid car waited {lane.told.waits_s[-1]:.1f} s after the broker's restart")
    lane.garage.sandbox.notify_fault = NotifyFault()
    return wrong


async def cuts(lane: Lane, count: int, until: float) -> list[str]:
    """The line breaks every 0.7 to 2.2 s while cars come; every fifth time it hangs half open instead."""

    async def cut() -> None:
        while True:
            await asyncio.sleep(lane.dice.uniform(0.7, 2.2))
            if lane.dice.random() < 0.1:
                lane.line.hang()
                await asyncio.sleep(lane.dice.uniform(0.7, 2.2))
                lane.line.flow()
            else:
                lane.line.cut()

    cutting = asyncio.create_task(cut(), name="cuts the line")
    try:
        for _ in range(count):
            if time.monotonic() > until:
                break
            await lane.car()
    finally:
        cutting.cancel()
        lane.line.flow()
    return []


async def half_open(lane: Lane, count: int, until: float) -> list[str]:
    """The line hangs, and nobody is told, as a driver pays: noticed within 15 s, and he leaves."""
    wrong = []
    for _ in range(count):
        if time.monotonic() > until:
            break
        hung: list[float] = []

        def strike(what: str, message: dict[str, Any]) -> None:
            if what == "screen" and message["state"] == "pay" and not hung:  # noqa: B023
                hung.append(time.monotonic())  # noqa: B023
                lane.line.hang()
                asyncio.get_running_loop().call_later(15.0, lane.line.flow)

        car = await lane.car(strike)
        if hung and not car.out:
            wrong.append("a car did not leave after a half-open line")
    return wrong


async def flood(lane: Lane, count: int, until: float) -> list[str]:
    """Notifications with bad signatures, requests that never end, and garbage on the broker, while cars come."""
    url = lane.garage.notify_url

    async def post() -> None:
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5)) as session:
            while True:
                with contextlib.suppress(aiohttp.ClientError, TimeoutError):
                    async with session.post(url, data=b'{"acquireOrder":{}}', headers={"sign": "bm8="}) as answer:
                        await answer.read()
                await asyncio.sleep(0.005)

    async def babble() -> None:
        while True:
            for what in ("fee", "paid", "lift", "command", "vehicle"):
                garbage = lane.dice.randbytes(lane.dice.randrange(200))
                with contextlib.suppress(Exception):
                    await lane.garage.bus.publish(f"parking/marina/exit-1/{what}", garbage)
            await asyncio.sleep(0.05)

    tasks = [asyncio.create_task(post(), name=f"flood {n}") for n in range(4)]
    tasks.append(asyncio.create_task(babble(), name="babble"))
    wrong = []
    try:
        for _ in range(count):
            if time.monotonic() > until:
                break
            car = await lane.car()
            if not car.out:
                wrong.append("a car did not leave during a flood")
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    return wrong


SCENARIOS: dict[str, Scenario] = {
    "kills": kills,
    "broker-restarts": broker_restarts,
    "cuts": cuts,
    "half-open": half_open,
    "flood": flood,
}
assert set(STEPS) | set(MOMENTS) == {*ROLES, "broker"}
