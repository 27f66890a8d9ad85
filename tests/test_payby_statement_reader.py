"""PayBy's statement files, in both column versions."""

import io
import zipfile
from datetime import datetime, timedelta, timezone
from decimal import Decimal

import pytest

from terminal.payby.errors import BadWords
from terminal.payby.statement_reader import Statement, StatementKind, read_zip
from tests.support.payby_bodies import body_of, those_there

DUBAI = timezone(timedelta(hours=4))
TEXT = (
    "*mid:1|periodNo:2|totalCount:2\n"
    "merchantOrderNo|totalAmount|paidTime|transactionType|subject\n"
    "a|1.00|2026-07-01T09:49:33+0400|PAYMENT|\n"
    "b|0.50|2026-07-01T10:00:00+0400|REFUND|x*\n"
)


def zipped(**files: str) -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as archive:
        for name, text in files.items():
            archive.writestr(f"{name}.csv", text)
    return held.getvalue()


@pytest.mark.parametrize(
    ("name", "kind", "order_no", "amount", "transaction", "at"),
    those_there(
        (
            "own transactions 1",
            StatementKind.TRANSACTIONS,
            "marina-1",
            "45.00",
            "PAYMENT",
            datetime(2026, 7, 1, 8, 5, 9, tzinfo=DUBAI),
        ),
        (
            "own transactions 2",
            StatementKind.TRANSACTIONS,
            "marina-2",
            "7.50",
            "REFUND",
            datetime(2026, 7, 1, 23, 59, 59, tzinfo=DUBAI),
        ),
        (
            "own settlements 1",
            StatementKind.SETTLEMENTS,
            "adjust-3",
            "31.00",
            "ADJUST",
            datetime(2026, 7, 2, 0, 9, tzinfo=DUBAI),
        ),
        (
            "own settlements 2",
            StatementKind.SETTLEMENTS,
            "marina-4",
            "9.00",
            "REFUND",
            datetime(2026, 7, 1, 12, tzinfo=DUBAI),
        ),
        ("own funds", StatementKind.FUNDS, "payout-5", "61.25", "Pay", datetime(2026, 7, 1, 6, tzinfo=DUBAI)),
        (
            "transaction-statement.v1.csv",
            StatementKind.TRANSACTIONS,
            "210112214643201985620006",
            "60.00",
            "PAYMENT",
            datetime(2021, 1, 12, 17, 46, 36, tzinfo=DUBAI),
        ),
        (
            "transaction-statement.v2.csv",
            StatementKind.TRANSACTIONS,
            "90a95a3f7c3d414e8d2e37452ffbd567",
            "1.00",
            "REFUND",
            datetime(2026, 7, 1, 9, 49, 33, tzinfo=DUBAI),
        ),
        (
            "settlement-statement.v1.csv",
            StatementKind.SETTLEMENTS,
            "adjustfd059cd19066414d979013fc3a6d2467",
            "100.00",
            "ADJUST",
            datetime(2021, 1, 13, 0, 18, 39, tzinfo=DUBAI),
        ),
        (
            "settlement-statement.v2.csv",
            StatementKind.SETTLEMENTS,
            "90a95a3f7c3d414e8d2e37452ffbd567",
            "1.00",
            "REFUND",
            datetime(2026, 7, 1, 9, 49, 33, tzinfo=DUBAI),
        ),
        (
            "fund-statement.csv",
            StatementKind.FUNDS,
            "gp134_statement2withdraw-20210112000000128",
            "639.43",
            "Pay",
            datetime(2021, 1, 12, 0, 0, 19, tzinfo=DUBAI),
        ),
    ),
)
def test_a_statement_is_read_by_its_column_names(
    name: str, kind: StatementKind, order_no: str, amount: str, transaction: str, at: datetime
) -> None:
    statement = Statement.read(name, body_of(name).decode())
    (row,) = statement.rows
    assert statement.kind is kind
    assert (row.order_no, str(row.amount), row.transaction, row.paid_at) == (order_no, amount, transaction, at)


SETTLED_1 = (
    "*mid:1|settlePeriodNo:2|totalCount:1\n"
    "settledTIme|transactionType|direction|settlementAmount|merchantOrderNo|paidTime\n"
    "2026-07-01T09:49:33+0400|PAYMENT|IN|19.80|a|2026-06-30T09:49:33+0400*\n"
)
SETTLED_2 = (
    "*mid:1|settlePeriodNo:2|totalCount:1\n"
    "merchantOrderNo|settledTime|paidTime|totalAmount|transactionType|direction|settlementAmount|comm|VAT\n"
    "a|2026-07-01T09:49:33+0400|2026-06-30T09:49:33+0400|20.00|PAYMENT|IN|19.80|0.19|0.01*\n"
)
FUNDS = (
    "*ACCOUNTING_DATE|NUMBER_INCOME|AMOUNT_INCOME|NUMBER_PAYOUT|AMOUNT_PAYOUT|BEGINNING_BALANCE|ENDING_BALANCE\n"
    "2026-07-01T00:00:00+0400|1|19.80|1|5.1250|1330.9100|1345.585\n"
    "ACCOUNTING_TIME|TXN_NO|PRODUCT|BUSINESS_TYPE|DIRECTION|TXN_AMT|BEFORE_AMT|AFTER_AMT|ACCOUNT_TYPE|"
    "MERCHANT_ORDER_NO|ORDER_NO\n"
    "2026-07-01T00:00:19+0400|fd1|Settlement|Pay|Income|19.80|1330.9100|1350.71|BASIC|a|131\n"
    "2026-07-01T00:00:20+0400|fd2|Settlement|Pay|Payout|5.1250|1350.71|1345.585|BASIC|b|132*\n"
)


@pytest.mark.parametrize("text", [SETTLED_1, SETTLED_2])
def test_what_was_settled_is_the_settlement_amount_and_its_time_in_both_versions(text: str) -> None:
    (row,) = (statement := Statement.read("Purchase_Settle_Statement_01072026_001.csv", text)).rows
    assert (statement.kind, row.amount, row.order_no) == (StatementKind.SETTLEMENTS, Decimal("19.80"), "a")
    assert row.settled_at == datetime(2026, 7, 1, 9, 49, 33, tzinfo=DUBAI)
    assert row.paid_at == datetime(2026, 6, 30, 9, 49, 33, tzinfo=DUBAI)


def test_a_fund_statement_is_read() -> None:
    statement = Statement.read("200000000888_20260701_fund_statement_001.csv", FUNDS)
    assert (statement.kind, statement.summary["ENDING_BALANCE"]) == (StatementKind.FUNDS, "1345.585")
    assert [(row.order_no, row.payby_no, row.amount, row.fields["DIRECTION"]) for row in statement.rows] == [
        ("a", "131", Decimal("19.80"), "Income"),
        ("b", "132", Decimal("5.1250"), "Payout"),
    ]


@pytest.mark.parametrize("text", [TEXT, SETTLED_1, SETTLED_2, FUNDS])
def test_a_file_without_stars_is_read_as_one_with(text: str) -> None:
    bare = text.removeprefix("*").replace("*\n", "\n")
    assert Statement.read("x.csv", bare) == Statement.read("x.csv", text)


@pytest.mark.parametrize("text", [SETTLED_1, SETTLED_2, FUNDS])
def test_a_starred_file_that_is_cut_off_is_refused(text: str) -> None:
    for end in range(len(text) - 2):
        with pytest.raises(BadWords):
            Statement.read("x.csv", text[:end])


def test_the_star_at_the_end_is_no_part_of_the_last_field() -> None:
    first, last = Statement.read("x.csv", TEXT).rows
    assert (first.fields["subject"], last.fields["subject"]) == ("", "x")


def test_windows_line_ends_and_a_byte_order_mark_change_nothing() -> None:
    assert Statement.read("x.csv", "\ufeff" + TEXT.replace("\n", "\r\n")) == Statement.read("x.csv", TEXT)


def test_a_day_without_rows_is_read() -> None:
    assert Statement.read("x.csv", "*mid:1\na|b*\n").rows == ()


@pytest.mark.parametrize(
    "text",
    ["", "x\n", "*mid:1\n", TEXT.replace("*mid", "mid"), TEXT.removesuffix("*\n"), TEXT.replace("|PAYMENT", "", 1)],
)
def test_a_cut_off_or_foreign_file_is_refused(text: str) -> None:
    with pytest.raises(BadWords):
        Statement.read("x.csv", text)


def test_a_row_without_amount_or_time_says_so_when_asked() -> None:
    row = Statement.read("x.csv", "*mid:1\ntotalAmount|paidTime\nmany|today*").rows[0]
    with pytest.raises(BadWords, match="amount"):
        _ = row.amount
    with pytest.raises(BadWords, match="time"):
        _ = row.paid_at


def test_a_zip_gives_all_files_in_order_and_leaves_the_fund_statement_out() -> None:
    data = zipped(
        Purchase_Statement_01072026_002=TEXT,
        Purchase_Statement_01072026_001=TEXT,
        Purchase_Settle_Statement_01072026_001=TEXT,
        **{"200000000888_20260701_fund_statement_001": "whatever"},
    )
    found = read_zip(data)
    assert [(s.kind, s.name[-7:]) for s in found] == [
        (StatementKind.SETTLEMENTS, "001.csv"),
        (StatementKind.TRANSACTIONS, "001.csv"),
        (StatementKind.TRANSACTIONS, "002.csv"),
    ]
    assert sum(row.amount for s in found[1:] for row in s.rows) == Decimal("3.00")


def test_a_damaged_zip_is_refused() -> None:
    whole = zipped(Purchase_Statement_01072026_001=TEXT)
    flipped = bytearray(whole)
    flipped[60] ^= 0xFF
    for data in (b"", b"PK\x03\x04", whole[: len(whole) // 2], bytes(flipped)):
        with pytest.raises(BadWords):
            read_zip(data)


def test_a_zip_gives_the_fund_statement_to_who_asks_for_it() -> None:
    data = zipped(Purchase_Statement_01072026_001=TEXT, **{"200000000888_20260701_fund_statement_001": FUNDS})
    assert [s.kind for s in read_zip(data)] == [StatementKind.TRANSACTIONS]
    assert [s.kind for s in read_zip(data, funds=True)] == [StatementKind.FUNDS, StatementKind.TRANSACTIONS]
