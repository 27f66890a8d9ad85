"""Coupons at a lane: read after the ticket, believed by the worker's keys alone, and used once."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from terminal.contract.messages import Alert, Fee, Lift, Order, Screen, stamp
from terminal.core.coupon import CouponKind, sign_coupon
from terminal.payby.sandbox.server import Sandbox
from terminal.roles.worker.lookup_http import HttpTickets
from tests.support.foreign_tickets import FLAT, HELP, NUMBER
from tests.support.lifts import GARAGE, LANE
from tests.support.memory_journal import MemoryJournal
from tests.support.ticket_system import replies, ticket_system
from tests.support.worker_lane import CLOCK, COUPON_KEYS, Lane, sandbox, working

__all__ = ["sandbox"]


@pytest.fixture
async def lane(sandbox: Sandbox) -> AsyncIterator[Lane]:
    async with working(sandbox) as lane:
        yield lane


def coupon(kind: CouponKind = "amount", value: int = 500, number: int = 1, **changes: Any) -> str:
    until_ms = changes.pop("until_ms", CLOCK.wall_ms() + 3_600_000)
    told = {"garage": GARAGE, "key_id": "c1", "key": COUPON_KEYS["c1"]} | changes
    return sign_coupon(kind=kind, value=value, serial=f"{number:020X}", until_ms=until_ms, **told)


def fee_of(lane: Lane, text: str, *, ago_s: float = 0) -> Fee:
    """What a reader says of a coupon."""
    exited = stamp(CLOCK.wall_ms() - round(ago_s * 1000))
    return Fee(**lane.head(), ticket=text, reason="coupon", exited=exited)


async def uses(lane: Lane, text: str, at: str = LANE) -> Fee:
    """A driver reads it, until the lane has answered its reader."""
    fee = fee_of(lane, text)
    await lane.reads(fee, at)
    await lane.until(Screen, fee=fee.id)
    return fee


@pytest.mark.parametrize(
    ("kind", "value", "left"),
    [("amount", 500, "15.00"), ("percent", 2500, "15.00"), ("minutes", 30, "10.00"), ("minutes", 29, "20.00")],
)
async def test_a_coupon_takes_its_worth_off(lane: Lane, kind: CouponKind, value: int, left: str) -> None:
    """A stay of 90 minutes costs two blocks; 30 less make it one."""
    order = await lane.pays_at_the_qr()
    await uses(lane, coupon(kind, value))
    if left == "20.00":
        assert len(lane.sandbox.calls_of("placeOrder")) == 1
        return
    again = await lane.until(Order, status="created", amount=left)
    assert (again.session, again.order_no) == (order.session, f"{order.order_no}-2")


async def test_minutes_of_several_coupons_add_up_as_minutes(lane: Lane) -> None:
    """30 and then 60 less leave nothing to pay; twice the worth of the first would have done so too early."""
    await lane.pays_at_the_qr()
    await uses(lane, coupon("minutes", 30, 1))
    await lane.until(Order, status="created", amount="10.00")
    await uses(lane, coupon("minutes", 30, 2))
    assert [one for one in lane.bus.of(Screen) if one.state == "free"] == []
    await uses(lane, coupon("minutes", 30, 3))
    await lane.until(Screen, state="free")


async def test_a_coupon_for_a_free_stay_lets_its_driver_out(lane: Lane) -> None:
    order = await lane.pays_at_the_qr()
    await lane.reads(fee_of(lane, coupon("free", 0)))
    lift = await lane.until(Lift, session=order.session)
    assert (lift.reason, lift.proof) == ("free", None)


async def test_at_two_lanes_at_once_one_wins_and_the_other_driver_is_told_also_after_a_restart(
    sandbox: Sandbox,
) -> None:
    log, text = MemoryJournal(), coupon("free", 0)
    async with working(sandbox, log) as lane:
        first = await lane.pays_at_the_qr("exit-1")
        second = await lane.pays_at_the_qr("exit-2")
        await lane.reads(fee_of(lane, text), "exit-1")
        await uses(lane, text, "exit-2")
        assert (await lane.until(Lift)).session == first.session
        assert (await lane.until(Screen, reason="coupon-used")).state == "help"
        assert (await lane.until(Alert, code="coupon-used")).severity == "warning"
        assert {lift.session for lift in lane.bus.of(Lift)} == {first.session}
        assert second.session != first.session
    async with working(sandbox, MemoryJournal(log.rows)) as lane:
        await lane.pays_at_the_qr("exit-3")
        await uses(lane, text, "exit-3")
        assert (await lane.until(Screen, reason="coupon-used")).state == "help"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"key": b"k" * 32}, "coupon-unknown"),
        ({"key_id": "c2"}, "coupon-unknown"),
        ({"garage": "creek"}, "coupon-unknown"),
        ({"until_ms": CLOCK.wall_ms() - 1_000}, "coupon-over"),
        ({"until_ms": CLOCK.wall_ms() + 400 * 86_400_000}, "coupon-over"),
    ],
    ids=["a ticket's key", "no key of ours", "another garage's", "over", "without end"],
)
async def test_one_that_is_not_good_is_shown_and_takes_nothing_off(
    lane: Lane, changes: dict[str, Any], reason: str
) -> None:
    await lane.pays_at_the_qr()
    await uses(lane, coupon("free", 0, **changes))
    assert (await lane.until(Screen, reason=reason)).state == "help"
    assert lane.bus.of(Lift) == []
    assert len(lane.sandbox.calls_of("placeOrder")) == 1


async def test_without_a_ticket_before_it_it_is_kept(lane: Lane) -> None:
    text = coupon("free", 0)
    await lane.boom_is_down()
    await uses(lane, text)
    await lane.until(Screen, reason="coupon-alone")
    order = await lane.pays_at_the_qr()
    await lane.reads(fee_of(lane, text))
    assert (await lane.until(Lift)).session == order.session


async def test_one_that_was_read_long_ago_is_disputed(lane: Lane) -> None:
    await lane.pays_at_the_qr()
    await lane.reads(fee_of(lane, coupon("free", 0), ago_s=61))
    assert (await lane.until(Alert, code="bad-fee")).severity == "warning"
    assert lane.bus.of(Lift) == []


async def test_minutes_need_the_ticket_that_this_worker_has_read(sandbox: Sandbox) -> None:
    """After a restart nobody knows its class: the driver reads the ticket again, and then the coupon."""
    log = MemoryJournal()
    async with working(sandbox, log) as lane:
        fee = lane.fee()
        await lane.boom_is_down()
        await lane.reads(fee)
        await lane.until(Order, status="created", session=fee.session)
    async with working(sandbox, MemoryJournal(log.rows)) as lane:
        await lane.boom_is_down()
        await uses(lane, coupon("minutes", 30))
        await lane.until(Screen, reason="coupon-alone")
        again = lane.fee(fee.ticket)
        await lane.reads(again)
        await lane.until(Screen, fee=again.id)
        await uses(lane, coupon("minutes", 30))
        assert (await lane.until(Order, status="created", amount="10.00")).session == fee.session


@pytest.mark.parametrize("restarted", [False, True])
async def test_minutes_count_for_the_number_of_another_system_too(sandbox: Sandbox, restarted: bool) -> None:
    """What was told of it is in the journal, so that it does not have to be read again after a start."""
    async with ticket_system() as system:
        system.entries[NUMBER] = stamp(CLOCK.wall_ms() - 90 * 60_000)
        over_http: dict[str, Any] = {"foreign": HELP, "tickets": lambda _: HttpTickets(system.address)}
        log = MemoryJournal()
        async with working(sandbox, log, **over_http) as lane:
            await lane.boom_is_down()
            fee = lane.number()
            await lane.reads(fee)
            order = await lane.until(Order, status="created", amount="20.00")
            if not restarted:
                await uses(lane, coupon("minutes", 30))
                assert (await lane.until(Order, status="created", amount="10.00")).session == order.session
                return
        async with working(sandbox, MemoryJournal(log.rows), **over_http) as lane:
            await lane.boom_is_down()
            await uses(lane, coupon("minutes", 30))
            assert (await lane.until(Order, status="created", amount="10.00")).session == order.session


async def test_minutes_need_an_entry_that_somebody_told(sandbox: Sandbox) -> None:
    async with ticket_system() as system:
        system.answering = replies(status=500)
        async with working(sandbox, foreign=FLAT, tickets=lambda _: HttpTickets(system.address)) as lane:
            await lane.boom_is_down()
            await lane.reads(lane.number())
            order = await lane.until(Order, status="created", amount="25.00")
            await uses(lane, coupon("minutes", 30))
            await lane.until(Screen, reason="coupon-alone")
            await uses(lane, coupon("amount", 500))
            assert (await lane.until(Order, status="created", amount="20.00")).session == order.session


def season(number: int = 9, **changes: Any) -> str:
    return coupon("pass", changes.pop("since", CLOCK.wall_ms() // 60_000 - 10), number, **changes)


@pytest.mark.parametrize("soft", [False, True])
async def test_a_season_pass_lets_out_one_of_two_cars_that_were_inside_at_once(sandbox: Sandbox, soft: bool) -> None:
    async with working(sandbox, soft_passback=soft) as lane:
        first = await lane.pays_at_the_qr("exit-1")
        second = await lane.pays_at_the_qr("exit-2")
        text = season()
        await lane.reads(fee_of(lane, text), "exit-1")
        assert (await lane.until(Lift, session=first.session)).reason == "free"
        await lane.reads(fee_of(lane, text), "exit-2")
        assert (await lane.until(Alert, code="pass-twice")).session == second.session
        if soft:
            assert (await lane.until(Lift, session=second.session)).reason == "free"
        else:
            await lane.until(Screen, reason="pass-used")
            assert {lift.session for lift in lane.bus.of(Lift)} == {first.session}


async def test_after_a_restart_it_is_known_when_a_season_pass_was_used(sandbox: Sandbox) -> None:
    log, text = MemoryJournal(), season()
    async with working(sandbox, log) as lane:
        order = await lane.pays_at_the_qr("exit-1")
        await lane.reads(fee_of(lane, text), "exit-1")
        await lane.until(Lift, session=order.session)
    async with working(sandbox, MemoryJournal(log.rows)) as lane:
        await lane.pays_at_the_qr("exit-2")
        await uses(lane, text, "exit-2")
        assert (await lane.until(Screen, reason="pass-used")).state == "help"


@pytest.mark.parametrize("changes", [{"since": CLOCK.wall_ms() // 60_000 + 1440}, {"until_ms": CLOCK.wall_ms() - 1000}])
async def test_a_season_pass_out_of_its_time_is_shown_and_opens_nothing(lane: Lane, changes: dict[str, Any]) -> None:
    await lane.pays_at_the_qr()
    await uses(lane, season(**changes))
    assert (await lane.until(Screen, reason="coupon-over")).state == "help"
    assert lane.bus.of(Lift) == []
