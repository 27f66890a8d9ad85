"""The worker's disk, in real processes: a small one that fills up, and a journal whose bytes were flipped."""

import contextlib
import os
import sqlite3
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from terminal.journal.reading import read
from tests.conftest import Mosquitto
from tests.support.garage import Garage, opened
from tests.support.journal_files import flip
from tests.support.leaving import leaves

ROLES_APART = ("worker", "listener", "barrier", "reader")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """32 MiB of their own, in memory."""
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=32m", "none", folder], capture_output=True)
    if mounted.returncode != 0:
        pytest.skip("a small disk takes the right to mount one")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


def fill(disk: Path, name: str = "filler", *, leave: int = 0) -> None:
    """Take all the space but for ``leave`` bytes."""
    with (disk / name).open("ab", buffering=0) as file, contextlib.suppress(OSError):
        while (there := os.statvfs(disk)).f_bavail * there.f_frsize > leave:
            file.write(bytes(4096))


@pytest.mark.fault("disk-full")
async def test_on_a_full_disk_the_open_order_ends_new_tickets_are_refused_and_room_mends_it(
    tmp_path: Path, mosquitto: Mosquitto, small_disk: Path
) -> None:
    async with Garage(tmp_path, mosquitto.url) as lane:
        env = {"EXIT_TERMINAL_JOURNAL_PATH": str(small_disk / "journal.db")}
        fill(small_disk, "much", leave=2_600_000)
        await lane.start("run", env=env)
        await lane.heard.until("alert", code="disk", state="raised", severity="warning", text=lambda t: "worker's" in t)
        assert (small_disk / "journal.db.ballast").exists()
        mark = lane.scan(lane.ticket())
        order = await lane.order(since=mark)
        fill(small_disk)
        await lane.sandbox.pay(order["token_url"])
        await leaves(lane, mark)
        await lane.heard.until("alert", since=mark, code="disk-full", state="raised", severity="critical")
        await lane.heard.until("screen", since=mark, state="closed", reason="disk-full")
        calls = len(lane.sandbox.calls_of("placeOrder"))
        mark = lane.scan(lane.ticket())
        await lane.heard.until("screen", since=mark, state="closed", reason="disk-full", fee=lambda fee: fee)
        assert len(lane.sandbox.calls_of("placeOrder")) == calls
        (small_disk / "filler").unlink()
        await lane.heard.until("alert", since=mark, code="disk-full", state="cleared")
        await lane.heard.until("screen", since=mark, state="idle")
        mark = lane.scan(lane.ticket())
        await lane.order(since=mark)


@pytest.mark.fault("disk-full", "torn-write", "journal-unwritable")
async def test_when_the_reserve_is_used_up_the_lane_is_out_of_order_and_the_payment_is_served_once_there_is_room(
    tmp_path: Path, mosquitto: Mosquitto, small_disk: Path
) -> None:
    async with Garage(tmp_path, mosquitto.url) as lane:
        env = {"EXIT_TERMINAL_JOURNAL_PATH": str(small_disk / "journal.db")}
        await lane.start(*ROLES_APART, env=env)
        mark = lane.scan(lane.ticket())
        order = await lane.order(since=mark)
        fill(small_disk)
        (small_disk / "journal.db.ballast").unlink()
        fill(small_disk)
        await lane.sandbox.pay(order["token_url"])
        await lane.heard.until("alert", since=mark, code="journal", severity="critical", text=lambda t: "is full" in t)
        await lane.heard.until("screen", since=mark, state="out-of-order", reason="journal")
        assert not any(m for topic, m in lane.heard.all[mark:] if topic == "receipt"), "nothing was acknowledged"
        (small_disk / "filler").unlink()
        await leaves(lane, mark)
        await lane.heard.until("alert", since=mark, code="journal", state="cleared")
        assert not lane.running["worker"].ended


async def stopped_with_a_damage(lane: Garage, mark: int) -> str:
    """kill -9 once the code shows, and a flipped byte in the request for its order; returns the order's number."""
    order = await lane.order(since=mark)
    await lane.kill("worker")
    path = lane.folder / "journal.db"
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    flip(path, path.read_bytes().index(b"placeOrder " + order["order_no"].encode()) + 15)
    return str(order["order_no"])


@pytest.mark.fault("journal-damaged")
async def test_after_a_damage_the_lane_is_out_of_order_until_the_old_order_is_closed(
    tmp_path: Path, mosquitto: Mosquitto
) -> None:
    async with opened(Garage(tmp_path, mosquitto.url), ROLES_APART) as lane:
        mark = lane.scan(lane.ticket())
        no = await stopped_with_a_damage(lane, mark)
        mark = len(lane.heard.all)
        await lane.start("worker")
        await lane.heard.until("alert", since=mark, code="journal-damaged", state="raised", severity="critical")
        await lane.heard.until("screen", since=mark, state="out-of-order", reason="journal")
        await lane.heard.until("screen", since=mark, state="idle")
        assert lane.sandbox.book.orders[no].status == "FAILURE"
        await lane.heard.until("alert", since=mark, code="journal-damaged", state="cleared")
        assert len(list(lane.folder.glob("journal.db.damaged-*Z"))) == 1
        mark = lane.scan(lane.ticket())
        await lane.sandbox.pay((await lane.order(since=mark))["token_url"])
        await leaves(lane, mark)


@pytest.mark.fault("journal-damaged")
async def test_after_a_damage_a_payment_is_a_persons_and_an_order_that_is_lost_whole_is_found_in_paybys_list(
    tmp_path: Path, mosquitto: Mosquitto
) -> None:
    async with opened(Garage(tmp_path, mosquitto.url), ROLES_APART) as lane:
        mark = lane.scan(lane.ticket())
        no = await stopped_with_a_damage(lane, mark)
        (lane.folder / "journal.db").write_bytes(b"nothing is left" * 1000)
        await lane.sandbox.pay(no)
        mark = len(lane.heard.all)
        await lane.start("worker")
        alert = await lane.heard.until("alert", since=mark, code="payment-doubtful")
        assert (alert["order_no"], alert["severity"]) == (no, "critical")
        await lane.heard.until("screen", since=mark, state="idle")
        assert [m for topic, m in lane.heard.all[mark:] if topic == "lift"] == []
        assert lane.sandbox.calls_of("refund/placeOrder") == []
        assert {row.kind for row in read(lane.folder / "journal.db")} >= {"Damaged", "OrderReported"}
