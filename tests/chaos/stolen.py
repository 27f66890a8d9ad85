"""A lane's machine is stolen with all its secrets, and speaks while cars leave by the other lane."""

import asyncio
import time
from collections.abc import Sequence
from typing import Any

from terminal.mqtt.client import MqttClient
from tests.chaos.drivers import Driver
from tests.chaos.history import Car
from tests.chaos.scene import Scene
from tests.chaos.thief import Thief

OLD_S = 15.5
"""What was said of vehicles is not believed for longer: the stolen lane's own drivers are served again then."""


async def stolen_lane(scene: Scene, count: int, until: float, slack: float) -> list[str]:
    """Every car of the other lane leaves, nobody else does, and no money goes back."""
    victim, lane = scene.kerbs
    wrong: list[str] = []
    manners = ["pays", "free", "pays"]
    await scene.car()
    scene.off(lane.name)
    pulses, cars = len(victim.pulses), list[Car]()
    user = f"lane.{lane.name}"
    async with MqttClient(scene.garage.broker, username=user, client_id="thief", password=scene.passwords[user]) as bus:
        thief = Thief(bus, lane.name, victim, scene.bell)
        speaking = asyncio.create_task(thief.speaks(), name="thief")

        async def readied(_: Driver) -> None:
            await thief.heard_out()

        try:
            for number in range(count):
                if time.monotonic() > until:
                    break
                said = len(victim.said)
                cars.append(await scene.car(manners[number % len(manners)], readied=readied))
                if is_lost(victim.said[said:], cars[-1].session):
                    wrong.append(f"the visit of {cars[-1].session} was lost to another lane")
        finally:
            speaking.cancel()
            await asyncio.wait([speaking])
    scene.figures["rounds of all that a thief can say"] = [float(thief.rounds)]
    scene.on(lane.name)
    await asyncio.sleep(OLD_S)
    wrong += [f"the car of {car.session} did not leave, since another lane was stolen" for car in cars if not car.out]
    if len(victim.pulses) - pulses != len(cars):
        wrong.append(f"the boom rose {len(victim.pulses) - pulses} times for {len(cars)} cars")
    if refunds := scene.garage.sandbox.refunds:
        wrong.append(f"{len(refunds)} refunds were asked by nobody")
    if not thief.rounds:
        wrong.append("the thief said nothing")
    return wrong


def is_lost(said: Sequence[tuple[str, dict[str, Any]]], session: str) -> bool:
    """Did its lane show anything else between the ticket and the raise?"""
    shown = [message for what, message in said if what == "screen"]
    own = [number for number, message in enumerate(shown) if message.get("session") == session]
    return bool(own) and len(own) < own[-1] - own[0] + 1
