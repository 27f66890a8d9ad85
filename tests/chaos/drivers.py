"""Drivers, who know nothing of processes: each has a ticket, a phone and some patience, and sees screen and arm."""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from terminal.clock import SystemClock, new_id
from terminal.contract.messages import encode, stamp
from terminal.contract.signatures import load_signing_key, sign_command
from terminal.contract.topics import GARAGE_WIDE
from terminal.core.coupon import CouponKind
from terminal.payby.sandbox.parameters import Refusal
from tests.chaos.handouts import OFF, address_in, coupon, credit, page
from tests.chaos.history import Car
from tests.chaos.kerb import ARM_S, Kerb
from tests.support.garage import Garage

PRICE = 2000
"""Fils, of the stay of 90 minutes that every driver comes from but those who leave for free."""
PRICES = {"free": 0, "pass": 0, "station": 0, "coupon": PRICE - OFF}
COUPON_DUE = "15.00"
"""With a coupon."""
_KINDS: Mapping[str, CouponKind] = {"coupon": "amount", "pass": "pass"}
PATIENCE_S = 90.0
"""A driver who is not out by then gives up, which should never happen."""
HELP_S = 6.0
"""A driver who sees `help` for this long is led away by a person."""
RESCAN_S = 6.0
COPY_S = 8.0
"""A driver with a copy who is neither refused nor let out by then, because his lane is out of order, leaves."""
FELT_S = 2.0
"""A car stands before the scanner so long before its driver holds his ticket under it, should no loop tell of it."""
TOLD_S = 5.0
"""Something that is said once, and not again by a worker that died as it was to say it, has been said by then."""
CLOSED_S = 40.0
"""The order of a car that has gone, or a refund, has ended by then."""
SERVED = ("wait", "pay", "paid", "free", "help")

Trouble = Callable[[str, dict[str, Any]], None]
Readied = Callable[["Driver"], Awaitable[None]]


def _no_trouble(what: str, message: dict[str, Any]) -> None: ...


async def _at_once(driver: "Driver") -> None: ...


class Driver:
    """``manner``: ``pays``; ``free``: within the free minutes; ``leaves`` at the sight of the code; ``refunded``:
    leaves, pays from afar, and is given it back; ``returns``: the same, and comes again with his ticket; ``fumbles``:
    holds another card under the scanner first; ``copies``: has a copy of somebody's ``ticket``, and goes once it is
    refused. ``coupon`` and ``pass``: shows that after his ticket; ``station``: has paid at a pay station; ``receipt``:
    pays, and reads his invoice.

    ``trouble`` hears every message of the lane before the driver acts on it; ``readied`` is awaited before he pays.
    """

    def __init__(
        self,
        garage: Garage,
        kerb: Kerb,
        manner: str = "pays",
        trouble: Trouble = _no_trouble,
        readied: Readied = _at_once,
        ticket: str = "",
    ) -> None:
        self.garage, self.kerb, self.manner = garage, kerb, manner
        self.ticket = ticket or garage.ticket(5 if manner == "free" else 90)
        self.session = session_of(self.ticket)
        self._coupon = coupon(garage, _KINDS[manner], self.session[-20:].replace("-", "0")) if manner in _KINDS else ""
        self.paid: dict[str, int] = {}
        """When, in ms, he paid which order."""
        self.risen: int | None = None
        self.scanned = 0
        self.waited = False
        self._trouble, self._readied = trouble, readied
        self._at = len(kerb.said)
        self._shown, self._shown_s = "", 0.0
        self._endpoint: tuple[str, str] | None = None
        self._due, self._shown_coupon_s = "", 0.0
        self._invoice = ""
        """The address of his invoice, once a screen has shown it."""

    async def drive(self) -> Car:
        """From his ticket until he is out, or not."""
        if self.manner == "station":
            await self._pay_at_station()
        await self._come()
        if self.manner == "leaves" and self._endpoint:
            await self._until(lambda: self._order_status() != "CREATED", CLOSED_S)
        if self.manner == "refunded" and self.paid:
            await self._is_refunded()
        if self.manner == "returns" and self.paid and self.risen is None:
            await self._until(lambda: self._order_status() == "PAID_SUCCESS", CLOSED_S)
            await self._come()
        unread = self.manner == "receipt" and self.risen is not None and not await self._read_invoice()
        price = PRICES.get(self.manner, PRICE)
        return Car(self.session, price, self.kerb.name, tuple(self.paid), self.risen, self.waited, self.scanned, unread)

    async def _come(self) -> None:
        """Stand before the boom until it rises, or the driver goes."""
        kerb, bell = self.kerb, self.kerb.bell
        await self._drive_up()
        pulses, scanned_at = len(kerb.pulses), len(kerb.said)
        began = scanned = time.monotonic()
        self._shown, self._shown_s = "", began
        if self.manner == "fumbles":
            kerb.scan("LOYALTY 4711")
            await self._until(lambda: self._is_refused(scanned_at), FELT_S)
        self.scanned = time.time_ns() // 1_000_000
        kerb.scan(self.ticket)
        while time.monotonic() - began < PATIENCE_S:
            rung = bell.rung
            self._hear()
            if len(kerb.pulses) > pulses:
                self.risen = kerb.pulses[pulses]
                await self._drive_through()
                return
            if self.manner == "copies" and (self._is_refused(scanned_at) or time.monotonic() - began > COPY_S):
                kerb.cars(False)
                return
            if self._shown == "pay" and self._endpoint and self._endpoint[0] not in self.paid:
                await self._readied(self)
                if self.manner == "pass" or (self.manner == "coupon" and self._due != COUPON_DUE):
                    self._show_coupon()
                elif self.manner in ("pays", "free", "fumbles", "coupon", "receipt"):
                    await self._pay()
                elif not self.paid and self.manner not in ("copies", "station"):
                    await self._back_out()
                    return
            now = time.monotonic()
            if self._shown == "help" and now - self._shown_s > HELP_S:
                kerb.cars(False)
                return
            served = self._shown in SERVED and len(kerb.said) > scanned_at
            if not served and now - scanned > RESCAN_S:
                scanned, scanned_at = now, len(kerb.said)
                kerb.scan(self.ticket)
            await bell.beyond(rung, 0.5)
        self.waited = True
        kerb.cars(False)
        return

    async def _drive_up(self) -> None:
        """Nobody reaches the scanner before the loop has felt his car; should it be dead, he does not know."""
        told = len(self.kerb.said)
        self.kerb.cars(True)

        def felt() -> bool:
            return any(what == "vehicle" and message.get("waiting") for what, message in self.kerb.said[told:])

        if self.kerb.has_loops:
            await self._until(felt, FELT_S)

    async def _drive_through(self) -> None:
        """Over both loops, and away; the arm comes down behind him."""
        for waiting, under in ((True, True), (False, True), (False, False)):
            self.kerb.cars(waiting, under)
            await asyncio.sleep(ARM_S / 3)
        self._hear()

    async def _back_out(self) -> None:
        """Leave before the boom rises; some pay from afar, once it is known that they have gone."""
        told = len(self.kerb.said)
        self.kerb.cars(False)

        def gone() -> bool:
            return any(what == "vehicle" and not m.get("waiting", True) for what, m in self.kerb.said[told:])

        if self.manner != "leaves":
            await self._until(gone, FELT_S)
            await asyncio.sleep(0.3)  # until barrier and worker have heard it as well
            await self._pay()

    async def _pay(self) -> None:
        assert self._endpoint
        number, url = self._endpoint
        with contextlib.suppress(Refusal, KeyError):
            await self.garage.sandbox.pay(url)
            self.paid[number] = self.garage.clock.wall_ms()

    def _show_coupon(self) -> None:
        """Until the lane knows it."""
        if (now := time.monotonic()) - self._shown_coupon_s > RESCAN_S:
            self._shown_coupon_s = now
            self.kerb.scan(self._coupon)

    async def _pay_at_station(self) -> None:
        """The station says so until the worker has noted it."""
        said = len(self.kerb.said)
        name, message = credit(self.garage, self.session)

        def noted() -> bool:
            return any(w == "receipt" and m.get("command") == name for w, m in self.kerb.said[said:])

        for _ in range(round(CLOSED_S)):
            await self.garage.bus.publish(f"parking/marina/{GARAGE_WIDE}/credit", message)
            if await self._until(noted, 1.0):
                return

    async def _read_invoice(self) -> bool:
        """Does its page open, if a screen has shown its code?"""
        await self._until(lambda: bool(self._invoice), TOLD_S)
        ends = time.monotonic() + CLOSED_S
        while self._invoice and time.monotonic() < ends:
            asking = asyncio.create_task(page(self.garage, self._invoice), name="reads his invoice")
            await self._until(asking.done, CLOSED_S)
            if await asking == 200:
                return True
        return not self._invoice

    def _order_status(self) -> str:
        assert self._endpoint
        return self.garage.sandbox.orders[self._endpoint[0]].status

    # What he hears

    def _hear(self) -> None:
        for what, message in self.kerb.said[self._at :]:
            self._at += 1
            self._trouble(what, message)
            if what == "screen":
                shown = message.get("state", "") if message.get("session") == self.session else ""
                if shown == "paid" and message.get("qr"):
                    self._invoice = address_in(message["qr"])
                if shown != self._shown:
                    self._shown, self._shown_s = shown, time.monotonic()
            if what == "order" and message.get("session") == self.session and message["status"] == "created":
                self._endpoint, self._due = (message["order_no"], message["token_url"]), message["amount"]

    def _is_refused(self, since: int) -> bool:
        return any(w == "screen" and m.get("reason") for w, m in self.kerb.said[since:])

    async def _until(self, so: Callable[[], bool], limit_s: float) -> bool:
        def heard() -> bool:
            self._hear()
            return so()

        return await self.kerb.bell.until(heard, limit_s)

    # The operator

    async def _is_refunded(self) -> None:
        """An operator gives it back, and PayBy does so."""
        sandbox, number = self.garage.sandbox, next(iter(self.paid))

        def asked() -> bool:
            return any(refund.order.no == number for refund in sandbox.refunds.values())

        ends = time.monotonic() + CLOSED_S
        while not asked() and time.monotonic() < ends:
            command = self._command(number)
            topic = f"parking/marina/{self.kerb.name}/command"
            said = len(self.kerb.said)

            def answered(said: int = said, command: str = command[0]) -> bool:
                return any(w == "receipt" and m.get("command") == command for w, m in self.kerb.said[said:])

            for _ in range(3):
                await self.garage.bus.publish(topic, command[1])
                if await self._until(answered, 1.0):
                    break
            await self._until(asked, 2.0)
        for refund in [r for r in sandbox.refunds.values() if r.order.no == number and r.status == "CREATED"]:
            await sandbox.finish_refund(refund.no)

        def ended() -> bool:
            return any(
                w == "refund" and m.get("order_no") == number and m.get("status") in ("settled", "success")
                for w, m in self.kerb.said
                if "notify_id" not in m
            )

        await self._until(ended, TOLD_S)

    def _command(self, number: str) -> tuple[str, bytes]:
        clock, key = SystemClock(), console_key(self.garage)
        head = {"id": new_id(clock), "at": stamp(clock.wall_ms()), "not_after": stamp(clock.wall_ms() + 30_000)}
        said = {"command": "refund", "by": "omar", "order_no": number, "reason": "he left"}
        command = sign_command(key, "marina", self.kerb.name, key="console", **head, **said)
        return command.id, encode(command)


def console_key(garage: Garage) -> Ed25519PrivateKey:
    return load_signing_key(garage.folder / "secrets" / "console.pem")


def session_of(ticket: str) -> str:
    digits = ticket.split(".")[2].lower()
    return "-".join(digits[a:b] for a, b in ((0, 8), (8, 12), (12, 16), (16, 20), (20, 32)))
