"""Faults of tests/faults.py that take long: real processes whose seconds are shorter (tests/acceptance/scaled.py)."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from PIL import Image

from terminal.contract.messages import moment
from terminal.screen import qr
from tests.acceptance.station import RAISED, Station
from tests.conftest import Mosquitto
from tests.support.authority import Authority
from tests.support.eventually import eventually

SCALE = 10
ROLES = ("worker", "barrier", "lcd", "reader")


async def glass(lane: Station) -> str | None:
    """What a phone reads off the glass now."""
    with Image.open(lane.folder / "glass" / "latest.png") as image:
        return await asyncio.to_thread(qr.decode, image.convert("RGB"))


async def until_blank(lane: Station, *, within: float) -> None:
    """Until no code is on the glass; ``within`` these seconds, and real ones to look at it on a busy machine."""

    async def is_blank() -> bool:
        return await glass(lane) is None

    await eventually(is_blank, limit_s=within / lane.scale + 5.0, every_s=0.02)


@pytest.mark.fault("code-orphaned")
async def test_a_code_goes_off_15_s_after_the_worker_died_and_what_was_paid_meanwhile_is_found(
    tmp_path: Path, mosquitto: Mosquitto
) -> None:
    async with Station(tmp_path, mosquitto.url, scale=SCALE, notify=False) as lane:
        await lane.opens(*ROLES)
        mark = lane.scan(lane.ticket())
        order = await lane.order(since=mark)
        await lane.code_on_glass(order["token_url"])
        await lane.kill("worker")
        await lane.sandbox.pay(order["token_url"])
        await until_blank(lane, within=25)
        last = [moment(m["at"]) for m in lane.heard.of("health/worker") if m["state"] == "online"][-1]
        assert lane.clock.wall_ms() - last >= 15_000
        assert lane.raised == set()
        await lane.opens("worker")
        up = await lane.hears("barrier", mark, within=30, state="up", reason="paid")
        assert lane.raised == {up["lift"]}
        assert len(lane.sandbox.calls_of("placeOrder")) == 1


@pytest.mark.fault("broker-hour")
async def test_without_a_broker_payments_are_found_and_no_lift_acts_when_its_time_is_over(
    tmp_path: Path, mosquitto: Mosquitto
) -> None:
    """Five minutes, in which every lift's time runs out; tests/test_faults_rules.py has the whole hour."""
    async with Station(tmp_path, mosquitto.url, scale=20, notify=True) as lane:
        await lane.opens()
        ticket = lane.ticket()
        mark = lane.scan(ticket)
        order = await lane.order(since=mark)
        no = order["order_no"]
        await lane.code_on_glass(order["token_url"])
        mosquitto.stop(9)
        await until_blank(lane, within=40)
        asked = len(lane.sandbox.calls_of("getOrder"))
        await lane.called("getOrder", no, asked + 2, within=20)
        await lane.sandbox.pay(order["token_url"])
        await lane.wait(300)
        posted = list(lane.sandbox.deliveries)
        assert {d.status for d in posted} == {503}
        at_pay = len(lane.sandbox.calls_of("getOrder"))
        await lane.wait(30)
        assert len(lane.sandbox.calls_of("getOrder")) == at_pay, "found, and asked no more"
        await asyncio.to_thread(mosquitto.start)
        since = len(lane.heard.all)
        await lane.heard.until("barrier", since=since, state="down")
        await lane.wait(30)
        assert lane.raised == set(), "nothing of then opens now"
        mark = lane.scan(ticket)
        up = await lane.hears("barrier", mark, within=40, state=lambda s: s in RAISED)
        assert (lane.raised, len(lane.sandbox.orders)) == ({up["lift"]}, 1)


@asynccontextmanager
async def behind_tls(port: int, context: ssl.SSLContext) -> AsyncIterator[int]:
    """A port that speaks TLS before the one of PayBy's sandbox."""
    tasks: set[asyncio.Task[None]] = set()

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65536):
                writer.write(data)
        except OSError:
            pass
        finally:
            writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        up_reader, up_writer = await asyncio.open_connection("127.0.0.1", port)
        for ends in ((reader, up_writer), (up_reader, writer)):
            task = asyncio.create_task(pump(*ends))
            tasks.add(task)
            task.add_done_callback(tasks.discard)

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@pytest.mark.fault("certificate")
@pytest.mark.parametrize("fault", ["expired", "of another host"])
async def test_a_payby_whose_certificate_is_wrong_is_not_spoken_to_told_and_served_once_it_is_right(
    fault: str, tmp_path: Path, mosquitto: Mosquitto
) -> None:
    authority = Authority(tmp_path)
    wrong = authority.issue("wrong", "127.0.0.1", days=-1) if fault == "expired" else authority.issue("wrong", "x.test")
    right = authority.issue("right", "127.0.0.1")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*wrong)
    place = tmp_path / "place"
    place.mkdir()
    async with (
        Station(place, mosquitto.url, scale=SCALE, notify=False) as lane,
        behind_tls(lane.sandbox.port, context) as port,
    ):
        url = f"https://127.0.0.1:{port}/sgs/api"
        await lane.opens(env={"EXIT_TERMINAL_PAYBY_BASE_URL": url, "SSL_CERT_FILE": str(authority.file)})
        told = await lane.hears("alert", 0, within=60, severity="critical", code="payby-payby")
        assert "certificate" in told["text"]
        await lane.hears("screen", 0, within=30, state="out-of-order", reason="clock")
        assert (lane.sandbox.calls, lane.sandbox.probes) == ([], 0)
        mark = len(lane.heard.all)
        context.load_cert_chain(*right)
        await lane.hears("screen", mark, within=90, state="idle")
        mark = lane.scan(lane.ticket())
        order = await lane.hears("order", mark, within=90, status="created")
        await lane.code_on_glass(order["token_url"])
        await lane.hears("alert", 0, within=30, state="cleared", code="payby-payby")
