"""A garage of many lanes, as its broker hears it: visits at every lane, one message after the other at an even pace.

    python -m tests.bench.desk_traffic URL KEY FILE LANES PER_S SECONDS

opens the lanes, writes "open", waits for a line, and then talks. FILE gets ``[[lane, field, at_ms, text, id], …]``:
what a card of the desk is to show from then on, when that was said (ms since the epoch), and by which message. KEY is
the worker's, which signs the codes. A process of its own, so that the desk is not measured together with those who
talk.
"""

import asyncio
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from terminal.clock import SystemClock, new_id
from terminal.contract.messages import encode, stamp
from terminal.contract.signatures import load_signing_key, sign_screen
from terminal.contract.topics import RETAINED
from terminal.core import ids
from terminal.mqtt.client import MqttClient
from terminal.roles.console.texts import WORDS
from terminal.screen import qr

GARAGE, WORDING = "marina", WORDS["en"]
CLOCK = SystemClock()
BEAT_S = 5.0
LANE_ROLES = ("reader", "lcd", "barrier", "loops", "run")
CODE = "https://qr.payby.com?BIZ_TYPE=202&ft={}&t=1765054600668"
Step = tuple[str, dict[str, Any], str, str]
"""A message's kind, its fields, and the field of the card with the text that it leads to (both empty: none)."""


def lane_names(count: int) -> list[str]:
    """exit-1 and so on, as an operator numbers them."""
    return [f"exit-{number}" for number in range(1, count + 1)]


class TalkingLane:
    """One lane's visits, without end: ``steps`` gives message after message. ``key``: the worker's."""

    def __init__(self, lane: str, key: Ed25519PrivateKey) -> None:
        self.lane, self._key = lane, key
        self._visits = 0

    def steps(self) -> Iterator[Step]:
        """What its roles say of one paid visit after the other, each of another amount."""
        while True:
            self._visits += 1
            yield from self._visit(f"{self._visits % 900 + 1}.{int(self.lane.partition('-')[2]) % 100:02}")

    def _visit(self, amount: str) -> Iterator[Step]:
        now = CLOCK.wall_ms()
        session, car = ids.derived_id(now, self.lane, "stay"), ids.derived_id(now, self.lane, "car")
        number = ids.order_no(GARAGE, self.lane, session, 1)
        visit = {"session": session, "car": car, "help_code": ids.help_code(session)}
        due = {"session": session, "order_no": number, "amount": amount, "currency": "AED"}
        lift = new_id(CLOCK)
        yield self._car(waiting=True, under_boom=False, car=car)
        yield "fee", {"ticket": f"ticket of {session}", "reason": "due", "minutes": 90, **due, "car": car}, "", ""
        yield self._screen("wait", **visit)
        yield self._order("placing", due)
        yield self._order("created", due)
        yield self._pay(visit | {"amount": amount})
        yield self._pay(visit | {"amount": amount}, scanned=True)
        yield "paid", {"order_no": number, "notify_id": session, "body": "{}", "sign": "AA=="}, "", ""
        yield self._order("paid", due)
        yield "lift", {"session": session, "car": car, "reason": "paid", "by": "worker", "order_no": number}, "", ""
        yield self._boom("rising", lift, session)
        yield self._screen("paid", **visit)
        yield self._boom("up", lift, session)
        yield self._car(waiting=False, under_boom=True)
        yield self._boom("down", lift, session)
        yield self._car(waiting=False, under_boom=False)
        yield self._screen("idle")
        yield "order", {"status": "none"}, "order", ""

    def _car(self, **fields: Any) -> Step:
        row = "car.under" if fields["under_boom"] else "car.waiting" if fields["waiting"] else "car.nobody"
        return "vehicle", fields, "car", WORDING(row)

    def _order(self, status: str, due: dict[str, Any]) -> Step:
        return "order", {"status": status, **due}, "order", WORDING.order(status, due["amount"])

    def _boom(self, state: str, lift: str, session: str) -> Step:
        return "barrier", {"state": state, "lift": lift, "session": session}, "boom", WORDING.boom(state)

    def _screen(self, state: str, **fields: Any) -> Step:
        return "screen", {"state": state, **fields}, "screen", WORDING.screen(state, "")

    def _pay(self, fields: dict[str, Any], *, scanned: bool = False) -> Step:
        code = qr.to_wire(qr.encode(CODE.format(fields["session"].replace("-", ""))))
        left = {"currency": "AED", "minutes": 90, "remaining": 110, "expires": stamp(CLOCK.wall_ms() + 110_000)}
        screen = sign_screen(
            self._key, GARAGE, self.lane, key="worker", id=new_id(CLOCK), at=stamp(CLOCK.wall_ms()), state="pay",
            qr=code, scanned=scanned or None, **fields, **left,
        )  # fmt: skip
        said = WORDING("screen.scanned" if scanned else "screen.pay", amount=fields["amount"])
        return "screen", json.loads(encode(screen)), "screen", said


class Talk:
    """All lanes at one broker. ``said`` is what FILE gets."""

    def __init__(self, bus: MqttClient, lanes: list[str], key: Ed25519PrivateKey) -> None:
        self._bus = bus
        self._lanes = lanes
        self._steps = {lane: TalkingLane(lane, key).steps() for lane in lanes}
        self._since = stamp(CLOCK.wall_ms())
        self.said: list[tuple[str, str, float, str, str]] = []

    async def open(self) -> None:
        """Every role of every lane is there, and the lanes are idle."""
        await self._health("garage", "worker")
        for lane in self._lanes:
            for role in LANE_ROLES:
                await self._health(lane, role)
            await self._say(lane, "vehicle", {"waiting": False, "under_boom": False})
            await self._say(lane, "barrier", {"state": "down"})
            await self._say(lane, "screen", {"state": "idle"})

    async def beat(self) -> None:
        """As each lane's process and the worker do, until cancelled."""
        while True:
            await asyncio.sleep(BEAT_S)
            await self._health("garage", "worker")
            for lane in self._lanes:
                await self._health(lane, "run")

    async def talk(self, per_s: float, seconds: float) -> float:
        """The lanes in turn, ``per_s`` messages a second; returns how many a second there were."""
        began, count = time.monotonic(), 0
        while (passed := time.monotonic() - began) < seconds:
            while count < passed * per_s:
                await self._next(self._lanes[count % len(self._lanes)])
                count += 1
            await asyncio.sleep(1 / per_s)
        return count / (time.monotonic() - began)

    async def _next(self, lane: str) -> None:
        kind, fields, shows, text = next(self._steps[lane])
        fields = {"id": new_id(CLOCK)} | fields
        if shows:
            self.said.append((lane, shows, time.time() * 1000, text, fields["id"]))
        await self._say(lane, kind, fields)

    async def _health(self, lane: str, role: str) -> None:
        fields = {"state": "online", "version": "1", "instance": f"of {lane}", "since": self._since}
        await self._say(lane, f"health/{role}", fields)

    async def _say(self, lane: str, what: str, fields: dict[str, Any]) -> None:
        head = {"v": 1, "id": new_id(CLOCK), "at": stamp(CLOCK.wall_ms())}
        await self._bus.publish(
            f"parking/{GARAGE}/{lane}/{what}", json.dumps(head | fields).encode(),
            retain=what.partition("/")[0] in RETAINED,
        )  # fmt: skip


async def main(url: str, key: str, file: str, lanes: str, per_s: str, seconds: str) -> None:
    async with MqttClient(url, username="lane", client_id="talker") as bus:
        await bus.wait_connected()
        talk = Talk(bus, lane_names(int(lanes)), load_signing_key(Path(key)))
        await talk.open()
        print("open", flush=True)
        beating = asyncio.create_task(talk.beat(), name="heartbeats")
        await asyncio.to_thread(sys.stdin.readline)
        rate = await talk.talk(float(per_s), float(seconds))
        beating.cancel()
    await asyncio.to_thread(Path(file).write_text, json.dumps(talk.said), encoding="utf-8")
    print(rate, flush=True)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
