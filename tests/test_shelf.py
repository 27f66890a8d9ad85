"""Which stays may leave memory, and how each is known again."""

import struct
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from terminal.core.lane import REMIND_MS
from terminal.core.shelf import NO_PROOF, REST_MS, Shelf, rests_until, slim
from terminal.core.visit import Order, Payment, Proof, Stay
from tests.story import PROOF, T0, Story


def order(stage: str) -> Order:
    return Order("no", "exit-1", "s", 1, 2000, T0, T0, T0, stage=stage)  # type: ignore[arg-type]


def payment(holder: str) -> Payment:
    return Payment("no", 2000, T0, PROOF, holder)  # type: ignore[arg-type]


def test_a_stay_rests_ten_minutes_after_it_was_settled() -> None:
    story = Story()
    story.shows_qr()
    assert rests_until(story.stay(), story.at) is None, "its order is open"
    story.payby("PAID")
    story.raises()
    assert rests_until(story.stay(), story.at) is None, "its car stands there"
    story.drives_through()
    assert rests_until(story.stay(), story.at) == story.at + REST_MS


@pytest.mark.parametrize("holder", ["lift", "credit", "refund"])
def test_a_payment_on_its_way_keeps_its_stay(holder: str) -> None:
    assert rests_until(Stay("s", (order("paid"),), (payment(holder),)), T0) is None


def test_what_a_person_is_told_of_at_every_start_stays_as_long() -> None:
    assert rests_until(Stay("s", (order("paid"),), (payment("person"),)), T0) == T0 + REMIND_MS
    assert rests_until(Stay("s", (order("quarantined"),)), T0 + 1) == T0 + REMIND_MS
    later = T0 + REMIND_MS
    assert rests_until(Stay("s", (order("paid"),), (payment("person"),)), later) == later + REST_MS


def test_only_proofs_that_can_lift_no_more_are_left_out() -> None:
    paid = tuple(payment(holder) for holder in ("raised", "refunded", "person"))
    assert slim(Stay("s", payments=paid)).payments == paid
    assert Proof("", "") == NO_PROOF
    left = slim(Stay("s", payments=paid, left=T0))
    assert left.payments == (*(replace(p, proof=NO_PROOF) for p in paid[:2]), paid[2])


def test_a_session_is_found_in_the_row_it_was_put_in_last() -> None:
    shelf = Shelf()
    for row, session in enumerate("abcab", 1):
        shelf.put(session, row)
    assert [shelf.row_of(s) for s in "abcd"] == [4, 5, 3, None]
    assert len(shelf) == 3


def test_of_a_pruned_row_only_is_known_that_it_was() -> None:
    shelf = Shelf()
    for row, session in enumerate("abc", 1):
        shelf.put(session, row)
    gone = shelf.gone(2)
    assert len(gone) == 16
    shelf.prune(2)
    shelf.prune(1)
    assert [shelf.row_of(s) for s in "abcd"] == [0, 0, 3, None]
    again = Shelf()
    again.put("b", 9)
    again.take_gone(gone)
    assert [again.row_of(s) for s in "abc"] == [0, 9, None]
    assert len(again.gone(0)) == 8, "what was lost before is lost still"


def test_digests_that_were_cut_are_refused() -> None:
    with pytest.raises(struct.error, match="multiple"):
        Shelf().take_gone(b"1234567")


@given(puts=st.lists(st.tuples(st.text(max_size=3), st.integers(1, 1000)), max_size=60), limit=st.integers(0, 1000))
def test_it_is_a_map_in_few_bytes(puts: list[tuple[str, int]], limit: int) -> None:
    shelf, model = Shelf(), dict(puts)
    for session, row in puts:
        shelf.put(session, row)
    assert all(shelf.row_of(session) == row for session, row in model.items())
    shelf.prune(limit)
    again = Shelf()
    again.take_gone(shelf.gone(limit))
    for session, row in model.items():
        assert (shelf.row_of(session), again.row_of(session)) == ((0, 0) if row <= limit else (row, None))
