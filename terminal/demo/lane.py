"""The lane as a driver sees it: a car, its ticket and a phone, in front of the real roles and their simulated
hardware."""

import asyncio
import time
from collections.abc import Callable
from typing import Any, Literal, TypeVar, get_args

from PIL import Image

from terminal.demo.feed import BoomMoved, Feed, FrameShown, Happening, LaneChanged, RelayPulsed
from terminal.demo.lane_observer import LaneObserver
from terminal.demo.phone import Phone
from terminal.demo.ports import DemoParts, NotNow, PhoneOrder
from terminal.screen.view import View

TicketKind = Literal["minutes", "lost", "damaged", "foreign", "used", "future"]
"""The kind of ticket that the driver holds; ``minutes`` is a good one."""
KINDS: tuple[str, ...] = get_args(TicketKind)
H = TypeVar("H", bound=Happening)
MOST_MINUTES = 60 * 24 * 90
LONGEST_CUT_S = 600

ARRIVE_S, BACK_S, LEAVE_S = 2.2, 2.0, 3.4
"""How long (s) a car takes to the pillar, back from it, and through; the page's animation uses the same figures."""
_ONTO_WAITING_LOOP = 0.32
"""When an arriving car's front is on the loop, as a part of ARRIVE_S: the driver is not yet at the pillar."""
_OFF_BACKWARDS = 0.45
"""When a car that backs out has cleared it, as a part of BACK_S."""
_ONTO_BOOM_LOOP, _OFF_WAITING_LOOP, _OFF_BOOM_LOOP = 0.25, 0.44, 0.63
"""When a leaving car enters and clears the loops, as parts of LEAVE_S."""
LEAST_S = 0.12
"""The least time between two changes of the loops, however fast the car: a detector takes 0.05 s to settle."""


class DemoLane:
    """One lane, one driver at a time. Each act returns when it is done, or raises NotNow.

    ``pace`` scales the driving: 1 is as a person drives, 0 takes no time. Make and use it in the event loop's
    thread; run() must run beside it.
    """

    def __init__(self, parts: DemoParts, *, pace: float = 1.0) -> None:
        self.parts = parts
        self.feed = Feed()
        self.image: Image.Image | None = None
        """What is on the glass."""
        self.frames = self.pulses = 0
        self._pace = pace
        self._loop = asyncio.get_running_loop()
        self._cars = 0
        self._phase, self._travel_s = "away", 0.0
        self._ticket: dict[str, Any] | None = None
        self._text = self._used = ""
        self._waiting = self._under_boom = False
        self._phone = Phone(parts.payby, self._changed, parts.invoices)
        self._hearing = LaneObserver()
        self._shown: dict[str, Any] = {}
        self._cut_until: dict[str, float] = {}
        parts.panel.watch(lambda image: self._from_thread(self._framed, FrameShown(image, time.perf_counter())))
        parts.arm.watch(lambda state: self._from_thread(self.feed.tell, BoomMoved(state, time.perf_counter())))
        parts.relay.watch(lambda on: self._from_thread(self._pulsed, RelayPulsed(time.perf_counter())) if on else None)

    async def run(self) -> None:
        """Follow the broker's messages until cancelled."""
        try:
            async for delivery in self.parts.tap:
                delivery.ack()
                if passed := self._hearing.take(delivery):
                    self.feed.tell(passed)
        finally:
            self.feed.close()

    def lcd_shows(self, view: View) -> None:
        """The LCD now shows this. It is not always what it was told last: without a broker it is out of order by
        itself."""
        shown = {
            "state": view.state,
            "reason": view.reason,
            "amount": view.amount,
            "currency": "AED" if view.amount else "",
            "help_code": view.help_code,
            "scanned": view.hint == "scanned",
            "invoice": view.state == "paid" and view.symbol is not None,
        }
        self._shown = {name: value for name, value in shown.items() if value}
        self._changed()

    # What the driver does

    async def drive_up(self, minutes: int = 90, kind: str = "minutes") -> None:
        """Drive to the pillar with a ticket of ``minutes`` since the entry, or one of another ``kind``."""
        _must(self._phase == "away", "A car is in the lane already.")
        _must(
            kind in KINDS and 0 <= minutes <= MOST_MINUTES, f"There is no such ticket: {kind[:20]}, {minutes} minutes."
        )
        self._text = self._make(kind, minutes)
        self._ticket = {"kind": kind, "minutes": minutes, "scanned": 0}
        self._cars += 1
        self._at("arriving", ARRIVE_S)
        await asyncio.sleep(_ONTO_WAITING_LOOP * ARRIVE_S * self._pace)
        self._cover(waiting=True)
        await asyncio.sleep(max(LEAST_S, (1 - _ONTO_WAITING_LOOP) * ARRIVE_S * self._pace))
        self._at("waiting")

    async def scan(self) -> None:
        """Hold the ticket under the scanner, as often as you like."""
        self._must_wait()
        assert self._ticket is not None
        self._ticket["scanned"] += 1
        self.parts.scanner.feed(self._text)
        self._changed()

    async def phone_scan(self) -> PhoneOrder | None:
        """Point the phone at the glass: the order behind its code, None for the code of a tax invoice."""
        return await self._phone.scan(self.image)

    async def pay(self) -> None:
        """Pay the order on the phone."""
        await self._phone.pay()

    async def decline(self) -> None:
        """Say no to the order on the phone."""
        await self._phone.decline()

    async def drive_off(self) -> None:
        """Drive through; only under a raised boom."""
        self._must_wait()
        _must(self.parts.arm.state == "up", "The boom is not up.")
        self._at("leaving", LEAVE_S)
        for part, loops in (
            (_ONTO_BOOM_LOOP, {"under_boom": True}),
            (_OFF_WAITING_LOOP - _ONTO_BOOM_LOOP, {"waiting": False}),
            (_OFF_BOOM_LOOP - _OFF_WAITING_LOOP, {"under_boom": False}),
        ):
            await asyncio.sleep(max(LEAST_S, part * LEAVE_S * self._pace))
            self._cover(**loops)
        self._used = self._text
        await asyncio.sleep((1 - _OFF_BOOM_LOOP) * LEAVE_S * self._pace)
        self._gone()

    async def back_out(self) -> None:
        """Leave the pillar in reverse, paid or not."""
        self._must_wait()
        self._at("backing", BACK_S)
        await asyncio.sleep(_OFF_BACKWARDS * BACK_S * self._pace)
        self._cover(waiting=False)
        await asyncio.sleep((1 - _OFF_BACKWARDS) * BACK_S * self._pace)
        self._gone()

    async def cut_broker(self, seconds: float) -> None:
        """Take the broker away for ``seconds``; returns when it is back."""
        await self._cut("broker", seconds)

    async def cut_payby(self, seconds: float) -> None:
        """Take PayBy out of reach for ``seconds``; returns when it is back."""
        await self._cut("payby", seconds)

    # What is to be seen

    def state(self) -> dict[str, Any]:
        """Everything that the page draws, as JSON."""
        arm = self.parts.arm
        return {
            "garage": self.parts.garage,
            "lane": self.parts.lane,
            "car": {"phase": self._phase, "number": self._cars, "travel_s": self._travel_s},
            "ticket": self._ticket,
            "loops": {"waiting": self._waiting, "under_boom": self._under_boom},
            "boom": {"state": arm.state, "rise_s": arm.rise_s, "close_s": arm.close_s},
            "pulses": self.pulses,
            "frame": self.frames,
            "screen": self._shown or self._hearing.screen,
            "order_no": self._hearing.order_no,
            "phone": self._phone.state(),
            "cut": {name: max(0.0, until - self._loop.time()) for name, until in self._cut_until.items()},
            "roles": self._hearing.roles,
            "can": self._able(),
        }

    def _able(self) -> list[str]:
        waits, order = self._phase == "waiting", self._phone.presenter == "order"
        able = {
            "drive_up": self._phase == "away",
            "scan": waits,
            "phone_scan": self.image is not None and self._phone.presenter != "paying",
            "pay": order,
            "decline": order,
            "drive_off": waits and self.parts.arm.state == "up",
            "back_out": waits,
            "cut_broker": "broker" not in self._cut_until,
            "cut_payby": "payby" not in self._cut_until,
        }
        return [act for act, can in able.items() if can]

    # How it is done

    def _make(self, kind: str, minutes: int) -> str:
        tickets = self.parts.tickets
        if kind == "lost":
            return tickets.lost
        if kind == "foreign":
            return tickets.foreign(minutes)
        if kind == "used":
            _must(self._used != "", "No ticket is used yet: let a car leave first, then come back with its ticket.")
            return self._used
        if kind == "future":
            return tickets.ours(-30)
        text = tickets.ours(minutes)
        if kind == "damaged":  # one character of the code's text is read wrong
            return text[:-6] + ("A" if text[-6] != "A" else "B") + text[-5:]
        return text

    def _must_wait(self) -> None:
        _must(self._phase == "waiting", "No car is at the pillar.")

    def _at(self, phase: str, travel_s: float = 0.0) -> None:
        self._phase, self._travel_s = phase, travel_s * self._pace
        self._changed()

    def _cover(self, *, waiting: bool | None = None, under_boom: bool | None = None) -> None:
        if waiting is not None:
            self._waiting = waiting
            self.parts.loops.waiting(waiting)
        if under_boom is not None:
            self._under_boom = under_boom
            self.parts.loops.under_boom(under_boom)
        self._changed()

    def _gone(self) -> None:
        self._ticket = None
        self._phone.put_away()
        self._at("away")

    async def _cut(self, name: Literal["broker", "payby"], seconds: float) -> None:
        _must(name not in self._cut_until, "It is already cut.")
        _must(0 < seconds <= LONGEST_CUT_S, f"A cut lasts up to {LONGEST_CUT_S} seconds.")
        part = self.parts.broker if name == "broker" else self.parts.payby
        self._cut_until[name] = self._loop.time() + seconds
        self._changed()
        try:
            await part.cut()
            await asyncio.sleep(seconds)
            await part.restore()
        finally:
            del self._cut_until[name]
            self._changed()

    def _changed(self) -> None:
        self.feed.tell(LaneChanged())

    def _from_thread(self, call: Callable[[H], None], happening: H) -> None:
        if not self._loop.is_closed():  # a panel may push its last frame while everything ends
            self._loop.call_soon_threadsafe(call, happening)

    def _framed(self, frame: FrameShown) -> None:
        self.image = frame.image
        self.frames += 1
        self.feed.tell(frame)

    def _pulsed(self, pulse: RelayPulsed) -> None:
        self.pulses += 1
        self.feed.tell(pulse)


def _must(holds: bool, why: str) -> None:
    if not holds:
        raise NotNow(why)
