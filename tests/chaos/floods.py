"""Floods: bad signatures, requests that never end, and garbage on every topic, while cars come."""

import asyncio
import contextlib
import os
import sys
import time
from collections.abc import AsyncIterator

import aiohttp

from terminal.contract.messages import MESSAGES
from tests.chaos.scene import Scene
from tests.garage import ROOT

ANSWERED_S = 1.0
"""99 of 100 genuine notifications are answered so soon, on whatever machine; the figure to reach on a quiet one is 0.1,
and is printed."""
GENUINE = 200
GENUINE_EVERY_S = 0.02
GARBAGE_EVERY_S = 0.05
"""On each topic."""


async def flood(scene: Scene, count: int, until: float, slack: float) -> list[str]:
    """Cars leave all the same, and PayBy is answered in time though the listener is flooded."""
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
