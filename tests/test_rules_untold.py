"""Stories of an alert that must not be lost: it is owed until it was told, by whichever worker."""

from dataclasses import replace

import msgspec
import pytest

from terminal.core import events as e
from terminal.core.actions import RaiseAlert
from terminal.core.model import Stay, UntoldAlert
from terminal.core.outbox import settled
from terminal.core.retention import REST_MS, rests_until, session_of
from terminal.core.rules.limits import REMIND_MS
from terminal.eventstore.store import Checkpoint, read_checkpoint
from tests.support.rules import second_car_pays
from tests.support.story import T0, Story, an_id


def slips_out(story: Story, session: str = "a", how: str = "paid") -> RaiseAlert:
    """It leaves under an arm that is held open; what is said of that."""
    story.boom("up")
    if how == "free":
        story.arrives()
        story.reads(session, amount=0)
    else:
        story.shows_qr(session)
    if how == "paid":
        story.payby("PAID", session)
    if how != "unpaid":
        story.answers("refused", "busy", session)
    story.under()
    story.under(waiting=False)
    said = len(story.said)
    story.leaves_loop()
    (alert,) = [a for a in story.said[said:] if isinstance(a, RaiseAlert) and a.owed]
    return alert


def starts(story: Story) -> list[RaiseAlert]:
    """What a worker that begins tells of what is owed."""
    return [a for a in story.tell(e.Started(story.at, "1")) if isinstance(a, RaiseAlert) and a.owed]


def is_told(story: Story, alert: RaiseAlert) -> None:
    story.tell(e.AlertTold(story.at, alert.session or "", alert.code))


@pytest.mark.fault("passed-open")
@pytest.mark.parametrize("how", ["paid", "unpaid", "free"])
@pytest.mark.parametrize("later_s", [0, 1200])
def test_that_a_car_slipped_out_is_told_at_every_start_until_it_was_told(how: str, later_s: int) -> None:
    story = Story()
    alert = slips_out(story, how=how)
    who, ticket = ("an unpaid vehicle", "") if how == "unpaid" else ("a vehicle", ": its ticket is used")
    assert alert.text == f"{who} left under an arm that none of its own lifts had raised{ticket}"
    assert (alert.code, alert.severity, alert.lane, alert.once) == ("passed-open", "warning", "exit-1", True)
    assert (alert.session, alert.order_no) == (an_id("stay", "a"), story.order().no if how == "paid" else None)
    story.wait(later_s)
    if how == "paid" and later_s:
        assert story.payment().holder == "used"
    assert starts(story) == starts(story) == [alert]
    is_told(story, alert)
    assert starts(story) == []
    assert story.stay().slipped_out


@pytest.mark.fault("tailgating")
def test_who_left_by_another_s_raise_is_told_as_a_tailgater_by_the_next_worker_too() -> None:
    story = Story()
    second_car_pays(story)
    story.under(waiting=False)
    story.leaves_loop()
    story.wait(3)
    (alert,) = starts(story)
    assert (alert.code, alert.order_no) == ("tailgating", story.order().no)
    assert alert.text == "a vehicle left under another vehicle's raise: its ticket is used"


def test_it_is_owed_for_a_week() -> None:
    story = Story()
    alert = slips_out(story)
    (owed,) = story.stay().untold
    story.at = owed.since + REMIND_MS - 1
    assert starts(story) == [alert]
    story.at += 1
    assert starts(story) == []


def test_what_was_told_of_one_stay_is_still_owed_of_another() -> None:
    story = Story()
    first, second = sorted((slips_out(story, "b"), slips_out(story, "a")), key=lambda alert: alert.session or "")
    assert {first.session, second.session} == {an_id("stay", "a"), an_id("stay", "b")}
    is_told(story, replace(first, code="tailgating"))
    assert starts(story) == [first, second], "another alert was told"
    is_told(story, first)
    assert starts(story) == [second]


def test_a_stay_that_nobody_knows_owes_nothing() -> None:
    story = Story()
    before = dict(story.garage.stays)
    assert story.tell(e.AlertTold(story.at, an_id("stay", "z"), "passed-open")) == []
    assert story.garage.stays == before


def test_a_raise_that_its_car_left_by_owes_nothing() -> None:
    story = Story()
    story.pays()
    story.raises()
    story.drives_through()
    assert (story.stay().untold, starts(story)) == ((), [])


def test_a_stay_of_which_something_is_owed_stays_in_memory() -> None:
    owed = UntoldAlert(T0, "passed-open", "a vehicle left", "exit-1")
    stay = Stay("s", left=T0, slipped_out=True, untold=(owed,))
    assert settled(stay)
    assert rests_until(stay, T0) == T0 + REMIND_MS
    assert rests_until(replace(stay, untold=()), T0) == T0 + REST_MS
    assert session_of(e.AlertTold(T0, "s", "passed-open")) == "s"


@pytest.mark.fault("update")
def test_a_checkpoint_of_before_owes_nothing() -> None:
    story = Story()
    slips_out(story)
    state = msgspec.to_builtins(Checkpoint(story.at, [], list(story.garage.stays.values())))
    for stay in state["stays"]:
        assert stay.pop("untold")
    (stay,) = read_checkpoint(msgspec.json.encode(state)).stays
    assert stay == replace(story.stay(), untold=())


def test_a_start_tells_in_the_order_of_the_stays_whichever_was_in_memory_first() -> None:
    one, other = Story(), Story()
    for story, sessions in ((one, "ab"), (other, "ba")):
        for session in sessions:
            slips_out(story, session)
    told = [alert.session for alert in starts(one)]
    assert told == [alert.session for alert in starts(other)] == sorted(told, key=str)


@pytest.mark.fault("passed-open")
def test_a_payment_that_comes_when_its_car_had_slipped_out_is_kept_and_nobody_is_told_of_a_refund() -> None:
    story = Story()
    slips_out(story, how="unpaid")
    assert story.reply(story.payby("PAID", "a", notified=True)) == "late"
    (alert,) = [a for a in story.said if isinstance(a, RaiseAlert) and a.code == "late-payment"]
    assert alert.text == (
        "paid after its vehicle had left without a raise of its own: the payment is kept and the ticket is used"
    )
    story.wait(1200)
    assert (story.payment().holder, story.owes()) == ("used", [])


def test_a_payment_that_comes_when_its_car_may_have_left_is_announced_as_a_person_s() -> None:
    story = Story()
    story.shows_qr("a")
    story.boom("up")
    story.leaves_loop()
    story.wait(3)
    assert story.stay().perhaps_left
    assert story.reply(story.payby("PAID", "a", notified=True)) == "late"
    (alert,) = [a for a in story.said if isinstance(a, RaiseAlert) and a.code == "late-payment"]
    assert alert.text == "paid after its vehicle left, or may have left: a person must decide when the exit grace ends"
    story.wait(1200)
    assert (story.payment().holder, story.owes()) == ("person", [])


def test_a_payment_that_comes_when_its_car_is_gone_is_announced_as_credit_and_then_a_refund() -> None:
    story = Story()
    story.shows_qr("a")
    story.leaves_loop()
    story.wait(3)
    assert story.reply(story.payby("PAID", "a", notified=True)) == "late"
    (alert,) = [a for a in story.said if isinstance(a, RaiseAlert) and a.code == "late-payment"]
    assert alert.text == (
        "paid after its vehicle was gone: its ticket has credit until the exit grace ends, then the money is refunded"
    )
    story.wait(1200)
    assert (story.payment().holder, story.owes()) == ("refund", ["PlaceRefund"])


def test_a_payment_that_comes_when_its_car_had_left_by_a_free_lift_is_announced_as_a_persons() -> None:
    story = Story()
    order = story.shows_qr("a")
    story.leaves_loop()
    story.wait(3)
    story.payby("FAILURE", "a")
    story.arrives()
    story.reads("a", amount=0)
    story.raises("a")
    story.drives_through()
    assert story.stay().left is not None
    assert not story.stay().perhaps_left
    assert story.reply(story.payby("PAID", "a", order=order, notified=True)) == "late"
    (alert,) = [a for a in story.said if isinstance(a, RaiseAlert) and a.code == "late-payment"]
    assert alert.text == "paid after its vehicle left, or may have left: a person must decide when the exit grace ends"
    story.wait(1200)
    assert (story.payment().holder, story.owes()) == ("person", [])


@pytest.mark.fault("tailgating")
def test_who_leaves_behind_another_under_an_arm_that_rose_for_nobody_is_told_as_a_tailgater() -> None:
    """The loops' word between is lost: under the boom, then gone."""
    story = Story()
    story.boom("up")
    story.arrives()
    story.under()
    story.leaves_loop()
    story.shows_qr()
    story.under()
    assert (story.lane().passages, story.lane().risen_for, story.visit().escape) == (2, None, "no")
    story.leaves_loop()
    (alert,) = starts(story)
    assert (alert.code, alert.text) == ("tailgating", "an unpaid vehicle left under another vehicle's raise")


@pytest.mark.fault("passed-open")
def test_who_had_credit_and_left_under_an_arm_that_is_held_open_has_used_his_ticket() -> None:
    story = Story()
    story.boom("up")
    story.shows_qr()
    story.payby("PAID")
    for _ in range(3):
        story.answers("refused", "car")
        story.wait(1)
    assert story.payment().holder == "credit"
    story.under()
    story.under(waiting=False)
    story.leaves_loop()
    (alert,) = starts(story)
    assert alert.text == "a vehicle left under an arm that none of its own lifts had raised: its ticket is used"
