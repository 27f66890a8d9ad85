"""The driver's phone: its camera, and the payer's app in front of PayBy."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import Any, Literal

from PIL import Image

from terminal.demo.ports import DemoPayBy, NotNow, PhoneOrder
from terminal.screen.qr import decode

Showing = Literal["home", "order", "paying", "paid", "declined", "invoice"]


class Phone:
    """One phone. ``told`` is called after every change of what it shows; ``invoices`` is the address under which the
    garage has its tax invoices, empty if it has none."""

    def __init__(self, payby: DemoPayBy, told: Callable[[], None], invoices: str = "") -> None:
        self._payby, self._told, self._invoices = payby, told, invoices
        self.presenter: Showing = "home"
        self._note = ""
        self._order: PhoneOrder | None = None
        self._token = self._invoice = ""

    async def scan(self, image: Image.Image | None) -> PhoneOrder | None:
        """Point it at the glass: read the code that is really there, and ask PayBy about it; None for the code of a tax
        invoice, whose address it then shows. Raises NotNow."""
        token = await asyncio.to_thread(decode, image) if image is not None else None
        if not token:
            raise self._refused("home", "No code in view. The screen shows none right now.")
        if self._invoices and token.startswith(f"{self._invoices}/"):
            self._invoice = token
            self._show("invoice")
            return None
        try:
            order = await self._payby.order(token)
        except NotNow as error:
            raise self._refused("home", str(error)) from None
        self._token, self._order = token, order
        self._show("order")
        return order

    async def pay(self) -> None:
        """Pay the order that it shows. Raises NotNow."""
        await self._answer(self._payby.pay, "paying", "paid")

    async def decline(self) -> None:
        """Say no to the order that it shows. Raises NotNow."""
        await self._answer(self._payby.decline, "order", "declined")

    def put_away(self) -> None:
        """Reset it: the next driver has another phone."""
        self._order, self._token, self._invoice = None, "", ""
        self._show("home")

    def state(self) -> dict[str, Any]:
        """What it shows, as JSON."""
        order = self._order and asdict(self._order)
        return {"state": self.presenter, "note": self._note, "order": order, "invoice": self._invoice}

    async def _answer(self, act: Callable[[str], Awaitable[None]], meanwhile: Showing, then: Showing) -> None:
        order = self._order
        if self.presenter != "order" or order is None:
            raise NotNow("The phone shows no order. Scan the code first.")
        self._show(meanwhile)
        try:
            await act(self._token)
        except NotNow as error:
            raise self._refused("order", str(error)) from None
        if self._order is order:  # otherwise the car has left meanwhile
            self._show(then)

    def _refused(self, presenter: Showing, note: str) -> NotNow:
        self._show(presenter, note)
        return NotNow(note)

    def _show(self, presenter: Showing, note: str = "") -> None:
        self.presenter, self._note = presenter, note
        self._told()
