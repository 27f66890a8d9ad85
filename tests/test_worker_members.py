"""A member whose card is his ticket: another system knows when he entered and his class, and he leaves free, one car at
a time (deploy/tickets.md)."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from terminal.contract.messages import Answer, Barrier, Fee, LastLift, Lift, Order, Screen, stamp
from terminal.core.ids import derived_id
from terminal.payby.sandbox.server import Sandbox
from terminal.roles.worker.lookup_http import HttpTickets
from tests.support.foreign_tickets import HELP, help_shows
from tests.support.lifts import GARAGE
from tests.support.tariffs import HOURLY, history, published
from tests.support.ticket_system import TicketSystem, replies, ticket_system
from tests.support.worker_lane import CLOCK, Lane, sandbox, working

__all__ = ["sandbox"]
CARD = "000400000007"
HOUR_MS = 3_600_000


@pytest.fixture
async def system() -> AsyncIterator[TicketSystem]:
    async with ticket_system() as made:
        yield made


def enters(system: TicketSystem, ago_ms: int, of: str | None = "k4") -> str:
    """The other system saw the member enter, and answers so from now on; returns the session of that stay."""
    entered_ms = CLOCK.wall_ms() - ago_ms
    system.answering = replies(body=json.dumps({"entered": stamp(entered_ms), "ticket_class": of}).encode())
    return derived_id(entered_ms, "number", GARAGE, CARD)


def over_http(system: TicketSystem) -> dict[str, Any]:
    return {"foreign": HELP, "tickets": lambda _: HttpTickets(system.address), "tariff": published("classes")}


async def leaves(lane: Lane, session: str) -> None:
    """He reads his card; the boom rises, and comes down behind his car."""
    fee = lane.number(CARD)
    await lane.reads(fee)
    lift = await lane.until(Lift, session=session)
    assert (lift.reason, lift.proof) == ("free", None)
    await goes(lane, lift, fee)


async def goes(lane: Lane, lift: Lift, fee: Fee) -> None:
    """The boom rises by the lift, and comes down behind the car."""
    raised = Answer(lift=lift.id, outcome="raised", order_no=lift.order_no)
    topic = lane.topic("barrier")
    await lane.bus.hears(topic, Barrier(**lane.head(), state="rising", lift=lift.id, answer=raised))
    await lane.bus.hears(topic, Barrier(**lane.head(), state="up", lift=lift.id))
    await lane.boom_is_down(last=LastLift(lift.id, lift.session, lift.reason))
    await lane.until(Screen, state="idle", fee=fee.id)


async def test_a_members_card_lets_him_out_free_as_often_as_he_enters(sandbox: Sandbox, system: TicketSystem) -> None:
    async with working(sandbox, **over_http(system)) as lane:
        await lane.boom_is_down()
        for ago_ms in (2 * HOUR_MS, 0):
            await leaves(lane, enters(system, ago_ms))
        assert lane.sandbox.calls_of("placeOrder") == []


async def test_a_second_car_with_his_card_does_not_leave_by_the_same_entry(
    sandbox: Sandbox, system: TicketSystem
) -> None:
    async with working(sandbox, **over_http(system)) as lane:
        await lane.boom_is_down()
        await leaves(lane, enters(system, 2 * HOUR_MS))
        second = lane.number(CARD)
        await lane.reads(second)
        assert await help_shows(lane, second) == "ticket-used"


@pytest.mark.parametrize(("status", "reason"), [(404, "ticket-unknown"), (500, "ticket-unanswered")])
async def test_a_card_that_is_over_or_that_nobody_can_ask_about_needs_help(
    sandbox: Sandbox, system: TicketSystem, status: int, reason: str
) -> None:
    async with working(sandbox, **over_http(system)) as lane:
        await lane.boom_is_down()
        system.answering = replies(status=status)
        fee = lane.number(CARD)
        await lane.reads(fee)
        assert await help_shows(lane, fee) == reason
        assert lane.bus.of(Lift) == []


@pytest.mark.parametrize("minutes", [120, 0])
async def test_who_comes_back_in_time_goes_on_with_the_stay_that_is_paid(
    sandbox: Sandbox, system: TicketSystem, minutes: int
) -> None:
    """An hour and a half were paid with AED 20.00; half a minute more would cost a new stay AED 10.00."""
    hourly = history(HOURLY, reentry_minutes=minutes)
    async with working(sandbox, **over_http(system) | {"tariff": hourly}) as lane:
        await lane.boom_is_down()
        session = enters(system, 3 * HOUR_MS // 2, None)
        fee = lane.number(CARD)
        await lane.reads(fee)
        order = await lane.until(Order, status="created", amount="20.00")
        await lane.sandbox.pay(order.order_no or "", notify=False)
        await goes(lane, await lane.until(Lift, session=session), fee)
        again = enters(system, -1000, None)
        await lane.reads(lane.number(CARD, exited=CLOCK.wall_ms() + 31_000))
        if minutes:
            assert (await lane.until(Lift, session=again)).reason == "free"
        else:
            await lane.until(Order, status="created", session=again, amount="10.00")
