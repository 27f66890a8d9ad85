"""The sandbox refuses what PayBy refuses, notifies as PayBy notifies, and fails on demand."""

import asyncio
import gc
import json
import re
import socket
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from terminal.payby.client import PayByClient
from terminal.payby.sandbox.command import serve
from terminal.payby.sandbox.faults import Fault
from terminal.payby.sandbox.parameters import Refusal
from terminal.payby.sandbox.server import Sandbox
from terminal.payby.signing import load_private_key, load_public_keys, sign
from terminal.payby.statement_reader import StatementKind, read_zip
from tests.support.sandbox_http import MERCHANT, MINUTE, NOON, PAYBY, Ask, ask, clock, code, http, order, sandbox
from tests.support.turned_clock import TurnedClock

__all__ = ["ask", "clock", "http", "sandbox"]


async def test_an_answer_looks_like_paybys(ask: Ask) -> None:
    answer = await ask("acquire2/placeOrder", order(notifyUrl="https://x/y", reserved="r"))
    assert answer["head"] == {"applyStatus": "SUCCESS", "code": "0", "msg": "SUCCESS", "traceCode": "000001"}
    found = answer["body"]["acquireOrder"]
    assert re.fullmatch(r"13\d{16}", found.pop("orderNo"))
    assert found == {
        "merchantOrderNo": "a-1", "status": "CREATED", "product": "Basic Payment Gateway",
        "totalAmount": {"amount": 20, "currency": "AED"}, "payeeMid": "200000000888",
        "expiredTime": NOON + 120 * MINUTE, "requestTime": NOON, "notifyUrl": "https://x/y", "subject": "Parking",
        "paySceneCode": "DYNQR", "reserved": "r", "revoked": "false",
    }  # fmt: skip
    url = answer["body"]["interActionParams"]["tokenUrl"]
    assert re.fullmatch(r"https://qr\.payby\.com\?BIZ_TYPE=202&ft=[0-9a-f]{32}&t=\d{13}", url)
    assert len(url) == 85


async def test_a_foreign_or_missing_signature_is_an_error(ask: Ask) -> None:
    stranger = sign(PAYBY, b"x")
    for header in (None, "", "x", stranger):
        assert code(await ask("acquire2/getOrder", {"merchantOrderNo": "a"}, sign=header))[:2] == ("ERROR", "403")


async def test_another_merchants_id_is_refused(ask: Ask) -> None:
    for header in (None, "200000000889"):
        answer = await ask("acquire2/getOrder", {"merchantOrderNo": "a"}, Partner_Id=header)
        assert code(answer) == ("FAIL", "403", "UNAUTHORIZED")


async def test_another_content_type_is_refused(ask: Ask) -> None:
    answer = await ask("acquire2/getOrder", {"merchantOrderNo": "a"}, Content_Type="text/plain")
    assert code(answer) == ("FAIL", "400", "INVALID_PARAMETER")


@pytest.mark.parametrize(
    ("minutes", "msg"),
    [(-15.01, "REQUESTTIME_TOO_EARLY"), (-15, None), (15, None), (15.01, "REQUESTTIME_TOO_LATER")],
)
async def test_the_request_time_may_be_15_minutes_off(ask: Ask, minutes: float, msg: str | None) -> None:
    answer = await ask("acquire2/placeOrder", order(), at=NOON + round(minutes * MINUTE))
    assert code(answer) == (("FAIL", "400", msg) if msg else ("SUCCESS", "0", "SUCCESS"))


BAD = [
    ({"merchantOrderNo": "a b"}, "400"),
    ({"merchantOrderNo": "x" * 65}, "400"),
    ({"merchantOrderNo": ""}, "400"),
    ({"merchantOrderNo": None}, "400"),
    ({"merchantOrderNo": 5}, "400"),
    ({"subject": ""}, "400"),
    ({"subject": "x" * 65}, "400"),
    ({"subjectAr": "x" * 201}, "400"),
    ({"reserved": "x" * 21}, "400"),
    ({"deviceId": "x" * 201}, "400"),
    ({"notifyUrl": "x" * 201}, "400"),
    ({"totalAmount": None}, "400"),
    ({"totalAmount": {"amount": 1, "currency": "USD"}}, "400"),
    ({"totalAmount": {"amount": 0, "currency": "AED"}}, "400"),
    ({"totalAmount": {"amount": 1.001, "currency": "AED"}}, "400"),
    ({"totalAmount": {"amount": -1, "currency": "AED"}}, "400"),
    ({"totalAmount": {"amount": True, "currency": "AED"}}, "400"),
    ({"paySceneParams": {"changePayer": False}}, "400"),
    ({"paySceneParams": {"changePayer": "no"}}, "400"),
    ({"accessoryContent": []}, "400"),
    ({"accessoryContent": {"goodsDetail": {"body": "x" * 201}}}, "400"),
    ({"accessoryContent": {"terminalDetail": {"storeId": "x" * 201}}}, "400"),
    ({"accessoryContent": {"amountDetail": {"vatAmount": 1}}}, "400"),
    ({"expiredTime": "x"}, "400"),
    ({"expiredTime": NOON}, "62008"),
    ({"expiredTime": NOON + 48 * 60 * MINUTE + 1}, "62009"),
    ({"paySceneCode": "CASH"}, "62012"),
    ({"payeeMid": "200000000001"}, "62019"),
    ({"deviceId": "marina-exit-1"}, "62036"),
]


@pytest.mark.parametrize(("changed", "expected"), BAD)
async def test_bad_parameters_are_refused_and_make_no_order(
    sandbox: Sandbox, ask: Ask, changed: dict[str, Any], expected: str
) -> None:
    assert code(await ask("acquire2/placeOrder", order(**changed)))[1] == expected
    assert sandbox.orders == {}


async def test_only_a_device_of_the_register_takes_payments(
    sandbox: Sandbox, ask: Ask, http: aiohttp.ClientSession
) -> None:
    levers = f"http://127.0.0.1:{sandbox.port}/sandbox/device"
    for allowed, expected in ((None, "62036"), (False, "62037"), (True, "0")):
        if allowed is not None:
            async with http.post(levers, json={"id": "20001019", "allowed": allowed}) as reply:
                assert reply.status == 200
        assert code(await ask("acquire2/placeOrder", order(deviceId="20001019")))[1] == expected


async def test_a_repeated_order_is_the_same_if_its_parameters_are(ask: Ask, clock: TurnedClock) -> None:
    first = await ask("acquire2/placeOrder", order())
    clock.turn(MINUTE)
    again = await ask("acquire2/placeOrder", order(totalAmount={"currency": "AED", "amount": 20.0}))
    assert again["body"] == first["body"]
    assert code(await ask("acquire2/placeOrder", order(subject="Other")))[1:] == ("62016", "MERCHANT_ORDER_NO_EXIST")


async def test_an_order_expires_by_paybys_clock(sandbox: Sandbox, ask: Ask, clock: TurnedClock) -> None:
    await ask("acquire2/placeOrder", order(expiredTime=NOON + MINUTE))
    clock.turn(MINUTE)
    with pytest.raises(Refusal):
        await sandbox.pay("a-1")
    answer = await ask("acquire2/placeOrder", order(expiredTime=NOON + MINUTE))
    assert answer["body"]["acquireOrder"]["status"] == "FAILURE"
    assert "interActionParams" not in answer["body"]
    assert code(await ask("acquire2/cancelOrder", {"merchantOrderNo": "a-1"}))[1] == "62002"


async def test_an_order_is_named_by_one_number(ask: Ask) -> None:
    for call in ("getOrder", "cancelOrder", "revokeOrder"):
        assert code(await ask(f"acquire2/{call}", {"merchantOrderNo": "b"}))[1] == "62004"
        assert code(await ask(f"acquire2/{call}", {"orderNo": "131"}))[1] == "62035"
        assert code(await ask(f"acquire2/{call}", {"merchantOrderNo": "b", "orderNo": "131"}))[1] == "400"
        assert code(await ask(f"acquire2/{call}", {}))[1] == "400"


async def test_a_revoked_settled_order_keeps_its_status(sandbox: Sandbox, ask: Ask) -> None:
    await ask("acquire2/placeOrder", order())
    await sandbox.pay("a-1", settle=True, notify=False)
    answer = await ask("acquire2/revokeOrder", {"merchantOrderNo": "a-1"})
    found = answer["body"]["acquireOrder"]
    assert (found["status"], found["revoked"]) == ("SETTLED", "true")
    assert found["paymentInfo"]["settlementAmount"] == {"amount": 19.8, "currency": "AED"}


async def test_a_refunded_order_is_not_revoked(sandbox: Sandbox, ask: Ask) -> None:
    await ask("acquire2/placeOrder", order())
    await sandbox.pay("a-1", notify=False)
    back = {"refundMerchantOrderNo": "R1", "originMerchantOrderNo": "a-1", "amount": {"amount": 1, "currency": "AED"}}
    await ask("acquire2/refund/placeOrder", back)
    assert code(await ask("acquire2/revokeOrder", {"merchantOrderNo": "a-1"}))[1] == "62041"


async def test_refunds_close_after_180_days(sandbox: Sandbox, ask: Ask, clock: TurnedClock) -> None:
    await ask("acquire2/placeOrder", order())
    await sandbox.pay("a-1", notify=False)
    clock.turn(181 * 24 * 60 * MINUTE)
    back = {"refundMerchantOrderNo": "R1", "originMerchantOrderNo": "a-1", "amount": {"amount": 1, "currency": "AED"}}
    assert code(await ask("acquire2/refund/placeOrder", back))[1] == "62045"


async def test_by_default_the_first_phone_owns_the_code(sandbox: Sandbox, ask: Ask) -> None:
    await ask("acquire2/placeOrder", order("mine"))
    await sandbox.decline("mine", payer="1")
    with pytest.raises(Refusal):
        await sandbox.pay("mine", payer="2")
    await ask("acquire2/placeOrder", order("free", paySceneParams={"changePayer": "false"}))
    await sandbox.decline("free", payer="1")
    assert (await sandbox.pay("free", payer="2", notify=False)).status == "PAID_SUCCESS"


async def test_an_order_is_paid_once(sandbox: Sandbox, ask: Ask) -> None:
    await ask("acquire2/placeOrder", order())
    await sandbox.pay("a-1", notify=False)
    with pytest.raises(Refusal):
        await sandbox.pay("a-1", notify=False)
    with pytest.raises(KeyError):
        await sandbox.pay("no-such-order")


async def test_tokens_and_numbers_follow_from_the_seed(ask: Ask, clock: TurnedClock) -> None:
    url = (await ask("acquire2/placeOrder", order()))["body"]["interActionParams"]["tokenUrl"]
    async with (
        Sandbox(merchant_keys=[MERCHANT.public_key()], private_key=PAYBY, clock=clock, seed=7) as other,
        PayByClient(other.base_url, other.partner_id, MERCHANT, [other.public_key], clock=clock) as payby,
    ):
        assert (await payby.place_order(json.dumps(order()).encode())).token_url == url


async def test_the_log_holds_every_call_with_its_fate(sandbox: Sandbox, ask: Ask) -> None:
    seen: list[str] = []
    sandbox.on_call = lambda call: seen.append(call.name)
    await ask("acquire2/placeOrder", order())
    sandbox.fail("*", Fault(code="500", msg="SYSTEM_ERROR"), times=2)
    for _ in range(3):
        await ask("acquire2/getOrder", {"merchantOrderNo": "a-1"})
    assert [(call.name, call.code) for call in sandbox.calls] == [
        ("placeOrder", "0"), ("getOrder", "500"), ("getOrder", "500"), ("getOrder", "0"),
    ]  # fmt: skip
    assert [call.at_ms for call in sandbox.calls_of("placeOrder")] == [NOON]
    assert seen == ["placeOrder", "getOrder", "getOrder", "getOrder"]


async def test_a_fault_is_before_or_after_the_deed(sandbox: Sandbox, ask: Ask) -> None:
    sandbox.fail("placeOrder", Fault(code="500", msg="SYSTEM_ERROR"))
    await ask("acquire2/placeOrder", order("before"))
    sandbox.fail("placeOrder", Fault(code="500", msg="SYSTEM_ERROR", done=True))
    await ask("acquire2/placeOrder", order("after"))
    assert list(sandbox.orders) == ["after"]


async def test_levers_work_over_http(sandbox: Sandbox, ask: Ask, http: aiohttp.ClientSession) -> None:
    levers = f"http://127.0.0.1:{sandbox.port}/sandbox"

    async def lever(name: str, **fields: Any) -> tuple[int, Any]:
        async with http.post(f"{levers}/{name}", json=fields) as reply:
            return reply.status, await reply.json()

    async def look(name: str) -> Any:
        async with http.get(f"{levers}/{name}") as reply:
            return await reply.json()

    url = (await ask("acquire2/placeOrder", order()))["body"]["interActionParams"]["tokenUrl"]
    status, paid = await lever("pay", ref=url, paid_amount="19.50")
    assert (status, paid["status"], paid["paymentInfo"]["paidAmount"]["amount"]) == (200, "PAID_SUCCESS", 19.5)
    assert (await lever("pay", ref=url))[0] == 409
    assert (await lever("pay", ref="none"))[0] == 404
    assert (await lever("pay", order="a-1"))[0] == 400
    assert (await lever("settle", ref="a-1"))[1]["status"] == "SETTLED"
    assert [(o["merchantOrderNo"], o["tokenUrl"]) for o in await look("orders")] == [("a-1", url)]
    assert (await lever("faults", call="getOrder", code="500", msg="SYSTEM_ERROR"))[0] == 200
    assert (await lever("faults", call="getOrder", colour="red"))[0] == 400
    assert code(await ask("acquire2/getOrder", {"merchantOrderNo": "a-1"}))[1] == "500"
    assert (await lever("cut-off"))[0] == 200
    with pytest.raises(aiohttp.ClientError):
        await ask("acquire2/getOrder", {"merchantOrderNo": "a-1"})
    assert (await lever("heal"))[0] == 200
    assert code(await ask("acquire2/getOrder", {"merchantOrderNo": "a-1"}))[1] == "0"
    assert [call["code"] for call in await look("calls")] == ["0", "500", "0"]


@pytest.mark.parametrize("version", [1, 2])
async def test_statements_of_both_versions_are_read_back(sandbox: Sandbox, version: int) -> None:
    sandbox.statement_version = 1 if version == 1 else 2
    terminal = {"terminalDetail": {"terminalId": "exit-1", "merchantName": "Marina"}}
    for no in ("a-1", "a-2"):
        sandbox.book.place(order(no, accessoryContent=terminal), NOON, NOON)
    await sandbox.pay("a-1", settle=True, notify=False)
    await sandbox.pay("a-2", notify=False)
    back = {"refundMerchantOrderNo": "R1", "originMerchantOrderNo": "a-2", "amount": {"amount": 5, "currency": "AED"}}
    sandbox.book.refund(back, NOON)
    async with PayByClient(
        sandbox.base_url, sandbox.partner_id, MERCHANT, [sandbox.public_key], clock=sandbox.clock
    ) as payby:
        from datetime import date

        settled, moved = read_zip(await payby.get_order_statement(date(2026, 2, 2)))
    assert (settled.kind, moved.kind) == (StatementKind.SETTLEMENTS, StatementKind.TRANSACTIONS)
    assert [(r.transaction, r.order_no, str(r.amount), r.origin_order_no) for r in moved.rows] == [
        ("PAYMENT", "a-1", "20.00", ""), ("PAYMENT", "a-2", "20.00", ""), ("REFUND", "R1", "5.00", "a-2"),
    ]  # fmt: skip
    assert [(r.order_no, r.amount) for r in settled.rows] == [("a-1", Decimal("19.80"))]
    assert {r.fields["terminalId"] for r in moved.rows} == {"exit-1"}


@pytest.mark.parametrize("stars", [True, False])
@pytest.mark.parametrize("version", [1, 2])
async def test_a_chargeback_is_notified_and_stands_in_every_file(
    sandbox: Sandbox, http: aiohttp.ClientSession, version: int, stars: bool
) -> None:
    sandbox.statement_version, sandbox.statement_stars = version, stars  # type: ignore[assignment]
    sandbox.book.place(order("a-1"), NOON, NOON)
    with pytest.raises(Refusal):
        await sandbox.charge_back("a-1")
    await sandbox.pay("a-1", settle=True, notify=False)
    lever = f"http://127.0.0.1:{sandbox.port}/sandbox/charge-back"
    async with http.post(lever, json={"ref": "a-1", "amount": "7.5", "case": "dispute"}) as reply:
        said = await reply.json()
    assert (said["merchantOrderNo"], said["caseType"], said["chargebackAmount"]["amount"]) == ("a-1", "dispute", 7.5)
    async with PayByClient(
        sandbox.base_url, sandbox.partner_id, MERCHANT, [sandbox.public_key], clock=sandbox.clock
    ) as payby:
        from datetime import date

        found = read_zip(await payby.get_order_statement(date(2026, 2, 2)), funds=True)
    funds, settled, moved = found
    assert [s.kind for s in found] == [StatementKind.FUNDS, StatementKind.SETTLEMENTS, StatementKind.TRANSACTIONS]
    for statement, first in ((settled, "19.80"), (moved, "20.00")):
        assert [(r.transaction, r.origin_order_no, str(r.amount)) for r in statement.rows] == [
            ("PAYMENT", "", first), ("CHARGEBACK", "a-1", "7.50"),
        ]  # fmt: skip
    assert {row.settled_at for row in settled.rows}
    assert [(r.fields["DIRECTION"], str(r.amount)) for r in funds.rows] == [("Income", "19.80"), ("Payout", "7.50")]


async def test_as_a_command_it_makes_keys_and_says_what_to_configure(tmp_path: Path) -> None:
    said: list[str] = []
    told = asyncio.Event()

    def note(line: str) -> None:
        said.append(line)
        if line.startswith("payby_public_key"):
            told.set()

    task = asyncio.create_task(serve("127.0.0.1", 0, tmp_path / "keys", None, "200000000888", note))
    await told.wait()
    settings = dict(line.split(" = ", 1) for line in said if " = " in line)
    key = load_private_key(Path(json.loads(settings["private_key"])))
    keys = load_public_keys(map(Path, json.loads(settings["payby_public_key"])))
    assert (tmp_path / "keys/merchant.pem").stat().st_mode & 0o777 == 0o600
    async with PayByClient(json.loads(settings["base_url"]), json.loads(settings["partner_id"]), key, keys) as payby:
        assert (await payby.place_order(json.dumps(order()).encode())).order.status == "CREATED"
    task.cancel()
    await asyncio.wait([task])


@pytest.mark.parametrize("turns", range(6))
async def test_a_connection_that_comes_as_the_server_ends_is_not_left_open(
    turns: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``turns`` of the event loop before the end, it is accepted, made a connection, or known to the server."""
    left_open: list[object] = []
    monkeypatch.setattr(sys, "unraisablehook", left_open.append)
    async with Sandbox(merchant_keys=[MERCHANT.public_key()], private_key=PAYBY) as server:
        client = socket.create_connection((server.host, server.port))
        for _ in range(turns):
            await asyncio.sleep(0)
    client.close()
    gc.collect()
    assert left_open == []
