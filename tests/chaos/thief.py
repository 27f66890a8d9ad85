"""Whoever took a lane's machine has every secret that it held, and hears (more than he could) what is said elsewhere.

He says all that a lane can say, in his own lane's place, in others' and in the garage's, as often as he likes.
"""

import asyncio
from collections.abc import Iterable
from typing import Any

from terminal.clock import SystemClock, new_id
from terminal.contract.messages import (
    Answer,
    Barrier,
    Command,
    Fee,
    Health,
    Lift,
    Message,
    Order,
    Paid,
    Proof,
    Receipt,
    Refund,
    Screen,
    Vehicle,
    encode,
    stamp,
)
from terminal.core.ids import derived_id
from terminal.core.ticket import sign_ticket
from terminal.mqtt.client import MqttClient
from tests.chaos.bell import Bell
from tests.chaos.kerb import Kerb

PAUSE_S, EVERY_S = 0.2, 1.0
PATIENT_S = 10.0
SESSIONS = 2
"""The newest stays of the other lane are all that he cares for."""
OWN_KEY = b"\x07" * 32
CLOCK = SystemClock()


class Thief:
    """``lane`` is his, ``victim`` the other one."""

    def __init__(self, bus: MqttClient, lane: str, victim: Kerb, bell: Bell) -> None:
        self._bus, self._lane, self._victim, self._bell = bus, lane, victim, bell
        self.rounds = 0

    async def speaks(self) -> None:
        """Until cancelled; soon after anything else was said."""
        while True:
            rung = self._bell.rung
            for place in (self._lane, self._victim.name, "garage"):
                for what, message, retain in self._all(place):
                    await self._bus.publish(f"parking/marina/{place}/{what}", encode(message), retain=retain)
            self.rounds += 1
            self._bell.ring()
            await asyncio.sleep(PAUSE_S)
            await self._bell.beyond(rung, EVERY_S)

    async def heard_out(self) -> None:
        """Until he has said everything once more, with all that is known by now."""
        rounds = self.rounds
        await self._bell.until(lambda: self.rounds >= rounds + 2, PATIENT_S)

    def _all(self, place: str) -> Iterable[tuple[str, Message, bool]]:
        said = self._victim.said
        sessions = list(dict.fromkeys(m["session"] for _, m in reversed(said) if "session" in m))[:SESSIONS]
        lifts = [m for what, m in said if what == "lift" and m.get("session") in sessions]
        cars = [m["car"] for what, m in said[-50:] if what == "vehicle" and "car" in m][-1:]
        read = {m["session"]: m for what, m in said if what == "fee" and m.get("session") in sessions}
        for session in sessions:
            if session in read:
                yield "fee", _copied(read[session]), False
            yield from (("fee", fee, False) for fee in self._fees(session))
        yield "fee", self._lost(new_id(CLOCK)), False
        for car in (*cars, new_id(CLOCK)):
            yield "vehicle", Vehicle(**_head(), waiting=True, under_boom=False, car=car), True
        for lift in lifts:
            for outcome, why in (("refused", "car"), ("refused", "proof"), ("unknown", None), ("raised", None)):
                answer = Answer(lift["id"], outcome, why)  # type: ignore[arg-type]
                named = Barrier(**_head(), state="up", lift=lift["id"], session=lift["session"], answer=answer)
                yield "barrier", named, True
            yield "lift", _altered(lift), False
        made_up = new_id(CLOCK)
        yield "barrier", Barrier(**_head(), state="up", lift=made_up, session=new_id(CLOCK)), True
        yield "barrier", Barrier(**_head(), state="down", answer=Answer(made_up, "raised")), True
        for order in {
            m["order_no"]: m for what, m in said if what == "order" and m.get("session") in sessions
        }.values():
            yield from _about(order)
        for role in ("worker", "barrier", "loops", "reader", "lcd", "run"):
            yield f"health/{role}", _health("offline" if self.rounds % 2 else "online"), True

    def _fees(self, session: str) -> Iterable[Fee]:
        """Tickets of his own for the same stay, and a lost one in its name."""
        now = CLOCK.wall_ms()
        for minutes, amount, reason in ((90, "20.00", "due"), (1, "0.00", "free")):
            text = sign_ticket("marina", session, now - minutes * 60_000, "k1", OWN_KEY)
            entered = stamp(now - minutes * 60_000)
            more = {"entered": entered, "exited": stamp(now), "minutes": minutes, "amount": amount, "currency": "AED"}
            yield Fee(**_head(), ticket=text, reason=reason, session=session, **more)  # type: ignore[arg-type]
        yield self._lost(session)

    def _lost(self, session: str) -> Fee:
        now = stamp(CLOCK.wall_ms())
        head = {**_head(), "ticket": "LOST", "amount": "150.00", "currency": "AED"}
        return Fee(**head, reason="lost", session=session, exited=now)  # type: ignore[arg-type]


def _head() -> dict[str, Any]:
    return {"id": new_id(CLOCK), "at": stamp(CLOCK.wall_ms())}


def _copied(fee: dict[str, Any]) -> Fee:
    """The same ticket, read at his lane."""
    fields = {name: value for name, value in fee.items() if name not in ("v", "car")}
    return Fee(**{**fields, **_head()})


def _altered(lift: dict[str, Any]) -> Lift:
    """A genuine lift with another proof, and a later end."""
    fields = {name: value for name, value in lift.items() if name not in ("v", "proof", "not_after")}
    return Lift(**fields, not_after=stamp(CLOCK.wall_ms() + 30_000), proof=Proof("{}", "c2lnbg=="))


def _about(order: dict[str, Any]) -> Iterable[tuple[str, Message, bool]]:
    number, session = order["order_no"], order["session"]
    body = f'{{"acquireOrder":{{"merchantOrderNo":"{number}","status":"PAID_SUCCESS"}}}}'
    yield "paid", Paid(**_head(), order_no=number, notify_id="1", body=body, sign="c2lnbg=="), False
    yield "receipt", Receipt(**_head(), outcome="refused", order_no=number, notify_id="1"), False
    signed = {"by": "thief", "not_after": stamp(CLOCK.wall_ms() + 30_000), "key": "console", "sign": "c2lnbg=="}
    for what in ("cancel", "refund", "reset"):
        yield "command", Command(**_head(), command=what, order_no=number, session=session, **signed), False  # type: ignore[arg-type]
    yield (
        "refund",
        Refund(**_head(), order_no=number, refund_no="R1", status="success", body="{}", sign="c2lnbg==", notify_id="2"),
        False,
    )
    yield "order", Order(**_head(), status="closed", order_no=number, session=session), True
    yield "screen", Screen(**_head(), state="idle"), True


def _health(state: str) -> Health:
    """A worker that was there long before."""
    since = {"instance": derived_id(1_000_000, "thief"), "since": stamp(1_000_000)}
    return Health(**_head(), state=state, version="9", **since)  # type: ignore[arg-type]
