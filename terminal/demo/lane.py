"""The lane as a driver meets it: a car, its ticket and a phone, before the real roles and their simulated hardware."""

import asyncio
import json
import time
from collections.abc import Callable
from typing import Any, Literal, get_args

from PIL import Image

from terminal.contract import topics
from terminal.demo.feed import Changed, Feed, Happening, Moved, Passed, Pulsed, Shown
from terminal.demo.parts import Delivery, NotNow, Parts, PhoneOrder
from terminal.screen.qr import decode

Kind = Literal["minutes", "lost", "damaged", "foreign", "used", "future"]
"""What ticket the driver holds; ``minutes`` is a good one."""
KINDS: tuple[str, ...] = get_args(Kind)
MOST_MINUTES = 60 * 24 * 90
LONGEST_CUT_S = 600

ARRIVE_S, BACK_S, LEAVE_S = 2.2, 2.0, 3.4
"""How long a car takes to the pillar, back from it, and through; the page animates by the same figures."""
_ONTO_BOOM_LOOP, _OFF_WAITING_LOOP, _OFF_BOOM_LOOP = 0.25, 0.44, 0.63
"""When a leaving car enters and clears the loops, as parts of LEAVE_S."""
LEAST_S = 0.12
"""The least time between two changes of the loops, however fast the car: a detector takes 0.05 s to settle."""

_ROUTINE = ("health", "vehicle")


class DemoLane:
    """One lane, one driver at a time. Each act ends when what it says has been done, or raises NotNow.

    ``pace`` stretches the driving: 1 is as a person drives, 0 takes no time. To be made and used in the event loop's
    thread; run() must run beside it.
    """

    def __init__(self, parts: Parts, *, pace: float = 1.0) -> None:
        self.parts = parts
        self.feed = Feed()
        self.image: Image.Image | None = None
        self.frames = 0
        self.pulses = 0
        self._pace = pace
        self._loop = asyncio.get_running_loop()
        self._cars = 0
        self._phase, self._travel_s = "away", 0.0
        self._ticket: dict[str, Any] | None = None
        self._text = self._used = ""
        self._waiting = self._under_boom = False
        self._token = ""
        self._order: PhoneOrder | None = None
        self._phone, self._note = "home", ""
        self._cut_until: dict[str, float] = {}
        self._screen: dict[str, Any] = {}
        self._roles: dict[str, str] = {}
        self._last: dict[str, dict[str, Any]] = {}
        self._passed = 0
        parts.panel.watch(lambda image: self._from_thread(self._framed, Shown(image, time.perf_counter())))
        parts.arm.watch(lambda state: self._from_thread(self.feed.tell, Moved(state, time.perf_counter())))
        parts.relay.watch(lambda on: self._from_thread(self._pulsed, Pulsed(time.perf_counter())) if on else None)

    async def run(self) -> None:
        """Follow the broker's messages until cancelled."""
        try:
            async for delivery in self.parts.tap:
                delivery.ack()
                self._heard(delivery)
        finally:
            self.feed.close()

    # What the driver does

    async def drive_up(self, minutes: int = 90, kind: str = "minutes") -> None:
        """Drive to the pillar with a ticket of ``minutes`` since the entry, or one of another ``kind``."""
        self._must(self._phase == "away", "A car is in the lane already.")
        if kind not in KINDS or not 0 <= minutes <= MOST_MINUTES:
            raise NotNow(f"There is no such ticket: {kind}, {minutes} minutes.")
        self._text = self._make(kind, minutes)
        self._ticket = {"kind": kind, "minutes": minutes, "scanned": 0}
        self._phone, self._note, self._order, self._token = "home", "", None, ""
        self._cars += 1
        await self._travel("arriving", ARRIVE_S)
        self._cover(waiting=True)
        self._at("waiting")

    async def scan(self) -> None:
        """Hold the ticket under the scanner; as often as one likes."""
        self._must(self._phase == "waiting" and self._ticket is not None, "No car stands at the pillar.")
        assert self._ticket is not None
        self._ticket["scanned"] += 1
        self.parts.scanner.feed(self._text)
        self.feed.tell(Changed())

    async def phone_scan(self) -> PhoneOrder:
        """Point the phone at the glass: read the code that is really there, and ask PayBy what it is."""
        self._must(self.image is not None, "The screen is dark.")
        assert self.image is not None
        token = await asyncio.to_thread(decode, self.image)
        if token is None:
            raise self._refused("home", "No code in view. The screen shows none right now.")
        try:
            self._order = await self.parts.payby.order(token)
        except NotNow as error:
            raise self._refused("home", str(error)) from None
        self._token, self._phone, self._note = token, "order", ""
        self.feed.tell(Changed())
        return self._order

    async def pay(self) -> None:
        """Pay the order on the phone."""
        self._must(self._phone == "order", "The phone shows no order. Scan the code first.")
        await self._answer("paying", self.parts.payby.pay, "paid")

    async def decline(self) -> None:
        """Say no to the order on the phone."""
        self._must(self._phone == "order", "The phone shows no order. Scan the code first.")
        await self._answer("order", self.parts.payby.decline, "declined")

    async def drive_off(self) -> None:
        """Drive through; only under a raised boom."""
        self._must(self._phase == "waiting", "No car stands at the pillar.")
        self._must(self.parts.arm.state == "up", "The boom is not up.")
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
        """Leave the pillar backwards, paid or not."""
        self._must(self._phase == "waiting", "No car stands at the pillar.")
        self._at("backing", BACK_S)
        await asyncio.sleep(0.45 * BACK_S * self._pace)
        self._cover(waiting=False)
        await asyncio.sleep(0.55 * BACK_S * self._pace)
        self._gone()

    async def cut_broker(self, seconds: float) -> None:
        """Take the broker away for ``seconds``; ends when it is back."""
        await self._cut("broker", seconds)

    async def cut_payby(self, seconds: float) -> None:
        """Take PayBy out of reach for ``seconds``; ends when it is back."""
        await self._cut("payby", seconds)

    def state(self) -> dict[str, Any]:
        """All that the page draws, as JSON."""
        order = self._order
        return {
            "garage": self.parts.garage,
            "lane": self.parts.lane,
            "car": {"phase": self._phase, "number": self._cars, "travel_s": self._travel_s},
            "ticket": self._ticket,
            "loops": {"waiting": self._waiting, "under_boom": self._under_boom},
            "boom": {"state": self.parts.arm.state, "rise_s": self.parts.arm.rise_s, "close_s": self.parts.arm.close_s},
            "pulses": self.pulses,
            "frame": self.frames,
            "screen": self._screen,
            "phone": {
                "state": self._phone,
                "note": self._note,
                "order": order
                and {"merchant": order.merchant, "subject": order.subject, "order_no": order.order_no}
                | {"amount": order.amount, "currency": order.currency},
            },
            "cut": {name: max(0.0, until - self._loop.time()) for name, until in self._cut_until.items()},
            "roles": self._roles,
            "can": self._able(),
        }

    def _able(self) -> list[str]:
        waits = self._phase == "waiting"
        able = {
            "drive_up": self._phase == "away",
            "scan": waits,
            "phone_scan": self.image is not None and self._phone != "paying",
            "pay": self._phone == "order",
            "decline": self._phone == "order",
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
            self._must(
                self._used != "", "No ticket is used yet: let a car leave first, then come back with its ticket."
            )
            return self._used
        if kind == "future":
            return tickets.ours(-30)
        text = tickets.ours(minutes)
        if kind == "damaged":  # one character of what the barcode says is read wrong
            return text[:-6] + ("A" if text[-6] != "A" else "B") + text[-5:]
        return text

    async def _travel(self, phase: str, travel_s: float) -> None:
        self._at(phase, travel_s)
        await asyncio.sleep(travel_s * self._pace)

    def _at(self, phase: str, travel_s: float = 0.0) -> None:
        self._phase, self._travel_s = phase, travel_s * self._pace
        self.feed.tell(Changed())

    def _cover(self, *, waiting: bool | None = None, under_boom: bool | None = None) -> None:
        if waiting is not None:
            self._waiting = waiting
            self.parts.loops.waiting(waiting)
        if under_boom is not None:
            self._under_boom = under_boom
            self.parts.loops.under_boom(under_boom)
        self.feed.tell(Changed())

    def _gone(self) -> None:
        self._ticket, self._phone, self._note, self._order = None, "home", "", None
        self._at("away")

    async def _answer(self, meanwhile: str, act: Callable[[str], Any], then: str) -> None:
        self._phone, self._note = meanwhile, ""
        self.feed.tell(Changed())
        try:
            await act(self._token)
        except NotNow as error:
            raise self._refused("order", str(error)) from None
        if self._order is not None:  # the car may have left meanwhile
            self._phone = then
        self.feed.tell(Changed())

    def _refused(self, phone: str, note: str) -> NotNow:
        self._phone, self._note = phone, note
        self.feed.tell(Changed())
        return NotNow(note)

    async def _cut(self, name: Literal["broker", "payby"], seconds: float) -> None:
        self._must(name not in self._cut_until, "It is cut already.")
        self._must(0 < seconds <= LONGEST_CUT_S, f"A cut lasts up to {LONGEST_CUT_S} seconds.")
        part = self.parts.broker if name == "broker" else self.parts.payby
        self._cut_until[name] = self._loop.time() + seconds
        self.feed.tell(Changed())
        try:
            await part.cut()
            await asyncio.sleep(seconds)
            await part.restore()
        finally:
            del self._cut_until[name]
            self.feed.tell(Changed())

    @staticmethod
    def _must(holds: bool, why: str) -> None:
        if not holds:
            raise NotNow(why)

    # What the lane says

    def _from_thread(self, call: Callable[[Any], None], happening: Happening) -> None:
        if not self._loop.is_closed():  # a panel may push its last frame while everything ends
            self._loop.call_soon_threadsafe(call, happening)

    def _framed(self, frame: Shown) -> None:
        self.image = frame.image
        self.frames += 1
        self.feed.tell(frame)

    def _pulsed(self, pulse: Pulsed) -> None:
        self.pulses += 1
        self.feed.tell(pulse)

    def _heard(self, delivery: Delivery) -> None:
        at_s = time.perf_counter()
        try:
            topic = topics.parse(delivery.topic)
            data = json.loads(delivery.payload)
        except (topics.TopicError, ValueError, RecursionError):
            return  # nothing that our roles say; they raise the alert
        if not isinstance(data, dict):
            return
        same = {name: value for name, value in data.items() if name not in ("id", "at")}
        routine = topic.kind in _ROUTINE and self._last.get(delivery.topic) == same
        self._last[delivery.topic] = same
        if topic.kind == "screen":
            self._screen = {name: data[name] for name in data if name not in ("qr", "sign", "key")}
        elif topic.kind == "health":
            self._roles[topic.role] = str(data.get("state"))
        self._passed += 1
        self.feed.tell(Passed(self._passed, delivery.topic, topic.kind, data, delivery.retained, routine, at_s))
