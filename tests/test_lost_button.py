"""The button for lost tickets: held for a second, it is the card, unless the lane serves a driver by a ticket."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from gpiozero.pins.mock import MockFactory

from drivers.lost_button import HELD_S, LostButton
from drivers.simulated import WiredPin
from terminal.contract.messages import Fee, Qr, Screen
from terminal.core.ids import lost_session
from tests.models.timers import ManualTimers
from tests.support.reader_kerb import CAR, LANE, SESSIONS, Kerb, kerb, ticket

PIN = 13
PAY: dict[str, Any] = {
    "session": SESSIONS[0], "amount": "20.00", "currency": "AED", "expires": "2026-11-18T11:08:30.000Z",
    "remaining": 110, "qr": Qr(21, "AA=="), "key": "worker", "sign": "c2ln",
}  # fmt: skip
"""What a pay screen has besides; nobody here looks at it."""


class Bench:
    """A button on a mock pin, with a clock to turn."""

    def __init__(self) -> None:
        self.pins, self.timers, self.presses = MockFactory(), ManualTimers(), 0
        self.wire: WiredPin = self.pins.pin(PIN, pin_class=WiredPin)
        self.button = LostButton(PIN, pin_factory=self.pins, timers=self.timers)
        self.button.on_press(self._pressed)

    def _pressed(self) -> None:
        self.presses += 1

    async def holds(self, seconds: float, *, down: bool = True) -> None:
        self.wire.drive(down)
        await asyncio.sleep(0)  # lets an edge's hand-over to the loop run
        self.timers.advance(seconds)


@asynccontextmanager
async def bench(*, is_held: bool = False) -> AsyncIterator[Bench]:
    made = Bench()
    made.wire.drive(is_held)
    async with made.button:
        yield made
    made.pins.close()


async def test_it_counts_once_each_time_that_it_is_held_for_a_second() -> None:
    async with bench() as made:
        for presses in (1, 2):
            await made.holds(HELD_S)
            await made.holds(10)
            assert made.presses == presses
            await made.holds(HELD_S, down=False)


async def test_a_touch_does_not_count() -> None:
    async with bench() as made:
        await made.holds(HELD_S / 2)
        await made.holds(HELD_S, down=False)
        assert made.presses == 0


async def test_one_that_is_held_at_the_start_counts_only_after_it_was_let_go() -> None:
    async with bench(is_held=True) as made:
        await made.holds(30)
        assert made.presses == 0
        await made.holds(HELD_S, down=False)
        await made.holds(HELD_S)
        assert made.presses == 1


class Pressed:
    """A button for a reader's role, which a test presses."""

    press: Callable[[], None]

    def on_press(self, callback: Callable[[], None]) -> None:
        self.press = callback


async def shows(lane: Kerb, state: str) -> None:
    more = PAY if state == "pay" else {}
    # A parameter of a test is a str, where Screen takes one of its states.
    await lane.bus.hears(LANE + "screen", Screen(**lane.head(4), state=state, **more))  # type: ignore[arg-type]
    await lane.settled()


@pytest.mark.parametrize("state", ["", "idle", "help", "out-of-order"])
async def test_a_press_is_read_as_the_card_for_a_lost_ticket(state: str) -> None:
    button = Pressed()
    async with kerb(button=button) as lane:
        await lane.vehicle()
        if state:
            await shows(lane, state)
        button.press()
        (fee,) = await lane.fees(1)
        assert (fee.ticket, fee.reason, fee.amount, fee.car) == ("LOST", "lost", "150.00", CAR)
        assert fee.session == lost_session("marina", "exit-1", CAR, fee.id)


@pytest.mark.parametrize("state", ["wait", "pay", "paid", "free"])
async def test_a_press_while_a_driver_is_served_by_his_ticket_is_not_heard(state: str) -> None:
    button = Pressed()
    async with kerb(button=button) as lane:
        await lane.vehicle()
        lane.scanner.feed(ticket())
        (fee,) = await lane.fees(1)
        await lane.answer(fee)
        await shows(lane, state)
        button.press()
        await lane.settled()
        assert lane.bus.of(Fee) == [fee]
        await shows(lane, "idle")
        button.press()
        assert (await lane.fees(2))[1].reason == "lost"
