"""A bounded part of each scenario, for the table of faults (`make faults`); `make test` leaves this folder out."""

from pathlib import Path

import pytest

from tests.chaos.__main__ import QUICK, QUICK_SLACK, Part, run
from tests.chaos.scenarios import SETTINGS

pytestmark = pytest.mark.timeout(300)
KILLS = 12


async def wrong(part: Part, folder: Path) -> list[str]:
    return (await run(part, folder, 200.0, QUICK_SLACK)).wrong


@pytest.mark.fault("cut-before-fee", "cut-paid", "cut-barrier", "cut-free", "relay-quiet")
@pytest.mark.parametrize("broker", ["amqtt", "mosquitto"])
async def test_processes_may_be_killed_at_any_step(broker: str, tmp_path: Path) -> None:
    assert await wrong(Part("kills", broker, KILLS, 1), tmp_path / "garage") == []


@pytest.mark.fault("broker-restarts", "notified-often")
@pytest.mark.parametrize(("broker", "lanes"), [("amqtt", 2), ("mosquitto", 4)])
async def test_brokers_may_restart_while_everybody_pays(broker: str, lanes: int, tmp_path: Path) -> None:
    part = Part("broker-restarts", broker, QUICK["broker-restarts"], 1, lanes=lanes)
    assert await wrong(part, tmp_path / "garage") == []


@pytest.mark.fault("link-cuts")
@pytest.mark.parametrize(("scenario", "broker"), [("cuts", "amqtt"), ("half-open", "mosquitto")])
async def test_lines_may_break_or_hang(scenario: str, broker: str, tmp_path: Path) -> None:
    assert await wrong(Part(scenario, broker, QUICK[scenario], 1), tmp_path / "garage") == []


@pytest.mark.fault("power-cut")
@pytest.mark.parametrize("broker", ["amqtt", "mosquitto"])
async def test_a_lane_may_lose_its_power_between_pulse_and_answer(broker: str, tmp_path: Path) -> None:
    assert await wrong(Part("power-cut", broker, QUICK["power-cut"], 1), tmp_path / "garage") == []


@pytest.mark.fault("journal-put-back")
@pytest.mark.parametrize("broker", ["amqtt", "mosquitto"])
async def test_a_journal_may_be_put_back(broker: str, tmp_path: Path) -> None:
    assert await wrong(Part("put-back", broker, QUICK["put-back"], 1), tmp_path / "garage") == []


@pytest.mark.fault("stolen-lane", "ticket-copied", "lost-names-nobody")
async def test_a_stolen_lane_opens_nothing_and_takes_no_visit_from_another_lane(tmp_path: Path) -> None:
    part = Part("stolen-lane", "mosquitto", QUICK["stolen-lane"], 1, lanes=2)
    assert await wrong(part, tmp_path / "garage") == []


@pytest.mark.parametrize("broker", ["amqtt", "mosquitto"])
async def test_a_flood_from_one_lane_holds_no_other_up(broker: str, tmp_path: Path) -> None:
    part = Part("lane-flood", broker, QUICK["lane-flood"], 1, lanes=2)
    assert await wrong(part, tmp_path / "garage") == []


@pytest.mark.fault("listener-flood", "reader-garbage")
async def test_floods_hold_nobody_up(tmp_path: Path) -> None:
    assert await wrong(Part("flood", "amqtt", QUICK["flood"], 1), tmp_path / "garage") == []


@pytest.mark.fault("worker-frozen", "database-cut")
async def test_of_two_workers_one_may_freeze_or_hand_over_and_their_database_may_die(tmp_path: Path) -> None:
    part = Part("two-workers", "mosquitto", QUICK["two-workers"], 1, lanes=SETTINGS["two-workers"].lanes)
    assert await wrong(part, tmp_path / "garage") == []
