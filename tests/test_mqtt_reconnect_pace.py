"""How soon a lost connection is made again."""

import asyncio

import pytest

from terminal.mqtt import reconnect_pace
from terminal.mqtt.client import ENDED_AGAIN, MqttClient
from terminal.mqtt.reconnect_pace import REFUSED_AFTER, REFUSED_S, RETRY_S, STEADY_S, YIELDING_S, ReconnectPace
from tests.conftest import PuppetBroker
from tests.support.eventually import eventually


def test_attempts_that_find_no_broker_never_wait_long() -> None:
    pace = ReconnectPace()
    waits = [pace.next_s(0.0, in_vain=False, yields=False) for _ in range(100)]
    assert max(waits) <= RETRY_S[1]
    assert waits[0] <= RETRY_S[0]
    assert not pace.is_refused


def test_a_broker_that_ends_every_connection_is_left_alone_for_long() -> None:
    pace = ReconnectPace()
    waits = [pace.next_s(0.1, in_vain=True, yields=False) for _ in range(REFUSED_AFTER + 1)]
    assert all(wait <= RETRY_S[1] for wait in waits[: REFUSED_AFTER - 1])
    assert all(REFUSED_S[0] <= wait <= REFUSED_S[1] for wait in waits[REFUSED_AFTER - 1 :])
    assert pace.next_s(STEADY_S + 1, in_vain=True, yields=False) <= RETRY_S[0], "one that held begins anew"
    assert not pace.is_refused


def test_a_line_that_breaks_again_and_again_is_no_refusal() -> None:
    pace = ReconnectPace()
    waits = [pace.next_s(0.1, in_vain=number % REFUSED_AFTER != 0, yields=False) for number in range(100)]
    assert max(waits) <= RETRY_S[1]


async def test_a_client_that_is_granted_what_it_asks_for_comes_back_however_often_its_line_breaks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(reconnect_pace, "RETRY_S", (0.001, 0.001))
    async with PuppetBroker() as broker, MqttClient(broker.url, username="me") as client, asyncio.timeout(20):
        client.subscribe("mine")
        for _ in range(2 * REFUSED_AFTER):
            asked = await broker.next(8)
            broker.send(b"\x90\x03" + asked.body[:2] + b"\x01")
            broker.writers[-1].close()
        await broker.next(8)


def test_who_yields_to_another_machine_waits_as_long_as_that_needs() -> None:
    pace = ReconnectPace()
    waits = [pace.next_s(0.1, in_vain=True, yields=True) for _ in range(REFUSED_AFTER + 1)]
    assert all(YIELDING_S[0] <= wait <= YIELDING_S[1] for wait in waits)


async def test_a_client_that_is_refused_by_ended_connections_says_so_and_stops_hammering(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(reconnect_pace, "RETRY_S", (0.001, 0.001))
    async with PuppetBroker() as broker, MqttClient(broker.url, username="me") as client:
        client.subscribe("not/allowed")
        for _ in range(REFUSED_AFTER):
            await broker.next(8)
            broker.writers[-1].close()
        await eventually(lambda: client.trouble == ENDED_AGAIN, limit_s=5)
        assert len(broker.writers) == REFUSED_AFTER
