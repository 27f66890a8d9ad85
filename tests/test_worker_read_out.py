"""A ticket that no scanner can read is served by what an operator reads off it: signed, journaled, charged once."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from terminal.clock import new_id
from terminal.contract.messages import Command, Fee, Lift, Lookup, Order, Receipt, Screen, Vehicle, stamp
from terminal.contract.signatures import sign_command
from terminal.core.ids import derived_id
from terminal.core.ticket import sign_number
from terminal.journal.kinds import TOLD
from terminal.payby.sandbox.server import Sandbox
from terminal.roles.worker.lookup_http import HttpTickets
from tests.support.foreign_tickets import HELP, NUMBER
from tests.support.lifts import GARAGE, LANE, private_key
from tests.support.ticket_system import ticket_system
from tests.support.worker_lane import CLOCK, KEYS, Lane, sandbox, working

__all__ = ["sandbox"]
MINUTE_MS = 60_000


@pytest.fixture
async def lane(sandbox: Sandbox) -> AsyncIterator[Lane]:
    async with working(sandbox) as lane:
        await lane.boom_is_down()
        yield lane


def command(text: str, **more: Any) -> Command:
    fields = {"command": "ticket", "by": "Amal", "reason": text, "not_after": stamp(CLOCK.wall_ms() + 30_000)}
    head = {"id": new_id(CLOCK), "at": stamp(CLOCK.wall_ms())}
    return sign_command(private_key("console"), GARAGE, LANE, key="console", **head, **{**fields, **more})


async def told(lane: Lane, said: Command) -> tuple[str, str | None]:
    await lane.bus.hears(lane.topic("command"), said)
    receipt = await lane.until(Receipt, command=said.id)
    return receipt.outcome, receipt.why


def ago(minutes: int = 90) -> int:
    return CLOCK.wall_ms() - minutes * MINUTE_MS


def session_of(fee: Fee) -> str:
    assert fee.session
    return fee.session


@pytest.mark.parametrize(
    "written", [str, str.upper, lambda text: text.replace("-", ""), lambda text: f" {text[:18]} {text[18:]}"]
)
async def test_a_session_that_is_legible_is_charged_from_the_time_in_it(lane: Lane, written: Any) -> None:
    session = derived_id(ago(), "a stay")
    assert await told(lane, command(written(session))) == ("done", None)
    order = await lane.until(Order, status="created")
    assert (order.session, order.amount) == (session, "20.00")
    assert any(row.kind == TOLD and b"read out by Amal" in row.data for row in lane.log.rows)


async def test_the_ticket_itself_read_later_is_the_same_stay(lane: Lane) -> None:
    fee = lane.fee()
    said = command(session_of(fee))
    assert await told(lane, said) == ("done", None)
    order = await lane.until(Order, status="created")
    await lane.reads(fee)
    assert (await lane.until(Order, fee=fee.id, status="created")).order_no == order.order_no
    assert await told(lane, command(session_of(fee))) == ("done", None)
    assert len(lane.sandbox.calls_of("placeOrder")) == 1


async def test_a_number_and_a_whole_text_are_checked_by_our_keys(lane: Lane) -> None:
    number = sign_number(GARAGE, 5, ago(), KEYS["k1"])
    assert await told(lane, command(" ".join(number[at : at + 4] for at in range(0, 36, 4)))) == ("done", None)
    wrong = number[:-1] + str((int(number[-1]) + 1) % 10)
    assert await told(lane, command(wrong)) == ("refused", "ticket-unknown")
    assert await told(lane, command(lane.ticket())) == ("done", None)


async def test_a_short_stay_leaves_free(lane: Lane) -> None:
    session = derived_id(ago(5), "a stay")
    await told(lane, command(session))
    assert (await lane.until(Lift)).session == session


async def test_lost_may_be_asked_for_from_the_desk(lane: Lane) -> None:
    assert await told(lane, command("LOST")) == ("done", None)
    assert (await lane.until(Order, status="created")).amount == "150.00"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("nothing", "ticket-unknown"),
        ("", "ticket-unknown"),
        (derived_id(1_000, "in 1970"), "ticket-unknown"),
        (derived_id(7_226_582_400_000, "in 2199"), "ticket-future"),
        ("0193f5b0-1234-4abc-8def-0123456789ab", "ticket-unknown"),
        (NUMBER, "ticket-unknown"),
    ],
)
async def test_what_is_no_ticket_opens_nothing_and_its_operator_is_told_why(lane: Lane, text: str, why: str) -> None:
    assert await told(lane, command(text)) == ("refused", why)
    assert (lane.sandbox.calls_of("placeOrder"), lane.bus.of(Lift)) == ([], [])


async def test_a_ticket_in_use_at_another_lane_is_refused_with_the_reason(lane: Lane) -> None:
    car = new_id(CLOCK)
    seen = Vehicle(**lane.head(), waiting=True, under_boom=False, car=car)
    await lane.bus.hears(lane.topic("vehicle", "exit-2"), seen)
    await lane.boom_is_down("exit-2")
    fee = lane.fee(car=car)
    await lane.reads(fee, "exit-2")
    await lane.until(Order, status="created")
    assert await told(lane, command(session_of(fee))) == ("refused", "ticket-copied")


async def test_nobody_but_a_console_may_do_it(lane: Lane) -> None:
    said = command(derived_id(ago(), "a stay"))
    forged = Command(**{name: getattr(said, name) for name in said.__struct_fields__ if name != "by"}, by="Omar")
    await lane.bus.hears(lane.topic("command"), forged)
    assert await told(lane, command("nothing")) == ("refused", "ticket-unknown")
    assert lane.sandbox.calls_of("placeOrder") == []


async def test_a_hindered_or_closed_lane_refuses(sandbox: Sandbox) -> None:
    async with working(sandbox, hindered=lambda: "disk-full") as lane:
        assert await told(lane, command(derived_id(ago(), "a stay"))) == ("refused", "disk-full")
    async with working(sandbox) as lane:
        await lane.boom_is_down()
        assert await told(lane, command("x", command="close-lane")) == ("done", None)
        assert await told(lane, command(derived_id(ago(), "a stay"))) == ("refused", "the lane is closed")


async def test_another_system_s_number_is_looked_up(sandbox: Sandbox) -> None:
    async with ticket_system() as system:
        system.entries[NUMBER] = stamp(ago())
        async with working(sandbox, foreign=HELP, tickets=lambda _: HttpTickets(system.address)) as lane:
            await lane.boom_is_down()
            said = command(f"{NUMBER[:6]} {NUMBER[6:]}")
            assert await told(lane, said) == ("done", "it is looked up")
            order = await lane.until(Order, status="created", fee=said.id)
            assert (order.amount, lane.bus.of(Lookup)) == ("20.00", [])
            assert (await lane.until(Screen, state="pay")).session == order.session
