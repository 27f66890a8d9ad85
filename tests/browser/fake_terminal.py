"""A stand-in for all the roles and their hardware, as one small script: what DemoLane's tests drive a car up to.

It says the contract's messages in the order of a visit and shows real QR codes, so that page, lane and cars can be
tested without a broker. ``mute`` holds back the kinds of messages named in it, ``refuse_all`` refuses every ticket, and
with ``frame_first`` the glass is faster than the broker.

The real roles take their seconds for each step, and cannot be told to be mute, late or early: a test of the page runs
in a tenth of a second with this, and README's own commands run the demo with them (test_readme.py).
"""

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import segno
from PIL import Image, ImageDraw

from terminal.demo.ports import DemoParts, NotNow, PhoneOrder, Tickets

AT = "2026-11-22T10:00:00.000Z"
ID = "019aab00-0000-7000-8000-%012d"
ORDER_NO = f"marina-exit-1-{(ID % 5).replace('-', '')}"


@dataclass(frozen=True)
class Said:
    """One delivery of the fake's tap."""

    topic: str
    payload: bytes
    retained: bool
    acked: list[str]

    def ack(self) -> None:
        self.acked.append(self.topic)


@dataclass
class Told:
    """Something that can be watched."""

    watchers: list[Callable[[Any], None]] = field(default_factory=list)

    def watch(self, told: Callable[[Any], None]) -> None:
        self.watchers.append(told)

    def tell(self, what: Any) -> None:
        for told in self.watchers:
            told(what)


class FakeArm(Told):
    """Rises on a pulse, lowers once the loop under it is clear again."""

    def __init__(self, rise_s: float, close_s: float) -> None:
        super().__init__()
        self.rise_s, self.close_s, self.state = rise_s, close_s, "down"

    async def move(self, state: str, seconds: float, then: str) -> None:
        for self.state, wait in ((state, seconds), (then, 0.0)):
            self.tell(self.state)
            await asyncio.sleep(wait)


class FakeTerminal:
    """All of it. parts() gives what a DemoLane needs; ``covered`` and ``fed`` remember what the lane did."""

    def __init__(self, *, rise_s: float = 0.01, close_s: float = 0.01, think_s: float = 0.0) -> None:
        self.said: asyncio.Queue[Said] = asyncio.Queue()
        self.acked: list[str] = []
        self.covered: list[tuple[str, bool]] = []
        self.fed: list[str] = []
        self.cuts: list[str] = []
        self.mute: set[str] = set()
        self.refuse_all = self.frame_first = False
        self.panel, self.relay = Told(), Told()
        self.arm = FakeArm(rise_s, close_s)
        self._think_s = think_s
        self._orders: dict[str, dict[str, Any]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._count = 0

    def parts(self) -> DemoParts:
        return DemoParts(
            garage="Marina Garage",
            lane="exit-1",
            scanner=self,
            loops=self,
            panel=self.panel,
            relay=self.relay,
            arm=self.arm,
            payby=self,
            broker=FakeBroker(self.cuts),
            tickets=Tickets(self._ticket, lambda minutes: f"THEIRS {minutes} 0 ABCDEFGH", "LOST"),
            tap=self._tap(),
            invoices="http://127.0.0.1:8080/receipt",
        )

    def boot(self) -> None:
        """Say hello: every role is online, the screen is idle."""
        for role in ("reader", "worker", "listener", "barrier", "lcd", "loops"):
            self.publish(f"health/{role}", state="online", version="0.1.0", instance="x", since=AT)
        self.publish("barrier", state="down")
        self._show("idle")

    def publish(self, what: str, **data: Any) -> None:
        """Put a message of ours on the wire."""
        self._count += 1
        if what not in self.mute:
            self.say_bytes(what, json.dumps({"v": 1, "id": ID % self._count, "at": AT} | data).encode())

    def say_bytes(self, what: str, payload: bytes) -> None:
        """The same, whatever it says."""
        self.said.put_nowait(Said(f"parking/marina/exit-1/{what}", payload, False, self.acked))

    # Scanner and loops

    def feed(self, text: str) -> None:
        self.fed.append(text)
        self._start(self._read(text))

    def waiting(self, covered: bool) -> None:
        self.covered.append(("waiting", covered))
        self.publish("vehicle", waiting=covered, under_boom=False, **({"car": ID % 7} if covered else {}))
        if not covered and self.arm.state == "down":
            self._show("idle")

    def under_boom(self, covered: bool) -> None:
        self.covered.append(("under_boom", covered))
        self.publish("vehicle", waiting=False, under_boom=covered)
        if not covered and self.arm.state == "up":
            self._start(self._lower())

    # PayBy

    async def order(self, token_url: str) -> PhoneOrder:
        if token_url not in self._orders:
            raise NotNow("PayBy does not know this code.")
        amount = self._orders[token_url]["amount"]
        return PhoneOrder("Marina Garage", "Parking exit-1", amount, "AED", ORDER_NO, "CREATED")

    async def pay(self, token_url: str) -> None:
        order = self._orders[token_url]
        if order["status"] != "created":
            raise NotNow("This order is closed.")
        order["status"] = "paid"
        await asyncio.sleep(self._think_s)
        self.publish("paid", order_no=ORDER_NO, notify_id="1", body="{}", sign="x")
        self.publish("receipt", order_no=ORDER_NO, notify_id="1", outcome="lifting")
        self.publish("order", status="paid", amount=order["amount"], currency="AED")
        self._start(self._lift("paid"))

    async def decline(self, token_url: str) -> None:
        self._orders[token_url]["status"] = "declined"

    async def cut(self) -> None:
        self.cuts.append("payby cut")

    async def restore(self) -> None:
        self.cuts.append("payby back")

    # What the roles would do

    async def _read(self, text: str) -> None:
        origin, minutes, *_ = *text.split(), "0"
        if self.refuse_all or origin != "OURS" or not text.endswith("GH"):
            self.publish("fee", ticket=text, reason="refused", why="ticket-foreign")
            self._show("help", reason="ticket-foreign", help_code="K7M2Q")
            return
        stay = {
            "ticket": text,
            "session": ID % 5,
            "exited": AT,
            "entered": AT,
            "minutes": int(minutes),
            "currency": "AED",
        }
        if int(minutes) <= 10:
            self.publish("fee", reason="free", amount="0.00", **stay)
            self._show("free")
            await self._lift("free")
            return
        amount = f"{-(-int(minutes) // 60) * 10}.00"
        self.publish("fee", reason="due", amount=amount, **stay)
        self._show("wait")
        await asyncio.sleep(self._think_s)
        token = (
            f"https://qr.payby.com?BIZ_TYPE=202&ft=7ac1495837234592be948e83fcaa{len(self._orders):04x}&t=1765054600668"
        )
        self._orders[token] = {"status": "created", "amount": amount}
        order = {"session": ID % 5, "amount": amount, "currency": "AED"}
        self.publish("order", status="placing", **order)
        created = {"status": "created", "token_url": token, **order}
        if not self.frame_first:
            self.publish("order", **created)
        self._show("pay", token, amount=amount, currency="AED", remaining=110)
        if self.frame_first:
            await asyncio.sleep(0.02)
            self.publish("order", **created)

    async def _lift(self, reason: str) -> None:
        lift = ID % (900 + self._count)
        self._show("paid" if reason == "paid" else "free")
        self.publish(
            "lift",
            reason=reason,
            session=ID % 5,
            **({"proof": {"body": "{}", "sign": "x"}} if reason == "paid" else {}),
        )
        self.relay.tell(True)
        self.relay.tell(False)
        self.publish("barrier", state="rising", answer={"lift": lift, "outcome": "raised"})
        await self.arm.move("rising", self.arm.rise_s, "up")
        self.publish("barrier", state="up")

    async def _lower(self) -> None:
        self._show("idle")
        await self.arm.move("lowering", self.arm.close_s, "down")
        self.publish("barrier", state="down")

    def _show(self, state: str, token: str = "", **more: Any) -> None:
        self.publish("screen", state=state, **more)
        picture = Image.new("RGB", (480, 320), "white")
        if token:
            matrix = segno.make(token, error="m", micro=False)
            side = int(matrix.symbol_size(scale=1, border=4)[0])
            code = Image.new("L", (side, side), 255)
            for y, row in enumerate(matrix.matrix_iter(scale=1, border=4)):
                for x, dark in enumerate(row):
                    code.putpixel((x, y), 0 if dark else 255)
            picture.paste(code.resize((320, 320), Image.Resampling.NEAREST), (0, 0))
        ImageDraw.Draw(picture).text((330, 20), f"{state}\n{more.get('amount', '')}", "black", font_size=34)
        self.panel.tell(picture)

    def _ticket(self, minutes: int) -> str:
        return f"OURS {minutes} {len(self.fed)} ABCDEFGH" if minutes >= 0 else "FUTURE"

    def _start(self, work: Any) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _tap(self) -> Any:
        while True:
            yield await self.said.get()


class FakeBroker:
    """Remembers that it was cut."""

    def __init__(self, cuts: list[str]) -> None:
        self._cuts = cuts

    async def cut(self) -> None:
        self._cuts.append("broker cut")

    async def restore(self) -> None:
        self._cuts.append("broker back")
