"""Publishes what each lane shows when it changes, and now and then again: the `screen` and `order` topics."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, replace
from typing import Any, NoReturn

from terminal.core.display import LaneDisplay, screen
from terminal.core.model import Lane, ScreenState, Stay
from terminal.eventstore.store import EventStore
from terminal.mqtt.endpoint import Endpoint
from terminal.mqtt.heartbeat import SELDOM_S
from terminal.roles.worker.message_builder import MessageBuilder
from terminal.screen import qr

PAY_REFRESH_S = 5.0
"""A pay screen is repeated this often, so that an LCD that just started can confirm it."""
SAY_AGAIN_S = SELDOM_S
"""Each lane's screen and order are repeated this often, for those who look on by a broker that retains nothing."""


@dataclass(slots=True)
class _Said:
    """What a lane's topics show now."""

    shown: LaneDisplay | None = None
    order: dict[str, Any] | None = None
    symbol: tuple[str, qr.Symbol] | None = None
    refresh: asyncio.TimerHandle | None = None

    drawing: str = ""
    """The address whose code is being drawn, or cannot be: an invoice's waits for nothing, and nothing for it."""

    def has_symbol_of(self, link: str) -> bool:
        return self.symbol is not None and self.symbol[0] == link


class Screens:
    """``hindrance``: what keeps idle lanes from serving, as (state, reason). ``draw`` makes a link's QR symbol, not in
    the event loop's thread. ``asking``: is another system being asked about a ticket of this lane?"""

    def __init__(
        self,
        endpoint: Endpoint,
        builder: MessageBuilder,
        event_store: EventStore,
        *,
        now: Callable[[], int],
        hindrance: Callable[[], tuple[ScreenState, str] | None],
        spawn: Callable[[Coroutine[Any, Any, None], str], asyncio.Task[None]],
        draw: Callable[[str], Awaitable[qr.Symbol]],
        asking: Callable[[str], bool] = lambda _: False,
    ) -> None:
        self._endpoint, self._builder, self._event_store, self._now = endpoint, builder, event_store, now
        self._hindrance, self._spawn, self._draw, self._asking = hindrance, spawn, draw, asking
        self._said: dict[str, _Said] = {}
        self._is_over = False
        self.confirmed: set[str] = set()
        """Orders that PayBy has told of since this process started; no other order's code is shown."""

    async def show_all(self) -> None:
        """Publish what has changed at any lane."""
        for lane in list(self._event_store.garage.lanes):
            await self.show(lane)

    async def keep(self) -> NoReturn:
        """Publish everything again once a minute and after each connect (a broker that was away may have forgotten
        it), until cancelled, and nothing after that."""
        undo = self._endpoint.mqtt_client.on_change(lambda connected: self.say_all_again() if connected else None)
        try:
            while True:
                await asyncio.sleep(SAY_AGAIN_S)
                self.say_all_again()
        finally:
            undo()
            self._is_over = True

    def say_all_again(self) -> None:
        """Publish every lane's screen and order soon, changed or not."""
        for lane in self._said:
            self._later(0, lane, again=True, order_too=True)

    async def _say_again(self, name: str) -> None:
        """What is not there is said once: that there is no order goes without saying."""
        said = self._said[name]
        if said.order and said.order["status"] != "none":
            said.order = None
        await self.show(name, again=True)

    async def show(self, name: str, *, again: bool = False) -> None:
        """Publish a lane's screen and order if they have changed, or ``again``."""
        said = self._said.setdefault(name, _Said())
        lane, stay, now, shown = self._state_of(name)
        unmade = None
        while shown.state == "pay" and shown.token_url != unmade and not said.has_symbol_of(shown.token_url or ""):
            unmade = shown.token_url
            await self._make_symbol(said, name, shown)
            lane, stay, now, shown = self._state_of(name)  # it may have changed meanwhile
        link = self._builder.link(shown)
        symbol = said.symbol[1] if said.symbol and said.has_symbol_of(link) else None
        if shown.state == "paid" and symbol is None:
            shown = replace(shown, invoice=None)
            if link and said.drawing != link:
                said.drawing = link
                self._spawn(self._make_invoice_symbol(said, name, link), f"invoice's code of {name}")
        if shown.state == "pay" and symbol is None:
            shown = LaneDisplay("help", shown.fee, shown.session, shown.car, reason="qr", help_code=shown.help_code)
        if said.refresh:
            said.refresh.cancel()
            said.refresh = None
        if shown.until is not None:
            said.refresh = self._later((shown.until - now) / 1000 + 0.001, name)
        elif shown.state == "pay":
            said.refresh = self._later(PAY_REFRESH_S, name, again=True)
        if again or shown != said.shown:
            said.shown = shown
            await self._endpoint.publish(
                self._builder.screen(self._endpoint.head(), name, shown, symbol, now), lane=name
            )
        told = self._builder.order_facts(lane, stay, now)
        if told != said.order:
            said.order = told
            await self._endpoint.publish(self._builder.order(self._endpoint.head(), told), lane=name)

    async def _make_invoice_symbol(self, said: _Said, name: str, link: str) -> None:
        """Make the code of an invoice's address, and show it if it is still wanted."""
        try:
            symbol = await self._draw(link)
        except qr.QrError as error:
            text = f"receipt.url makes no QR code: {error}"
            await self._endpoint.alert("receipt-unreadable", text)
            return
        if said.drawing == link:
            said.symbol = link, symbol
            await self.show(name)

    def _later(self, seconds: float, lane: str, *, again: bool = False, order_too: bool = False) -> asyncio.TimerHandle:
        def show() -> None:
            if not self._is_over:
                self._spawn(self._say_again(lane) if order_too else self.show(lane, again=again), f"screen of {lane}")

        return asyncio.get_running_loop().call_later(seconds, show)

    def _state_of(self, name: str) -> tuple[Lane, Stay | None, int, LaneDisplay]:
        """A lane, its stay, the worker's time, and what is to be shown; no code before PayBy has told of its order."""
        lane, now = self._event_store.garage.lanes.get(name) or Lane(name), self._now()
        session = lane.visit.fee.session if lane.visit else None
        stay = self._event_store.garage.stays.get(session) if session else None
        shown = screen(lane, stay, now, hindrance=self._hindrance(), asking=self._asking(name))
        if shown.state == "pay" and lane.visit and lane.visit.order_no not in self.confirmed:
            shown = LaneDisplay("wait", shown.fee, shown.session, shown.car)
        return lane, stay, now, shown

    async def _make_symbol(self, said: _Said, lane: str, shown: LaneDisplay) -> None:
        """Make the QR symbol of a token URL; if there is none, alert."""
        url = shown.token_url or ""
        try:
            said.symbol = (url, await self._draw(url))
        except qr.QrError as error:
            why = f"PayBy's link makes no QR code: {error}"
            await self._endpoint.alert(
                "qr-unreadable", why, lane=lane, session=shown.session, help_code=shown.help_code
            )
        else:
            await self._endpoint.clear("qr-unreadable", "PayBy's links make QR codes again", lane=lane)
