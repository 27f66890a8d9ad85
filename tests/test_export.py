"""Exports for accountants and for other systems: exact, by whole days, and the same sums as reconcile."""

import csv
import io
import json
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import jsonschema
import pytest

from terminal import build
from terminal.__main__ import main
from terminal.app import commands
from terminal.config.load import load
from terminal.config.schema import ConfigError, Settings
from terminal.core import ids, money
from terminal.journal.reading import read
from terminal.tools.reconcile import export
from terminal.tools.reconcile.facts import Facts, Index
from terminal.tools.reconcile.journals import openings, read_worker
from terminal.tools.reconcile.takings import Movement, Period
from tests.support.apds_schema import DOCUMENT
from tests.support.day import DATE, DAY, Told, papers
from tests.support.story import T0, an_id

CONFIGURATION = """\
[garage]
id = "marina"
name = "Marina Garage"
timezone = "{zone}"
[journal]
path = "journal.db"
"""


def configured(folder: Path, zone: str = "Asia/Dubai") -> Settings:
    (folder / "garage.toml").write_text(CONFIGURATION.format(zone=zone), encoding="utf-8")
    return load(folder / "garage.toml", {})


def busy(folder: Path) -> Told:
    """One car pays and leaves, one stays free, one pays too late and gets its money back, one gets back a part."""
    story = Told()
    story.visits("a")
    story.arrives()
    story.reads("b", amount=0)
    story.leaves("b")
    story.pays_too_late("d")
    story.wait(16 * 60)
    story.tell_refund("success", "d")
    last = story.visits("e", amount=1050)
    story.command("refund", order_no=last.no, amount=333, reason="overcharged", by="Amal")
    story.tell_refund("settled", "e")
    story.write(folder)
    return story


def exported(
    settings: Settings, tmp_path: Path, **more: str
) -> tuple[list[str], list[dict[str, str]], dict[str, list]]:  # type: ignore[type-arg]
    said: list[str] = []
    files = {"csv_file": tmp_path / "payments.csv", "apds_file": tmp_path / "stays.json"}
    assert export.run(settings, **{"first": str(DATE)} | more, **files, say=said.append) == 0, said  # type: ignore[arg-type]
    rows = list(csv.DictReader(io.StringIO(files["csv_file"].read_text(encoding="utf-8"))))
    return said, rows, json.loads(files["apds_file"].read_text(encoding="utf-8"), parse_float=Decimal)


def test_the_sums_are_those_that_reconcile_compares_with_the_statement(tmp_path: Path) -> None:
    busy(tmp_path)
    settings = configured(tmp_path)
    said, rows, _ = exported(settings, tmp_path)
    records = read_worker(read(tmp_path / "journal.db"), build.rules(settings))
    sums = Index(Facts("marina", DAY, T0, papers(), records, openings(records, []))).sums()
    came = [row for row in rows if row["kind"] == "payment"]
    went = [row for row in rows if row["kind"] == "refund"]
    assert (len(came), sum(int(row["fils"]) for row in came)) == sums.journal == (3, 5050)
    assert (len(went), -sum(int(row["fils"]) for row in went)) == sums.journal_refunds == (2, 2333)
    assert said == [
        f"garage marina, {DATE} (Asia/Dubai)",
        "payments         3  AED        50.50",
        "refunds          2  AED       -23.33",
        "together         5  AED        27.17",
        "stays            4",
    ]


def test_each_row_is_exact(tmp_path: Path) -> None:
    story = busy(tmp_path)
    _, rows, _ = exported(configured(tmp_path), tmp_path)
    assert list(rows[0]) == list(export.COLUMNS)
    for row in rows:
        assert money.parse(row["amount"].removeprefix("-")) == abs(int(row["fils"]))
        assert Decimal(row["vat"]) + Decimal(row["net"]) == Decimal(row["amount"])
        assert row["help_code"] == ids.help_code(row["session"])
        assert row["date"] == str(DATE)
    part = next(row for row in rows if row["amount"] == "-3.33")
    assert (part["by"], part["reason"], part["vat"], part["net"]) == ("Amal", "overcharged", "-0.16", "-3.17")
    assert part["refund_no"].startswith("R") and part["order_no"].startswith("marina-exit-1-")
    assert [row["time"] for row in rows] == sorted(row["time"] for row in rows)
    assert story.at > T0


def test_the_stays_are_as_apds_has_them_and_amount_to_the_same(tmp_path: Path) -> None:
    busy(tmp_path)
    _, rows, document = exported(configured(tmp_path), tmp_path)
    jsonschema.validate(
        json.loads(json.dumps(document, default=float)), DOCUMENT, format_checker=jsonschema.FormatChecker()
    )
    payments = [one for stay in document["sessions"] for one in stay["segments"][0]["assignedRight"]["payments"]]
    lines = [line for one in payments for line in one["paymentLines"]]
    assert sum(line["value"]["currencyValue"] for line in lines) == sum(Decimal(row["amount"]) for row in rows)
    assert {one["id"] for one in payments} == {row["refund_no"] or row["order_no"] for row in rows}
    left = [stay for stay in document["sessions"] if "actualEnd" in stay]
    assert len(document["sessions"]) == 4 and len(left) == 3
    assert all(stay["actualStart"] <= stay["actualEnd"] for stay in left)
    assert all(stay["actualStart"].endswith("+04:00") for stay in document["sessions"])
    text = (tmp_path / "stays.json").read_text()
    assert '"currencyValue": 20.00' in text and "P1." not in text


def test_a_day_is_the_garage_s_and_several_days_are_the_sum_of_each(tmp_path: Path) -> None:
    busy(tmp_path)
    for zone in ("Asia/Dubai", "Pacific/Kiritimati", "America/Los_Angeles"):
        settings = configured(tmp_path, zone)
        day = DATE
        days = [str(day + timedelta(days=apart)) for apart in (-2, -1, 0, 1, 2)]
        each = [exported(settings, tmp_path, first=one)[1] for one in days]
        whole = exported(settings, tmp_path, first=days[0], last=days[-1])[1]
        assert [row for rows in each for row in rows] == whole and len(whole) == 5
        assert {row["date"] for row in whole} <= set(days)


def test_no_cell_is_a_formula_and_every_amount_is_a_number() -> None:
    period = Period(DATE, DATE, ZoneInfo("Asia/Dubai"))
    odd = Movement("refund", T0, -10_001, "R1", "o", "", "exit-1", an_id("stay", "a"), None, "@Amal", '=1+"1"')
    (row,) = csv.DictReader(io.StringIO(export.as_csv(period, [odd], "5")))
    assert (row["by"], row["reason"]) == ("'@Amal", '\'=1+"1"')
    assert [row[name] for name in ("amount", "fils", "vat", "net")] == ["-100.01", "-10001", "-4.76", "-95.25"]


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["--date", "yesterday"], "export: --date: got 'yesterday', takes a day as YYYY-MM-DD"),
        (["--date", "2026-02-30"], "export: --date: got '2026-02-30'"),
        (
            ["--date", "2026-02-03", "--until", "2026-02-02"],
            "export: --until: got 2026-02-02, takes a day from 2026-02-03 on",
        ),
        (["--date", "2026-02-03", "--until", "2029-02-02"], "export: --until: got 2029-02-02"),
    ],
)
def test_wrong_use_is_one_line(tmp_path: Path, words: list[str], text: str, capsys: pytest.CaptureFixture[str]) -> None:
    configured(tmp_path)
    assert main(["--config", str(tmp_path / "garage.toml"), "export", *words], commands.main) == 2
    assert text in capsys.readouterr().err


def test_a_journal_that_is_not_there_or_damaged_is_said(tmp_path: Path) -> None:
    settings = configured(tmp_path)
    with pytest.raises(ConfigError, match=r"journal\.path: .* is not there"):
        export.run(settings, first=str(DATE))
    busy(tmp_path)
    raw = bytearray((tmp_path / "journal.db").read_bytes())
    at = raw.find(b"TicketRead", len(raw) // 2)
    raw[at : at + 4] = b"XXXX"
    (tmp_path / "journal.db").write_bytes(raw)
    said: list[str] = []
    assert export.run(settings, first=str(DATE), say=said.append) == 1
    assert any(line.startswith("note: journal.db: ") for line in said)
