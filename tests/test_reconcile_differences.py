"""PayBy's statement beside our journals: what differs, what is missing, and whose each line is."""

from datetime import timedelta

import pytest

from terminal.core.ids import order_no
from terminal.tools.reconcile.statements import StatementDay, read_papers
from tests.support.day import DATE, PAYEE, SETTLED, Told, at, only, papers, payment, refund, stamp, statement
from tests.support.story import an_id

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
