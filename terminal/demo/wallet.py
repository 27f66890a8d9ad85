"""The payer's app on the driver's phone, as the PayBy sandbox sees it."""

from terminal.demo.ports import NotNow, PhoneOrder
from terminal.payby.sandbox.orders import SandboxOrder
from terminal.payby.sandbox.parameters import Refusal
from terminal.payby.sandbox.server import Sandbox

_SAID = {
    "PAID_SUCCESS": "This order is already paid.",
    "SETTLED": "This order is already paid.",
    "FAILURE": "This order is closed. Scan a new code.",
}


class Wallet:
    """A DemoPayBy over a Sandbox. A cut affects the terminal's line to PayBy; the phone has its own line.

    PayBy does not notify of a payment made during a cut, so that the worker must find it by its own query.
    """

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox

    async def order(self, token_url: str) -> PhoneOrder:
        order = self._find(token_url)
        if order.status != "CREATED":
            raise NotNow(_SAID[order.status])
        try:
            await self._sandbox.scan(token_url)
        except Refusal:
            raise NotNow("PayBy refuses this code.") from None
        words = order.words()
        named = (words.get("accessoryContent") or {}).get("terminalDetail") or {}
        return PhoneOrder(
            merchant=named.get("merchantName") or named.get("storeName") or f"Merchant {order.payee_mid}",
            subject=words.get("subject", ""),
            amount=f"{order.amount:.2f}",
            currency="AED",
            order_no=order.no,
            status=order.status,
        )

    async def pay(self, token_url: str) -> None:
        try:
            await self._sandbox.pay(token_url, notify=not self._sandbox.cut_off)
        except (KeyError, Refusal):
            raise NotNow(_SAID.get(self._find(token_url).status, "PayBy refuses this payment.")) from None

    async def decline(self, token_url: str) -> None:
        try:
            await self._sandbox.decline(token_url)
        except (KeyError, Refusal):
            raise NotNow(_SAID.get(self._find(token_url).status, "PayBy refuses this code.")) from None

    async def cut(self) -> None:
        self._sandbox.cut_off = True

    async def restore(self) -> None:
        self._sandbox.cut_off = False

    def _find(self, token_url: str) -> SandboxOrder:
        try:
            return self._sandbox.book.find(token_url, self._sandbox.clock.wall_ms())
        except KeyError:
            raise NotNow("PayBy does not know this code.") from None
