"""A machine whose clock is wrong asks for the true amount, or for none."""

import shutil
import signal
from pathlib import Path
from typing import Any

import pytest

from terminal.clock import SystemClock
from terminal.journal.archive import read_all
from tests.conftest import Mosquitto
from tests.support.garage import Garage

pytestmark = pytest.mark.skipif(
    shutil.which("mosquitto") is None, reason="no mosquitto here: apt-get install mosquitto"
)
HOUR = 3_600_000
NOW = SystemClock().wall_ms()
WRONG = {
    "an hour ahead": HOUR,
    "an hour behind": -HOUR,
    "eight hours ahead": 8 * HOUR,
    "eight hours behind": -8 * HOUR,
    "1970": 3 * HOUR - NOW,
    "2099": 4_080_000_000_000 - NOW,
}
wrong = pytest.mark.parametrize("ahead", WRONG.values(), ids=WRONG)


class Elsewhen(Garage):
    """A garage whose machine's clock is ``ahead`` by that many ms; PayBy's and the entry's are right."""

    def __init__(self, *args: Any, ahead: int, **more: Any) -> None:
        super().__init__(*args, **more)
        self.ahead = ahead

    def words(self, command: str) -> list[str]:
        return ["-W", "error", "-m", "tests.support.shifted", command, str(self.file), str(self.ahead)]


@pytest.mark.fault("clock-wrong", "clock-for-money")
@wrong
async def test_a_clock_that_is_known_to_be_wrong_asks_for_the_true_amount(
    tmp_path: Path, mosquitto: Mosquitto, ahead: int
) -> None:
    async with Elsewhen(tmp_path, mosquitto.url, ahead=ahead) as lane:
        await lane.start("run")
        await lane.heard.until("alert", code="clock-skew", state="raised")
        mark = lane.scan(lane.ticket(90))
        order = await lane.order(since=mark)
        screen = await lane.heard.until("screen", since=mark, state="pay")
        assert (order["amount"], screen["amount"]) == ("20.00", "20.00")
        assert screen["minutes"] in (90, 91)  # the second in which the ticket was made may be over
        await lane.sandbox.pay(order["token_url"])
        await lane.heard.until("barrier", since=mark, state=lambda s: s in ("rising", "up"), reason="paid")
        assert not [alert for alert in lane.heard.of("alert") if alert["code"] == "bad-fee"]


@pytest.mark.fault("clock-wrong", "clock-for-money")
@wrong
async def test_a_clock_that_nobody_confirms_asks_for_nothing(tmp_path: Path, mosquitto: Mosquitto, ahead: int) -> None:
    async with Elsewhen(tmp_path, mosquitto.url, ahead=ahead) as lane:
        lane.sandbox.cut_off = True
        await lane.start("run")
        await lane.heard.until("screen", state="out-of-order", reason="clock")
        await lane.heard.until("alert", code="clock-unconfirmed", state="raised")
        for minutes in (90, 5):
            mark = lane.scan(lane.ticket(minutes))
            answer = await lane.heard.until("order", since=mark, fee=lambda fee: fee is not None)
            assert answer["status"] == "none"
        assert {screen["state"] for screen in lane.heard.of("screen")} == {"out-of-order"}
        assert lane.heard.of("lift") == []


@pytest.mark.fault("clock-for-money")
@pytest.mark.slow
async def test_a_lane_serves_by_itself_once_payby_tells_the_time(tmp_path: Path, mosquitto: Mosquitto) -> None:
    async with Elsewhen(tmp_path, mosquitto.url, ahead=-8 * HOUR) as lane:
        lane.sandbox.cut_off = True
        await lane.start("run")
        await lane.heard.until("screen", state="out-of-order", reason="clock")
        lane.sandbox.heal()
        await lane.heard.until("screen", state="idle", limit_s=30)
        mark = lane.scan(lane.ticket(90))
        assert (await lane.order(since=mark))["amount"] == "20.00"


@pytest.mark.fault("clock-for-money")
async def test_a_clock_that_was_ahead_at_one_start_does_not_hold_the_time_of_the_next(
    tmp_path: Path, mosquitto: Mosquitto
) -> None:
    async with Elsewhen(tmp_path, mosquitto.url, ahead=WRONG["2099"]) as lane:
        lane.sandbox.cut_off = True
        await lane.start("run")
        await lane.heard.until("screen", state="out-of-order", reason="clock")
        await lane.running.pop("run").kill(signal.SIGTERM)
        lane.sandbox.heal()
        lane.ahead = 0
        mark = len(lane.heard.all)
        await lane.start("run")
        await lane.heard.until("screen", since=mark, state="idle")
        mark = lane.scan(lane.ticket(5))
        lift = await lane.heard.until("lift", since=mark, reason="free")
        assert abs(int(lift["id"].replace("-", "")[:12], 16) - SystemClock().wall_ms()) < 60_000
        await lane.heard.until("barrier", since=mark, state="up", reason="free")
        await lane.running.pop("run").kill(signal.SIGTERM)
        rows = list(read_all(tmp_path / "journal.db"))
        assert any(row.at_ms > NOW + 70 * 365 * 24 * HOUR for row in rows), "it began in 2099"
        assert abs(rows[-1].at_ms - SystemClock().wall_ms()) < 60_000
