"""The command: statements over HTTP, real journals that are being written, and all that it hands out."""

import asyncio
import csv
import io
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from PIL import Image

from terminal.config.load import load
from terminal.config.schema import ConfigError, Settings
from terminal.core import money
from terminal.core.events import Started
from terminal.core.model import VisitOrder
from terminal.journal.journal import Journal
from terminal.journal.kinds import NOTICE
from terminal.journal.reading import read
from terminal.journal.rows import JournalDamaged, Row
from terminal.payby.requests import OrderRequest, RefundRequest
from terminal.payby.sandbox.faults import Fault
from terminal.payby.sandbox.server import Sandbox
from terminal.payby.strict_json import load as load_json
from terminal.tools.reconcile import command
from terminal.tools.reconcile.report import CSV_COLUMNS
from tests.conftest import Mosquitto
from tests.support.day import DATE, DUBAI, Told, at, payment, statement, texts
from tests.support.garage import Garage as RealGarage
from tests.support.garage import opened
from tests.support.story import T0
from tests.support.turned_clock import TurnedClock

MERCHANT, PAYBY = (rsa.generate_private_key(65537, 2048) for _ in range(2))
CONFIGURATION = """\
[garage]
id = "marina"
timezone = "{zone}"
[lane]
id = "exit-1"
[payby]
base_url = "{base_url}"
partner_id = "200000000888"
private_key = "merchant.pem"
payby_public_key = ["payby.pub.pem"]
[barrier]
raise_pin = 17
journal = "barrier.db"
[journal]
path = "journal.db"
"""


@dataclass
class Garage:
    """A folder with configuration and keys, and PayBy."""

    folder: Path
    sandbox: Sandbox
    clock: TurnedClock
    zone: str = "Asia/Dubai"
    said: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    @property
    def settings(self) -> Settings:
        file = self.folder / "lane.toml"
        file.write_text(CONFIGURATION.format(base_url=self.sandbox.base_url, zone=self.zone))
        return load(file, {})

    def paid(self, order: VisitOrder, at_ms: int = T0 + 60_000) -> None:
        """PayBy's book has the order as paid."""
        placed = OrderRequest(order_no=order.no, amount=Decimal(money.text(order.amount)), subject="Parking")
        self.sandbox.book.place(load_json(placed.biz_content(), decimals=True), at_ms, at_ms)
        self.sandbox.book.orders[order.no].payby_no = "1317"
        self.sandbox.book.pay(order.no, "100000012396", at_ms)

    def refunded(self, no: str, order: VisitOrder, fils: int, at_ms: int) -> None:
        asked = RefundRequest(refund_no=no, amount=Decimal(money.text(fils)), origin_order_no=order.no)
        self.sandbox.book.refund(load_json(asked.biz_content(), decimals=True), at_ms)

    async def run(self, now_ms: int = T0 + 3_600_000, **more: Any) -> int:
        """The command, as in a process of its own."""
        return await asyncio.to_thread(
            command.run,
            self.settings,
            **{"day": str(DATE), "now_ms": now_ms, "say": self.said.append, "complain": self.complaints.append} | more,
        )


@pytest.fixture
async def garage(tmp_path: Path) -> AsyncIterator[Garage]:
    clock = TurnedClock(T0)
    (tmp_path / "payby.pub.pem").write_bytes(
        PAYBY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    )
    (tmp_path / "merchant.pem").touch(mode=0o600)
    (tmp_path / "merchant.pem").write_bytes(MERCHANT.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    async with Sandbox(merchant_keys=[MERCHANT.public_key()], private_key=PAYBY, clock=clock, seed=7) as sandbox:
        yield Garage(tmp_path, sandbox, clock)


def a_day(garage: Garage) -> Told:
    """One car pays and leaves, one stays free, one is let out by an operator, one gets its money back."""
    story = Told()
    garage.paid(story.visits("a"))
    story.arrives()
    story.reads("b", amount=0)
    story.leaves("b")
    story.operator("c", note="lost phone")
    last = story.pays_too_late("d")
    garage.paid(last, story.at)
    story.wait(16 * 60)
    refund = story.refund("d")
    garage.refunded(refund.no, last, refund.amount, story.at)
    story.tell_refund("success", "d")
    return story


@pytest.mark.parametrize("version", [1, 2])
async def test_a_day_is_downloaded_and_explained_by_both_column_orders(garage: Garage, version: int) -> None:
    a_day(garage).write(garage.folder)
    garage.sandbox.statement_version = version  # type: ignore[assignment]
    assert await garage.run() == 0, texts(garage.said)
    assert garage.said[1].startswith("statement: Purchase_Statement_21092026_001.csv")
    assert garage.said[-1] == "everything is explained"
    assert "paid, by the statement                           2  AED        40.00" in garage.said
    assert "refunded, by the statement                       1  AED        20.00" in garage.said
    assert any("by Amal lost phone" in line for line in garage.said)
    (call,) = [c for c in garage.sandbox.calls_of("getOrderStatement") if c.code == "0"]
    assert call.biz == {"statementDate": "20260921"}


async def test_a_refund_that_was_made_in_paybys_portal_is_explained_by_its_own_list(garage: Garage) -> None:
    story = Told()
    order = story.visits("a")
    garage.paid(order)
    story.write(garage.folder)
    garage.refunded("P1", order, 300, story.at)
    assert await garage.run() == 0, texts(garage.said)
    assert any("P1, made in PayBy's portal" in line for line in garage.said)
    asked = garage.sandbox.calls_of("queryRefundOrderPage")[-1].biz
    assert (asked["startDate"], asked["endDate"]) == ("2026-09-21", "2026-09-21")


async def test_a_refund_that_paybys_list_does_not_confirm_stays_unexplained_and_the_rest_is_matched(
    garage: Garage,
) -> None:
    story = Told()
    order = story.visits("a")
    garage.paid(order)
    story.write(garage.folder)
    garage.refunded("P1", order, 300, story.at)
    garage.sandbox.fail("queryRefundOrderPage", Fault(code="403", msg="UNAUTHORIZED"), times=None)
    assert await garage.run() == 1
    assert any("refund P1 was not asked for here" in line for line in garage.said)
    assert any("PayBy's list of refunds could not be read" in line for line in garage.said)


@pytest.mark.parametrize("stars", [True, False])
@pytest.mark.parametrize("version", [1, 2])
async def test_a_settled_day_with_a_chargeback_fits_in_every_version(garage: Garage, version: int, stars: bool) -> None:
    story = Told()
    order = story.visits("a")
    garage.paid(order)
    book = garage.sandbox.book
    book.settle(order.no, story.at)
    taken = book.charge_back(order.no, Decimal("7.50"), "fraud", story.at)
    told = {"notify_id": "n", "acquireChargeback": taken.words()}
    body = msgspec.json.Encoder(decimal_format="number").encode(told)
    story.rows.append(Row(len(story.rows) + 1, story.at, NOTICE, b"sign\n" + body))
    story.write(garage.folder)
    garage.sandbox.statement_version, garage.sandbox.statement_stars = version, stars  # type: ignore[assignment]
    assert await garage.run() == 0, texts(garage.said)
    assert "settled (earlier days', after commission)        1  AED        19.80" in garage.said
    assert "taken back by a payer's bank                     1  AED         7.50" in garage.said
    assert not any(line.startswith("note:") for line in garage.said)


async def test_it_reads_while_the_worker_writes_and_leaves_the_journals_as_they_are(garage: Garage) -> None:
    a_day(garage).write(garage.folder)
    with (
        Journal.open(garage.folder / "journal.db", role="worker") as journal,
        Journal.open(garage.folder / "barrier.db", role="barrier"),
    ):
        before = list(journal.replay())
        assert await garage.run() == 0
        assert await journal.append([("request", b"getOrder x\n{}")], T0) == len(before) + 1
        assert list(journal.replay())[:-1] == before


async def test_what_is_unexplained_is_status_1_and_stands_in_every_output(garage: Garage) -> None:
    story = Told()
    garage.paid(story.visits("a"))
    story.boom("up")
    story.visits("b")  # PayBy does not have it
    story.write(garage.folder)
    outputs = {name: garage.folder / name for name in ("day.json", "day.csv", "day.png", "day.html")}
    status = await garage.run(json_file=outputs["day.json"], csv_file=outputs["day.csv"], picture=outputs["day.png"])
    assert status == 1
    assert await garage.run(picture=outputs["day.html"]) == 1
    said = json.loads(outputs["day.json"].read_text())
    assert (said["unexplained"], said["date"], said["garage"]) == (2, "2026-09-21", "marina")
    assert said["counts"] == {"paid-opened": 2, "missing": 1, "opened-forced": 1}
    assert said["sums"]["journal"] == {"number": 2, "amount": "40.00"}
    assert sum(Decimal(hour["paid_opened"]) for hour in said["hours"]) == Decimal("40.00")
    assert [line["kind"] for line in said["lines"] if not line["explained"]] == ["opened-forced", "missing"]
    rows = list(csv.DictReader(io.StringIO(outputs["day.csv"].read_bytes().decode())))
    assert [(row["kind"], row["explained"], row["amount"]) for row in rows] == [
        ("paid-opened", "yes", "20.00"),
        ("opened-forced", "no", ""),
        ("paid-opened", "yes", "20.00"),
        ("missing", "no", "20.00"),
    ]
    assert tuple(rows[0]) == CSV_COLUMNS
    with Image.open(outputs["day.png"]) as picture:
        assert (picture.format, picture.mode, picture.width) == ("PNG", "RGB", 1200)
    assert "forced" in outputs["day.html"].read_text()


async def test_no_statement_yet_is_one_line_and_status_1(garage: Garage) -> None:
    Told().write(garage.folder)
    assert await garage.run() == 1
    assert garage.said == []
    (line,) = garage.complaints
    assert line.startswith(
        "PayBy has no statement of 2026-09-21 (62013 STATEMENT_NOT_EXIST); one is ready about 30 min"
    )


async def test_paybys_refusal_and_silence_are_one_line_and_status_1(garage: Garage) -> None:
    Told().write(garage.folder)
    garage.sandbox.fail("getOrderStatement", Fault(code="403", msg="UNAUTHORIZED"), times=None)
    assert await garage.run() == 1
    assert garage.complaints == ["acquire2/download/getOrderStatement: 403 UNAUTHORIZED, trace 000002"]


async def test_a_garage_in_another_time_zone_gets_the_statements_of_both_of_paybys_days(garage: Garage) -> None:
    garage.zone = "Asia/Riyadh"  # an hour behind: its day begins and ends at 01:00 in Dubai
    story = Told()
    story.at = at(23)
    garage.paid(story.visits("a"), story.at)
    story.wait(5400)
    garage.paid(story.visits("b"), story.at)  # 00:30 in Dubai, 23:30 in Riyadh
    story.write(garage.folder)
    assert await garage.run(now_ms=story.at) == 0, texts(garage.said)
    assert garage.said[0] == "garage marina, 2026-09-21 (Asia/Riyadh)"
    assert "paid and opened                                  2  AED        40.00" in garage.said
    days = [call.biz["statementDate"] for call in garage.sandbox.calls_of("getOrderStatement") if call.code == "0"]
    assert days == ["20260921", "20260922"]


async def test_given_statements_need_no_key_and_no_network(garage: Garage) -> None:
    story = Told()
    order = story.visits()
    story.write(garage.folder)
    (garage.folder / "merchant.pem").unlink()
    file = garage.folder / "mine.csv"
    file.write_text(statement(payment(order)))
    assert await garage.run(statements=[file]) == 0
    assert garage.sandbox.calls == []
    file.write_text(statement(payment(order), payment(order, merchantOrderNo="till-7"))[:-10])
    assert await garage.run(statements=[file]) == 1
    assert any("mine.csv:4: cut off" in line for line in garage.said)
    assert garage.said[-1] == "1 unexplained"


async def test_a_barriers_journal_from_another_machine_can_be_named(garage: Garage) -> None:
    story = Told(lanes=("exit-1", "exit-2"))
    order = story.visits("a", "exit-2")
    story.operator("b", lane="exit-2", note="ambulance")
    garage.paid(order)
    story.write(garage.folder)
    other = garage.folder / "exit-2.db"
    (garage.folder / "barrier.db").rename(other)
    assert await garage.run() == 1
    assert (
        "note: no barrier's journal of exit-2 is here, so its raises are those that the worker heard of" in garage.said
    )
    assert any("opened-unexplained" in line for line in garage.said)
    garage.said.clear()
    assert await garage.run(barrier_journals=[other]) == 0, texts(garage.said)
    assert any("by Amal ambulance" in line for line in garage.said)
    assert not any(line.startswith("note:") for line in garage.said)


async def test_a_damaged_journal_is_named_and_what_comes_before_the_damage_is_matched(garage: Garage) -> None:
    story = a_day(garage)
    story.write(garage.folder)
    path = garage.folder / "journal.db"
    Journal.open(path, role="worker").close()  # one file, nothing beside it
    raw = bytearray(path.read_bytes())
    raw[raw.index(b"RefundReported") + 40] ^= 1
    path.write_bytes(raw)
    with pytest.raises(JournalDamaged):
        list(read(path))
    assert await garage.run() == 1
    assert any("journal.db: damaged at row" in line and "is not matched" in line for line in garage.said)
    assert "paid and opened                                  1  AED        20.00" in garage.said


async def test_a_workers_journal_given_for_a_barriers_is_named(garage: Garage) -> None:
    a_day(garage).write(garage.folder)
    assert await garage.run(barrier_journals=[garage.folder / "journal.db"]) == 1
    assert any("journal.db: row 1 of kind 'BoomSeen' is not a barrier's" in line for line in garage.said)


@pytest.mark.parametrize(
    ("more", "text"),
    [
        ({"day": "21.09.2026"}, "--date: got '21.09.2026', takes a day as YYYY-MM-DD"),
        ({"day": "2026-02-30"}, "--date: got '2026-02-30'"),
        ({"day": "20260921"}, "--date: got '20260921'"),
        ({"day": "2026-09-22"}, "--date: 2026-09-22 has not begun yet"),
        ({"day": "0001-01-01"}, "--date: got '0001-01-01'"),
        ({"day": "9999-12-31"}, "--date: got '9999-12-31'"),
        ({"picture": Path("day.jpg")}, "--picture: got day.jpg, takes a name that ends with .png or .html"),
        ({"statements": [Path("absent.zip")]}, "--statement: cannot read absent.zip: No such file or directory"),
        ({"barrier_journals": [Path("absent.db")]}, "--barrier-journal: absent.db is not there"),
    ],
)
async def test_wrong_use_is_one_line(garage: Garage, more: dict[str, Any], text: str) -> None:
    story = a_day(garage)
    story.write(garage.folder)
    with pytest.raises(ConfigError) as raised:
        await garage.run(**more)
    assert text in str(raised.value)
    assert "\n" not in str(raised.value)


async def test_a_key_that_cannot_be_used_is_for_the_operator_to_set_right(garage: Garage) -> None:
    Told().write(garage.folder)
    (garage.folder / "merchant.pem").write_text("no key")
    with pytest.raises(ConfigError, match=r"payby\.private_key: .*merchant\.pem"):
        await garage.run()


async def test_without_the_workers_journal_there_is_nothing_to_match(garage: Garage) -> None:
    a_day(garage)
    with pytest.raises(ConfigError, match=r"journal\.path: .*journal\.db is not there"):
        await garage.run()


async def test_a_journal_whose_beginning_was_pruned_is_noted(garage: Garage) -> None:
    story = Told()
    story.wait(60)
    pruned = len(story.rows)
    story.tell(Started(story.at, "1"))
    story.boom("down")
    story.leaves_loop()
    garage.paid(story.visits("a"))
    story.write(garage.folder)
    with Journal.open(garage.folder / "journal.db", role="worker") as journal:
        await journal.prune(pruned)
    assert await garage.run() == 0, texts(garage.said)
    assert "note: the worker's journal was pruned: it begins at 18:14:20" in garage.said


async def test_a_visit_through_real_processes_is_explained_by_its_real_journals(
    tmp_path: Path, mosquitto: Mosquitto
) -> None:
    async with opened(RealGarage(tmp_path, mosquitto.url), ["run"]) as lane:
        mark = lane.scan(lane.ticket())
        order = await lane.order(since=mark)
        paid = await lane.sandbox.pay(order["token_url"])
        await lane.heard.until("barrier", since=mark, state="down", reason="paid")
        day = datetime.fromtimestamp((paid.paid_ms or 0) / 1000, DUBAI).date()
        said: list[str] = []
        status = await asyncio.to_thread(command.run, load(lane.file, {}), day=str(day), say=said.append)
        assert (status, said[-1]) == (0, "everything is explained"), texts(said)
        assert "paid and opened                                  1  AED        20.00" in said
        assert not any(line.startswith("note:") for line in said)
