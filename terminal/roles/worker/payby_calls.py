"""PayBy's client as the worker needs it. ``payby/client.py`` has all of these methods, and a test checks that it fits.

Every call raises a CallFailed of ``payby/errors.py`` if PayBy refuses it, or if nobody knows what became of it.
"""

from collections.abc import Mapping
from datetime import date
from typing import Protocol

from terminal.core.events import Denial
from terminal.payby import errors
from terminal.payby.client import OrderAnswer, RefundAnswer
from terminal.payby.messages import OrderPage, Payer

DENIALS: Mapping[type[errors.CallFailed], Denial] = {
    errors.Refused: "refused",
    errors.OrderDead: "dead",
    errors.OrderUnknown: "unknown",
    errors.Unauthorised: "unauthorised",
    errors.ClockWrong: "clock",
    errors.OurMistake: "mistake",
}
"""What PayBy's refusals mean for an order; any other failure says nothing about it."""
UNSIGNED: Mapping[type[errors.CallFailed], Denial] = {
    errors.Refused: "refused",
    errors.Unauthorised: "unauthorised",
    errors.ClockWrong: "clock",
    errors.OurMistake: "mistake",
}
"""What the unsigned refusals of PayBy's gateway mean: they change what is asked next, and end no order."""


class PayByClock(Protocol):
    """PayBy's time."""

    @property
    def skew_ms(self) -> int | None:
        """How far PayBy's clock is ahead of ours (ms); None before its first answer."""

    async def probe(self) -> object:
        """Ask whether PayBy answers, and for its time. Changes nothing."""


class PayByConnection(PayByClock, Protocol):
    """How PayBy is reached."""

    async def open_ahead(self) -> None:
        """Open a connection for a call that is expected soon; raises nothing."""


class PayByScans(Protocol):
    """Which phone has read a code, and how much time its driver has."""

    async def get_cashier_url_info(self, token_url: str) -> Payer | None:
        """The phone that has read the code of an open order; None: no phone yet."""

    async def update_expired_time(self, order_no: str, *, expires_ms: int) -> OrderAnswer:
        """Move an order's expiry, in ms since the epoch by PayBy's clock."""


class PayByOrderList(Protocol):
    """PayBy's list of orders."""

    async def query_order_page(self, start: date, end: date, *, number: int, size: int) -> OrderPage:
        """A page of the orders of some of PayBy's days, first and last included."""


class PayByOrders(Protocol):
    """The calls that move money, and those that ask about it. ``biz`` is a bizContent that is in the journal."""

    async def place_order(self, biz: bytes) -> OrderAnswer:
        """Place an order, or learn the status of the order that has this number."""

    async def get_order(self, order_no: str, *, device_id: str | None = ...) -> OrderAnswer:
        """An order's status; ``device_id``: the device that it was placed with."""

    async def cancel_order(self, order_no: str) -> OrderAnswer:
        """Close an unpaid order."""

    async def refund(self, biz: bytes) -> RefundAnswer:
        """Ask for a refund."""

    async def get_refund(self, refund_no: str) -> RefundAnswer:
        """A refund's status."""


class PayByCalls(PayByConnection, PayByScans, PayByOrderList, PayByOrders, Protocol):
    """All of these together."""
