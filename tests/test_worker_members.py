"""A member whose card is his ticket: another system knows when he entered and his class, and he leaves free, one car at
a time (deploy/tickets.md)."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from terminal.contract.messages import Answer, Barrier, LastLift, Lift, Screen, stamp
from terminal.core.ids import derived_id
from terminal.payby.sandbox.server import Sandbox
from terminal.roles.worker.lookup_http import HttpTickets
from tests.support.foreign_tickets import HELP, help_shows
from tests.support.lifts import GARAGE
from tests.support.tariffs import published
from tests.support.ticket_system import TicketSystem, replies, ticket_system
from tests.support.worker_lane import CLOCK, Lane, sandbox, working

__all__ = ["sandbox"]
CARD = "000400000007"
HOUR_MS = 3_600_000


@pytest.fixture
async def system() -> AsyncIterator[TicketSystem]:
    async with ticket_system() as made:
        yield made


def enters(system: TicketSystem, ago_ms: int) -> str:
    """The other system saw the member enter, and answers so from now on; returns the session of that stay."""
    entered_ms = CLOCK.wall_ms() - ago_ms
    system.answering = replies(body=json.dumps({"entered": stamp(entered_ms), "ticket_class": "k4"}).encode())
    return derived_id(entered_ms, "number", GARAGE, CARD)


def over_http(system: TicketSystem) -> dict[str, Any]:
    return {"foreign": HELP, "tickets": lambda _: HttpTickets(system.address), "tariff": published("classes")}


async def leaves(lane: Lane, session: str) -> None:
    """He reads his card; the boom rises, and comes down behind his car."""
    fee = lane.number(CARD)
    await lane.reads(fee)
    lift = await lane.until(Lift, session=session)
    assert (lift.reason, lift.proof) == ("free", None)
    raised = Answer(lift=lift.id, outcome="raised")
    topic = lane.topic("barrier")
    await lane.bus.hears(topic, Barrier(**lane.head(), state="rising", lift=lift.id, answer=raised))
    await lane.bus.hears(topic, Barrier(**lane.head(), state="up", lift=lift.id))
    await lane.boom_is_down(last=LastLift(lift.id, lift.session, "free"))
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
