"""Messages of a subscription, taken as they come."""

import asyncio

from terminal.mqtt.client import MqttClient
from terminal.mqtt.subscription import Subscription
from tests.support.eventually import eventually

FEE = "parking/marina/exit-1/fee"
PAID = "parking/marina/garage/paid"
HEALTH = "parking/marina/exit-1/health/run"


async def collect(subscription: Subscription, count: int) -> list[bytes]:
    """The next ``count`` payloads, each acknowledged."""
    got: list[bytes] = []
    async with asyncio.timeout(10):
        while len(got) < count:
            delivery = await anext(subscription)
            delivery.ack()
            got.append(delivery.payload)
    return got


async def round_trip(bus: MqttClient) -> None:
    """What went out before on this connection is with the broker, and what it had to send at once has come."""
    await bus.publish(HEALTH, b"{}")
    assert await bus.settled()


async def gone(bus: MqttClient) -> None:
    """Wait until the bus knows that its broker is gone."""
    await eventually(lambda: not bus.connected, limit_s=5)
