"""Money that was paid twice or went back, on the day that it is of, beside PayBy's statement."""

from datetime import timedelta

from terminal.core.model import VisitOrder
from terminal.tools.reconcile.report import CalendarDay
from terminal.tools.reconcile.statements import StatementDay
from tests.support.day import DATE, DAY, Told, at, kinds, only, papers, payment, refund

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
