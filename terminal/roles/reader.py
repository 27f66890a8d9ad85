"""The reader role: reads a ticket, and publishes a `fee` with the amount due until the worker has answered it.

It stands at the kerb, where it may be stolen, so it holds no ticket key: it knows a ticket by its form, and its amount
is a hint. The worker checks the key and reckons for itself.

Nothing is kept on disk. If this process dies, an unanswered fee is lost with it. That does no harm: no order exists
before the worker has journaled the fee, the screen still asks for a ticket, and the driver scans it once more.
"""

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from terminal.contract.messages import Fee, Health, Order, Screen, Vehicle, stamp
from terminal.contract.topics import SILENT_MS
from terminal.core import money
from terminal.core.coupon import is_coupon
from terminal.core.foreign_ticket import NUMBER_MOST
from terminal.core.ids import lost_session
from terminal.core.quote import Quote, hint
from terminal.core.tariff import TicketPricing
from terminal.mqtt.endpoint import Endpoint
from terminal.mqtt.throttle import Throttle

PAUSES_S = (0.5, 1.0, 2.0, 4.0, 4.0, 4.0, 4.0, 4.0, 4.0, 2.5)
"""The pauses between the publications of one fee: 30 s in all. None is longer than 4 s, so that a worker that is back
within 5 s gets it; the worker takes no fee that was read more than 60 s ago."""
SAME_MS = 1000
"""The same text again within this time is the same reading: the ticket is still under the scanner."""
REFUSED_EVERY_MS = 1000
"""The least time between two refused fees; garbage may come ten times a second."""
OPENING_S = 2.0
"""A scanner that takes longer than this to open is missing."""
SHOWN = 64
"""How many characters of a refused text are passed on."""
REFUSED_ROW = 10
"""This many refused tickets in a row are the fault of the scanner or the tickets, not of one driver."""
SERVED = {"wait", "pay", "paid", "free"}
"""While its screen shows these, a lane serves a driver by his ticket."""
NOT_OURS = {"ticket-unknown", "ticket-foreign", "ticket-future"}
"""Why the worker refuses a ticket that was not made here; a used ticket was made here, and read well."""
SETTING = (
    "the scanner must send a code as it is, without a prefix, with CR as its suffix (serial: reader.baud, 8 data bits, "
    "no parity; keyboard: US layout, no caps lock, no change of case)"
)


class ScannedText(Protocol):
    """What drivers/line_reader.py is to this role."""

    @property
    def text(self) -> str:
        """The ticket's text as scanned, or what could be read of it."""

    @property
    def why(self) -> str | None:
        """Why this is not a ticket, as far as the scanner knows."""


class ScannerDriver(Protocol):
    """What drivers/scanner.py is to this role: an async iterator of readings that ends only when it is closed."""

    def __aiter__(self) -> AsyncIterator[ScannedText]:
        """The readings from now on."""

    @property
    def trouble(self) -> str | None:
        """Why nothing can be scanned, in one line; None while scanning works."""

    def on_trouble(self, callback: Callable[[], None]) -> None:
        """Call ``callback``, in the event loop's thread, after each change of ``trouble``."""


class ButtonDriver(Protocol):
    """What drivers/lost_button.py is to this role."""

    def on_press(self, callback: Callable[[], None]) -> None:
        """Call ``callback``, in the event loop's thread, each time that a driver has pressed it."""


@dataclass(frozen=True, slots=True)
class PressedText:
    """A press of the button, as if the card for a lost ticket had been scanned."""

    text: str = "LOST"
    why: str | None = None


@dataclass(eq=False, slots=True)
class _UnansweredFee:
    """A fee that the worker has not answered yet."""

    fee: Fee
    answered: asyncio.Event = field(default_factory=asyncio.Event)
    judged: bool = False
    """Has the worker judged the ticket?"""
    task: asyncio.Task[None] | None = None


class ReaderRole:
    """Publishes ``fee`` for the endpoint's lane from a scanner, until cancelled.

    At any time one ticket's fee and one refused fee are repeated, each the newest of its kind: a ticket ends both, but
    garbage does not make the reader forget a driver's ticket. ``kept`` takes the wall clock's ms and tells whether that
    clock is known to be right. If it is not, no ticket counts as one from the future; the worker decides. ``numbers``:
    the form of another system's tickets, which the worker looks up. ``button``: for lost tickets; it is not heard while
    the lane serves somebody by a ticket.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        scanner: ScannerDriver,
        *,
        tariff: TicketPricing,
        pauses_s: Sequence[float] = PAUSES_S,
        kept: Callable[[int], bool] = lambda _: True,
        numbers: re.Pattern[str] | None = None,
        button: ButtonDriver | None = None,
    ) -> None:
        self._endpoint = endpoint
        self._button = button
        self._pressed = asyncio.Event()
        self._state = ""
        """What the lane's screen shows."""
        self._scanner = scanner
        self._tariff = tariff
        self._pauses_s = pauses_s
        self._kept = kept
        self._numbers = numbers
        self._ticket: _UnansweredFee | None = None
        self._refused: _UnansweredFee | None = None
        self._vehicle: tuple[Vehicle, int] | None = None
        """The last live `vehicle`, and when it came by the steady clock."""
        self._last: tuple[ScannedText, int] | None = None
        """The last reading, and when the scanner last saw it."""
        self._refusals = Throttle(REFUSED_EVERY_MS)
        self._row = 0
        """Refused tickets since the last good one."""
        self._row_by_worker = False
        """Did the worker refuse one of them? Then a ticket counts as good only when the worker takes one."""
        self._connected = asyncio.Event()
        self._trouble = asyncio.Event()

    async def run(self) -> None:
        """Read tickets until cancelled; raises MqttError when the connection ends for good."""
        self._connection(self._endpoint.mqtt_client.connected)
        undo = self._endpoint.mqtt_client.on_change(self._connection)
        self._scanner.on_trouble(self._trouble.set)
        if self._button:
            self._button.on_press(self._pressed.set)
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._listen(), name="reader answers")
                tasks.create_task(self._watch_scanner(tasks), name="reader scanner")
                if self._button:
                    tasks.create_task(self._watch_button(tasks), name="reader button")
                async for reading in self._scanner:
                    await self._take(reading, tasks)
                raise RuntimeError("the scanner's readings have ended")
        finally:
            undo()

    def _connection(self, connected: bool) -> None:
        (self._connected.set if connected else self._connected.clear)()

    # What is read

    async def _take(self, reading: ScannedText, tasks: asyncio.TaskGroup) -> None:
        now = self._endpoint.clock.steady_ms()
        again = self._last is not None and self._last[0] == reading and now - self._last[1] < SAME_MS
        self._last = reading, now
        if again:
            return
        fee = self._fee(reading)
        if fee.reason == "refused":
            if fee.why == "ticket-unknown":
                text = f"the scanner read something that is not a ticket: {_fault(reading)}; {SETTING}"
                await self._endpoint.alert("ticket-garbage", text)
            if not self._refusals.take(now):
                return
            self._refused = self._ask(fee, tasks, instead_of=(self._refused,))
            await self._count_refusal(fee.why)
        else:
            await self._endpoint.clear("ticket-garbage", "a ticket was read")
            if not self._row_by_worker:
                await self._end_row()
            self._ticket = self._ask(fee, tasks, instead_of=(self._ticket, self._refused))

    async def _watch_button(self, tasks: asyncio.TaskGroup) -> None:
        """Somebody who waits before his code, and leans on the button, must not lose the visit of his ticket."""
        while True:
            await self._pressed.wait()
            self._pressed.clear()
            if self._state not in SERVED:
                await self._take(PressedText(), tasks)

    async def _count_refusal(self, why: str | None) -> None:
        self._row += 1
        if self._row >= REFUSED_ROW:
            text = (
                f"the last {REFUSED_ROW} tickets were refused, the last one as {why}: {SETTING}; "
                "else compare garage.id, the ticket keys and the clock with the entry's"
            )
            await self._endpoint.alert("reader-refuses", text)

    async def _end_row(self) -> None:
        self._row, self._row_by_worker = 0, False
        await self._endpoint.clear("reader-refuses", "a good ticket was read")

    async def _judge(self, screen: Screen) -> None:
        """The worker judged a well-formed ticket: perhaps nobody that the worker knows signed it."""
        asked = self._ticket
        if asked is None or asked.judged or asked.fee.id != screen.fee:
            return
        asked.judged = True
        if screen.state == "help" and screen.reason in NOT_OURS:
            self._row_by_worker = True
            await self._count_refusal(screen.reason)
        elif self._row_by_worker:
            await self._end_row()

    def _fee(self, reading: ScannedText) -> Fee:
        """The message for a reading, as of now."""
        head, exited_ms, car = self._endpoint.head(), self._endpoint.clock.wall_ms(), self._car()
        if reading.why is None:
            quoted = hint(
                reading.text,
                exited_ms,
                garage=self._endpoint.garage,
                tariff=self._tariff,
                lost_session=lost_session(self._endpoint.garage, self._endpoint.lane or "", car, head["id"]),
                kept=self._kept(exited_ms),
            )
        else:
            quoted = Quote("refused", exited_ms, why="ticket-unknown")
        if quoted.why == "ticket-unknown" and is_coupon(reading.text):
            return Fee(**head, ticket=reading.text, reason="coupon", car=car, exited=stamp(exited_ms))
        if quoted.why == "ticket-unknown" and self._is_number(reading):
            return Fee(**head, ticket=reading.text, reason="number", car=car, exited=stamp(exited_ms))
        known = quoted.amount is not None
        return Fee(
            **head,
            ticket=reading.text if known else reading.text[:SHOWN],
            reason=quoted.reason,
            session=quoted.session,
            car=car,
            entered=None if quoted.entered_ms is None else stamp(quoted.entered_ms),
            exited=stamp(exited_ms),
            minutes=quoted.minutes,
            amount=None if quoted.amount is None else money.text(quoted.amount),
            currency="AED" if known else None,
            why=quoted.why,
        )

    def _is_number(self, reading: ScannedText) -> bool:
        """Is it the number of another system's ticket, by its form?"""
        fits = self._numbers is not None and self._numbers.fullmatch(reading.text)
        return bool(fits) and reading.why is None and len(reading.text) <= NUMBER_MOST

    def _car(self) -> str | None:
        """The car that waits, if the loops say so live."""
        if self._vehicle is None:
            return None
        vehicle, heard_ms = self._vehicle
        fresh = self._endpoint.clock.steady_ms() - heard_ms <= SILENT_MS
        return vehicle.car if vehicle.waiting and fresh else None

    # What is published until it is answered

    def _ask(
        self, fee: Fee, tasks: asyncio.TaskGroup, *, instead_of: Sequence[_UnansweredFee | None]
    ) -> _UnansweredFee:
        for older in instead_of:
            if older and older.task:
                older.task.cancel()
        asked = _UnansweredFee(fee)
        asked.task = tasks.create_task(self._repeat(asked), name=f"reader fee {fee.id}")
        return asked

    async def _repeat(self, asked: _UnansweredFee) -> None:
        """Publish the fee until it is answered; not into a lost connection, where it would only grow old."""
        for pause_s in self._pauses_s:
            try:
                async with asyncio.timeout(pause_s):
                    await self._connected.wait()
                    await self._endpoint.publish(asked.fee)
                    await asked.answered.wait()
                    await self._endpoint.clear("fee-unanswered", "a fee was answered")
                    return
            except TimeoutError:
                continue
        session = None if asked.fee.reason == "lost" else asked.fee.session  # of a lost one the worker names the stay
        text = f"no worker took the ticket that was read at {asked.fee.exited}"
        await self._endpoint.alert("fee-unanswered", text, session=session)

    async def _listen(self) -> None:
        with self._endpoint.subscribe("vehicle", "health/loops", "order", "screen") as stream:
            async for received in stream:
                received.ack()
                if isinstance(received.message, Screen):
                    self._state = received.message.state
                match received.message:
                    case Vehicle() as vehicle if not received.retained:
                        self._vehicle = vehicle, self._endpoint.clock.steady_ms()
                    case Health(state="offline"):
                        self._vehicle = None
                    case Order(fee=str(fee)) | Screen(fee=str(fee)) as answer:
                        if isinstance(answer, Screen):
                            await self._judge(answer)
                        for asked in (self._ticket, self._refused):
                            if asked and asked.fee.id == fee:
                                asked.answered.set()

    # The scanner itself

    async def _watch_scanner(self, tasks: asyncio.TaskGroup) -> None:
        """Hold the first heartbeat back until tickets can be read, because opening a device drops what it held."""
        if self._scanner.trouble:  # not open yet, which is normal for a moment
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(OPENING_S):
                    await self._trouble.wait()
        if trouble := self._scanner.trouble:
            self._endpoint.degraded(trouble)
        tasks.create_task(self._endpoint.run_heartbeat(), name="reader health")
        while True:
            self._trouble.clear()
            if trouble := self._scanner.trouble:
                self._endpoint.degraded(trouble)
                await self._endpoint.alert("scanner", trouble)
            else:
                self._endpoint.healthy()
                await self._endpoint.clear("scanner", "the scanner is back")
            await self._trouble.wait()


def _fault(reading: ScannedText) -> str:
    """Why ``reading`` is not a ticket."""
    if reading.text.startswith("p1."):
        return "its letters are lower case"
    return reading.why or "nobody we know signed it"
