"""A number of another system at the exit: it is looked up, journaled and charged once, whatever the other side does.

The other system is a real HTTP server, or speaks on the bus in memory; test_lookup_processes.py has a real broker.
"""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from terminal.clock import new_id
from terminal.contract.messages import Alert, Answer, Barrier, LastLift, Lift, Order, Screen, Vehicle, encode, moment
from terminal.core.foreign_ticket import ForeignEntry, ForeignTicket, told_stay
from terminal.core.ids import derived_id
from terminal.core.model import Rules
from terminal.eventstore.store import EventStore
from terminal.journal.kinds import ASKED, TOLD
from terminal.journal.rows import Row
from terminal.payby.sandbox.server import Sandbox
from terminal.roles.worker.lookup_http import HttpTickets
from terminal.roles.worker.ticket_lookup import ForeignReading, ToldTicket
from terminal.roles.worker.ticket_readings import ForeignTicketSettings
from tests.support.foreign_tickets import FLAT, HELP, NUMBER, asked, help_shows
from tests.support.lifts import GARAGE, LANE
from tests.support.memory_journal import MemoryJournal
from tests.support.ticket_system import TicketSystem, replies, ticket_system
from tests.support.worker_lane import CLOCK, Lane, sandbox, working

__all__ = ["sandbox"]


def ago(minutes: int) -> str:
    return (datetime.now(UTC) - timedelta(minutes=minutes)).isoformat()


@pytest.fixture
async def system() -> AsyncIterator[TicketSystem]:
    async with ticket_system() as made:
        made.entries[NUMBER] = ago(90)
        yield made


def over_http(system: TicketSystem, foreign: ForeignTicketSettings = HELP, **more: Any) -> dict[str, Any]:
    return {"foreign": foreign, "tickets": lambda _: HttpTickets(system.address), **more}


async def test_a_number_is_looked_up_and_charged_by_our_own_tariff(sandbox: Sandbox, system: TicketSystem) -> None:
    async with working(sandbox, **over_http(system)) as lane:
        await lane.boom_is_down()
        fee = lane.number()
        await lane.reads(fee)
        order = await lane.until(Order, status="created", fee=fee.id)
        assert order.amount == "20.00"
        assert order.session == derived_id(moment(system.entries[NUMBER]), "number", GARAGE, NUMBER)
        assert (await lane.until(Screen, state="pay")).minutes == 90
        kinds = lane.log.kinds()
        assert kinds.index(ASKED) < kinds.index(TOLD) < kinds.index("TicketRead")
        assert asked(lane.log) == [(ASKED, NUMBER), (TOLD, "found")]
        await lane.sandbox.pay(order.order_no or "", notify=False)
        assert (await lane.until(Lift, order_no=order.order_no)).session == order.session


async def test_while_it_is_asked_the_lane_waits_and_the_fee_is_not_answered(
    sandbox: Sandbox, system: TicketSystem
) -> None:
    system.answering = system.hangs
    async with working(sandbox, **over_http(system)) as lane:
        await lane.boom_is_down()
        await lane.until(Screen, state="idle")
        fee = lane.number()
        await lane.reads(fee)
        await lane.until(Screen, state="wait")
        await lane.reads(fee)  # its reader repeats it
        assert [screen.fee for screen in lane.bus.of(Screen) if screen.fee == fee.id] == []
        assert await help_shows(lane, fee) == "ticket-unanswered"
        assert len(system.asked) == 1


async def test_a_number_that_nobody_knows_gets_help_and_opens_nothing(sandbox: Sandbox, system: TicketSystem) -> None:
    async with working(sandbox, **over_http(system)) as lane:
        await lane.boom_is_down()
        fee = lane.number("999999999999")
        await lane.reads(fee)
        assert await help_shows(lane, fee) == "ticket-unknown"
        assert asked(lane.log) == [(ASKED, "999999999999"), (TOLD, "there is no such ticket")]
        assert (lane.sandbox.calls, lane.bus.of(Lift)) == ([], [])


@pytest.mark.parametrize("text", ["12345", "LOST5", "00012345678a", "0" * 13])
async def test_what_has_not_the_form_of_a_number_is_never_asked_for(
    sandbox: Sandbox, system: TicketSystem, text: str
) -> None:
    async with working(sandbox, **over_http(system)) as lane:
        fee = lane.number(text)
        await lane.reads(fee)
        assert await help_shows(lane, fee) == "ticket-unknown"
        assert system.asked == []


async def test_without_a_look_up_a_number_is_no_ticket(sandbox: Sandbox) -> None:
    async with working(sandbox) as lane:
        fee = lane.number()
        await lane.reads(fee)
        assert await help_shows(lane, fee) == "ticket-unknown"


async def test_a_number_that_was_read_a_minute_ago_is_refused(sandbox: Sandbox, system: TicketSystem) -> None:
    async with working(sandbox, **over_http(system)) as lane:
        fee = lane.number(exited=CLOCK.wall_ms() - 61_000)
        await lane.reads(fee)
        assert await help_shows(lane, fee) == "refused"
        assert system.asked == []


@pytest.mark.parametrize(
    ("answer", "odd"),
    [
        (replies(status=500), False),
        (replies(status=302, headers={"Location": "/number/1"}), False),
        (replies(body=b"x" * 100_000), True),
        (replies(body=b"[]"), True),
        (replies(body=msgspec.json.encode({"entered": ago(-60 * 24 * 30)})), True),
        (replies(body=msgspec.json.encode({"entered": ago(60 * 24 * 400)})), True),
        (replies(body=b'{"entered":"0001-01-01T00:00:00Z"}'), True),
    ],
)
async def test_a_failure_gets_help_with_its_reason_and_an_alert_that_the_next_answer_ends(
    sandbox: Sandbox, system: TicketSystem, answer: Any, odd: bool
) -> None:
    system.answering = answer
    async with working(sandbox, **over_http(system)) as lane:
        await lane.boom_is_down()
        fee = lane.number()
        await lane.reads(fee)
        assert await help_shows(lane, fee) == "ticket-unanswered"
        await lane.until(Alert, code="lookup-failed", state="raised")
        assert [alert.code for alert in lane.bus.of(Alert)].count("lookup-odd") == odd
        assert (lane.sandbox.calls, lane.bus.of(Lift)) == ([], [])
        system.answering = None
        again = lane.number()
        await lane.reads(again)
        await lane.until(Order, status="created", fee=again.id)
        await lane.until(Alert, code="lookup-failed", state="cleared")


@pytest.mark.fault("lookup-fails")
async def test_where_the_policy_is_a_flat_fee_a_failure_costs_it_and_later_answers_change_no_stay(
    sandbox: Sandbox, system: TicketSystem
) -> None:
    system.answering = system.hangs
    async with working(sandbox, **over_http(system, FLAT)) as lane:
        await lane.boom_is_down()
        await lane.reads(lane.number())
        order = await lane.until(Order, status="created")
        assert (order.amount, (await lane.until(Screen, state="pay")).minutes) == ("25.00", None)
        assert (await lane.until(Alert, code="lookup-flat")).session == order.session
        system.answering, system.asked = None, []
        again = lane.number()
        await lane.reads(again)
        assert (await lane.until(Order, fee=again.id, status="created")).session == order.session
        assert system.asked == [], "it was settled a moment ago"
        assert len(lane.sandbox.calls_of("placeOrder")) == 1
    async with working(sandbox, lane.log, **over_http(system, FLAT)) as later:
        await later.boom_is_down()
        fee = later.number()
        await later.reads(fee)
        assert (await later.until(Order, fee=fee.id, status="created")).session == order.session
        assert len(later.sandbox.calls_of("placeOrder")) == 1


async def test_the_same_number_again_is_the_same_visit_and_is_not_asked_for_again(
    sandbox: Sandbox, system: TicketSystem
) -> None:
    async with working(sandbox, **over_http(system)) as lane:
        await lane.boom_is_down()
        await lane.reads(lane.number())
        order = await lane.until(Order, status="created")
        system.entries[NUMBER] = ago(30)
        again = lane.number()
        await lane.reads(again)
        assert (await lane.until(Order, fee=again.id, status="created")).order_no == order.order_no
        assert (len(system.asked), len(lane.sandbox.calls_of("placeOrder"))) == (1, 1)


async def test_who_has_left_is_not_charged_the_flat_fee_though_nobody_answers(
    sandbox: Sandbox, system: TicketSystem
) -> None:
    """A car that rolled back under the boom, or a copy: with an answer its ticket would be used, so it is without."""
    async with working(sandbox, **over_http(system, FLAT)) as lane:
        await lane.boom_is_down()
        await lane.reads(lane.number())
        order = await lane.until(Order, status="created")
        await lane.sandbox.pay(order.order_no or "", notify=False)
        lift = await lane.until(Lift, order_no=order.order_no)
        raised = Answer(lift=lift.id, outcome="raised", order_no=order.order_no)
        await lane.bus.hears(lane.topic("barrier"), Barrier(**lane.head(), state="rising", lift=lift.id, answer=raised))
        await lane.bus.hears(lane.topic("barrier"), Barrier(**lane.head(), state="up", lift=lift.id))
        await lane.boom_is_down(last=LastLift(lift.id, lift.session, "paid"))
        await lane.until(Screen, state="idle", fee=order.fee)
        system.answering = system.hangs
        again = lane.number()
        await lane.reads(again)
        assert await help_shows(lane, again) == "ticket-used"
        assert len(lane.sandbox.calls_of("placeOrder")) == 1


async def test_of_two_numbers_at_one_lane_the_newer_counts(sandbox: Sandbox, system: TicketSystem) -> None:
    system.answering = system.hangs
    async with working(sandbox, **over_http(system)) as lane:
        await lane.boom_is_down()
        await lane.reads(lane.number("111111111111"))
        await lane.until(Screen, state="wait")
        system.answering = None
        fee = lane.number()
        await lane.reads(fee)
        await lane.until(Order, status="created", fee=fee.id)
        system.released.set()
        gone = "another ticket took its place"
        assert [text for _, text in asked(lane.log)] == ["111111111111", gone, NUMBER, "found"]


async def test_our_own_ticket_takes_the_place_of_a_number_that_is_asked_about(
    sandbox: Sandbox, system: TicketSystem
) -> None:
    system.answering = system.hangs
    async with working(sandbox, **over_http(system, FLAT)) as lane:
        await lane.boom_is_down()
        await lane.reads(lane.number())
        await lane.until(Screen, state="wait")
        fee = lane.fee()
        await lane.reads(fee)
        assert (await lane.until(Order, status="created")).fee == fee.id
        assert asked(lane.log)[-1] == (TOLD, "another ticket took its place")
    system.answering = None
    async with working(sandbox, lane.log, **over_http(system, FLAT)) as later:
        await later.boom_is_down()
        await later.until(Screen, state="pay")
        assert [order.session for order in later.bus.of(Order)] == [fee.session]
        assert len(system.asked) <= 1


async def test_an_answer_for_a_car_that_has_gone_charges_nobody(sandbox: Sandbox, system: TicketSystem) -> None:
    system.answering = system.hangs
    first, second = new_id(CLOCK), new_id(CLOCK)
    async with working(sandbox, **over_http(system, FLAT)) as lane:
        await lane.boom_is_down()
        for car in (first, second):
            await lane.bus.hears(lane.topic("vehicle"), Vehicle(**lane.head(), waiting=True, under_boom=False, car=car))
            if car == first:
                fee = lane.number(car=first)
                await lane.reads(fee)
                await lane.until(Screen, state="wait")
        await lane.until(Screen, fee=fee.id)
        assert lane.sandbox.calls_of("placeOrder") == []


async def test_a_flood_of_numbers_asks_now_and_then(sandbox: Sandbox, system: TicketSystem) -> None:
    async with working(sandbox, **over_http(system)) as lane:
        for number in range(40):
            await lane.reads(lane.number(f"{number:012}"))
        fee = lane.fee()
        await lane.boom_is_down()
        await lane.reads(fee)
        await lane.until(Order, status="created")
        assert len(system.asked) <= 6


# -- a worker that was killed ------------------------------------------------------------------------------------


def left_behind(read_ms: int, number: str = NUMBER) -> MemoryJournal:
    """The journal of a worker that was killed while it asked."""
    log = MemoryJournal()
    fee = derived_id(read_ms, "the fee", number)
    reading = ForeignReading(fee, LANE, ForeignTicket("number", number), read_ms)
    log.rows.append(Row(1, 0, ASKED, msgspec.json.encode(reading)))
    return log


async def test_a_start_asks_again_what_a_killed_worker_had_no_answer_to(sandbox: Sandbox, system: TicketSystem) -> None:
    log = left_behind(CLOCK.wall_ms() - 3000)
    async with working(sandbox, log, **over_http(system)) as lane:
        await lane.boom_is_down()
        assert (await lane.until(Order, status="created")).amount == "20.00"
        assert len(lane.sandbox.calls_of("placeOrder")) == 1


async def test_a_start_asks_once_though_its_reader_s_repetition_waits_at_the_broker(
    sandbox: Sandbox, system: TicketSystem
) -> None:
    read_ms = CLOCK.wall_ms() - 3000

    class Parked(Lane):
        """What waited for the worker's session comes with its subscription, before anything else is done."""

        def __init__(self, *words: Any, **more: Any) -> None:
            super().__init__(*words, **more)
            fee = self.number(id=derived_id(read_ms, "the fee", NUMBER), exited=read_ms)
            self.bus.retained[self.topic("fee")] = encode(fee)

    async with working(sandbox, left_behind(read_ms), kind=Parked, **over_http(system)) as lane:
        await lane.boom_is_down()
        await lane.until(Order, status="created")
        assert len(system.asked) == 1


async def test_a_start_does_not_ask_for_a_driver_who_waited_too_long(sandbox: Sandbox, system: TicketSystem) -> None:
    log = left_behind(CLOCK.wall_ms() - 31_000)
    async with working(sandbox, log, **over_http(system)) as lane:
        await lane.boom_is_down()
        fee = lane.fee()
        await lane.reads(fee)
        await lane.until(Order, status="created")
        assert system.asked == []


async def test_what_was_told_before_a_kill_holds_after_it(sandbox: Sandbox, system: TicketSystem) -> None:
    """Killed after the answer was journaled, before its event was: the reader repeats the fee, and the entry that was
    told first stands, though the system tells another one now."""
    entered = CLOCK.wall_ms() - 90 * 60_000
    ticket = ForeignTicket("number", NUMBER)
    stay = told_stay(GARAGE, ticket, ForeignEntry(entered), CLOCK.wall_ms() - 2000)
    log = left_behind(stay.told_ms)
    told = ToldTicket(derived_id(stay.told_ms, "the fee", NUMBER), "found", stay)
    log.rows.append(Row(2, 0, TOLD, msgspec.json.encode(told)))
    system.answering = replies(body=msgspec.json.encode({"entered": ago(30)}))
    async with working(sandbox, log, **over_http(system)) as lane:
        await lane.boom_is_down()
        fee = lane.number()
        await lane.reads(fee)
        order = await lane.until(Order, status="created", fee=fee.id)
        assert (order.session, order.amount) == (stay.session, "20.00")


async def test_a_replay_gives_the_same_though_nobody_answers_any_more(sandbox: Sandbox, system: TicketSystem) -> None:
    async with working(sandbox, **over_http(system, FLAT)) as lane:
        await lane.boom_is_down()
        await lane.reads(lane.number())
        order = await lane.until(Order, status="created", amount="20.00")
        await lane.sandbox.pay(order.order_no or "", notify=False)
        await lane.until(Lift, order_no=order.order_no)
        system.answering = replies(status=500)
        other = lane.number("111111111111")
        await lane.boom_is_down("exit-2")
        await lane.reads(other, "exit-2")
        await lane.until(Order, status="created", amount="25.00")
        lived = lane.worker.event_store
    again = EventStore(Rules(GARAGE), lane.log, lambda _: pytest.fail("nothing is asked of PayBy by a replay"))
    again.replay()
    assert again.unread == []
    assert (again.garage.lanes, again.garage.stays) == (lived.garage.lanes, lived.garage.stays)
