"""PayBy's statement files as they come: both column orders, several files, and every way to be damaged."""

import io
import zipfile
from datetime import datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from terminal.payby.statement_reader import StatementKind
from terminal.tools.reconcile.report import table
from terminal.tools.reconcile.statements import EDGE_MS, FLAWS_A_FILE, StatementDay, read_papers
from tests.support.day import DUBAI, SETTLED, V1, V2, Told, at, stamp, statement
from tests.support.payby_bodies import body_of, those_there

NUMBERS = [f"order-{n}" for n in range(4)]


def row(number: str, amount: str = "20.00", **more: str) -> dict[str, str]:
    return {
        "merchantOrderNo": number,
        "totalAmount": amount,
        "transactionType": "PAYMENT",
        "paidTime": stamp(at(12)),
        "orderCurrency": "AED",
        "orderNo": "1317",
        "status": "SUCCESS",
    } | more


WHOLE = statement(*map(row, NUMBERS))


def read(*files: str | bytes, name: str = "transactions.csv") -> StatementDay:
    return read_papers([(name, file.encode() if isinstance(file, str) else file) for file in files])


def zipped(files: dict[str, str | bytes], how: int = zipfile.ZIP_DEFLATED) -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", how) as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return held.getvalue()


def flaws(papers: StatementDay) -> list[tuple[str, str]]:
    return [(flaw.where, flaw.text) for flaw in papers.flaws]


def numbers(papers: StatementDay) -> list[str]:
    return [entry.order_no for entry in papers.entries]


@pytest.mark.parametrize(
    ("name", "kind", "number", "fils", "transaction", "when", "counted"),
    those_there(
        (
            "own transactions 1",
            StatementKind.TRANSACTIONS,
            "marina-1",
            4500,
            "PAYMENT",
            datetime(2026, 7, 1, 8, 5, 9, tzinfo=DUBAI),
            3,
        ),
        (
            "own transactions 2",
            StatementKind.TRANSACTIONS,
            "marina-2",
            750,
            "REFUND",
            datetime(2026, 7, 1, 23, 59, 59, tzinfo=DUBAI),
            1,
        ),
        (
            "own settlements 1",
            StatementKind.SETTLEMENTS,
            "adjust-3",
            3100,
            "ADJUST",
            datetime(2026, 7, 2, 0, 9, tzinfo=DUBAI),
            2,
        ),
        (
            "transaction-statement.v1.csv",
            StatementKind.TRANSACTIONS,
            "210112214643201985620006",
            6000,
            "PAYMENT",
            datetime(2021, 1, 12, 17, 46, 36, tzinfo=DUBAI),
            14,
        ),
        (
            "transaction-statement.v2.csv",
            StatementKind.TRANSACTIONS,
            "90a95a3f7c3d414e8d2e37452ffbd567",
            100,
            "REFUND",
            datetime(2026, 7, 1, 9, 49, 33, tzinfo=DUBAI),
            1,
        ),
        (
            "settlement-statement.v1.csv",
            StatementKind.SETTLEMENTS,
            "adjustfd059cd19066414d979013fc3a6d2467",
            10000,
            "ADJUST",
            datetime(2021, 1, 13, 0, 18, 39, tzinfo=DUBAI),
            33,
        ),
    ),
)
def test_a_statement_is_read_and_one_with_fewer_rows_than_it_counts_is_named(
    name: str, kind: StatementKind, number: str, fils: int, transaction: str, when: datetime, counted: int
) -> None:
    papers = read_papers([(name, body_of(name))])
    (entry,) = papers.entries
    assert (entry.kind, entry.order_no, entry.fils, entry.transaction) == (kind, number, fils, transaction)
    assert (entry.where, entry.at_ms) == (f"{name}:3", int(when.timestamp() * 1000))
    assert flaws(papers) == ([] if counted == 1 else [(f"{name}:1", f"counts {counted} rows, but there are 1")])


@pytest.mark.parametrize("columns", [V1, V2])
def test_columns_are_found_by_their_names(columns: str) -> None:
    papers = read(statement(row("a", "12.5"), row("b"), columns=columns))
    assert [(e.order_no, e.fils, e.at_ms, e.payby_no) for e in papers.entries] == [
        ("a", 1250, at(12), "1317"),
        ("b", 2000, at(12), "1317"),
    ]
    assert papers.flaws == papers.notes == ()


def test_a_column_that_no_version_has_changes_nothing() -> None:
    papers = read(statement(row("a", colour="red"), columns=f"colour|{V1}"))
    assert (numbers(papers), papers.flaws) == (["a"], ())


def test_a_period_is_told_in_paybys_own_time() -> None:
    papers = read(WHOLE)
    assert papers.periods == ((at(0), at(0) + 86_400_000),)
    assert papers.covers(at(0) + EDGE_MS, at(23, 57))
    assert not papers.covers(at(0) + EDGE_MS - 1, at(12))
    assert not papers.covers(at(12), at(23, 58))


def test_several_numbered_files_are_read_as_one_and_may_count_their_rows_together() -> None:
    names = [f"Purchase_Statement_01072026_{n:03d}.csv" for n in (1, 2)]
    apart = zipped({name: statement(row(name[-7:])) for name in names})
    together = zipped({name: statement(row(name[-7:]), count=2) for name in names})
    for data in (apart, together):
        papers = read_papers([("day.zip", data)])
        assert (papers.files, numbers(papers), papers.flaws) == (tuple(names), ["001.csv", "002.csv"], ())


def test_a_numbered_file_that_is_not_there_is_named() -> None:
    stem = "Purchase_Statement_01072026"
    papers = read_papers([("day.zip", zipped({f"{stem}_{n:03d}.csv": statement(row(str(n))) for n in (1, 3)}))])
    assert flaws(papers) == [(f"{stem}_002.csv", "this file of the statement is missing")]
    assert numbers(papers) == ["1", "3"]


def test_the_fund_statement_and_what_is_no_csv_are_left_out() -> None:
    data = zipped({"200000000888_20260701_fund_statement_001.csv": "whatever", "readme.txt": "x", "a.csv": WHOLE})
    assert read_papers([("day.zip", data)]).files == ("a.csv",)


def test_a_file_that_is_given_twice_is_read_once() -> None:
    papers = read_papers([("day.zip", zipped({"a.csv": WHOLE})), ("b.csv", WHOLE.encode())])
    assert (papers.files, numbers(papers)) == (("a.csv",), NUMBERS)
    assert papers.notes == ("b.csv was given twice and is read once",)


def test_settlements_are_told_by_their_columns() -> None:
    text = statement(
        {
            "merchantOrderNo": "a",
            "transactionType": "PAYMENT",
            "settlementAmount": "19.80",
            "settledTIme": stamp(at(9)),
        },
        columns=SETTLED,
    )
    (entry,) = read(text).entries
    assert (entry.kind, entry.fils, entry.at_ms) == (StatementKind.SETTLEMENTS, 1980, at(9))
    assert read(text).periods == ()


# -- damage ----------------------------------------------------------------------------------------------------------


def test_a_file_cut_in_a_row_is_named_and_the_rows_before_it_are_kept() -> None:
    cut = WHOLE[: WHOLE.index("order-3") + 20]
    papers = read(cut)
    assert numbers(papers) == NUMBERS[:3]
    assert flaws(papers) == [("transactions.csv:6", "cut off: the last row does not end with *")]


def test_a_file_cut_between_rows_is_named_with_what_it_should_count() -> None:
    papers = read(WHOLE[: WHOLE.index("order-3")])
    assert numbers(papers) == NUMBERS[:3]
    assert [where for where, _ in flaws(papers)] == ["transactions.csv:5", "transactions.csv:1"]
    assert "counts 4 rows, but there are 3" in flaws(papers)[1][1]


def test_wherever_a_file_is_cut_it_is_named_and_no_half_row_is_believed() -> None:
    for end in range(len(WHOLE) - 1):
        papers = read(WHOLE[:end])
        assert papers.flaws, end
        assert numbers(papers) == NUMBERS[: len(papers.entries)]
        assert {entry.fils for entry in papers.entries} <= {2000}


def test_a_last_row_that_may_be_half_is_not_believed_where_its_last_column_matters() -> None:
    columns = "merchantOrderNo|transactionType|paidTime|totalAmount"
    text = statement(row("a"), row("b", "200.00"), columns=columns)
    assert numbers(read(text.removesuffix("0*\n"))) == ["a"]
    assert numbers(read(text)) == ["a", "b"]


def test_a_row_with_another_number_of_fields_is_named_and_the_rest_is_kept() -> None:
    papers = read(WHOLE.replace("order-1|", "order-1|one|more|", 1))
    fields = V2.count("|") + 1
    assert flaws(papers) == [("transactions.csv:4", f"{fields + 2} fields, and there are {fields} names")]
    assert numbers(papers) == ["order-0", "order-2", "order-3"]


@pytest.mark.parametrize(
    ("old", "new", "text"),
    [
        ("20.00", "2O.00", "no amount"),
        ("20.00", "-20.00", "no amount"),
        ("20.00", "20.001", "no amount"),
        (stamp(at(12)), "noon", "no time"),
        (stamp(at(12)), "0001-01-01T00:00:00+0400", "the time cannot be right"),
        (stamp(at(12)), "9999-12-31T23:59:59-1200", "the time cannot be right"),
    ],
)
def test_a_value_that_cannot_be_read_is_named_and_its_row_is_still_matched(old: str, new: str, text: str) -> None:
    papers = read(WHOLE.replace(old, new, 1))
    assert flaws(papers) == [("transactions.csv:3", text)]
    assert numbers(papers) == NUMBERS


@pytest.mark.parametrize(("missing", "kept"), [("merchantOrderNo", 0), ("totalAmount", 4), ("paidTime", 4)])
def test_unknown_columns_are_named(missing: str, kept: int) -> None:
    papers = read(WHOLE.replace(missing, "surprise"))
    assert flaws(papers) == [("transactions.csv:2", f"unknown columns: {missing} cannot be found")]
    assert len(papers.entries) == kept


def test_a_line_in_another_charset_is_named_and_still_matched() -> None:
    text = statement(*(row(n, subject="مواقف") for n in NUMBERS))
    lines = text.encode().split(b"\n")
    lines[4] = lines[4].decode().encode("windows-1256")
    papers = read(b"\n".join(lines))
    assert flaws(papers) == [("transactions.csv:5", "not UTF-8")]
    assert numbers(papers) == NUMBERS


@pytest.mark.parametrize("charset", ["utf-16", "utf-8-sig"])
def test_a_byte_order_mark_is_understood_and_utf_16_named(charset: str) -> None:
    papers = read(WHOLE.encode(charset))
    assert numbers(papers) == NUMBERS
    assert flaws(papers) == ([] if charset == "utf-8-sig" else [("transactions.csv:1", "UTF-16 instead of UTF-8")])


def test_windows_line_ends_change_nothing() -> None:
    assert read(WHOLE.replace("\n", "\r\n")) == read(WHOLE)


def test_a_file_without_a_summary_is_named_and_read() -> None:
    papers = read(WHOLE.partition("\n")[2])
    assert flaws(papers) == [("transactions.csv:1", "no summary, which begins with *")]
    assert numbers(papers) == NUMBERS


@pytest.mark.parametrize("text", ["", " \n", "*mid:1\n", "<html>\n<body>502 Bad Gateway</body>\n", "\0\0\0", "*\n*\n"])
def test_what_is_no_statement_is_named_and_nothing_of_it_believed(text: str) -> None:
    papers = read(text)
    assert papers.flaws
    assert papers.entries == ()


def test_a_day_without_rows_is_no_flaw() -> None:
    assert read(f"*mid:1|totalCount:0\n{V2}*\n") == StatementDay(files=("transactions.csv",))
    assert read(f"*mid:1|totalCount:0\n{V2}\n*\n").flaws == ()


def test_times_without_an_offset_are_dubais_and_that_is_noted_once() -> None:
    papers = read(WHOLE.replace("+0400", ""))
    assert {entry.at_ms for entry in papers.entries} == {at(12)}
    assert papers.notes == ("transactions.csv: times without an offset are read as Dubai time",)


def test_a_file_of_garbage_does_not_flood_the_report() -> None:
    papers = read(statement(*(row(str(n), "?") for n in range(500))))
    assert len(papers.flaws) == FLAWS_A_FILE + 1
    assert flaws(papers)[-1] == ("transactions.csv", f"{500 - FLAWS_A_FILE} more lines cannot be read")


def test_control_characters_do_not_reach_the_terminal() -> None:
    (entry,) = read(statement(row("a\x1b[2Jb", status="\x07" * 200))).entries
    assert entry.order_no == "a?[2Jb"
    assert entry.status == "?" * 100


@pytest.mark.parametrize("cut", [4, 200, -30])
def test_a_zip_that_is_cut_is_named(cut: int) -> None:
    whole = zipped({"a.csv": WHOLE})
    papers = read_papers([("day.zip", whole[:cut]), ("b.csv", WHOLE.encode())])
    assert [where for where, _ in flaws(papers)] == ["day.zip"]
    assert numbers(papers) == NUMBERS


@pytest.mark.parametrize("how", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_damaged_file_in_a_zip_is_named_and_the_other_is_read(how: int) -> None:
    whole = bytearray(zipped({"a.csv": WHOLE, "b.csv": statement(row("b"))}, how))
    whole[60] ^= 0xFF
    papers = read_papers([("day.zip", bytes(whole))])
    assert papers.files == ("a.csv", "b.csv")
    assert flaws(papers)[0][0] == "a.csv"
    assert flaws(papers)[0][1].startswith("damaged in its ZIP")
    assert "b" in numbers(papers)


def test_an_empty_line_among_the_rows_is_named() -> None:
    lines = WHOLE.split("\n")
    papers = read("\n".join([*lines[:4], "", *lines[4:]]))
    assert flaws(papers) == [("transactions.csv:5", "an empty line")]
    assert numbers(papers) == NUMBERS


def test_a_file_in_a_zip_that_is_larger_than_a_statement_may_be_is_read_so_far_and_named() -> None:
    data = zipped({"a.csv": WHOLE})
    assert read_papers([("day.zip", data)], largest=len(WHOLE)).flaws == ()
    papers = read_papers([("day.zip", data)], largest=len(WHOLE) - 60)
    assert flaws(papers)[0] == ("a.csv", "larger than a statement may be")
    assert numbers(papers) == NUMBERS[: len(papers.entries)]


@pytest.mark.parametrize(
    "summary",
    [
        "totalCount:" + "9" * 5000,
        "totalCount:٣",
        "totalCount:-1",
        "startTime:x|endTime:y",
        "startTime:0001-01-01 00:00|endTime:0001-01-02 00:00",
        "||:||",
    ],
)
def test_a_strange_summary_is_no_reason_to_stop(summary: str) -> None:
    papers = read("*" + summary + "\n" + WHOLE.partition("\n")[2])
    assert (numbers(papers), papers.flaws, papers.periods) == (NUMBERS, (), ())


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.data())
def test_whatever_bytes_are_changed_nothing_is_raised_and_every_row_that_is_read_is_told(draw: st.DataObject) -> None:
    raw = bytearray(zipped({"a.csv": WHOLE}) if draw.draw(st.booleans()) else WHOLE.encode())
    for _ in range(draw.draw(st.integers(1, 4))):
        at_byte = draw.draw(st.integers(0, len(raw) - 1))
        raw[at_byte : at_byte + draw.draw(st.integers(0, 3))] = draw.draw(st.binary(max_size=3))
    papers = read_papers([("day.zip", bytes(raw))])
    report = Told().report(papers, payee="")
    assert len(report.lines) >= len(papers.entries)
    assert all(line.isprintable() for line in table(report))
