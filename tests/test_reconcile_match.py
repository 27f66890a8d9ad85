"""A day matched: what was paid, what was raised, what PayBy says, and whatever nobody can explain."""

from dataclasses import replace
from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest

from terminal.contract.messages import stamp as message_stamp
from terminal.core.events import BoomSeen
from terminal.core.ids import order_no
from terminal.core.model import PaymentProof, Rules, VisitOrder
from terminal.tools.reconcile.facts import Facts
from terminal.tools.reconcile.journals import Opening, UnreadableRow, WorkerRecords, openings, read_barrier, read_worker
from terminal.tools.reconcile.match import match
from terminal.tools.reconcile.report import CalendarDay, Report, ReportLine, table
from terminal.tools.reconcile.statements import StatementDay, read_papers
from tests.support.day import (
    DATE,
    DAY,
    PAYEE,
    SETTLED,
    V1,
    V2,
    Row,
    Told,
    at,
    kinds,
    papers,
    payment,
    refund,
    stamp,
    statement,
)
from tests.support.story import an_id


def only(report: Report, kind: str) -> ReportLine:
    """The one line of a kind."""
    (line,) = report.of(kind)  # type: ignore[arg-type]
    return line


# -- paid and opened -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("columns", [V1, V2])
@pytest.mark.parametrize("arms", [True, False])
def test_a_car_that_paid_and_left_is_explained_by_either_journal_and_both_statements(columns: str, arms: bool) -> None:
    story = Told()
    order = story.visits()
    report = story.report(papers(payment(order), columns=columns), arms=arms)
    assert (kinds(report), report.unexplained, report.notes) == (["paid-opened"], 0, ())
    line = only(report, "paid-opened")
    assert (line.order_no, line.fils, line.lane, line.by) == (order.no, 2000, "exit-1", "worker")
    assert (line.where, line.session) == ("transactions.csv:3", order.session)
    assert report.sums.statement == report.sums.journal == (1, 2000)


def test_the_time_of_a_payment_is_paybys_and_not_when_we_heard_of_it() -> None:
    story = Told()
    story.at = at(23, 50)
    story.arrives()
    story.reads()
    story.payby("CREATED")
    proof = story.proof(story.order())
    story.wait(700)  # PayBy tells of it after midnight
    story.payby("PAID", proof=proof)
    records = read_worker(story.rows, Rules("marina"))
    assert [paid.paid_ms for paid in records.paid.values()] == [at(23, 50)]
    assert kinds(story.report(StatementDay())) == ["paid-not-opened", "missing"]


@pytest.mark.parametrize("said", [0, -1, 1_790_000_000, 10**15])
def test_a_time_that_paybys_words_cannot_mean_is_not_taken(said: int) -> None:
    story = Told()
    story.shows_qr()
    order = story.order()
    proof = story.proof(order)
    body = proof.body.replace(str(story.at), str(said))
    story.payby("PAID", proof=PaymentProof(body, proof.sign))
    assert read_worker(story.rows, Rules("marina")).paid[order.no].paid_ms == story.at


def test_a_payment_of_another_day_is_not_of_this_one() -> None:
    story = Told()
    story.at = at(23, 59) - 86_400_000
    story.visits()
    assert kinds(story.report(papers())) == []


def test_a_car_that_paid_before_midnight_and_left_after_it_is_of_both_days() -> None:
    story = Told()
    story.at = at(23, 59)
    order = story.pays()
    story.wait(55)
    story.leaves()
    today = story.report(papers(payment(order, at(23, 59))))
    assert (kinds(today), today.unexplained) == (["paid-opened"], 0)
    next_day = CalendarDay(DATE + timedelta(days=1), DAY.zone)
    tomorrow = story.report(papers(day=next_day.date), day=next_day)
    assert (kinds(tomorrow), tomorrow.unexplained) == (["opened-credit"], 0)
    assert "paid at 2026-09-21 23:59:10" in only(tomorrow, "opened-credit").text


def test_a_second_raise_for_one_payment_is_told_and_explained() -> None:
    story = Told()
    order = story.pays()
    story.pulse(story.stay().grants[-1])
    story.raises()
    story.wait(4)
    story.boom("down")  # before its car had passed
    story.wait(2)
    story.leaves()
    report = story.report(papers(payment(order)))
    assert (sorted(kinds(report)), report.unexplained) == (["opened-credit", "paid-opened"], 0)
    assert only(report, "paid-opened").text == "2 raises"
    assert only(report, "opened-credit").text.startswith("raise 2 for what was paid at ")


def test_an_operator_who_lets_out_who_has_paid_explains_the_payment() -> None:
    story = Told()
    order = story.pays("a")
    story.answers("unknown")
    story.operator("open", session="a", note="arm was stuck")
    report = story.report(papers(payment(order)))
    line = only(report, "paid-opened")
    assert (line.explained, line.by, line.text) == (True, "Amal", "let out by an operator: arm was stuck")
    assert only(report, "opened-operator").explained
    assert report.unexplained == 0


def test_an_operators_lift_explains_no_payment_that_came_after_it() -> None:
    story = Told()
    story.shows_qr()
    story.operator("open", session="a")
    story.wait(1)
    order = story.order()
    story.payby("PAID", proof=story.proof(order))
    story.answers("unknown")
    assert kinds(story.report(papers(payment(order))), unexplained=True) == ["paid-not-opened"]


def test_an_operators_lift_takes_nothing_from_a_payment_that_had_its_raise() -> None:
    story = Told()
    order = story.visits()
    story.operator("again", session="a")
    line = only(story.report(papers(payment(order))), "paid-opened")
    assert (line.text, line.by) == ("", "worker")


# -- paid without opening --------------------------------------------------------------------------------------------


def test_credit_explains_a_payment_until_it_ends_and_its_refund_after_that() -> None:
    story = Told()
    order = story.pays_too_late()
    paid = papers(payment(order))
    report = story.report(paid)
    assert (kinds(report), report.unexplained) == (["paid-not-opened"], 0)
    assert only(report, "paid-not-opened").text.startswith("credit for its ticket until ")
    late = story.report(paid, now_ms=story.at + 20 * 60_000)
    assert late.unexplained == 1
    assert "held" not in only(late, "paid-not-opened").text
    story.wait(16 * 60)
    assert only(story.report(paid), "paid-not-opened").text == "its refund is under way"
    asked = story.refund()
    story.tell_refund("success")
    report = story.report(papers(payment(order), refund(asked.no, order.no, 2000)))
    assert (kinds(report), report.unexplained) == (["paid-refunded", "refund"], 0)
    assert only(report, "refund").text == f"{asked.no} success: credit not used"
    assert report.sums.journal_refunds == report.sums.statement_refunds == (1, 2000)


def test_a_payment_that_bought_nothing_is_unexplained() -> None:
    story = Told()
    order = story.pays()
    story.answers("unknown")
    line = only(story.report(papers(payment(order))), "paid-not-opened")
    assert not line.explained
    assert line.text == "no raise, and no refund that ended (the payment's holder: person)"


def test_a_payment_whose_car_left_under_an_open_arm_is_explained() -> None:
    story = Told()
    story.boom("up")
    order = story.pays()
    story.answers("refused", "busy")
    story.under(waiting=False)
    story.leaves_loop()
    story.wait(20 * 60)
    assert story.payment().holder == "used"
    report = story.report(papers(payment(order)))
    assert kinds(report) == ["opened-forced", "paid-opened"]
    assert only(report, "paid-opened").text == "left under another's raise, or under an open arm"
    assert only(report, "paid-opened").explained


def test_a_lift_in_flight_explains_a_payment_for_a_while() -> None:
    story = Told()
    order = story.pays()
    assert only(story.report(papers(payment(order))), "paid-not-opened").text == "its lift is under way"
    assert story.report(papers(payment(order)), now_ms=story.at + 11 * 60_000).unexplained == 1


def test_an_intent_that_was_not_done_is_unexplained_until_its_payment_found_its_end() -> None:
    story = Told()
    order = story.pays()
    story.pulse(story.stay().grants[-1], done=False)
    story.answers("unknown")
    report = story.report(papers(payment(order)))
    assert kinds(report, unexplained=True) == ["paid-not-opened", "opened-unsure"]
    assert only(report, "paid-not-opened").text == "the barrier does not know whether it raised the boom"
    story.command("refund", order_no=order.no)
    story.tell_refund("success")
    report = story.report(papers(payment(order), refund(story.refund().no, order.no, 2000)))
    assert (kinds(report), report.unexplained) == (["paid-refunded", "refund", "opened-unsure"], 0)


def test_a_partial_refund_does_not_explain_a_payment_without_opening() -> None:
    story = Told()
    order = story.pays()
    story.answers("unknown")
    story.command("refund", order_no=order.no, amount=500)
    story.tell_refund("success")
    report = story.report(papers(payment(order), refund(story.refund().no, order.no, 500)))
    assert kinds(report, unexplained=True) == ["paid-not-opened"]


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


# -- paid twice ------------------------------------------------------------------------------------------------------


def twice(story: Told) -> tuple[VisitOrder, VisitOrder]:
    """A stay pays at one lane, leaves, and the order of another lane is found paid as well."""
    story.shows_qr("a", "exit-1")
    first = story.order("a")
    story.leaves_loop("exit-1")
    story.wait(3)
    story.payby("FAILURE", order=first)
    story.arrives("exit-2")
    story.reads("a", "exit-2")
    story.payby("CREATED", "a")
    second = story.order("a")
    story.payby("PAID", "a", proof=story.proof(second))
    story.leaves("a")
    story.wait(5)
    story.payby("PAID", "a", order=first, proof=story.proof(first))
    return second, first


def test_the_second_payment_of_a_stay_is_told_and_explained_by_its_refund() -> None:
    story = Told(lanes=("exit-1", "exit-2"))
    second, first = twice(story)
    rows = [payment(first), payment(second)]
    report = story.report(papers(*rows))
    line = only(report, "paid-twice")
    assert (line.order_no, line.explained) == (first.no, True)
    assert line.text == "payment 2 of 2 of this stay; one is kept"
    story.tell_refund("failed")
    report = story.report(papers(*rows))
    assert kinds(report, unexplained=True) == ["paid-not-opened", "paid-twice", "refund"]
    assert only(report, "paid-twice").text == "payment 2 of 2 of this stay; 2 are kept"


def test_two_payments_of_one_order_are_unexplained_and_so_is_one_that_is_listed_twice() -> None:
    story = Told()
    order = story.visits()
    report = story.report(papers(payment(order), payment(order, orderNo="1318")))
    assert only(report, "paid-twice").text == "PayBy has 2 payments of this one order"
    assert only(report, "paid-twice").where == "transactions.csv:3, transactions.csv:4"
    assert only(report, "difference").text == "PayBy's number is 1318, and was 1317"
    report = story.report(papers(payment(order), payment(order)))
    assert [line.text for line in report.lines if not line.explained] == ["listed 2 times"]


# -- refunds ---------------------------------------------------------------------------------------------------------


def test_an_operators_refund_is_told_with_who_and_why_and_its_end() -> None:
    story = Told()
    order = story.visits()
    story.command("refund", order_no=order.no, amount=500, by="Amal", reason="overcharged")
    asked = story.refund()
    for stage, row in (("asked", []), ("created", [refund(asked.no, order.no, 500, status="CREATED")])):
        if stage != "asked":
            story.tell_refund(stage)
        report = story.report(papers(payment(order), *row))
        line = only(report, "refund")
        assert (line.explained, line.by, line.text) == (True, "Amal", f"{asked.no} {stage}: overcharged")
        assert report.unexplained == 0
    story.tell_refund("settled")
    report = story.report(papers(payment(order), refund(asked.no, order.no, 500)))
    assert (report.unexplained, report.sums.statement_refunds) == (0, (1, 500))


def test_a_refund_that_failed_is_unexplained_while_nothing_else_ended_its_payment() -> None:
    story = Told()
    order = story.pays_too_late()
    story.wait(16 * 60)
    story.tell_refund("failed")
    failed = story.refund()
    report = story.report(papers(payment(order)))
    assert kinds(report, unexplained=True) == ["paid-not-opened", "refund"]
    assert report.sums.journal_refunds == (0, 0)
    report = story.report(papers(payment(order), refund(failed.no, order.no, 2000)))
    assert only(report, "difference").text == f"{failed.no}: failed here, and in the statement"
    story.command("refund", order_no=order.no)
    story.tell_refund("success")
    report = story.report(papers(payment(order), refund(story.refund().no, order.no, 2000)))
    assert report.unexplained == 0
    assert {line.text.partition("; ")[2] for line in report.of("refund")} == {"refunded under another number", ""}


def test_a_refund_by_itself_for_a_raise_is_unexplained() -> None:
    story = Told()
    order = story.pays()
    grant = story.stay().grants[-1]
    story.answers("refused", "expired")
    story.leaves_loop()
    story.wait(110)  # nobody answers: the payment becomes credit
    story.answers("refused", "expired", grant=grant)
    story.wait(16 * 60)
    story.pulse(grant)  # and yet it was raised
    story.tell_refund("success")
    report = story.report(papers(payment(order), refund(story.refund().no, order.no, 2000)))
    assert kinds(report, unexplained=True) == ["refund"]
    assert only(report, "refund").text.endswith("; yet the boom rose for it")


def test_a_refund_over_midnight_is_of_both_days_and_may_stand_in_either_statement() -> None:
    story = Told()
    story.at = at(23, 50)
    order = story.visits()
    story.command("refund", order_no=order.no, amount=500)
    story.at = at(0, 5, DATE + timedelta(days=1))
    story.tell_refund("success")
    tomorrow = CalendarDay(DATE + timedelta(days=1), DAY.zone)
    for report in (
        story.report(papers(payment(order))),
        story.report(papers(day=tomorrow.date), day=tomorrow),
        story.report(StatementDay(), day=tomorrow),
    ):
        assert only(report, "refund").explained
        assert (only(report, "missing").explained, report.unexplained) == (True, 0)
    assert story.report(papers(payment(order))).sums.journal_refunds == (0, 0)
    assert story.report(StatementDay(), day=tomorrow).sums.journal_refunds == (1, 500)


def test_a_refund_that_is_missing_altered_or_never_asked_for_is_unexplained() -> None:
    story = Told()
    order = story.visits()
    story.command("refund", order_no=order.no, amount=500)
    story.tell_refund("success")
    no = story.refund().no
    missing = story.report(papers(payment(order)))
    assert only(missing, "missing").text == f"{no}: PayBy's statement does not have this refund"
    less = story.report(papers(payment(order), refund(no, order.no, 400)))
    assert only(less, "difference").text == f"{no}: the statement has 1.00 less"
    assert (only(less, "difference").fils, only(less, "difference").said_fils) == (500, 400)
    other = story.report(papers(payment(order), refund(no, "another", 500)))
    assert only(other, "difference").text == f"{no}: of order another in the statement"
    double = story.report(papers(payment(order), refund(no, order.no, 500), refund(no, order.no, 500)))
    assert only(double, "difference").text == f"{no}: listed 2 times"
    alien = story.report(papers(payment(order), refund(no, order.no, 500), refund("R1", order.no, 300)))
    line = only(alien, "not-ours")
    assert (line.text, line.lane, line.fils) == ("refund R1 was not asked for here", "exit-1", 300)
    assert [r.unexplained for r in (missing, less, other, double, alien)] == [1, 1, 1, 1, 1]


# -- the statement against the journal -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"totalAmount": "25.00"}, "the statement has 5.00 more"),
        ({"totalAmount": "19.99"}, "the statement has 0.01 less"),
        ({"orderCurrency": "USD"}, "currency USD"),
        ({"status": "FAILURE"}, "status FAILURE"),
        ({"orderNo": "42"}, "PayBy's number is 42, and was 1317"),
        ({"payeeMid": "200000000999"}, f"payee 200000000999 instead of {PAYEE}"),
    ],
)
def test_each_difference_is_told_with_its_line(changes: dict[str, str], text: str) -> None:
    story = Told()
    line = only(story.report(papers(payment(story.visits(), **changes))), "difference")
    assert (line.explained, line.text, line.where, line.fils) == (False, text, "transactions.csv:3", 2000)


def test_one_fils_in_a_large_sum_is_a_difference() -> None:
    story = Told()
    order = story.visits(amount=99_999_999_999_999)
    assert story.report(papers(payment(order))).unexplained == 0
    report = story.report(papers(payment(order, totalAmount="999999999999.98")))
    assert only(report, "difference").text == "the statement has 0.01 less"


def test_a_payment_that_the_statement_lacks_is_unexplained_and_at_its_edge_only_told() -> None:
    story = Told()
    story.visits()
    line = only(story.report(papers()), "missing")
    assert (line.explained, line.fils) == (False, 2000)
    late = Told()
    late.at = at(23, 58, DATE)
    late.visits()
    edge = only(late.report(papers()), "missing")
    assert (edge.explained, edge.text) == (True, "outside this statement: see the previous or next day's")


def test_without_any_file_of_transactions_every_payment_of_ours_is_missing() -> None:
    story = Told()
    story.visits()
    assert not only(story.report(StatementDay()), "missing").explained


def test_a_statement_of_another_day_is_named() -> None:
    report = Told().report(papers(day=DATE - timedelta(days=1)))
    assert [flaw.text for flaw in report.flaws] == ["for another day: 2026-09-20 00:00 to 2026-09-21 00:00"]


def test_orders_that_were_never_made_here_are_named_by_file_and_line() -> None:
    story = Told()
    records = story.visits()
    alien = order_no("marina", "exit-9", an_id("alien"), 1)
    elsewhere = order_no("tower", "exit-1", an_id("alien"), 1)
    rows = [payment(records), *(payment(records, merchantOrderNo=no) for no in (alien, elsewhere, "till-7"))]
    report = story.report(papers(*rows, refund("R7", elsewhere, 100)))
    assert [(line.order_no, line.where, line.text) for line in report.of("not-ours")] == [
        (alien, "transactions.csv:4", "an order number of this garage, but its journal does not hold it"),
        ("till-7", "transactions.csv:6", "not one of our order numbers"),
    ]
    assert [(line.where, line.explained) for line in report.of("elsewhere")] == [
        ("transactions.csv:5", True),
        ("transactions.csv:7", True),
    ]
    assert report.unexplained == 2
    assert report.sums.statement == (1, 2000)


def test_a_payment_that_nobody_here_knows_to_be_one_is_unexplained() -> None:
    story = Told()
    order = story.shows_qr()
    story.leaves_loop()
    story.wait(3)
    story.payby("FAILURE")
    line = only(story.report(papers(payment(order))), "unnoticed")
    assert (line.explained, line.text, line.where) == (
        False,
        "the journal has this order as closed",
        "transactions.csv:3",
    )


def test_other_transactions_are_unexplained_and_settlements_are_summed() -> None:
    story = Told()
    order = story.visits()
    odd = story.report(papers(payment(order), payment(order, transactionType="REVOKE")))
    assert only(odd, "difference").text == "a transaction of type REVOKE"
    settled = {
        "merchantOrderNo": order.no, "transactionType": "PAYMENT", "settlementAmount": "19.80",
        "settledTIme": stamp(at(9)), "status": "SETTLED",
    }  # fmt: skip
    files = [
        ("a.csv", statement(payment(order)).encode()),
        ("b.csv", statement(settled, settled | {"merchantOrderNo": "till-7"},
                            settled | {"transactionType": "ADJUST", "merchantOrderNo": "x"}, columns=SETTLED).encode()),
    ]  # fmt: skip
    report = story.report(read_papers(files))
    assert report.sums.settled == (1, 1980)
    assert [(line.order_no, line.where) for line in report.lines if not line.explained] == [("till-7", "b.csv:4")]


# -- the day and the journals ----------------------------------------------------------------------------------------


def test_a_day_is_the_garages_and_has_23_or_25_hours_where_clocks_change() -> None:
    london = [CalendarDay(DATE.replace(year=2026, month=month, day=day), ZoneInfo("Europe/London"))
              for month, day in ((3, 29), (10, 25), (11, 1))]  # fmt: skip
    assert [(day.end_ms - day.start_ms) // 3_600_000 for day in london] == [23, 25, 24]
    assert DAY.start_ms in DAY
    assert DAY.end_ms not in DAY
    assert None not in DAY


def test_sums_by_hour_count_what_was_raised_for_and_what_not() -> None:
    story = Told()
    story.at = at(8)
    first = story.visits("a", amount=3000)
    story.at = at(9)
    second = story.pays_too_late("b")
    report = story.report(papers(payment(first), payment(second), payment(first, at(9), merchantOrderNo="x")))
    eight, nine = report.hours[8:10]
    assert (eight.opened_fils, eight.other_fils, eight.raises, eight.exceptions) == (3000, 0, {"paid": 1}, 0)
    assert (nine.opened_fils, nine.other_fils, nine.raises, nine.exceptions) == (0, 2000, {}, 1)
    assert sum(hour.opened_fils for hour in report.hours) == 3000


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
    anew = [replace(row, at_ms=at(23)) for row in story.arms["exit-1"]]
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


def test_the_report_is_the_same_for_the_same_facts_and_its_table_says_what_counts() -> None:
    story = Told()
    order = story.visits()
    story.boom("up")
    said = papers(payment(order, totalAmount="25.00"))
    first, second = (list(table(story.report(said))) for _ in range(2))
    assert first == second
    assert first[-1] == "2 unexplained"
    assert first[0] == "garage marina, 2026-09-21 (Asia/Dubai)"
    assert "paid and opened                                  1  AED        20.00" in first
    assert any("UNEXPLAINED" in line for line in first)
    assert list(table(story.report(papers(payment(order)), now_ms=story.at)))[-1] == "1 unexplained"


def test_an_empty_day_is_explained() -> None:
    report = Told().report(papers())
    assert (report.lines, report.unexplained) == ((), 0)
    assert list(table(report))[-1] == "everything is explained"


def test_matching_reads_and_changes_nothing() -> None:
    story = Told()
    order = story.visits()
    records = read_worker(story.rows, Rules("marina"))
    before = repr(records)
    found = openings(records, [])
    match(Facts("marina", DAY, story.at, papers(payment(order)), records, found, PAYEE))
    assert repr(records) == before


# -- what a mutation of the rules must not pass ----------------------------------------------------------------------


def test_credit_and_a_lift_in_flight_end_at_their_very_moment() -> None:
    story = Told()
    order = story.pays_too_late()
    until = story.stay().payments[0].until
    said = papers(payment(order))
    assert [story.report(said, now_ms=now).unexplained for now in (until - 1, until)] == [0, 1]
    story = Told()
    order = story.pays()
    end = story.stay().payments[0].paid + 10 * 60_000
    said = papers(payment(order))
    assert [story.report(said, now_ms=now).unexplained for now in (end - 1, end)] == [0, 1]


def test_a_refunds_time_is_its_end_and_until_then_when_it_was_asked() -> None:
    story = Told()
    order = story.visits()
    asked = story.at
    story.command("refund", order_no=order.no)
    story.at += 1_000
    story.tell_refund("created")
    assert only(story.report(papers(payment(order))), "refund").at_ms == asked
    story.at += 1_000
    story.tell_refund("settled")
    story.at += 1_000
    story.tell_refund("success")
    said = papers(payment(order), refund(story.refund().no, order.no, 2000))
    assert only(story.report(said), "refund").at_ms == asked + 2_000


def test_a_line_without_a_time_comes_last() -> None:
    story = Told()
    order = story.visits()
    report = story.report(papers(payment(order, merchantOrderNo="till-7", paidTime=""), payment(order)))
    assert [(line.kind, line.at_ms is None) for line in report.lines] == [("paid-opened", False), ("not-ours", True)]
    assert "--:--:-- not-ours AED 20.00 till-7" in "\n".join(table(report))


@pytest.mark.parametrize("days", [-1, 1])
def test_a_statement_that_ends_or_begins_where_the_day_does_is_another_days(days: int) -> None:
    report = Told().report(papers(day=DATE + timedelta(days=days)))
    assert [flaw.where for flaw in report.flaws] == ["statement"]


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
    credit = replace(row, data=row.data.replace(b'"paid"', b'"credit"'))
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


def test_lines_are_in_the_order_of_time_whatever_they_are() -> None:
    story = Told()
    story.operator("first")
    story.wait(60)
    order = story.visits()
    times = [line.at_ms for line in story.report(papers(payment(order))).lines]
    assert len(times) == 2
    assert times == sorted(times)
