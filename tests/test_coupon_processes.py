"""A coupon on a pty, at a lane of real processes: after the ticket it lets its driver out, once."""

from pathlib import Path

from terminal.clock import SystemClock
from terminal.core.coupon import sign_coupon
from tests.conftest import Mosquitto
from tests.support.garage import Garage

KEY = bytes(range(32))
COUPON = '[coupon]\nkeys = { c1 = "secrets/coupon-c1" }\n'


async def test_a_coupon_for_a_free_stay_raises_the_boom_for_one_driver(tmp_path: Path, mosquitto: Mosquitto) -> None:
    text = sign_coupon("marina", "0" * 20, "free", 0, SystemClock().wall_ms() + 3_600_000, "c1", KEY)
    async with Garage(tmp_path, mosquitto.url, more=COUPON) as garage:
        file = garage.folder / "secrets/coupon-c1"
        file.write_text(KEY.hex())
        file.chmod(0o600)
        await garage.start("run")
        mark = garage.scan(garage.ticket())
        await garage.order(since=mark)
        garage.scan(text)
        raised = await garage.heard.until("barrier", since=mark, state=lambda state: state in ("rising", "up"))
        assert raised["reason"] == "free"
        await garage.heard.until("barrier", since=mark, state="down", lift=raised["lift"])
        again = garage.scan(garage.ticket())
        await garage.order(since=again)
        garage.scan(text)
        shown = await garage.heard.until("screen", since=again, state="help")
        assert shown["reason"] == "coupon-used"
        assert {m["session"] for topic, m in garage.heard.all if topic == "lift"} == {raised["session"]}
