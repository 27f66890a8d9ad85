"""Alerts: raised once, cleared once, and of any text one plain line."""

import asyncio

import pytest

from terminal.clock import new_id
from terminal.contract.messages import Alert, Health
from terminal.mqtt.client import MqttClient
from tests.support.endpoint import bus, clock, endpoint, quiet, take
from tests.support.memory_bus import MemoryBus
from tests.support.turned_clock import TurnedClock

__all__ = ["bus", "clock"]


# Alerts


async def test_an_alert_is_raised_once_until_it_is_cleared(bus: MqttClient, clock: TurnedClock) -> None:
    speaker = endpoint(bus, clock)
    with speaker.subscribe("alert", lane="+") as alerts:
        await alerts.granted()
        for _ in range(3):
            await speaker.alert("scanner", "gone")
        await speaker.alert("scanner", "gone", lane="exit-2")
        await speaker.clear("scanner", "back")
        await speaker.clear("scanner", "back")
        await speaker.clear("relay", "fine")
        await speaker.alert("scanner", "gone again", severity="warning")
        got = [await take(alerts) for _ in range(4)]
        assert [(t.split("/")[2], m.state, m.severity, m.text) for t, m, _ in got] == [  # type: ignore[attr-defined]
            ("exit-1", "raised", "critical", "gone"),
            ("exit-2", "raised", "critical", "gone"),
            ("exit-1", "cleared", "critical", "back"),
            ("exit-1", "raised", "warning", "gone again"),
        ]
        assert await quiet(alerts)


async def test_two_visits_have_an_alert_each(bus: MqttClient, clock: TurnedClock) -> None:
    speaker = endpoint(bus, clock)
    one, two = new_id(clock), new_id(clock)
    with speaker.subscribe("alert") as alerts:
        await alerts.granted()
        for session in (one, two, one):
            await speaker.alert("payby-silent", "no answer", session=session, help_code="AB12C")
        await speaker.clear("payby-silent", "left", session=one)
        await speaker.clear("payby-silent", "all left")
        got = [(await take(alerts))[1] for _ in range(4)]
        assert [(m.state, m.session) for m in got] == [  # type: ignore[attr-defined]
            ("raised", one),
            ("raised", two),
            ("cleared", one),
            ("cleared", two),
        ]
        assert await quiet(alerts)


async def test_what_happens_is_told_every_time(bus: MqttClient, clock: TurnedClock) -> None:
    speaker = endpoint(bus, clock)
    with speaker.subscribe("alert") as alerts:
        await alerts.granted()
        for _ in range(2):
            await speaker.alert("tailgating", "two cars")
        assert [(await take(alerts))[1].code for _ in range(2)] == ["tailgating"] * 2  # type: ignore[attr-defined]


# Health


NASTY = ("x" * 20_000, "half \ud83d", "nul \0", "a\nline", "turned \u202e around", '"' * 20_000)


@pytest.mark.parametrize("text", NASTY, ids=ascii)
async def test_any_text_goes_out_in_an_alert_and_in_health_as_one_plain_line(
    clock: TurnedClock, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    bus = MemoryBus()
    it = endpoint(bus.as_bus(), clock)
    await it.alert("scanner", text)
    await it.clear("scanner", text)
    await it.bad_message(f"parking/marina/exit-1/fee{text}", text)
    beating = asyncio.create_task(it.run_heartbeat())
    it.degraded(text)
    await bus.until(Health, 1)
    beating.cancel()
    await asyncio.wait([beating])
    assert len(bus.of(Alert)) == 3
    for said in (*(a.text for a in bus.of(Alert)), bus.of(Health)[0].reason, *caplog.messages):
        assert said and said.isprintable() and len(said) <= 1_100
