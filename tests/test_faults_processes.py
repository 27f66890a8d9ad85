"""Faults of tests/faults.py with real processes on loopback; PayBy's sandbox, Mosquitto and a scanner around them."""

import asyncio
import json
import time
from itertools import groupby
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from PIL import Image

from terminal.clock import SystemClock, new_id
from terminal.contract import messages
from terminal.contract.messages import Lift, Proof, encode, stamp
from terminal.contract.signatures import load_signing_key, sign_lift, sign_screen
from terminal.core.ids import derived_id
from terminal.payby.sandbox.command import key_pair
from terminal.payby.sandbox.faults import NotifyFault
from terminal.payby.signing import sign
from terminal.screen import qr
from tests.conftest import Mosquitto
from tests.support.garage import Garage, opened
from tests.support.shipped_mosquitto import ShippedMosquitto

CLOCK = SystemClock()
ROLES = ("worker", "listener", "barrier", "lcd", "reader")
LANE = "parking/marina/exit-1/"
RAISED = ("rising", "up")


def garage(tmp_path: Path, broker: Mosquitto | ShippedMosquitto | str, **more: Any) -> Garage:
    return Garage(tmp_path, broker.url if isinstance(broker, Mosquitto) else broker, **more)


def raises(lane: Garage) -> list[str]:
    """The lifts that the boom rose for, in order."""
    lifts = [b["lift"] for b in lane.heard.of("barrier") if b["state"] in RAISED and "lift" in b]
    return list(dict.fromkeys(lifts))


@pytest.mark.fault("cut-before-fee", "worker-away")
async def test_a_ticket_read_while_the_worker_is_dead_counts_once_when_it_is_back(
    tmp_path: Path, either_mosquitto: str | ShippedMosquitto
) -> None:
    async with opened(garage(tmp_path, either_mosquitto, notify=False), ROLES) as lane:
        await lane.kill("worker")
        mark = lane.scan(lane.ticket())
        said = await lane.heard.until("fee", since=mark)
        again = len(lane.heard.all)
        await lane.heard.until("fee", since=again, id=said["id"])
        await lane.start("worker")
        order = await lane.order(since=mark)
        assert order["fee"] == said["id"]
        await lane.code_on_glass(order["token_url"])
        await lane.sandbox.pay(order["token_url"])
        await lane.heard.until("barrier", since=mark, state="up", reason="paid")
        assert (list(lane.sandbox.orders), len(raises(lane))) == ([order["order_no"]], 1)


@pytest.mark.fault("notified-often")
async def test_fifty_copies_of_a_notification_at_once_are_each_answered_and_lift_once(
    tmp_path: Path, each_broker: str | ShippedMosquitto
) -> None:
    async with opened(garage(tmp_path, each_broker), ["run"]) as lane:
        mark = lane.scan(lane.ticket())
        order = await lane.order(since=mark)
        lane.sandbox.notify_fault = NotifyFault(copies=50)
        await lane.sandbox.pay(order["token_url"])
        await lane.heard.until("barrier", since=mark, state="down", reason="paid", lift=lambda lift: lift is not None)
        await lane.sandbox.notified()
        assert [(d.status, d.ok) for d in lane.sandbox.deliveries] == [(200, True)] * 50
        assert len({m["id"] for m in lane.heard.of("lift")}) == len(raises(lane)) == 1


@pytest.mark.fault("never-notified")
async def test_a_payment_that_nobody_notified_of_raises_within_6_s(tmp_path: Path, mosquitto: Mosquitto) -> None:
    async with opened(garage(tmp_path, mosquitto, notify=False), ["run"]) as lane:
        mark = lane.scan(lane.ticket())
        order = await lane.order(since=mark)
        await lane.sandbox.pay(order["token_url"])
        await lane.heard.until("barrier", since=mark, state=lambda s: s in RAISED, limit_s=6.0)


@pytest.mark.fault("forged-lift")
async def test_nothing_that_is_said_on_the_broker_raises_the_boom_but_a_genuine_lift(
    tmp_path: Path, either_mosquitto: str | ShippedMosquitto
) -> None:
    """A genuine lift is recorded; then everything that an intruder could make of it is said."""
    async with opened(garage(tmp_path, either_mosquitto), ["run"]) as lane:
        mark = lane.scan(lane.ticket())
        order = await lane.order(since=mark)
        await lane.sandbox.pay(order["token_url"])
        up = await lane.heard.until("barrier", since=mark, state="up", reason="paid")
        await lane.heard.until("barrier", since=mark, state="down", lift=up["lift"])
        genuine = msgspec.convert(next(m for m in lane.heard.of("lift") if m["id"] == up["lift"]), Lift)
        forged = forgeries(lane.folder, genuine, order["order_no"])
        for name, text in forged.items():
            since = len(lane.heard.all)
            await lane.bus.publish(LANE + "lift", text)
            answered = await lane.heard.until(
                "barrier", since=since, answer=lambda a, name=name, text=text: a and a["lift"] == json.loads(text)["id"]
            )
            assert answered["answer"]["outcome"] == ("raised" if name == "sent again" else "refused"), name
        await lane.heard.until("alert", since=mark, code="forged-lift", severity="critical")
        body = '{"acquireOrder":{}}'
        said = messages.Paid(**head(), order_no=order["order_no"], notify_id="n", body=body, sign=genuine.sign)
        await lane.bus.publish(LANE + "paid", encode(said))
        await lane.heard.until("alert", since=mark, code="forged-paid", severity="critical")
        assert raises(lane) == [up["lift"]]
        states = [b["state"] for b in lane.heard.of("barrier")]
        assert [state for state, _ in groupby(states)].count("rising") == 1  # the barrier repeats its state


def head() -> dict[str, Any]:
    return {"id": new_id(CLOCK), "at": stamp(CLOCK.wall_ms())}


def forgeries(folder: Path, genuine: Lift, order_no: str) -> dict[str, bytes]:
    """What looks like ``genuine``; also what the worker's own key would sign, were it stolen."""
    key = load_signing_key(folder / "secrets" / "worker.pem")
    fields = {name: getattr(genuine, name) for name in genuine.__struct_fields__ if name not in ("sign", "key", "v")}
    fields = {name: value for name, value in fields.items() if value is not None}
    now = CLOCK.wall_ms()

    def altered(**changes: Any) -> bytes:
        return encode(msgspec.structs.replace(genuine, **{"id": new_id(CLOCK), **changes}))

    def signed(*, lane: str = "exit-1", **changes: Any) -> bytes:
        new = fields | {"id": new_id(CLOCK), "not_after": stamp(CLOCK.wall_ms() + 20_000)} | changes
        new = {name: value for name, value in new.items() if value is not None}
        return encode(sign_lift(key, "marina", lane, key="worker", **new))

    stay = derived_id(now, "another stay")
    other_no = f"marina-exit-1-{stay.replace('-', '')}"
    proof = genuine.proof
    assert proof is not None
    unpaid = Proof(proof.body.replace("PAID_SUCCESS", "CREATED"), proof.sign)
    return {
        "sent again": encode(genuine),
        "another id": altered(),
        "another deadline": altered(not_after=stamp(now + 20_000)),
        "another stay": altered(session=stay),
        "another reason": altered(reason="free"),
        "another signer's name": altered(by="somebody"),
        "another amount": altered(amount="1.00"),
        "no such key": altered(key="worker-9"),
        "spent payment": signed(),
        "late": signed(not_after=stamp(now - 1)),
        "too far ahead": signed(not_after=stamp(now + 120_000)),
        "another lane's": signed(lane="exit-2"),
        "no proof": signed(proof=None),
        "proof of what is not paid": signed(proof=unpaid),
        "proof of another order": signed(session=stay, order_no=other_no),
        "proof signed by nobody": signed(proof=Proof(proof.body, proof.sign[::-1])),
        "another price": signed(amount="1.00"),
        "an operator's by a worker": signed(reason="operator", order_no=None, amount=None, proof=None),
    }


@pytest.mark.fault("reader-garbage")
async def test_garbage_under_the_scanner_is_refused_and_the_next_ticket_served(
    tmp_path: Path, mosquitto: Mosquitto
) -> None:
    async with opened(garage(tmp_path, mosquitto, notify=False), ["run"]) as lane:
        mark = len(lane.heard.all)
        ten_kb = bytes(range(14, 256)) * 42  # neither CR nor LF
        for garbage in (ten_kb, b"\xff\xfe\xfa", b"-90;-1;\x00\x1b[2J"):
            lane.scan(garbage.decode("latin-1"))
        shown = await lane.heard.until("screen", since=mark, state="help")
        assert shown["reason"] == "ticket-unknown"
        await lane.heard.until("alert", since=mark, code="ticket-garbage")
        for _ in range(10):
            lane.scan("10 a second")
            await asyncio.sleep(0.1)  # so fast comes what is tested
        lane.scan(lane.ticket(minutes=-600))
        await lane.heard.until("screen", since=mark, state="help", reason="ticket-future")
        assert lane.sandbox.calls == []
        order_mark = lane.scan(lane.ticket())
        order = await lane.order(since=order_mark)
        await lane.code_on_glass(order["token_url"])
        for _ in range(10):  # over the code, too
            lane.scan("\x00garbage")
        await lane.sandbox.pay(order["token_url"])
        await lane.heard.until("barrier", since=order_mark, state="up", reason="paid")
        assert not lane.running["run"].ended


@pytest.mark.fault("scanner-ends")
async def test_a_scanner_without_a_line_end_is_served_also_after_half_a_ticket(
    tmp_path: Path, mosquitto: Mosquitto
) -> None:
    async with opened(garage(tmp_path, mosquitto, notify=False), ["run"]) as lane:
        mark = lane.send(lane.ticket()[:40].encode())
        shown = await lane.heard.until("screen", since=mark, state="help")
        assert shown["reason"] == "ticket-unknown"
        alert = await lane.heard.until("alert", since=mark, code="ticket-garbage")
        assert "CR as its suffix" in alert["text"]
        mark = lane.send(b"\x02]Q1" + lane.ticket().encode())
        order = await lane.order(since=mark)
        await lane.code_on_glass(order["token_url"])
        await lane.heard.until("alert", since=mark, code="ticket-garbage", state="cleared")


@pytest.mark.fault("forged-screen")
async def test_somebody_elses_code_on_the_broker_never_reaches_the_glass(tmp_path: Path, mosquitto: Mosquitto) -> None:
    foreign = "https://qr.payby.com?BIZ_TYPE=202&ft=00000000000000000000000000000000&t=1765054600668"
    async with opened(garage(tmp_path, mosquitto, notify=False), ["run"]) as lane:
        mark = lane.scan(lane.ticket())
        order = await lane.order(since=mark)
        await lane.code_on_glass(order["token_url"])
        shown = await lane.heard.until("screen", since=mark, state="pay")
        fields = {
            "session": shown["session"],
            "fee": shown["fee"],
            "state": "pay",
            "amount": shown["amount"],
            "currency": "AED",
            "expires": shown["expires"],
            "remaining": shown["remaining"],
            "qr": qr.to_wire(qr.encode(foreign)),
        }
        stranger = load_signing_key(stranger_key(tmp_path))
        for name in ("worker", "worker-9"):
            forged = sign_screen(stranger, "marina", "exit-1", key=name, **head(), **fields)
            await lane.bus.publish(LANE + "screen", encode(forged), retain=True)
        await lane.heard.until("alert", since=mark, code="forged-screen", severity="critical")
        since = len(lane.heard.all)
        await lane.heard.until("health/run", since=since)  # time in which the countdown is drawn further
        await lane.code_on_glass(order["token_url"])
        seen = set()
        for picture in sorted((lane.folder / "glass").glob("[0-9]*.png")):
            with Image.open(picture) as image:
                seen.add(qr.decode(image.convert("RGB")))
        assert order["token_url"] in seen
        assert seen <= {None, order["token_url"]}


def stranger_key(folder: Path) -> Path:
    from cryptography.hazmat.primitives import serialization as ser
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    path = folder / "stranger.pem"
    pem = Ed25519PrivateKey.generate().private_bytes(ser.Encoding.PEM, ser.PrivateFormat.PKCS8, ser.NoEncryption())
    path.write_bytes(pem)
    path.chmod(0o600)
    return path


@pytest.mark.fault("keys-rotate")
async def test_paybys_next_key_counts_without_a_restart_and_a_strangers_is_told(
    tmp_path: Path, mosquitto: Mosquitto
) -> None:
    lane = garage(tmp_path, mosquitto, notify=False)
    async with lane:
        next_key = key_pair(lane.folder / "secrets", "payby-next")
        both = '["secrets/payby.pub.pem", "secrets/payby-next.pub.pem"]'
        await lane.start("run", env={"EXIT_TERMINAL_PAYBY_PAYBY_PUBLIC_KEY": both})
        mark = lane.scan(lane.ticket())
        order = await lane.order(since=mark)
        lane.sandbox.private_key = rsa.generate_private_key(65537, 2048)
        await lane.sandbox.pay(order["token_url"])
        await lane.heard.until("alert", since=mark, severity="critical", code=lambda c: c.startswith("payby-"))
        assert lane.heard.of("lift") == []
        lane.sandbox.private_key = next_key
        await lane.heard.until("barrier", since=mark, state="up", reason="paid")


@pytest.mark.fault("listener-flood")
async def test_a_genuine_notification_is_answered_in_time_through_a_flood_and_half_open_requests(
    tmp_path: Path, mosquitto: Mosquitto
) -> None:
    async with opened(garage(tmp_path, mosquitto), ["worker", "listener"]) as lane:
        url, took = lane.notify_url, list[float]()
        host, port = "127.0.0.1", int(url.split(":")[2].split("/")[0])
        halves = [await asyncio.open_connection(host, port) for _ in range(500)]
        for _, writer in halves:
            writer.write(b"POST /payby/notify HTTP/1.1\r\nHost: x\r\nContent-Length: 2000\r\n\r\n{")
        body = b'{"acquireOrder":{"merchantOrderNo":"x","status":"PAID_SUCCESS"},"notify_id":"1","notify_timestamp":1}'
        refused = 0

        async def flood(session: aiohttp.ClientSession) -> None:
            nonlocal refused
            while True:
                try:
                    async with session.post(url, data=body, headers={"sign": "Zm9yZ2Vk"}) as reply:
                        refused += reply.status == 401
                except aiohttp.ClientError:
                    await asyncio.sleep(0.01)  # refused: a flood would not stop either

        async with aiohttp.ClientSession() as bad, aiohttp.ClientSession() as good:
            floods = [asyncio.create_task(flood(bad)) for _ in range(24)]
            try:
                for number in range(40):
                    genuine = genuine_notification(number)
                    began = time.monotonic()
                    signature = sign(lane.sandbox.private_key, genuine)
                    async with good.post(url, data=genuine, headers={"sign": signature}) as reply:
                        assert (reply.status, await reply.json()) == (200, {"response": "SUCCESS"})
                    took.append(time.monotonic() - began)
                    await asyncio.sleep(0.05)  # so fast come the genuine ones
            finally:
                for task in floods:
                    task.cancel()
                await asyncio.gather(*floods, return_exceptions=True)
        for _, writer in halves:
            writer.close()
        assert refused > 50
        took.sort()
        assert took[len(took) // 2] < 0.1, took
        assert took[-1] < 1.0, took
        assert lane.heard.of("lift") == []


def genuine_notification(number: int) -> bytes:
    """PayBy notifies us of an order that is not ours: it is journaled, and still answered."""
    session = derived_id(CLOCK.wall_ms(), "none of ours", str(number))
    order = {
        "merchantOrderNo": f"marina-exit-1-{session.replace('-', '')}",
        "orderNo": f"13{number:016d}",
        "status": "PAID_SUCCESS",
        "payeeMid": "200000000888",
        "totalAmount": {"amount": 20.0, "currency": "AED"},
    }
    said = {"acquireOrder": order, "notify_id": f"n{number}", "notify_timestamp": CLOCK.wall_ms()}
    return json.dumps(said).encode()
