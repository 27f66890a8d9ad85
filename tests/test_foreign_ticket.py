"""What is believed of tickets that this garage did not make: one car is one stay, whatever is told later."""

from dataclasses import FrozenInstanceError, fields, replace
from typing import Any

import pytest

from terminal.core.foreign_ticket import (
    BEFORE_MOST,
    LONGEST_MS,
    NUMBER_MOST,
    ForeignEntry,
    ForeignStay,
    ForeignStays,
    ForeignTicket,
    coming_back,
    entry_fault,
    flat_stay,
    foreign_quote,
    is_in_the_way,
    plate_of,
    stays_the_same,
    told_stay,
)
from terminal.core.ids import derived_id
from terminal.core.model import Lane, ParkingFee, Visit, WaitingVehicle
from terminal.core.money import Fils
from terminal.core.quote import Quote
from terminal.core.tariff import SettledStay
from terminal.core.ticket import FUTURE_ALLOWANCE_MS
from tests.support.tariffs import HOURLY, history

READ = 1_795_000_000_000
HOUR_MS = 3_600_000
TICKET = ForeignTicket("number", "000123456789")
ENTRY = ForeignEntry(READ - 2 * HOUR_MS)
TARIFF = history(HOURLY, {"class": "member", "steps": [{"total": "1.00"}]}, classes={"m": "member"})
FIRST = told_stay("marina", TICKET, ENTRY, READ)


def test_the_session_follows_from_number_and_entry() -> None:
    session = derived_id(ENTRY.entered_ms, "number", "marina", TICKET.number)
    assert ForeignStay(TICKET, session, READ, ENTRY.entered_ms, "", 0) == FIRST
    assert told_stay("marina", TICKET, ENTRY, READ + 5) == replace(FIRST, told_ms=READ + 5)
    others = [
        told_stay("marina", ForeignTicket("number", "1"), ENTRY, READ),
        told_stay("marina", ForeignTicket("plate", TICKET.number), ENTRY, READ),
        told_stay("marina", TICKET, ForeignEntry(ENTRY.entered_ms - 1), READ),
        told_stay("harbour", TICKET, ENTRY, READ),
    ]
    assert len({FIRST.session, *(stay.session for stay in others)}) == 5
    assert int(FIRST.session.replace("-", "")[:12], 16) == ENTRY.entered_ms


@pytest.mark.parametrize("by", [-HOUR_MS, -1, 0, 1, 2 * HOUR_MS])
def test_an_entry_that_is_told_differently_later_is_no_second_stay(by: int) -> None:
    again = told_stay("marina", TICKET, ForeignEntry(ENTRY.entered_ms + by, "m"), READ + 60_000, FIRST)
    assert again == replace(FIRST, ticket_class="m", told_ms=READ + 60_000)


def test_an_entry_after_the_last_reading_is_a_new_stay() -> None:
    entered = READ + 1
    new = told_stay("marina", TICKET, ForeignEntry(entered), READ + HOUR_MS, FIRST)
    assert new.session != FIRST.session
    assert (new.entered_ms, new.told_ms) == (entered, READ + HOUR_MS)


def test_an_older_reading_that_is_told_of_late_does_not_turn_the_time_back() -> None:
    assert told_stay("marina", TICKET, ENTRY, READ - 1000, FIRST).told_ms == READ


def test_a_flat_fee_becomes_the_true_one_of_the_same_stay_once_the_entry_is_told() -> None:
    flat = flat_stay("marina", TICKET, READ, Fils(2500))
    session = derived_id(READ, "flat", "marina", TICKET.number)
    assert flat == ForeignStay(TICKET, session, READ, None, "", 2500)
    assert foreign_quote(flat, READ + 5, TARIFF) == Quote("due", READ + 5, session, None, None, Fils(2500))
    told = told_stay("marina", TICKET, ENTRY, READ + 1000, flat)
    assert (told.session, told.entered_ms, told.flat) == (flat.session, ENTRY.entered_ms, 0)


def test_a_ticket_that_comes_back_is_remembered_with_what_it_paid() -> None:
    left = READ + 1000
    new = told_stay("marina", TICKET, ForeignEntry(left + HOUR_MS), left + 2 * HOUR_MS, FIRST)
    back = coming_back(new, FIRST, left, 2000)
    assert back == replace(new, before=(SettledStay(ENTRY.entered_ms, left, 2000),))
    assert told_stay("marina", TICKET, ForeignEntry(left), left + 3 * HOUR_MS, back).before == back.before
    assert coming_back(new, FIRST, left + HOUR_MS + 1, 2000) == new  # another car has it
    assert coming_back(new, replace(FIRST, entered_ms=None), left, 2000) == new
    many = replace(FIRST, before=(SettledStay(1, 2, 3),) * BEFORE_MOST)
    assert len(coming_back(new, many, left, 2000).before) == BEFORE_MOST
    tariff = history(HOURLY, reentry_minutes=60)
    assert foreign_quote(back, left + 2 * HOUR_MS, tariff).amount == 3000  # five hours and a second, less what was paid
    assert foreign_quote(back, left + 2 * HOUR_MS, history(HOURLY)).amount == 1000


def test_a_stay_costs_what_the_tariff_says_of_its_class() -> None:
    due = foreign_quote(FIRST, READ, TARIFF)
    assert due == Quote("due", READ, FIRST.session, ENTRY.entered_ms, 120, TARIFF.fee(ENTRY.entered_ms, READ))
    member = told_stay("marina", TICKET, ForeignEntry(ENTRY.entered_ms, "m"), READ)
    assert foreign_quote(member, READ, TARIFF).amount == 100


def test_an_entry_a_little_ahead_is_a_stay_of_zero_length() -> None:
    ahead = told_stay("marina", TICKET, ForeignEntry(READ + 10_000), READ)
    free = history(HOURLY, free_minutes=5)
    assert foreign_quote(ahead, READ, free).reason == "free"
    assert foreign_quote(ahead, READ, free).minutes == 0


def test_a_year_is_the_longest_stay_and_a_number_has_64_characters() -> None:
    assert (LONGEST_MS, NUMBER_MOST) == (31_622_400_000, 64)


@pytest.mark.parametrize(
    ("entered", "fault"),
    [
        (READ, ""),
        (READ + FUTURE_ALLOWANCE_MS, ""),
        (READ + FUTURE_ALLOWANCE_MS + 1, "its entry lies ahead"),
        (READ - LONGEST_MS, ""),
        (READ - LONGEST_MS - 1, "its entry was more than a year ago"),
        (0, "its entry was more than a year ago"),
    ],
)
def test_an_entry_that_cannot_be_is_called_so(entered: int, fault: str) -> None:
    assert entry_fault(entered, READ) == fault


@pytest.mark.parametrize(
    ("text", "plate"),
    [
        ("D 12345", "D12345"),
        ("dubai-a 7", "DUBAIA7"),
        ("أ ١٢٣", "أ١٢٣"),
        ("A" * 16, "A" * 16),
        ("A" * 17, ""),
        (" -- ", ""),
    ],
)
def test_a_plate_has_one_form(text: str, plate: str) -> None:
    assert plate_of(text) == plate


CAR, OTHER = derived_id(1, "a car"), derived_id(1, "another")
VISIT = Visit(ParkingFee("a", "its stay", "T", 1000, "due"), "paying", 0, CAR)


@pytest.mark.parametrize(
    ("visit", "seen", "said", "session", "in_the_way"),
    [
        (None, CAR, None, "plate's", False),
        (VISIT, CAR, None, "its stay", False),
        (VISIT, CAR, None, "plate's", True),
        (VISIT, CAR, OTHER, "plate's", True),  # the loops know better than the camera
        (VISIT, OTHER, None, "plate's", False),
        (VISIT, None, OTHER, "plate's", False),
        (VISIT, None, None, None, True),
        (replace(VISIT, car=None), OTHER, None, None, True),
    ],
)
def test_a_plate_leaves_the_visit_of_the_same_car_alone(
    visit: Visit | None, seen: str | None, said: str | None, session: str | None, in_the_way: bool
) -> None:
    vehicle = WaitingVehicle(True, seen, False) if seen else None
    assert is_in_the_way(Lane("exit-1", visit, vehicle), said, session) is in_the_way


@pytest.mark.parametrize(
    ("after_ms", "over", "same"),
    [(0, True, True), (43_200_000, True, True), (43_200_001, True, False), (43_200_001, False, True)],
)
def test_without_an_entry_a_ticket_is_the_same_stay_for_half_a_day_or_until_its_car_has_left(
    after_ms: int, over: bool, same: bool
) -> None:
    assert stays_the_same(FIRST, READ + after_ms, lambda session: over and session == FIRST.session) is same
    assert not stays_the_same(None, READ, lambda _: False)


def test_what_is_believed_is_bounded_and_the_oldest_goes_first() -> None:
    stays = ForeignStays(2)
    told = [told_stay("marina", ForeignTicket("number", str(n)), ENTRY, READ) for n in range(3)]
    for stay in (told[0], told[1], told[0], told[2]):
        stays.put(stay)
    assert [stays.get(stay.ticket) for stay in told] == [told[0], None, told[2]]
    assert len(stays) == 2


@pytest.mark.parametrize("noun", [TICKET, ENTRY, FIRST])
def test_what_is_believed_is_frozen_and_has_no_room_for_more(noun: Any) -> None:
    assert not hasattr(noun, "__dict__")
    for part in fields(noun):
        with pytest.raises(FrozenInstanceError):
            setattr(noun, part.name, None)


def test_what_was_told_counts_for_a_while_and_until_its_car_has_left() -> None:
    stays, gone = ForeignStays(2), {FIRST.session}
    assert not stays.current(TICKET, READ, 1000, lambda _: False)
    stays.put(FIRST)
    assert stays.current(TICKET, READ + 1000, 1000, lambda _: False)
    assert not stays.current(TICKET, READ + 1001, 1000, lambda _: False)
    assert not stays.current(TICKET, READ, 1000, lambda session: session in gone)
