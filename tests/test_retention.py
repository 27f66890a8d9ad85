"""Which stays may leave memory, and how each is known again."""

import struct
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from terminal.core.events import CouponRead, Event, PassRead
from terminal.core.model import Payment, PaymentProof, Stay, VisitOrder
from terminal.core.retention import NO_PROOF, REST_MS, RestingStays, rests_until, session_of, slim
from terminal.core.rules.limits import REMIND_MS
from tests.support.story import PROOF, T0, Story


def order(stage: str) -> VisitOrder:
    return VisitOrder("no", "exit-1", "s", 1, 2000, T0, T0, T0, stage=stage)  # type: ignore[arg-type]


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
    assert PaymentProof("", "") == NO_PROOF
    left = slim(Stay("s", payments=paid, left=T0))
    assert left.payments == (*(replace(p, proof=NO_PROOF) for p in paid[:2]), paid[2])


@pytest.mark.parametrize(
    ("event", "known"),
    [
        (CouponRead(T0, "exit-1", "f", "coupon", "stay", "amount", 500, T0), "coupon"),
        (PassRead(T0, "exit-1", "f", "pass", "stay", T0, T0), "pass"),
    ],
)
def test_a_coupon_and_a_pass_are_known_by_themselves_whatever_stay_they_are_for(event: Event, known: str) -> None:
    assert session_of(event) == known


def test_a_session_is_found_in_the_row_it_was_put_in_last() -> None:
    resting_stays = RestingStays()
    for row, session in enumerate("abcab", 1):
        resting_stays.put(session, row)
    assert [resting_stays.row_of(s) for s in "abcd"] == [4, 5, 3, None]
    assert len(resting_stays) == 3


def test_of_a_pruned_row_only_is_known_that_it_was() -> None:
    resting_stays = RestingStays()
    for row, session in enumerate("abc", 1):
        resting_stays.put(session, row)
    gone = resting_stays.gone(2)
    assert len(gone) == 16
    resting_stays.prune(2)
    resting_stays.prune(1)
    assert [resting_stays.row_of(s) for s in "abcd"] == [0, 0, 3, None]
    again = RestingStays()
    again.put("b", 9)
    again.take_gone(gone, 10)
    assert [again.row_of(s) for s in "abc"] == [0, 9, None]
    assert [len(again.gone(row)) for row in (8, 9, 10)] == [0, 8, 16], "what was lost before is lost still"


def test_what_is_lost_is_written_again_only_when_the_row_that_names_it_is_pruned() -> None:
    resting_stays = RestingStays()
    for row, session in enumerate("abcd", 1):
        resting_stays.put(session, row)
    lists = {}
    for through, named_in in ((2, 5), (3, 6), (5, 7)):
        lists[named_in] = resting_stays.gone(through)
        resting_stays.prune(through)
        resting_stays.take_gone(lists[named_in], named_in)
    assert [len(digests) // 8 for digests in lists.values()] == [2, 1, 3]
    resting_stays.put("a", 8)
    assert [resting_stays.row_of(s) for s in "abcd"] == [8, 0, 0, 0]
    again = RestingStays()  # as a start reads what is left
    for named_in in (6, 7):
        again.take_gone(lists[named_in], named_in)
    again.put("a", 8)
    assert [again.row_of(s) for s in "abcd"] == [8, 0, 0, 0]
    again.take_gone(lists[7], 9)
    assert again.row_of("a") == 8


def test_digests_that_were_cut_are_refused() -> None:
    with pytest.raises(struct.error, match="multiple"):
        RestingStays().take_gone(b"1234567", 1)


@given(puts=st.lists(st.tuples(st.text(max_size=3), st.integers(1, 1000)), max_size=60), limit=st.integers(0, 1000))
def test_it_is_a_map_in_few_bytes(puts: list[tuple[str, int]], limit: int) -> None:
    resting_stays, model = RestingStays(), dict(puts)
    for session, row in puts:
        resting_stays.put(session, row)
    assert all(resting_stays.row_of(session) == row for session, row in model.items())
    resting_stays.prune(limit)
    again = RestingStays()
    again.take_gone(resting_stays.gone(limit), 1001)
    for session, row in model.items():
        assert (resting_stays.row_of(session), again.row_of(session)) == ((0, 0) if row <= limit else (row, None))
