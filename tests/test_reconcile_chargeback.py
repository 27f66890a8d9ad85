"""Chargebacks in a day's report, and fund statements beside it."""

import json
from typing import Any

from terminal.journal.kinds import NOTICE
from terminal.journal.rows import Row
from terminal.tools.reconcile.report import Report, ReportLine, as_json, table
from terminal.tools.reconcile.statements import read_papers
from tests.support.day import SETTLED, Told, at, payment, stamp, statement, texts

TAKEN = {"transactionType": "CHARGEBACK", "merchantOrderNo": "cb-1"}
FUNDS = (
    "*ACCOUNTING_DATE|NUMBER_INCOME|AMOUNT_INCOME|NUMBER_PAYOUT|AMOUNT_PAYOUT|BEGINNING_BALANCE|ENDING_BALANCE\n"
    "2026-09-21T00:00:00+0400|1|19.80|1|5.1250|1330.9100|1345.585\n"
    "ACCOUNTING_TIME|DIRECTION|TXN_AMT|MERCHANT_ORDER_NO\n"
    "2026-09-21T00:00:19+0400|Income|19.80|a\n"
    "2026-09-21T00:00:20+0400|Payout|5.1250|b*\n"
)


def told(story: Told, order_no: str, amount: float = 20.0, *, at_ms: int | None = None) -> None:
    """PayBy's notification of a chargeback is in the journal."""
    said: dict[str, Any] = {
        "merchantOrderNo": order_no,
        "chargebackAmount": {"amount": amount, "currency": "AED"},
        "caseType": "fraud",
    }
    body = json.dumps({"notify_id": "n", "acquireChargeback": said})
    story.rows.append(Row(len(story.rows) + 1, story.at if at_ms is None else at_ms, NOTICE, f"sign\n{body}".encode()))


def only(report: Report) -> ReportLine:
    (line,) = report.of("chargeback")
    return line


def read(*rows: dict[str, str]) -> Any:
    return read_papers([("transactions.csv", statement(*rows).encode())])


def test_a_chargeback_that_payby_told_of_and_lists_is_explained() -> None:
    story = Told()
    order = story.visits()
    told(story, order.no)
    report = story.report(read(payment(order), payment(order, **TAKEN, originMerchantOrderNo=order.no)))
    line = only(report)
    assert (line.explained, line.order_no, line.fils, line.lane, line.text) == (True, order.no, 2000, "exit-1", "fraud")
    assert (report.unexplained, line.where) == (0, "transactions.csv:4")
    assert any("chargeback" in said and "fraud" in said for said in table(report))
    assert json.loads(as_json(report))["counts"]["chargeback"] == 1


def test_a_chargeback_of_which_nobody_told_is_a_persons() -> None:
    story = Told()
    order = story.visits()
    report = story.report(read(payment(order), payment(order, transactionType="CHARGEBACK")))
    assert (only(report).explained, only(report).order_no, report.unexplained) == (False, order.no, 1)


def test_a_chargeback_of_another_amount_is_a_persons() -> None:
    story = Told()
    order = story.visits()
    told(story, order.no, 7.5)
    line = only(story.report(read(payment(order), payment(order, transactionType="CHARGEBACK"))))
    assert (line.explained, line.fils, line.said_fils) == (False, 750, 2000)


def test_a_chargeback_told_of_today_may_stand_in_another_days_statement() -> None:
    story = Told()
    order = story.visits()
    told(story, order.no)
    report = story.report(read(payment(order)))
    assert (only(report).explained, "another day" in only(report).text, report.unexplained) == (True, True, 0)


def test_a_chargeback_told_of_on_another_day_is_none_of_this_one() -> None:
    story = Told()
    order = story.visits()
    told(story, order.no, at_ms=at(12) + 86_400_000)
    assert story.report(read(payment(order))).of("chargeback") == []


def test_another_notice_in_the_journal_changes_nothing() -> None:
    story = Told()
    order = story.visits()
    story.rows.append(Row(len(story.rows) + 1, story.at, NOTICE, b'sign\n{"notify_id": "1", "transferOrder": {}}'))
    assert story.report(read(payment(order))).unexplained == 0


def test_what_a_settlement_takes_back_is_not_counted_as_settled() -> None:
    story = Told()
    order = story.visits()
    settled = {
        "merchantOrderNo": order.no,
        "settlementAmount": "19.80",
        "settledTIme": stamp(at(12)),
        "orderNo": "1317",
    }
    rows = [settled | {"transactionType": "PAYMENT"}, settled | {"transactionType": "CHARGEBACK", "direction": "OUT"}]
    files = [("a.csv", statement(payment(order)).encode()), ("b.csv", statement(*rows, columns=SETTLED).encode())]
    report = story.report(read_papers(files))
    assert (report.sums.settled, report.unexplained) == ((1, 1980), 0)


# -- fund statements -------------------------------------------------------------------------------------------------


def funds(text: str = FUNDS) -> Report:
    story = Told()
    order = story.visits()
    files = [("a.csv", statement(payment(order)).encode()), ("2_20260921_fund_statement_001.csv", text.encode())]
    return story.report(read_papers(files))


def test_a_fund_statement_that_adds_up_changes_nothing() -> None:
    for text in (FUNDS, FUNDS.removeprefix("*").replace("*\n", "\n")):
        report = funds(text)
        assert (report.unexplained, report.files, report.notes) == (0, ("a.csv",), ())


def test_a_fund_statement_that_does_not_add_up_is_noted_and_leaves_the_day_explained() -> None:
    for wrong, said in (
        (FUNDS.replace("1345.585", "1345.58"), "1330.9100 + 19.80 - 5.1250 is not 1345.58"),
        (FUNDS.replace("+0400|1|19.80|1", "+0400|2|19.80|1"), "counts 2 incomes and 1 payouts; 1 and 1 are there"),
        (FUNDS.replace("Income|19.80", "Income|19.81"), "sums 19.80 and 5.1250; 19.81 and 5.1250 are there"),
        (FUNDS.removesuffix("*\n"), "cut off"),
        (FUNDS.replace("+0400|1|19.80", "+0400|one|19.80"), "its sums cannot be read"),
        ("whatever", "no summary"),
    ):
        report = funds(wrong)
        assert report.unexplained == 0
        assert said in texts(report.notes), wrong
