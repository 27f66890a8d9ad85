"""What a lane shows and what is owed, in full: every field of a screen, every noun of a pursuit."""

from dataclasses import replace

import pytest

from terminal.core import events as e
from terminal.core.actions import CloseOrder, PlaceOrder, PlaceRefund, QueryOrder, SendLift
from terminal.core.display import LaneDisplay, order_status, screen
from terminal.core.ids import help_code
from terminal.core.model import REASONS, RefusalNotice
from terminal.core.outbox import lane_due, settled, stay_due
from tests.support.story import PROOF, T0, TOKEN, Story, an_id

STAY = an_id("stay", "a")


def test_a_screen_gives_the_contracts_reasons_and_no_others() -> None:
    assert REASONS == {
        "help": (
            "ticket-unknown",
            "ticket-used",
            "ticket-copied",
            "ticket-foreign",
            "ticket-future",
            "ticket-unanswered",
            "coupon-unknown",
            "coupon-over",
            "coupon-used",
            "coupon-alone",
            "pass-used",
            "plate-unsure",
            "refused",
            "unpaid",
            "no-answer",
            "qr",
            "barrier",
        ),
        "closed": ("operator", "disk-full", "barrier"),
        "out-of-order": ("broker", "payby", "unauthorised", "clock", "journal"),
    }


def test_every_screen_of_a_visit_says_whose_it_is() -> None:
    story = Story()
    car = story.arrives()
    assert story.screen() == LaneDisplay("idle")
    story.reads(id="a fee")
    wait = LaneDisplay("wait", "a fee", STAY, car, 2000, 90, help_code=help_code(STAY))
    assert story.screen() == wait
    story.payby("CREATED")
    assert story.screen() == replace(wait, state="pay", expires=T0 + 110_000, token_url=TOKEN)
    story.boom("down", skew=15_000)
    assert story.screen().state == "pay", "its order is good, whatever the barrier's clock says"
    story.payby("PAID")
    assert story.screen() == replace(wait, state="paid")
    story.raises()
    story.drives_through()
    assert story.screen() == LaneDisplay("idle", "a fee")


def test_while_another_system_is_asked_an_idle_lane_waits_and_shows_no_refusal_of_before() -> None:
    story = Story()
    story.arrives()
    story.tell(e.TicketRefused(story.at, "exit-1", "a fee", "ticket-unknown"))
    lane = story.lane()
    assert screen(lane, None, story.at).state == "help"
    assert screen(lane, None, story.at, asking=True) == LaneDisplay("wait", lane.fee_ids[-1])
    closed = screen(replace(lane, closed=True), None, story.at, asking=True)
    assert (closed.state, closed.reason) == ("closed", "operator")
    hindered = screen(lane, None, story.at, hindrance=("out-of-order", "payby"), asking=True)
    assert hindered.state == "out-of-order"


def test_a_visit_shows_through_a_question_about_another_ticket() -> None:
    story = Story()
    story.arrives()
    story.reads(id="a fee")
    story.payby("CREATED")
    lane, stay = story.lane(), story.stay()
    assert screen(lane, stay, story.at, asking=True).state == "pay"
    refused = replace(lane, notice=RefusalNotice("ticket-unknown", "23456", story.at + 1000))
    assert screen(refused, stay, story.at, asking=True).state == "help"


def test_a_free_visit_says_so_and_help_says_why() -> None:
    story = Story()
    car = story.arrives()
    story.reads(id="a fee", amount=0)
    free = LaneDisplay("free", "a fee", STAY, car, 0, 90, help_code=help_code(STAY))
    assert story.screen() == free
    story.answers("refused", "journal")
    assert story.screen() == replace(free, state="help", reason="barrier")


@pytest.mark.parametrize(
    ("skew", "shows"), [(14_999, "wait"), (15_000, "out-of-order clock"), (-15_000, "out-of-order clock")]
)
def test_a_visit_that_waits_says_that_the_barriers_clock_is_wrong(skew: int, shows: str) -> None:
    story = Story()
    story.arrives()
    story.reads()
    story.boom("down", skew=skew)
    assert story.shows() == shows


@pytest.mark.parametrize(
    ("skew", "shows"), [(14_999, "idle"), (15_000, "out-of-order clock"), (-15_000, "out-of-order clock")]
)
def test_an_idle_lane_says_that_the_barriers_clock_is_wrong(skew: int, shows: str) -> None:
    story = Story()
    story.boom("down", skew=skew)
    assert story.shows() == shows


def test_a_refusal_says_which_fee_it_is_of_and_for_how_long() -> None:
    story = Story()
    story.tell(e.TicketRefused(story.at, "exit-1", "a fee", "ticket-foreign"))
    shown = LaneDisplay("help", "a fee", reason="ticket-foreign", help_code=help_code("a fee"), until=T0 + 15_000)
    assert story.screen() == shown
    story.at += 14_999
    assert story.screen() == shown
    story.at += 1
    assert story.screen() == LaneDisplay("idle", "a fee")


def test_a_price_is_the_orders_and_shows_while_it_can_be_paid() -> None:
    story = Story()
    order = story.shows_qr()
    story.garage.stays[STAY] = replace(story.stay(), orders=(replace(order, amount=1999),))
    assert story.screen().amount == 1999
    story.garage.stays[STAY] = replace(story.stay(), orders=(replace(order, stage="closing"),))
    assert story.shows() == "wait"
    assert screen(story.lane(), None, story.at) == LaneDisplay("idle", story.lane().fee_ids[-1]), (
        "its stay is not known"
    )


def test_an_orders_status_is_its_stage() -> None:
    story = Story()
    order = story.shows_qr()
    for stage in ("placing", "created", "closing", "paid", "closed", "failed"):
        assert order_status(replace(order, stage=stage)) == stage  # type: ignore[arg-type]


def test_a_pursuit_has_its_noun_as_it_stands() -> None:
    story = Story()
    story.arrives()
    story.reads()
    assert story.pursuits() == [PlaceOrder(story.order())]
    story.payby("CREATED")
    assert story.pursuits() == [QueryOrder(story.order())]
    story.wait(110)
    assert story.pursuits() == [CloseOrder(story.order())]
    story.payby("PAID")
    grant = story.stay().grants[0]
    assert story.pursuits() == [SendLift(grant, PROOF)]
    story.leaves_loop()
    story.wait(2)
    assert story.pursuits() == [], "its car is gone"
    story.wait(90)
    assert story.pursuits() == [SendLift(story.stay().grants[0], PROOF)], "the barrier is asked what came of it"
    story.answers("refused", "expired")
    assert story.pursuits() == []
    story.wait(900)
    assert story.pursuits() == [PlaceRefund(story.refund())]


def test_a_free_lift_has_no_proof() -> None:
    story = Story()
    story.arrives()
    story.reads(amount=0)
    assert story.pursuits() == [SendLift(story.stay().grants[0], None)]


def test_a_stay_is_settled_once_nothing_of_it_is_owed_or_waited_for() -> None:
    story = Story()
    story.pays()
    story.leaves_loop()
    story.wait(2)
    assert not settled(story.stay()), "its lift may still raise"
    story.answers("unknown")
    assert settled(story.stay()), "a person decides"
    story.arrives(car=story.cars["exit-1"])
    story.reads()
    assert not settled(story.stay()), "a lane serves it"


def test_a_stay_whose_order_is_open_is_not_settled() -> None:
    story = Story()
    story.shows_qr()
    story.leaves_loop()
    story.wait(2)
    assert not settled(story.stay())
    story.payby("FAILURE")
    assert settled(story.stay())


def test_each_time_is_waited_for_once_and_only_ahead() -> None:
    story = Story()
    assert lane_due(story.lane(), None, story.at) is None
    story.pays()
    assert lane_due(story.lane(), None, story.at) is None
    grant = story.stay().grants[0]
    assert stay_due(story.stay(), story.at) == grant.not_after + 60_000
    assert stay_due(story.stay(), grant.not_after + 59_999) == grant.not_after + 60_000
    assert stay_due(story.stay(), grant.not_after + 60_000) is None, "it has come"
    times, now = [], story.at
    while due := lane_due(story.lane(), story.stay(), now):
        times.append(due - story.at)
        now = due
    assert times == [1_000, 6_000, 25_000, 30_000], "the arm, a lift that is signed anew, its deadline"
    story.wait(6 * 25 - 1)
    assert lane_due(story.lane(), story.stay(), story.at) == story.stay().grants[0].not_after, "it is signed no more"


def test_a_visit_is_looked_at_again_at_every_limit_of_its_phase() -> None:
    story = Story()
    story.arrives()
    story.reads()
    for at, phase in ((12_000, "ordering"), (110_000, "helping"), (None, "helping")):
        assert story.visit().phase == phase
        due = lane_due(story.lane(), story.stay(), story.at)
        assert due == (at and T0 + at)
        story.wait(at / 1000 - (story.at - T0) / 1000 if at else 0)
