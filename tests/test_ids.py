"""terminal/core/ids.py: what is built can be read back, and is the same each time."""

import re
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from terminal.core.ids import (
    derived_id,
    help_code,
    is_lift_id,
    lift_id,
    lost_session,
    moment_of,
    order_no,
    parse_order_no,
    refund_no,
)

SESSION = "019ab0d2-1c00-7abc-8def-0123456789ab"
sessions = st.builds(derived_id, st.integers(0, 2**48 - 1), st.text(max_size=8))
garages = st.from_regex(r"[a-z0-9]{1,12}", fullmatch=True)
lanes = st.from_regex(r"[a-z0-9-]{1,16}", fullmatch=True).filter(lambda lane: lane != "garage")


def test_the_first_order_of_a_stay_bears_no_attempt() -> None:
    assert order_no("marina", "exit-1", SESSION, 1) == "marina-exit-1-019ab0d21c007abc8def0123456789ab"
    assert order_no("marina", "exit-1", SESSION, 2) == "marina-exit-1-019ab0d21c007abc8def0123456789ab-2"


@given(garages, lanes, sessions, st.integers(1, 9))
def test_every_order_number_is_read_back_and_fits_payby(garage: str, lane: str, session: str, attempt: int) -> None:
    text = order_no(garage, lane, session, attempt)
    assert parse_order_no(text) == (garage, lane, session, attempt)
    assert re.fullmatch(r"[A-Za-z0-9_-]{1,64}", text)


def test_only_the_name_garage_itself_is_no_lane() -> None:
    text = order_no("marina", "garage-2", SESSION, 1)
    assert parse_order_no(text) == ("marina", "garage-2", SESSION, 1)
    assert parse_order_no(text.replace("garage-2", "garage")) is None


def test_the_longest_names_make_64_characters() -> None:
    assert len(order_no("g" * 12, "l" * 16, SESSION, 9)) == 64


@pytest.mark.parametrize(
    ("garage", "lane", "session", "attempt"),
    [
        ("marina", "exit-1", SESSION, 0),
        ("marina", "exit-1", SESSION, 10),
        ("Marina", "exit-1", SESSION, 1),
        ("marina-2", "", SESSION, 1),
        ("ma-rina", "exit-1", SESSION, 1),  # would be read back as garage "ma"
        ("marina", "garage", SESSION, 1),
        ("marina", "x" * 17, SESSION, 1),
        ("marina", "exit-1", SESSION.upper(), 1),
        ("marina", "exit-1", SESSION.replace("-7", "-4"), 1),
        ("marina", "exit-1", SESSION.replace("-", ""), 1),
    ],
)
def test_parts_that_could_not_be_read_back_are_refused(garage: str, lane: str, session: str, attempt: int) -> None:
    with pytest.raises(ValueError, match="no order number"):
        order_no(garage, lane, session, attempt)


@pytest.mark.parametrize("end", ["-1", "-0", "-10", "-x", "\n", "-2\n", "a", "-"])
def test_a_number_with_another_end_is_not_ours(end: str) -> None:
    assert parse_order_no(order_no("marina", "exit-1", SESSION, 1) + end) is None


def test_a_refund_number_names_what_asked_for_it() -> None:
    assert refund_no(SESSION) == "R019ab0d21c007abc8def0123456789ab"
    with pytest.raises(ValueError, match="no UUID"):
        refund_no("marina-exit-1")


@given(st.integers(0, 2**48 - 1), st.lists(st.text()))
def test_a_derived_id_is_a_uuid7_of_its_time(at_ms: int, parts: list[str]) -> None:
    text = derived_id(at_ms, *parts)
    read = uuid.UUID(text)
    assert (read.version, read.variant, read.int >> 80) == (7, uuid.RFC_4122, at_ms)
    assert text == str(read) == derived_id(at_ms, *parts)


def test_the_same_parts_have_the_same_id_in_every_version() -> None:
    """Else an update would name an old journal's lifts anew."""
    assert derived_id(1_790_000_000_000, "marina", "exit-1", "paid", "1") == "01a0c450-6c00-758a-a850-7cc663df4a27"


def test_derived_ids_tell_parts_apart() -> None:
    assert len({derived_id(1, *parts) for parts in [("ab", "c"), ("a", "bc"), ("abc",), ("abc", ""), ("c", "ab")]}) == 5


@pytest.mark.parametrize("at_ms", [-1, 2**48])
def test_a_time_outside_uuid7_is_refused(at_ms: int) -> None:
    with pytest.raises(ValueError, match="do not fit"):
        derived_id(at_ms)


@given(sessions)
def test_a_help_code_is_five_characters_that_cannot_be_mistaken(session: str) -> None:
    assert re.fullmatch(r"[2-9B-DF-HJKMNP-TV-Z]{5}", help_code(session))


def test_a_stay_has_the_same_help_code_in_every_version() -> None:
    assert help_code(SESSION) == "B73C5"


def test_help_codes_of_a_days_stays_differ() -> None:
    assert len({help_code(derived_id(i, "stay")) for i in range(500)}) == 500


def test_a_lost_ticket_s_stay_follows_from_garage_lane_and_car_or_else_the_reading() -> None:
    car, fee = derived_id(1_000, "car"), derived_id(2_000, "fee")
    named = lost_session("marina", "exit-1", car, fee)
    assert named == lost_session("marina", "exit-1", car, derived_id(3_000, "fee"))
    unnamed = lost_session("marina", "exit-1", None, fee)
    assert (uuid.UUID(named).int >> 80, uuid.UUID(unnamed).int >> 80) == (1_000, 2_000)
    others = {
        lost_session("marina", "exit-2", car, fee),
        lost_session("souk", "exit-1", car, fee),
        lost_session("marina", "exit-1", fee, fee),
        derived_id(1_000, "lost", car),
    }
    assert len(others | {named}) == 5


LIFT = "01a0c450-6c00-7ae6-b22f-8cc7ce7fea76"
"""As it stands in journals that there are, so that their replay names it again."""


def test_a_lift_is_named_after_its_time_its_parts_and_a_mark_that_a_key_makes() -> None:
    at = 1_790_000_000_000
    assert lift_id(at, "mark", "marina", "exit-1", "stay", "paid", "1") == LIFT
    assert (moment_of(LIFT), uuid.UUID(LIFT).version, uuid.UUID(LIFT).variant) == (at, 7, uuid.RFC_4122)
    others = [
        lift_id(at, "mark", "marina", "exit-1", "stay", "paid", "2"),
        lift_id(at + 1, "mark", "marina", "exit-1", "stay", "paid", "1"),
        lift_id(at, "mark", "marina", "exit-2", "stay", "paid", "1"),
        lift_id(at, "another", "marina", "exit-1", "stay", "paid", "1"),
    ]
    assert len({LIFT, *others}) == 5


@pytest.mark.parametrize(
    ("lift", "mark", "garage", "lane", "is_ours"),
    [
        (LIFT, "mark", "marina", "exit-1", True),
        (LIFT, "another", "marina", "exit-1", False),
        (LIFT, "mark", "souk", "exit-1", False),
        (LIFT, "mark", "marina", "exit-2", False),
        (LIFT[:-1] + "7", "mark", "marina", "exit-1", False),
        (LIFT.replace("6c00", "6c01"), "mark", "marina", "exit-1", False),
        (LIFT.upper(), "mark", "marina", "exit-1", False),
        ("", "mark", "marina", "exit-1", False),
    ],
)
def test_only_who_has_the_mark_names_a_lift_of_this_lane(
    lift: str, mark: str, garage: str, lane: str, is_ours: bool
) -> None:
    assert is_lift_id(lift, mark, garage, lane) is is_ours


def test_a_lost_card_has_the_same_stay_after_an_update() -> None:
    """Else who lost his ticket while the worker was updated would be charged twice."""
    car, fee = derived_id(1_790_000_000_000, "car"), derived_id(1_790_000_000_001, "fee")
    stay = derived_id(1_790_000_000_000, "lost", "marina", "exit-1", car)
    assert lost_session("marina", "exit-1", car, fee) == stay
