"""terminal/roles/worker/event_mapper.py: what the worker makes of a `fee`."""

from typing import Any

import pytest

from terminal.contract.messages import Fee, stamp
from terminal.core import money
from terminal.core.events import TicketRead, TicketRefused
from terminal.core.ids import derived_id, lost_session
from terminal.core.money import Fils
from terminal.core.quote import hint
from terminal.core.tariff import Tariff
from terminal.core.ticket import sign_ticket
from terminal.roles.worker.event_mapper import JudgementSettings, ticket_event
from tests.support.story import T0, an_id

KEY = bytes(range(32))
TARIFF = Tariff(10, 60, Fils(1000), Fils(10000), Fils(15000), "5", 15)
BELIEFS = JudgementSettings("marina", {"k1": KEY}, TARIFF, [], "200000000888")
MINUTE = 60_000
OTHERS = an_id("stay", "of somebody else")


def a_ticket(minutes_ago: int = 90, key: bytes = KEY) -> str:
    entered = T0 - minutes_ago * MINUTE
    return sign_ticket("marina", derived_id(entered, "stay"), entered, "k1", key)


def a_fee(text: str, *, reads: int = T0, kept: bool = True, **claims: Any) -> Fee:
    """What an honest reader says of a text that it reads at ``reads`` by its clock, and what is claimed beside."""
    told = hint(text, reads, garage="marina", tariff=TARIFF, lost_session=OTHERS, kept=kept)
    fields: dict[str, Any] = {
        "id": an_id("fee", text, reads), "at": stamp(reads), "ticket": text, "reason": told.reason,
        "session": told.session, "exited": stamp(reads), "minutes": told.minutes, "currency": "AED",
        "entered": None if told.entered_ms is None else stamp(told.entered_ms),
        "amount": None if told.amount is None else money.text(told.amount), "why": told.why,
    }  # fmt: skip
    return Fee(**fields | claims)


def heard(fee: Fee, lane: str = "exit-1", **more: Any) -> TicketRead | TicketRefused:
    return ticket_event(fee, lane, **{"at": T0, "wall": T0, "judgement": BELIEFS, "hindrance": "", **more})


def test_a_ticket_of_nobody_s_key_is_refused_and_is_no_lie_of_the_reader_s() -> None:
    ticket = a_ticket(key=b"\0" * 32)
    fee = a_fee(ticket)
    assert heard(fee) == TicketRefused(T0, "exit-1", fee.id, "ticket-unknown", ticket=ticket[:64])


@pytest.mark.parametrize(
    "claim",
    [
        {"amount": "1.00"},
        {"reason": "free", "amount": "0.00"},
        {"minutes": 89},
        {"session": OTHERS},
        {"entered": stamp(T0)},
        {"ticket": "nonsense"},
        {"ticket": a_ticket(1)},
        {"ticket": "LOST"},
    ],
    ids=str,
)
def test_a_fee_that_is_not_what_its_ticket_comes_to_is_disputed(claim: dict[str, Any]) -> None:
    event = heard(a_fee(a_ticket(), **claim))
    assert isinstance(event, TicketRefused)
    assert event.disputed


HOUR = 60 * MINUTE


@pytest.mark.parametrize("skew", [-8 * HOUR, -HOUR, MINUTE, HOUR, 8 * HOUR])
@pytest.mark.parametrize("shared", [True, False], ids=["a reader by the same clock", "a reader by the right one"])
def test_what_is_due_is_reckoned_by_the_true_time_whichever_clock_the_reader_has(skew: int, shared: bool) -> None:
    wall = T0 - skew  # T0 is the true time
    event = heard(a_fee(a_ticket(90), reads=wall if shared else T0, kept=False), wall=wall, skew=skew)
    assert isinstance(event, TicketRead)
    assert (event.fee.amount, event.fee.minutes, event.fee.reason) == (2000, 90, "due")


def test_a_ticket_that_is_free_by_the_wrong_clock_is_due_by_the_true_one_and_the_other_way_round() -> None:
    for minutes, skew, reason in ((90, HOUR + 25 * MINUTE, "due"), (5, -3 * HOUR, "free")):
        fee = a_fee(a_ticket(minutes), reads=T0 - skew, kept=False)
        event = heard(fee, wall=T0 - skew, skew=skew)
        assert isinstance(event, TicketRead)
        assert fee.reason != reason
        assert event.fee.reason == reason


@pytest.mark.parametrize("skew", [0, HOUR])
@pytest.mark.parametrize("late", [-61_000, 61_000])
def test_a_fee_that_was_read_by_neither_clock_now_is_disputed(late: int, skew: int) -> None:
    event = heard(a_fee(a_ticket(), reads=T0 + late), wall=T0 - skew, skew=skew)
    assert isinstance(event, TicketRefused)
    assert "61 s ago" in event.disputed


@pytest.mark.parametrize("skew", [0, HOUR])
@pytest.mark.parametrize(("late", "age"), [(-20_000, 20_000), (0, 0), (20_000, 0)])
def test_how_long_ago_a_ticket_was_read_comes_with_it_as_its_reader_repeats_itself(
    late: int, age: int, skew: int
) -> None:
    event = heard(a_fee(a_ticket(), reads=T0 + late), wall=T0 - skew, skew=skew)
    assert isinstance(event, TicketRead)
    assert event.age == age


def test_a_ticket_from_the_future_by_the_true_time_is_refused_as_such_and_is_no_lie_of_the_reader() -> None:
    event = heard(a_fee(a_ticket(-1), kept=False))
    assert isinstance(event, TicketRefused)
    assert (event.reason, event.disputed) == ("ticket-future", "")


@pytest.mark.parametrize("reads", [0, T0 - 8 * HOUR, T0 + 8 * HOUR])
def test_while_nobody_knows_the_time_a_ticket_is_neither_late_nor_from_the_future(reads: int) -> None:
    event = heard(a_fee(a_ticket(), reads=reads, kept=False), hindrance="clock")
    assert isinstance(event, TicketRead)
    assert event.age == 0
    assert event.hindrance == "clock"


def test_a_lost_ticket_is_the_stay_that_the_worker_derives_whatever_session_the_fee_names() -> None:
    car = an_id("car")
    for claims in ({}, {"session": an_id("stay", "known")}, {"session": None}):
        event = heard(a_fee("LOST", car=car, **claims))
        assert isinstance(event, TicketRead)
        assert event.fee.session == lost_session("marina", "exit-1", car, event.fee.id)


def test_a_lost_ticket_that_names_a_stay_which_is_known_otherwise_is_disputed() -> None:
    car = an_id("car")
    its_own = lost_session("marina", "exit-1", car, an_id("fee", "LOST", T0))
    event = heard(a_fee("LOST", car=car), knows={OTHERS, its_own}.__contains__)
    assert isinstance(event, TicketRefused)
    assert "already known" in event.disputed
    again = heard(a_fee("LOST", car=car, session=its_own), knows={its_own}.__contains__)
    assert isinstance(again, TicketRead)


def test_a_lost_ticket_is_one_stay_for_one_car_at_one_lane() -> None:
    def session(car: str | None, lane: str, reads: int = T0) -> str:
        event = heard(a_fee("LOST", reads=reads, car=car), lane)
        assert isinstance(event, TicketRead)
        return event.fee.session

    one, two = an_id("car", 1), an_id("car", 2)
    assert session(one, "exit-1") == session(one, "exit-1", T0 - 20_000)
    assert session(None, "exit-1") != session(None, "exit-1", T0 - 20_000)
    assert len({session(one, "exit-1"), session(one, "exit-2"), session(two, "exit-1"), session(None, "exit-1")}) == 4
