"""The barrier as a process of its own that dies and comes back, on Mosquitto and with the default times of an arm."""

from pathlib import Path
from typing import Any

import pytest

from terminal.clock import SystemClock, new_id
from terminal.contract.messages import Lift, encode, stamp
from terminal.contract.signatures import load_signing_key, sign_lift
from terminal.core.ids import derived_id
from terminal.journal.journal import Journal
from terminal.roles.barrier.spent_lifts import done_row, intent_row
from tests.conftest import Mosquitto
from tests.support.garage import Garage

CLOCK = SystemClock()
AN_ARM = {"EXIT_TERMINAL_BARRIER_RISE_TIME": "2.0", "EXIT_TERMINAL_BARRIER_CLOSE_TIME": "8.0"}


def free_lift(folder: Path, **fields: Any) -> Lift:
    now = CLOCK.wall_ms()
    told: dict[str, Any] = {
        "id": new_id(CLOCK), "at": stamp(now), "session": derived_id(now, "stay"), "reason": "free", "by": "worker",
        "not_after": stamp(now + 30_000), **fields,
    }  # fmt: skip
    return sign_lift(load_signing_key(folder / "secrets" / "worker.pem"), "marina", "exit-1", key="worker", **told)


def raised_before(folder: Path, ago_ms: int) -> None:
    """According to its journal, a barrier raised here this long ago."""
    old, at_ms = free_lift(folder), CLOCK.wall_ms() - ago_ms
    with Journal.open(folder / "barrier.db", role="barrier", ballast_bytes=4096) as journal:
        journal.append_now([intent_row(old)], at_ms)
        journal.append_now([done_row(old)], at_ms)


async def send(garage: Garage, lift: Lift) -> None:
    await garage.bus.publish("parking/marina/exit-1/lift", encode(lift))


@pytest.mark.fault("cut-barrier")
async def test_a_barrier_whose_journal_shows_no_late_pulse_raises_at_once_when_it_is_back(
    tmp_path: Path, mosquitto: Mosquitto
) -> None:
    async with Garage(tmp_path, mosquitto.url) as garage:
        raised_before(tmp_path, 60_000)
        await garage.start("barrier", env=AN_ARM)
        await garage.kill("barrier")
        lift = free_lift(tmp_path)
        await send(garage, lift)  # the broker keeps it
        mark = len(garage.heard.all)
        await garage.spawn("barrier", env=AN_ARM)
        answered = await garage.heard.until("barrier", since=mark, answer=lambda a: a and a["lift"] == lift.id)
        assert answered["answer"]["outcome"] == "raised"
        assert "unknown" not in [message["state"] for message in garage.heard.of("barrier")]


@pytest.mark.fault("cut-barrier", "barrier-clock")
@pytest.mark.parametrize("ago_ms", [1_000, -3_600_000])
async def test_a_barrier_that_pulsed_just_now_or_whose_clock_went_back_does_not_know_its_arm(
    tmp_path: Path, mosquitto: Mosquitto, ago_ms: int
) -> None:
    async with Garage(tmp_path, mosquitto.url) as garage:
        raised_before(tmp_path, ago_ms)
        await garage.start("barrier", env=AN_ARM)
        lift = free_lift(tmp_path)
        await send(garage, lift)
        answered = await garage.heard.until("barrier", answer=lambda a: a and a["lift"] == lift.id)
        assert (answered["state"], answered["answer"]["why"]) == ("unknown", "busy")


@pytest.mark.parametrize("name", ["lane", "barrier"])
async def test_two_barriers_of_one_lane_are_noticed(tmp_path: Path, mosquitto: Mosquitto, name: str) -> None:
    """Also two that have one name at the broker, and are there by turns."""
    async with Garage(tmp_path, mosquitto.url) as garage:
        await garage.start("barrier")
        second = {"EXIT_TERMINAL_BARRIER_JOURNAL": "second.db", "EXIT_TERMINAL_MQTT_USERNAME": name}
        first = garage.running.pop("barrier")
        try:
            await garage.spawn("barrier", env=second)
            await garage.heard.until("alert", code="second-barrier", severity="critical")
            await garage.heard.until("health/barrier", state="degraded")
        finally:
            await first.kill()


@pytest.mark.fault("cars-swap")
@pytest.mark.parametrize("command", ["barrier", "run"])
async def test_a_lift_that_the_broker_kept_raises_for_nobody(
    tmp_path: Path, mosquitto: Mosquitto, command: str
) -> None:
    """A lift for whoever waits, published while the barrier was away; the loops say that nobody waits."""
    async with Garage(tmp_path, mosquitto.url) as garage:
        await garage.start(command)
        await garage.vehicle(False)
        await garage.kill(command)
        lift = free_lift(tmp_path)
        await send(garage, lift)
        mark = len(garage.heard.all)
        await garage.start(command)
        await garage.vehicle(False)
        answered = await garage.heard.until("barrier", since=mark, answer=lambda a: a and a["lift"] == lift.id)
        assert answered["answer"]["why"] == "car"
        assert "rising" not in [message["state"] for message in garage.heard.of("barrier")]
