"""Every raise of a day explained: lifts of operators and free stays, forced arms, journals that differ."""

import pytest

from terminal.contract.messages import stamp as message_stamp
from terminal.core.events import BoomSeen
from terminal.core.model import Rules
from terminal.journal.rows import Row
from terminal.tools.reconcile.facts import Facts
from terminal.tools.reconcile.journals import Opening, UnreadableRow, WorkerRecords, openings, read_barrier, read_worker
from terminal.tools.reconcile.match import match
from tests.support.day import DAY, Told, at, kinds, only, papers, payment
from tests.support.story import an_id

# -- opened without payment ------------------------------------------------------------------------------------------


def test_a_free_stay_is_explained() -> None:
    story = Told()
    story.arrives()
    story.reads(amount=0)
    story.leaves()
    report = story.report(papers())
    line = only(report, "opened-free")
    assert (line.explained, line.by, line.text) == (True, "worker", "a stay of 90 min")
    assert report.hours[DAY.local(story.at).hour].raises == {"free": 1}


def test_an_operators_lift_is_told_with_who_and_why() -> None:
    story = Told()
    story.operator("x", by="Amal", note="lost phone")
    line = only(story.report(papers()), "opened-operator")
    assert (line.explained, line.by, line.text, line.lane) == (True, "Amal", "lost phone", "exit-1")


def test_without_the_barriers_journal_an_operators_lift_is_nobodys() -> None:
    story = Told()
    story.operator("x")
    line = only(story.report(papers(), arms=False), "opened-unexplained")
    assert not line.explained
    assert "the barrier's journal would show an operator's lift" in line.text


def test_a_lift_that_raised_before_the_journal_began_is_not_todays() -> None:
    story = Told(lanes=())
    story.boom("down", lift=an_id("long ago"))
    assert kinds(story.report(papers(), arms=False)) == []
    story.boom("up", lift=an_id("now"))
    assert kinds(story.report(papers(), arms=False)) == ["opened-unexplained"]


def test_an_arm_that_rose_without_a_lift_is_forced_and_unexplained() -> None:
    story = Told()
    story.boom("up")
    line = only(story.report(papers()), "opened-forced")
    assert (line.explained, line.text) == (False, "the arm rose and no lift raised it")


def test_a_free_lift_that_the_worker_never_granted_is_unexplained() -> None:
    story = Told()
    story.arrives()
    story.reads(amount=0)
    grant = story.stay().grants[-1]
    story.pulse(grant, id=an_id("forged"))
    report = story.report(papers())
    assert not only(report, "opened-free").explained
    assert only(report, "opened-free").text == "the worker signed this lift, and its journal does not hold it"


def test_a_lift_for_an_order_that_is_not_paid_is_unexplained() -> None:
    story = Told()
    order = story.shows_qr()
    records = read_worker(story.rows, Rules("marina"))
    raised = Opening(story.at, "exit-1", "paid", "worker", order_no=order.no, session=order.session)
    line = only(match(Facts("marina", DAY, story.at, papers(), records, [raised])), "opened-unexplained")
    assert (line.explained, line.order_no, line.text) == (False, order.no, "for an order that is not paid here")


def test_journals_that_differ_about_a_lift_are_unexplained() -> None:
    story = Told()
    order = story.pays()
    grant = story.stay().grants[-1]
    story.pulse(grant, reason="free", order_no=None, amount=None)
    story.raises()
    report = story.report(papers(payment(order)))
    assert only(report, "opened-free").text == "the barrier's journal and the worker's differ about this lift"
    assert only(report, "paid-not-opened").explained is False


def test_a_raise_that_the_worker_heard_of_and_the_barriers_journal_lacks_is_unexplained() -> None:
    story = Told()
    first = story.visits("a")
    second = story.pays("b")
    story.raises("b")  # the barrier's journal does not hold this one
    story.drives_through()
    third = story.visits("c")
    report = story.report(papers(*map(payment, (first, second, third))))
    (line,) = (line for line in report.lines if not line.explained)
    assert line.order_no == second.no
    assert line.text == "the worker heard of this raise, and the barrier's journal does not hold it"


def test_a_vehicle_that_followed_another_through_is_told() -> None:
    story = Told()
    order = story.pays()
    story.pulse(story.stay().grants[-1])
    story.raises()
    story.under()
    story.under(waiting=False)
    story.leaves_loop()
    story.under(waiting=False)
    report = story.report(papers(payment(order)))
    assert (kinds(report), report.unexplained) == (["paid-opened", "followed"], 0)


def test_a_barriers_journal_without_a_known_lift_has_no_lane_but_the_configured_one() -> None:
    story = Told()
    story.operator("x")
    rows = story.arms["exit-1"]
    assert read_barrier("b.db", rows, WorkerRecords()).lane == ""
    assert read_barrier("b.db", rows, WorkerRecords(), "exit-1").lane == "exit-1"


def test_a_salvaged_barriers_journal_keeps_the_times_of_its_lifts_and_counts_none_twice() -> None:
    story = Told()
    first = story.pays("a")
    taken = story.at
    story.pulse(story.stay("a").grants[-1], at=message_stamp(taken - 20_000))
    story.raises("a")
    story.drives_through()
    records = read_worker(story.rows, Rules("marina"))
    aside = read_barrier("aside.db", story.arms["exit-1"][:1], records)
    anew = [row._replace(at_ms=at(23)) for row in story.arms["exit-1"]]
    salvaged = read_barrier("barrier.db", anew, records)
    for arms in ([aside, salvaged], [salvaged, aside]):
        (opening,) = openings(records, arms)
        assert (opening.order_no, opening.sure, opening.odd) == (first.no, True, "")
        assert opening.at_ms in (taken, taken - 20_000)


def test_a_lifts_time_is_the_barriers_unless_it_was_written_long_after() -> None:
    story = Told()
    for number, late in enumerate((0, 60_000, 119_000, 121_000)):
        story.operator(str(number), at=message_stamp(story.at - late))
    pulses = read_barrier("b.db", story.arms["exit-1"], WorkerRecords()).pulses
    assert [pulse.at_ms - story.at for pulse in pulses] == [0, 0, 0, -121_000]


@pytest.mark.parametrize("row", [Row(1, 0, "Started", b"{}"), Row(1, 0, "intent", b"{}"), Row(1, 0, "intent", b"?")])
def test_what_is_no_barriers_row_is_refused(row: Row) -> None:
    with pytest.raises(UnreadableRow, match="row 1"):
        read_barrier("b.db", [row], WorkerRecords())


def test_a_workers_row_of_another_program_is_refused_and_an_unknown_kind_passed_over() -> None:
    with pytest.raises(UnreadableRow, match="row 7"):
        read_worker([Row(7, 0, "Started", b"{}")], Rules("marina"))
    assert read_worker([Row(7, 5, "request", b"?")], Rules("marina")).first_ms == 5


def test_an_operators_lift_of_unknown_outcome_is_unexplained() -> None:
    story = Told()
    story.visits()
    grant = next(iter(read_worker(story.rows, Rules("marina")).grants.values()))
    story.pulse(grant, done=False, id=an_id("by hand"), reason="operator", order_no=None, amount=None)
    line = only(story.report(papers(payment(story.order()))), "opened-unsure")
    assert (line.explained, line.text) == (False, "the barrier was interrupted: nobody knows whether the arm rose")


def test_a_barriers_journal_says_nothing_of_before_it_began_after_it_ended_or_of_other_lanes() -> None:
    story = Told(lanes=("exit-1", "exit-2"))
    orders = []
    for name in ("before", "first", "last", "after"):
        orders.append(story.pays(name))
        if name in ("first", "last"):
            story.pulse(story.stay(name).grants[-1])
        story.raises(name)
        story.drives_through()
        if name == "first":
            orders.append(story.pays("beside", "exit-2"))
            story.raises("beside")
            story.drives_through("exit-2")
    assert story.report(papers(*map(payment, orders))).unexplained == 0


def test_a_barriers_lane_is_told_by_an_order_paid_there_and_not_by_credit() -> None:
    story = Told(lanes=("exit-1", "exit-2"))
    story.visits("a", "exit-2")
    (row, _) = story.arms["exit-2"]
    assert read_barrier("b.db", [row], WorkerRecords()).lane == "exit-2"
    credit = row._replace(data=row.data.replace(b'"paid"', b'"credit"'))
    assert read_barrier("b.db", [credit], WorkerRecords()).lane == ""


def test_a_raise_that_the_worker_missed_shows_in_what_the_barrier_says_later() -> None:
    story = Told()
    story.boom("down", lift=an_id("meanwhile"))
    assert list(read_worker(story.rows, Rules("marina")).raised) == [an_id("meanwhile")]


def test_a_barrier_that_forgot_and_remembers_its_last_lift_did_not_raise_again() -> None:
    story = Told(lanes=())
    story.boom("down", lift=an_id("long ago"))
    story.tell(BoomSeen(story.at, "exit-1", "unknown", None))
    story.tell(BoomSeen(story.at, "exit-1", "down", an_id("long ago")))
    assert read_worker(story.rows, Rules("marina")).raised == {}
