"""When an LCD draws: beside the event loop's thread, and what may follow a code while the driver pays."""

import asyncio
import threading
from typing import Any

import pytest
from PIL import Image

from terminal.roles.lcd import WAIT_AFTER_S
from terminal.screen import qr
from terminal.screen.sample_views import URL
from tests.support.eventually import eventually
from tests.support.lcd_kerb import PAY, Kerb, kerb

OTHER_URL = URL[:-3] + "999"
AN_HOUR_S = 3600.0


class Drawing:
    """Pillow's new pictures from now on: every screen that is drawn, and no copy of one, needs some."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.threads: list[int] = []
        new = Image.new

        def noted(*words: Any) -> Image.Image:
            self.threads.append(threading.get_ident())
            return new(*words)

        monkeypatch.setattr(Image, "new", noted)


async def has_drawn_ahead(k: Kerb, url: str = URL) -> None:
    """Until the role has drawn what may follow the code of this link."""
    symbol = qr.encode(url)
    await eventually(lambda: k.role.drawn_ahead == symbol)


async def test_nothing_is_drawn_in_the_event_loops_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    drawing = Drawing(monkeypatch)
    async with kerb() as k:
        await k.screen("idle")
        await k.panel.until(2)
        await k.pays(k.pay())
        await k.panel.until(3)
        await k.screen("paid", amount="25.00")
        await k.panel.until(4)
        await k.screen("free")
        await k.panel.until(5)
        assert drawing.threads and threading.get_ident() not in drawing.threads
        assert threading.get_ident() not in k.panel.threads


@pytest.mark.parametrize("state", ["paid", "free"])
async def test_what_may_follow_a_code_is_drawn_while_the_driver_pays(
    monkeypatch: pytest.MonkeyPatch, state: str
) -> None:
    async with kerb() as k:
        await k.pays(k.pay())
        await k.panel.until(2)
        await has_drawn_ahead(k)
        drawing = Drawing(monkeypatch)
        await k.screen(state, amount="25.00", minutes=125, session=k.pay().session, help_code="7K3QF")
        shown = await k.panel.until(3)
        assert drawing.threads == []
        assert k.view(shown, state=state, amount="25.00", minutes=125)


async def test_another_amounts_code_is_drawn_ahead_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    async with kerb() as k:
        await k.pays(k.pay())
        await k.panel.until(2)
        await has_drawn_ahead(k)
        await k.pays(k.pay(url=OTHER_URL, amount="35.00"))
        await k.panel.until(3)
        await has_drawn_ahead(k, OTHER_URL)
        drawing = Drawing(monkeypatch)
        await k.screen("paid", amount="35.00")
        shown = await k.panel.until(4)
        assert drawing.threads == []
        assert k.view(shown, state="paid", amount="35.00")


async def test_a_code_that_comes_at_once_does_not_wait_for_the_picture_that_asks_to_wait() -> None:
    async with kerb(wait_after_s=AN_HOUR_S) as k:
        await k.screen("idle")
        await k.panel.until(2)
        await k.screen("wait", amount="25.00", minutes=125)
        await k.pays(k.pay())
        assert qr.decode(await k.panel.until(3)) == URL


async def test_a_driver_whose_code_takes_longer_is_asked_to_wait() -> None:
    async with kerb() as k:
        await k.screen("idle")
        await k.panel.until(2)
        loop = asyncio.get_running_loop()
        began = loop.time()
        await k.screen("wait", amount="25.00", minutes=125)
        assert k.view(await k.panel.until(3), state="wait", amount="25.00", minutes=125)
        assert loop.time() - began >= WAIT_AFTER_S


async def test_a_code_whose_time_is_up_goes_off_at_once() -> None:
    async with kerb(wait_after_s=AN_HOUR_S) as k:
        await k.beat()
        await k.pays(k.pay())
        await k.panel.until(2)
        k.clock.turn(110_000)
        await k.beat()
        assert k.view(await k.panel.until(3), **{**PAY, "state": "wait", "symbol": None})
