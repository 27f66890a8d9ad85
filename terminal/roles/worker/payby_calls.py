"""PayBy, as far as the worker calls it. ``payby/client.py`` has all of these, and a test shows that it fits.

Every call raises a CallFailed of ``payby/errors.py`` where PayBy refuses, or where nobody knows what became of it.
"""

from datetime import date
from typing import Protocol

from terminal.payby.client import OrderAnswer, RefundAnswer
from terminal.payby.messages import OrderPage, Payer


class PayByClock(Protocol):
    """What PayBy says of the time."""

    @property
    def skew_ms(self) -> int | None:
        """How far PayBy's clock is ahead of ours; None before its first answer."""

    async def probe(self) -> object:
        """Is PayBy there, and what time has it? Changes nothing."""


class PayByConnection(PayByClock, Protocol):
    """How PayBy is reached."""

    async def open_ahead(self) -> None:
        """Have a connection ready for a call that is expected soon; raises nothing."""


class PayByScans(Protocol):
    """What PayBy knows of a phone that reads a code, and the time that its driver has."""

    async def get_cashier_url_info(self, token_url: str) -> Payer | None:
        """Which phone has read the code of an open order; None: none yet."""

    async def update_expired_time(self, order_no: str, *, expires_ms: int) -> OrderAnswer:
        """Move an order's expiry, ms since the epoch by PayBy's clock."""


class PayByOrderList(Protocol):
    """What PayBy tells of the orders that it has."""

    async def query_order_page(self, start: date, end: date, *, number: int, size: int) -> OrderPage:
        """A page of the orders of some days of PayBy's, both included."""


class PayByOrders(Protocol):
    """What moves money, and how it stands. ``biz`` is a bizContent that is in the journal."""

    async def place_order(self, biz: bytes) -> OrderAnswer:
        """Place an order, or learn how the order of this number stands."""

    async def get_order(self, order_no: str, *, device_id: str | None = ...) -> OrderAnswer:
        """How an order stands; ``device_id``: the one that it was placed with."""

    async def cancel_order(self, order_no: str) -> OrderAnswer:
        """Close an unpaid order."""

    async def refund(self, biz: bytes) -> RefundAnswer:
        """Ask for a refund."""

    async def get_refund(self, refund_no: str) -> RefundAnswer:
        """How a refund stands."""


class PayByCalls(PayByConnection, PayByScans, PayByOrderList, PayByOrders, Protocol):
    """All of it."""
