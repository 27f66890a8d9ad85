"""The payer's app, on a real sandbox: what the phone shows, pays and refuses."""

import time
from collections.abc import AsyncIterator

import pytest

from terminal.demo.ports import NotNow
from terminal.demo.wallet import Wallet
from terminal.payby.sandbox.server import Sandbox
from tests.support.rsa_keys import rsa_key

UNKNOWN = "https://qr.payby.com?BIZ_TYPE=202&ft=00000000000000000000000000000000&t=1765054600668"


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    key = rsa_key("payby")
    async with Sandbox(merchant_keys=[key.public_key()], private_key=key) as sandbox:
        yield sandbox


def place(sandbox: Sandbox, number: str = "marina-exit-1-1") -> str:
    """An order as the worker places it, on the book itself; its token URL."""
    now_ms = time.time_ns() // 1_000_000
    biz = {
        "merchantOrderNo": number,
        "subject": "Parking, 1 h 31 min",
        "totalAmount": {"amount": 20, "currency": "AED"},
        "paySceneCode": "DYNQR",
        "notifyUrl": "http://127.0.0.1:9/payby/notify",
        "accessoryContent": {"terminalDetail": {"merchantName": "Marina Garage"}},
    }
    url = sandbox.book.place(biz, now_ms, now_ms)["interActionParams"]["tokenUrl"]
    assert isinstance(url, str)
    return url


async def test_the_phone_shows_merchant_and_amount_in_paybys_words(sandbox: Sandbox) -> None:
    order = await Wallet(sandbox).order(place(sandbox))
    assert (order.merchant, order.subject, order.amount) == ("Marina Garage", "Parking, 1 h 31 min", "20.00")
    assert (order.currency, order.order_no, order.status) == ("AED", "marina-exit-1-1", "CREATED")


async def test_payby_knows_that_the_phone_has_read_the_code(sandbox: Sandbox) -> None:
    token = place(sandbox)
    assert sandbox.book.cashier({"tokenUrl": token}, sandbox.clock.wall_ms()) == {}
    await Wallet(sandbox).order(token)
    assert sandbox.book.cashier({"tokenUrl": token}, sandbox.clock.wall_ms())["payer"]


async def test_a_code_that_payby_does_not_know_is_said_to_be_so(sandbox: Sandbox) -> None:
    wallet = Wallet(sandbox)
    for act in (wallet.order, wallet.pay, wallet.decline):
        with pytest.raises(NotNow, match="does not know this code"):
            await act(UNKNOWN)


async def test_an_order_is_paid_once(sandbox: Sandbox) -> None:
    wallet, token = Wallet(sandbox), place(sandbox)
    await wallet.pay(token)
    assert sandbox.orders["marina-exit-1-1"].status == "PAID_SUCCESS"
    for act in (wallet.order, wallet.pay, wallet.decline):
        with pytest.raises(NotNow, match="already paid"):
            await act(token)


async def test_a_declined_order_stays_open_and_a_closed_one_cannot_be_paid(sandbox: Sandbox) -> None:
    wallet, token = Wallet(sandbox), place(sandbox)
    await wallet.decline(token)
    assert sandbox.orders["marina-exit-1-1"].status == "CREATED"
    sandbox.book.cancel({"merchantOrderNo": "marina-exit-1-1"}, time.time_ns() // 1_000_000)
    with pytest.raises(NotNow, match="closed"):
        await wallet.pay(token)


async def test_what_is_paid_during_a_cut_is_not_notified_of(sandbox: Sandbox) -> None:
    wallet, token = Wallet(sandbox), place(sandbox)
    await wallet.cut()
    assert sandbox.cut_off
    await wallet.pay(token)
    await sandbox.notified()
    assert sandbox.deliveries == []
    await wallet.restore()
    assert not sandbox.cut_off
