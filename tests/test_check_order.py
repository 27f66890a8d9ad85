"""``check --order``: a real order against the sandbox, each step with its line."""

import socket
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path

import pytest

from terminal.config.schema import ConfigError
from terminal.payby.sandbox.faults import Fault, NotifyFault
from terminal.payby.sandbox.server import Sandbox
from terminal.tools.check import order
from terminal.tools.check.order import amount_of, prove
from terminal.tools.check.report import Lines
from tests.support.installation import MERCHANT, PAYBY, configured, place
from tests.support.order_payer import ONE, Payer, settings
from tests.support.ports import free_port

__all__ = ["place"]


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    keys = [MERCHANT.public_key()]
    async with Sandbox(merchant_keys=keys, private_key=PAYBY, devices=["20001019"]) as sandbox:
        yield sandbox


async def test_every_step_is_proven_and_the_money_goes_back(place: Path, sandbox: Sandbox) -> None:
    payer = Payer(sandbox)
    known = settings(place, sandbox, free_port(), payby_device_ids='{ exit-1 = "20001019" }')
    assert await prove(known, ONE, blocks=True, report=Lines(payer))
    assert all(payer.line(step).startswith("ok") for step in ("order", "scanned", "paid", "notification", "refund"))
    assert "device 20001019" in payer.line("order") and "+971-58*96" in payer.line("scanned")
    assert any("▀" in line for line in payer.lines)
    (made,) = sandbox.orders.values()
    assert (made.amount, made.refundable, made.asked["deviceId"]) == (ONE, 0, "20001019")
    assert made.no.startswith("check-")


async def test_nobody_pays_and_the_order_is_cancelled(place: Path, sandbox: Sandbox) -> None:
    payer = Payer(sandbox, scans=False, pays=False)
    assert not await prove(settings(place, sandbox, free_port()), ONE, blocks=False, report=Lines(payer), wait_s=0.5)
    assert "FAIL  paid: nobody paid within" in payer.line("paid") and "cancelled" in payer.line("paid")
    (made,) = sandbox.orders.values()
    assert made.status == "FAILURE"
    assert not any("▀" in line for line in payer.lines)


async def test_a_notification_that_does_not_come_is_a_failure_and_the_money_goes_back(
    place: Path, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(order, "NOTIFIED_S", 0.5)
    sandbox.notify_fault = NotifyFault(never=True)
    payer = Payer(sandbox)
    assert not await prove(settings(place, sandbox, free_port()), ONE, blocks=False, report=Lines(payer))
    assert payer.line("notification").startswith("FAIL")
    assert payer.line("refund").startswith("ok")


async def test_where_the_listener_is_at_work_it_keeps_its_port(place: Path, sandbox: Sandbox) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        sandbox.notify_fault = NotifyFault(never=True)
        payer = Payer(sandbox)
        assert await prove(settings(place, sandbox, taken.getsockname()[1]), ONE, blocks=False, report=Lines(payer))
        assert "not seen here: the running listener got it" in payer.line("notification")


async def test_without_a_notify_url_none_is_waited_for(place: Path, sandbox: Sandbox) -> None:
    payer = Payer(sandbox)
    bare = configured(place, sandbox.base_url, "mqtt://127.0.0.1:1", payby_query_every="2.0")
    assert await prove(bare, ONE, blocks=False, report=Lines(payer))
    assert "payby.notify_url is not set" in payer.line("notification")


@pytest.mark.parametrize(
    ("fault", "changes", "said"),
    [
        (None, {"payby_device_ids": '{ exit-1 = "7" }'}, "payby.device_ids"),
        (Fault(code="62026", msg="PRODUCT_NOT_APPLIED"), {}, "DYNQR"),
        (Fault(code="403", msg="UNAUTHORIZED"), {}, "upload merchant.pub.pem"),
    ],
)
async def test_an_order_that_payby_refuses_names_what_to_mend(
    place: Path, sandbox: Sandbox, fault: Fault | None, changes: dict[str, str], said: str
) -> None:
    if fault:
        sandbox.fail("placeOrder", fault, times=None)
    payer = Payer(sandbox)
    assert not await prove(settings(place, sandbox, free_port(), **changes), ONE, blocks=False, report=Lines(payer))
    (line,) = payer.lines
    assert line.startswith("FAIL  order: ") and said in line


async def test_an_order_whose_queries_are_refused_is_cancelled(place: Path, sandbox: Sandbox) -> None:
    sandbox.fail("getOrder", Fault(code="403", msg="UNAUTHORIZED"), times=None)
    payer = Payer(sandbox, scans=False, pays=False)
    assert not await prove(settings(place, sandbox, free_port()), ONE, blocks=False, report=Lines(payer))
    assert payer.line("paid").startswith("FAIL")
    assert [o.status for o in sandbox.orders.values()] == ["FAILURE"]


async def test_a_payby_that_does_not_tell_who_scanned_is_asked_once(place: Path, sandbox: Sandbox) -> None:
    sandbox.fail("getCashierUrlInfo", Fault(code="404", msg="SERVICE_NOT_AVAILABLE"), times=None)
    payer = Payer(sandbox)
    assert await prove(settings(place, sandbox, free_port()), ONE, blocks=False, report=Lines(payer))
    assert "PayBy does not tell" in payer.line("scanned")
    assert len(sandbox.calls_of("getCashierUrlInfo")) == 1


@pytest.mark.parametrize("text", ["0", "0.001", "-1", "100.01", "NaN", "one", ""])
def test_an_amount_that_is_none_is_named(text: str) -> None:
    with pytest.raises(ConfigError, match="--amount"):
        amount_of(text)
    assert amount_of("500e-2") == Decimal(5)
