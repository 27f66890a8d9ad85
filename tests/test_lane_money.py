"""Rule 6: when money goes back by itself, and when a person decides."""

import copy
import itertools

import pytest

from terminal.core import events as e
from terminal.core.ids import derived_id, lift_id
from terminal.core.model import ParkingFee
from tests.support.story import Story, an_id

GRACE_S = 20 * 60


def sent(story: Story) -> str:
    """What became of the money when the exit grace has ended."""
    story.wait(GRACE_S)
    return story.payment().holder


def alerts_of(story: Story) -> set[str]:
    return set(story.alerts())


# -- every lift refused, and the arm seen down ---------------------------------------------------------------------


def test_money_goes_back_by_itself_when_its_lift_was_refused_and_the_arm_was_seen_down() -> None:
    story = Story()
    story.pays()
    story.leaves_loop()
    story.answers("refused", "car")
    assert sent(story) == "refund"


def test_late_money_goes_back_by_itself_when_the_arm_was_seen_down_until_its_car_was_gone() -> None:
    story = Story()
    story.shows_qr()
    story.leaves_loop()
    story.wait(3)
    story.payby("PAID")
    assert sent(story) == "refund"


@pytest.mark.parametrize("paid", [True, False])
@pytest.mark.parametrize("arm", ["unknown", "fault", None])
def test_money_of_a_car_that_left_its_loop_under_an_arm_that_nobody_knew_of_is_a_persons(
    arm: str | None, paid: bool
) -> None:
    story = Story()
    story.shows_qr()
    if arm:
        story.boom(arm)
    else:
        story.tell(e.BarrierGone(story.at, "exit-1"))
    if paid:
        story.payby("PAID")
        story.answers("refused", "car")
    story.leaves_loop()
    story.boom("down")
    story.wait(3)
    if not paid:
        story.payby("PAID")
    assert (sent(story), story.stay().left) == ("person", None)


@pytest.mark.parametrize("arm", ["rising", "up", "lowering"])
def test_late_money_of_a_car_that_left_its_loop_under_an_open_arm_is_a_persons(arm: str) -> None:
    story = Story()
    story.boom(arm)
    story.shows_qr()
    story.leaves_loop()
    story.boom("down")
    story.wait(3)
    story.payby("PAID")
    assert sent(story) == "person"


def test_an_arm_that_was_open_while_the_loop_saw_the_car_and_down_when_it_left_sends_the_money_back() -> None:
    story = Story()
    story.boom("up")
    story.pays()
    story.answers("refused", "busy")
    story.boom("lowering")
    story.boom("down")
    story.answers("refused", "car")
    story.leaves_loop()
    assert sent(story) == "refund"


def test_an_arm_that_was_open_while_the_loops_were_silent_makes_the_money_a_persons() -> None:
    story = Story()
    story.pays()
    story.answers("refused", "car")
    story.tell(e.VehicleUnknown(story.at, "exit-1"))
    story.boom("up")
    story.boom("down")
    story.leaves_loop()
    assert sent(story) == "person"


def test_an_arm_that_was_open_while_the_loops_were_silent_does_not_matter_once_they_see_the_same_car() -> None:
    story = Story()
    story.pays()
    story.answers("refused", "car")
    story.tell(e.VehicleUnknown(story.at, "exit-1"))
    story.boom("up")
    story.boom("down")
    story.arrives(car=story.cars["exit-1"])
    story.wait(1)
    story.answers("refused", "car")
    story.leaves_loop()
    assert sent(story) == "refund"


def test_money_of_a_car_that_was_gone_when_the_worker_came_back_is_a_persons() -> None:
    story = Story()
    story.pays()
    story.answers("refused", "car")
    story.tell(e.Started(story.at, "1"))
    story.leaves_loop()
    story.boom("down")
    assert sent(story) == "person"


def test_money_whose_lift_nobody_answered_lifts_elsewhere_and_is_a_persons_in_the_end() -> None:
    story = Story(lanes=("exit-1", "exit-2"))
    story.pays()
    story.leaves_loop()
    story.wait(93)
    assert (story.payment().holder, story.owes()) == ("credit", ["SendLift"]), "the barrier is asked on"
    story.arrives("exit-2")
    story.reads("a", "exit-2")
    assert [(g.lane, g.overdue) for g in story.stay().grants] == [("exit-1", True), ("exit-2", False)]
    story.answers("refused", "car")
    story.leaves_loop("exit-2")
    assert sent(story) == "person"
    assert "lift-unknown" in alerts_of(story)


def test_a_barrier_that_was_away_and_says_that_it_never_spent_the_lift_sends_the_money_back() -> None:
    story = Story()
    story.pays()
    story.leaves_loop()
    story.wait(200)
    story.answers("refused", "expired")
    assert story.owes() == []
    assert sent(story) == "refund"


@pytest.mark.parametrize("why", ["busy", "too-far", "signature", "proof", "journal", "car"])
def test_no_other_answer_about_an_overdue_lift_settles_it(why: str) -> None:
    story = Story()
    story.pays()
    story.leaves_loop()
    story.wait(200)
    story.answers("refused", why)
    assert story.owes() == ["SendLift"]
    assert sent(story) == "person"
    assert story.owes() == [], "it is not asked about for ever"


# -- what raised stays known ---------------------------------------------------------------------------------------


def test_a_raise_is_not_forgotten_when_further_lifts_are_refused() -> None:
    story = Story()
    story.pays()
    first = story.raises()
    story.boom("lowering")
    story.boom("down")
    story.wait(1)
    for _ in range(2):
        story.answers("refused", "car")
        story.wait(1)
    story.leaves_loop()
    assert (sent(story), story.payment().raised, story.stay().refunds) == ("raised", first.id, ())


@pytest.mark.fault("power-cut")
@pytest.mark.parametrize("named_by", ["its answer", "its state", "its state at rest"])
@pytest.mark.parametrize("silent_s", [20, 120, 300, GRACE_S + 120])
def test_a_raise_that_shows_after_minutes_keeps_the_money_from_going_back(silent_s: float, named_by: str) -> None:
    """The barrier's machine lost its power between pulse and answer."""
    story = Story()
    story.pays()
    lift = story.stay().grants[-1]
    story.tell(e.BarrierGone(story.at, "exit-1"))
    story.wait(3)
    story.leaves_loop()
    story.wait(silent_s)
    match named_by:
        case "its answer":
            story.answers("raised", grant=lift)
        case "its state":
            story.boom("up", lift=lift.id)
        case _:
            story.boom("down", lift=lift.id)
    assert (story.payment().raised, story.payment().holder) == (lift.id, "raised")
    assert (sent(story), story.stay().refunds) == ("raised", ())
    story.arrives()
    story.reads("a")
    assert story.shows() == "help ticket-used"


def test_a_second_raise_for_one_payment_is_told_when_it_shows() -> None:
    story = Story(lanes=("exit-1", "exit-2"))
    story.pays()
    first = story.stay().grants[-1]
    story.leaves_loop()
    story.wait(93)
    story.arrives("exit-2")
    story.reads("a", "exit-2")
    story.raises()
    story.said.clear()
    story.answers("raised", grant=first)
    told = [(a.severity, a.text) for a in story.said if getattr(a, "code", "") == "raised-late"]
    assert told == [("critical", "the boom has risen for a second time for one payment, at another time or lane")]


def test_what_a_person_is_to_decide_does_not_lift_by_itself_when_a_raise_of_it_shows() -> None:
    story = Story()
    story.pays()
    story.tell(e.Damaged(story.at, "row 7"))
    story.reads()
    story.tell(e.LiftAnswered(story.at, "exit-1", story.stay().session, story.payment().grant or "", "raised"))
    assert (story.payment().holder, story.owes()) == ("raised", [])


# -- a journal that was put back -----------------------------------------------------------------------------------


@pytest.mark.fault("journal-put-back")
@pytest.mark.parametrize("at_rest", [True, False])
def test_a_barrier_that_names_a_lift_which_the_journal_does_not_hold_puts_everything_in_doubt(at_rest: bool) -> None:
    story = Story(lanes=("exit-1", "exit-2"))
    story.shows_qr("b", "exit-2")
    story.shows_qr()
    before = copy.deepcopy(story.garage)
    story.payby("PAID")
    lift = story.raises()
    story.drives_through()
    story.wait(3600)
    story.garage = before
    story.said.clear()
    story.tell(e.Started(story.at, "put back"))
    story.leaves_loop()
    story.boom("down" if at_rest else "up", lift=lift.id)
    story.boom("down", lift=lift.id)
    assert story.alerts().count("journal-behind") == 1
    assert (story.garage.in_doubt, story.owes(), story.owes("b")) == (True, ["CloseOrder"], ["CloseOrder"])
    story.payby("PAID")
    story.payby("PAID", "b")
    assert (sent(story), story.payment("b").holder) == ("person", "person")
    assert story.stay().refunds == story.stay("b").refunds == ()


def test_a_journal_that_was_put_back_makes_the_worker_ask_paybys_list() -> None:
    from terminal.core.rules import step

    story = Story()
    lift = lift_id(story.at, "", "marina", "exit-1", "anything")
    assert step(story.garage, e.BoomSeen(story.at, "exit-1", "down", lift)).doubts
    story.boom("down", lift=lift)
    assert not step(story.garage, e.BoomSeen(story.at, "exit-1", "up", lift)).doubts, "it is known by now"


def other_lifts(story: Story) -> list[str]:
    other_lane, made_up = lift_id(story.at, "", "marina", "exit-2", "x"), derived_id(story.at, "an operator's")
    return [other_lane, lift_id(story.at, "another mark", "marina", "exit-1", "x"), made_up, "no id at all"]


@pytest.mark.parametrize("which", range(4))
def test_a_lift_that_nobody_of_ours_can_have_named_for_this_lane_means_nothing(which: int) -> None:
    """A lane that makes one up must not stop the garage."""
    story = Story(lanes=("exit-1", "exit-2"))
    story.shows_qr()
    story.boom("down", lift=other_lifts(story)[which])
    assert (story.shows(), story.alerts()) == ("pay", [])


def test_a_lift_of_long_ago_that_a_barrier_still_names_is_no_news() -> None:
    story = Story()
    story.pays()
    old = story.raises()
    story.drives_through()
    for number in range(20):
        story.wait(5)
        story.arrives()
        story.reads(f"free {number}", amount=0)
        story.answers("refused", "car", f"free {number}")
        story.leaves_loop()
        story.wait(3)
    story.garage.stays.clear()  # all of them were put away by now
    story.tell(e.BarrierGone(story.at, "exit-1"))
    story.said.clear()
    story.boom("down", lift=old.id)
    assert story.alerts() == []


# -- out under another's raise, or an open arm ---------------------------------------------------------------------


def second_car_pays(story: Story) -> None:
    """Car 1 stands under the boom that rose for it; car 2 on the first loop reads, pays, and is answered `busy`."""
    story.shows_qr("x")
    story.payby("PAID", "x")
    story.raises("x")
    story.under()
    story.under(waiting=False)
    story.wait(3)
    story.cars["exit-1"] = an_id("car", "second")
    story.tell(e.VehicleSeen(story.at, "exit-1", True, True, story.cars["exit-1"]))
    story.reads("a")
    story.payby("CREATED")
    story.wait(8)
    story.payby("PAID")
    story.answers("refused", "busy")


@pytest.mark.fault("passed-open", "tailgating")
@pytest.mark.parametrize("bumper_to_bumper", [False, True])
def test_who_paid_and_left_under_the_raise_of_the_car_before_has_used_his_ticket(bumper_to_bumper: bool) -> None:
    story = Story()
    second_car_pays(story)
    if not bumper_to_bumper:
        story.tell(e.VehicleSeen(story.at, "exit-1", True, False, story.cars["exit-1"]))
        story.wait(0.5)
        story.under()
    story.under(waiting=False)
    story.wait(1)
    story.leaves_loop()
    story.boom("lowering")
    story.boom("down")
    story.wait(3)
    assert story.alerts()[-1] == "tailgating"
    assert story.stay().left is not None
    assert (sent(story), story.stay().refunds) == ("used", ())


@pytest.mark.fault("passed-open")
@pytest.mark.parametrize("dead_loop", [False, True])
def test_who_paid_and_left_under_an_arm_that_is_held_open_has_used_his_ticket(dead_loop: bool) -> None:
    story = Story()
    story.boom("up")
    for session in ("a", "b"):
        story.shows_qr(session)
        story.payby("PAID", session)
        story.answers("refused", "busy", session)
        if dead_loop:
            story.leaves_loop()
        else:
            story.under()
            story.under(waiting=False)
            story.leaves_loop()
        story.wait(3)
    assert {story.stay(s).left is None for s in ("a", "b")} == {False}
    assert alerts_of(story) & {"passed-open", "tailgating"}
    story.wait(GRACE_S)
    assert {story.payment(s).holder for s in ("a", "b")} == {"used"}
    story.arrives()
    story.reads("a")
    assert story.shows() == "help ticket-used"


def test_a_vehicle_that_passes_beside_one_that_waits_takes_no_place() -> None:
    """A motorcycle squeezes by under the raise of the car before; the loop still sees the one that paid."""
    story = Story()
    second_car_pays(story)
    story.tell(e.VehicleSeen(story.at, "exit-1", True, False, story.cars["exit-1"]))
    story.under()
    story.tell(e.VehicleSeen(story.at, "exit-1", True, False, story.cars["exit-1"]))
    assert (story.stay().left, story.stay().lane, story.payment().holder) == (None, "exit-1", "lift")
    story.boom("lowering")
    story.boom("down")
    story.raises()
    story.drives_through()
    assert (story.stay().left, story.payment().holder) == (story.at, "raised")


def test_an_unpaid_car_that_follows_another_out_is_told_of_and_its_later_money_does_not_go_back() -> None:
    story = Story()
    story.shows_qr("x")
    story.payby("PAID", "x")
    story.raises("x")
    story.under()
    story.under(waiting=False)
    story.leaves_loop()
    story.shows_qr("a")
    story.under()
    story.under(waiting=False)
    story.leaves_loop()
    assert story.alerts()[-1] == "tailgating"
    assert (story.order().stage, story.stay().left) == ("closing", story.at)
    story.payby("PAID")
    assert sent(story) == "used"


def test_passages_count_over_visits_as_long_as_one_raise_lasts() -> None:
    story = Story()
    story.shows_qr("x")
    story.payby("PAID", "x")
    story.raises("x")
    for number, session in enumerate(("x", "a", "b")):
        assert story.lane().passages == number
        if session != "x":
            story.arrives()
            story.reads(session, amount=0)
        story.under()
        story.under(waiting=False)
        story.leaves_loop()
    assert story.lane().passages == 3
    story.boom("down")
    assert story.lane().passages == 0


# -- lost tickets --------------------------------------------------------------------------------------------------


def lost(story: Story, name: str, *, after_s: float = 0) -> str:
    """A lost ticket is read for the car that stands there; returns the session that the worker derived for it."""
    story.wait(after_s)
    session = an_id("lost", name)
    fee = ParkingFee(an_id("fee", name, story.at), session, "LOST", 15000, "lost", None, story.cars["exit-1"])
    story.tell(e.TicketRead(story.at, "exit-1", fee))
    return session


def paid_late(story: Story) -> str:
    """A lost ticket whose car the loop lost as it was paid."""
    story.arrives()
    session = lost(story, "first")
    order = story.garage.stays[session].orders[-1]
    story.payby("CREATED", order=order)
    story.wait(20)
    story.leaves_loop()
    story.wait(3)
    story.payby("PAID", order=order)
    return session


@pytest.mark.fault("lost-again")
@pytest.mark.parametrize(("after_s", "orders"), [(0, 1), (119.999, 1), (120, 2)])
def test_a_lost_ticket_that_was_just_paid_is_the_same_when_its_loop_names_the_vehicle_anew(
    after_s: float, orders: int
) -> None:
    story = Story()
    first = paid_late(story)
    story.wait(after_s)
    story.arrives()
    lost(story, "second")
    assert sum(len(stay.orders) for stay in story.garage.stays.values()) == orders
    assert [g.reason for g in story.garage.stays[first].grants] == (["paid"] if orders == 1 else [])


def test_a_lost_ticket_that_is_paid_while_its_second_reading_waits_is_charged_once() -> None:
    story = Story()
    story.arrives()
    session = lost(story, "first")
    order = story.garage.stays[session].orders[-1]
    story.payby("CREATED", order=order)
    story.arrives()
    second = lost(story, "second")
    assert story.shows() == "wait", "the first order is being closed"
    story.payby("PAID", order=order)
    assert (story.garage.stays[second].orders, story.garage.stays[session].lane) == ((), "exit-1")
    assert [g.reason for g in story.garage.stays[session].grants] == ["paid"]


@pytest.mark.parametrize("what", ["raised", "left", "refunded"])
def test_a_lost_ticket_that_was_used_is_nobody_elses(what: str) -> None:
    story = Story()
    first = paid_late(story)
    stay = story.garage.stays[first]
    if what == "refunded":
        cause = an_id("c")
        command = e.CommandGiven(story.at, "exit-1", cause, "refund", "omar", story.at, order_no=stay.orders[0].no)
        story.tell(command)
    else:
        story.arrives()
        lost(story, "second")
        grant = story.garage.stays[first].grants[-1]
        story.answers("raised", grant=grant)
        story.boom("up", lift=grant.id)
        story.leaves_loop() if what == "raised" else story.drives_through()
        story.boom("down")
        story.wait(3)
    story.arrives()
    third = lost(story, "third")
    assert [order.stage for order in story.garage.stays[third].orders] == ["placing"]


@pytest.mark.fault("lost-names-nobody")
def test_a_lost_ticket_never_has_the_session_of_a_stay_that_is_known() -> None:
    story = Story(lanes=("exit-1", "exit-2"))
    story.shows_qr()
    story.leaves_loop()
    story.wait(3)
    story.payby("PAID")
    car = story.arrives("exit-2")
    fee = ParkingFee(an_id("forged"), story.stay().session, "LOST", 15000, "lost", None, car)
    story.tell(e.TicketRead(story.at, "exit-2", fee))
    assert (story.payment().holder, story.shows("exit-2"), "bad-fee" in story.alerts()) == (
        "credit",
        "help refused",
        True,
    )


def test_another_lanes_lost_ticket_is_not_this_ones() -> None:
    story = Story(lanes=("exit-1", "exit-2"))
    first = paid_late(story)
    story.cars["exit-1"] = story.arrives("exit-2")
    session = an_id("lost", "elsewhere")
    fee = ParkingFee(an_id("fee", "elsewhere"), session, "LOST", 15000, "lost", None, story.cars["exit-2"])
    story.tell(e.TicketRead(story.at, "exit-2", fee))
    assert (story.garage.stays[first].payments[0].holder, len(story.garage.stays[session].orders)) == ("credit", 1)


def test_a_lane_remembers_its_last_lost_tickets() -> None:
    story = Story()
    for number in itertools.count():
        if number == 5:
            break
        story.arrives()
        lost(story, f"number {number}")
    assert story.lane().lost == tuple(an_id("lost", f"number {n}") for n in (2, 3, 4))


def test_a_lift_that_its_barrier_goes_on_naming_is_no_news_whatever_the_clocks_were() -> None:
    """The clock was ahead when it was granted, and has been set back; sixteen refused ones have followed since."""
    story = Story()
    story.at += 1_200_000
    story.pays()
    old = story.raises()
    story.drives_through()
    story.at -= 1_200_000
    for number in range(20):
        story.wait(5)
        story.arrives()
        story.reads(f"free {number}", amount=0)
        story.answers("refused", "car", f"free {number}")
        story.leaves_loop()
        story.wait(3)
    story.garage.stays.clear()
    story.tell(e.BarrierGone(story.at, "exit-1"))
    story.said.clear()
    story.boom("down", lift=old.id)
    assert story.alerts() == []


def test_a_late_word_of_a_lift_that_is_older_than_all_that_is_remembered_is_no_news() -> None:
    story = Story()
    lifts = []
    for session in ("first", "second"):
        story.shows_qr(session)
        story.payby("PAID", session)
        lifts.append(story.raises(session))
        story.drives_through()
        story.wait(5)
    for number in range(17):
        story.arrives()
        story.reads(f"free {number}", amount=0)
        story.answers("refused", "car", f"free {number}")
        story.leaves_loop()
        story.wait(5)
    story.garage.stays.clear()
    story.said.clear()
    story.boom("down", lift=lifts[0].id)
    assert story.alerts() == []
