"""An endpoint on a bus in memory, with a clock that a test turns."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from broker.embedded import EmbeddedBroker
from terminal.clock import new_id
from terminal.contract.messages import Health, HealthState, Message, Vehicle
from terminal.mqtt.client import MqttClient
from terminal.mqtt.endpoint import Endpoint, MessageStream
from tests.conftest import embedded_bus
from tests.support.turned_clock import TurnedClock

NOW = 1_800_000_000_000


@pytest.fixture
async def bus(embedded: EmbeddedBroker) -> AsyncIterator[MqttClient]:
    async with embedded_bus(embedded) as opened:
        yield opened


@pytest.fixture
def clock() -> TurnedClock:
    return TurnedClock(NOW)


def endpoint(
    bus: MqttClient,
    clock: TurnedClock,
    role: str = "worker",
    lane: str | None = "exit-1",
    beat_s: float = 5.0,
    came_back: Callable[[], None] = lambda: None,
) -> Endpoint:
    return Endpoint(
        bus,
        garage="marina",
        lane=lane,
        role=role,
        version="1.2",
        clock=clock,
        heartbeat_s=beat_s,
        came_back=came_back,
    )


def vehicle(of: Endpoint, **more: Any) -> Vehicle:
    return Vehicle(**of.head(), **{"waiting": True, "under_boom": False, **more})


async def take(hearing: MessageStream) -> tuple[str, Message, bool]:
    async with asyncio.timeout(5):
        heard = await anext(hearing)
    heard.ack()
    return str(heard.topic), heard.message, heard.retained


async def quiet(hearing: MessageStream) -> bool:
    """Does nothing more come for a while?"""
    try:
        async with asyncio.timeout(0.1):
            await anext(hearing)
    except TimeoutError:
        return True
    return False


# Who is there


def health(state: HealthState = "online", instance: str = "one") -> Health:
    now = "2026-11-22T10:00:00.000Z"
    return Health(
        id=new_id(TurnedClock()),
        at=now,
        state=state,
        version="1",
        instance=instance,
        since=now,
    )
