"""Floods while cars come: bad signatures, requests that never end, garbage on every topic, a lane that never stops."""

import asyncio
import contextlib
import os
import sys
import time
from collections.abc import AsyncIterator

import aiohttp

from terminal.contract.messages import MESSAGES
from tests.chaos.scene import Scene
from tests.support.garage import ROOT

ANSWERED_S = 1.0
"""99 of 100 genuine notifications are answered so soon, on whatever machine; the figure to reach on a quiet one is 0.1,
and is printed."""
GENUINE = 200
GENUINE_EVERY_S = 0.02
SERVED_S = 3.0
"""From a ticket to the boom at one lane while another one floods the worker, on whatever machine; the figure to reach
is twice the usual time, and is printed."""
RATE = 1000
"""Refused fees a second."""
GARBAGE_EVERY_S = 0.05
"""On each topic."""


async def flood(scene: Scene, count: int, until: float, slack: float) -> list[str]:
    """Cars still leave, and PayBy is answered in time, although the listener is flooded."""
    await scene.car()
    before = await _genuine(scene)
    wrong = []
    async with _flooded(scene):
        async with _babbled(scene):
            for _ in range(count):
                if time.monotonic() > until:
                    break
                if not (await scene.car()).out:
                    wrong.append("a car did not leave during a flood")
        during = await _genuine(scene)
    name = "of 100 genuine notifications 99 are answered within, s"
    scene.figures |= {name: [_p99(before)], f"{name}, in a flood (to reach: 0.1)": [_p99(during)]}
    if _p99(during) > ANSWERED_S * slack:
        wrong.append(f"a genuine notification was answered in {_p99(during) * 1000:.0f} ms in a flood (99 of 100)")
    return wrong


async def lane_flood(scene: Scene, count: int, until: float, slack: float) -> list[str]:
    """One lane's user says RATE refused fees a second; at the other one drivers are served as ever."""
    lane = scene.kerbs[1]
    usual = await _served(scene, max(2, count // 2), until)
    scene.off(lane.name)
    async with _fees(scene) as rate:
        flooded = await _served(scene, count, until)
    scene.on(lane.name)
    name = "from the ticket to the boom, s"
    scene.figures |= {name: usual, f"{name}, in a flood from another lane (to reach: twice the usual)": flooded}
    scene.figures["refused fees a second"] = rate[-1:]
    wrong = [
        f"a driver was served in {took:.1f} s while another lane flooded" for took in flooded if took > SERVED_S * slack
    ]
    if len(flooded) < count and time.monotonic() < until:
        wrong.append("a car did not leave while another lane flooded")
    return wrong


def _p99(seconds: list[float]) -> float:
    return sorted(seconds)[len(seconds) * 99 // 100]


async def _genuine(scene: Scene) -> list[float]:
    """How long PayBy's own words take, sent again: they are journaled already, and each is to be answered SUCCESS."""
    known = next(delivery for delivery in scene.garage.sandbox.deliveries if delivery.ok)
    took = []
    async with aiohttp.ClientSession(headers={"Content-Type": "application/json", "Sign": known.sign or ""}) as session:
        for _ in range(GENUINE):
            began = time.monotonic()
            while not await _success(session, known.url, known.body):
                pass  # as PayBy does, only sooner
            took.append(time.monotonic() - began)
            await asyncio.sleep(GENUINE_EVERY_S)
    return took


async def _success(session: aiohttp.ClientSession, url: str, body: bytes) -> bool:
    try:
        async with session.post(url, data=body) as reply:
            return reply.status == 200 and b"SUCCESS" in await reply.read()
    except aiohttp.ClientError:  # its idle connection had made room for another
        return False


@contextlib.asynccontextmanager
async def _flooded(scene: Scene) -> AsyncIterator[None]:
    port = scene.garage.notify_url.split(":")[2].split("/")[0]
    flooder = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.chaos.flooder", port, cwd=ROOT, env=dict(os.environ)
    )
    try:
        yield
    finally:
        flooder.kill()
        await flooder.wait()


@contextlib.asynccontextmanager
async def _babbled(scene: Scene) -> AsyncIterator[None]:
    babble = asyncio.create_task(_babble(scene), name="babble")
    try:
        yield
    finally:
        babble.cancel()
        await asyncio.wait([babble])


async def _babble(scene: Scene) -> None:
    while True:
        for what in MESSAGES:
            if what != "health":
                garbage = scene.dice.choice(
                    [scene.dice.randbytes(scene.dice.randrange(200)), b"{}", b'{"v": 1}', b"[]"]
                )
                with contextlib.suppress(OSError):
                    await scene.garage.bus.publish(f"parking/marina/{scene.kerbs[0].name}/{what}", garbage)
        await asyncio.sleep(GARBAGE_EVERY_S)


async def _served(scene: Scene, count: int, until: float) -> list[float]:
    took = []
    for number in range(count):
        if time.monotonic() > until:
            break
        car = await scene.car("free" if number % 2 else "pays")
        if car.risen is not None:
            took.append((car.risen - car.scanned) / 1000)
    return took


@contextlib.asynccontextmanager
async def _fees(scene: Scene) -> AsyncIterator[list[float]]:
    """Gives, once it is over, how many fees went out in a second."""
    lane = scene.kerbs[1].name
    user = f"lane.{lane}" if f"lane.{lane}" in scene.passwords else "lane"
    told = [scene.garage.broker, user, scene.passwords[user], lane, str(RATE)]
    flooder = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.chaos.lane_flooder", *told, cwd=ROOT, stdout=asyncio.subprocess.PIPE
    )
    rate: list[float] = []
    try:
        yield rate
    finally:
        flooder.kill()
        said, _ = await flooder.communicate()
        rate += map(float, said.split())
