"""A day matched: what was paid, what was raised, what PayBy says, and whatever nobody can explain."""

from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest

from terminal.core.model import PaymentProof, Rules
from terminal.tools.reconcile.facts import Facts
from terminal.tools.reconcile.journals import openings, read_worker
from terminal.tools.reconcile.match import match
from terminal.tools.reconcile.report import CalendarDay, table
from terminal.tools.reconcile.statements import StatementDay
from tests.support.day import DATE, DAY, PAYEE, V1, V2, Told, at, kinds, only, papers, payment, refund

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


def test_lines_are_in_the_order_of_time_whatever_they_are() -> None:
    story = Told()
    story.operator("first")
    story.wait(60)
    order = story.visits()
    times = [line.at_ms for line in story.report(papers(payment(order))).lines]
    assert len(times) == 2
    assert times == sorted(times)
