"""The code of a tax invoice on a paid screen: shown if it is signed, and never at the cost of the words."""

from dataclasses import replace
from typing import Any

import msgspec
import pytest

from terminal.contract.messages import Screen, encode, stamp
from terminal.contract.signatures import sign_screen
from terminal.screen import qr
from terminal.screen.layouts import LAYOUTS
from terminal.screen.renderer import Renderer
from terminal.screen.sample_views import INVOICE_URL, SITE
from terminal.screen.view import View
from tests.support.eventually import eventually
from tests.support.lcd_kerb import KEY, LANE, SESSION, STRANGER, GlassPanel, Kerb, kerb

PAID = {"state": "paid", "amount": "25.00", "minutes": 125, "tail": "4F2A"}


def paid(k: Kerb, url: str = INVOICE_URL, key: Any = KEY, lane: str = "exit-1", **changes: Any) -> Screen:
    fields = {
        **k.head(), "state": "paid", "session": SESSION, "amount": "25.00", "currency": "AED", "minutes": 125,
        "qr": qr.to_wire(qr.encode(url)),
    }  # fmt: skip
    return sign_screen(key, "marina", lane, key="worker", **(fields | changes))


async def test_a_signed_code_is_shown_after_the_words_and_goes_with_them() -> None:
    async with kerb() as k:
        await k.beat()
        await k.screen("paid", amount="25.00", currency="AED", minutes=125, session=SESSION)
        assert k.view(await k.panel.until(2), **PAID)
        await k.pays(paid(k))
        assert qr.decode(await k.panel.until(3)) == INVOICE_URL
        await k.screen("idle")
        assert k.view(await k.panel.until(4), state="idle")
        assert k.alerts() == []


@pytest.mark.parametrize(
    "forged",
    [
        {"key": STRANGER},
        {"lane": "exit-2"},
        {"session": SESSION.replace("4f2a", "4f2b"), "sign": True},
    ],
    ids=["stranger", "other lane", "changed"],
)
async def test_a_code_that_no_worker_signed_is_left_out_and_the_words_are_shown(forged: dict[str, Any]) -> None:
    async with kerb() as k:
        await k.beat()
        sign = forged.pop("sign", False)
        message = paid(k, **({} if sign else forged))
        if sign:
            message = msgspec.structs.replace(message, **forged)
        await k.pays(message)
        frame = await k.panel.until(2)
        assert qr.decode(frame) is None
        assert k.view(frame, **PAID)
        assert k.alerts() == [("forged-screen", "raised")]


async def test_the_code_of_an_order_can_not_be_shown_as_an_invoices_nor_an_invoices_as_an_orders() -> None:
    """Whoever wants to be paid in a stranger's place would send drivers to his own page."""
    async with kerb() as k:
        await k.beat()
        await k.pays(msgspec.structs.replace(k.pay(), state="paid"))
        assert qr.decode(await k.panel.until(2)) is None
        late = stamp(k.clock.wall_ms() + 60_000)
        await k.pays(msgspec.structs.replace(paid(k), state="pay", expires=late, remaining=60))
        assert [code for code, _ in k.alerts()].count("forged-screen") >= 1
        assert len(k.panel.frames) == 2


async def test_a_retained_code_is_not_shown_after_a_start() -> None:
    async with kerb() as k:
        await k.beat()
    bus = k.bus
    bus.retained[LANE + "screen"] = encode(paid(k))
    async with kerb(bus) as again:
        await again.beat()
        frame = again.panel.frames[-1]
        assert qr.decode(frame) is None


async def test_a_code_that_is_too_fine_for_the_panel_leaves_the_words() -> None:
    async with kerb(panel=GlassPanel((240, 240))) as k:
        await k.beat()
        await k.pays(paid(k, url="https://pay.example.com/receipt/" + "x" * 200))
        await k.settled()
        await eventually(lambda: ("receipt-unreadable", "raised") in k.alerts())
        words = Renderer(LAYOUTS["st7789-240"], SITE).compose(View("paid", amount="25.00"))
        await eventually(lambda: k.panel.frames[-1] == words)


@pytest.mark.parametrize("panel", list(LAYOUTS))
@pytest.mark.parametrize("digits", ["latin", "arabic"])
def test_every_panel_shows_a_code_that_a_phone_reads(panel: str, digits: Any) -> None:
    layout = LAYOUTS[panel]
    for one in (layout, layout.upright()) if layout.style != "square" else (layout,):
        image = Renderer(one, replace(SITE, digits=digits)).compose(View("paid", symbol=qr.proven(INVOICE_URL)))
        assert qr.decode(image) == INVOICE_URL
