"""A disk that takes nothing, and a journal that is taken away: the glass stays lit, a person is told once, and the next
write that works brings the lane back. Real processes; the disks are the machine's own.
"""

import asyncio
import contextlib
import os
import resource
import signal
import sqlite3
import subprocess
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest

from terminal.journal.journal import Journal
from terminal.journal.reading import read
from tests.conftest import Mosquitto
from tests.support.garage import Garage, opened
from tests.support.leaving import leaves

ALERT = {"code": "journal", "severity": "critical", "state": "raised"}


@contextlib.contextmanager
def held(path: Path) -> Iterator[None]:
    """Another program writes this database, and does not end."""
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("BEGIN EXCLUSIVE")
        yield
        db.execute("ROLLBACK")


def alerts(lane: Garage, code: str, where: str) -> list[str]:
    return [m["state"] for topic, m in lane.heard.all if topic == where and m.get("code") == code]


async def drives_out(lane: Garage) -> None:
    mark = lane.scan(lane.ticket())
    await lane.sandbox.pay((await lane.order(since=mark))["token_url"])
    await leaves(lane, mark)


@pytest.mark.fault("journal-unwritable")
@pytest.mark.parametrize("commands", [("run",), ("lcd", "worker")], ids=["run", "a worker alone"])
async def test_with_a_locked_journal_the_lane_is_out_of_order_and_comes_back_by_itself(
    tmp_path: Path, mosquitto: Mosquitto, commands: tuple[str, ...]
) -> None:
    async with Garage(tmp_path, mosquitto.url) as lane:
        path = tmp_path / "journal.db"
        Journal.open(path, role="worker").close()
        with held(path):
            await lane.start(*commands)
            await lane.heard.until("alert", **ALERT)
            await lane.heard.until("health/worker", state="degraded", reason=lambda r: "database is locked" in r)
            await lane.heard.until("screen", state="out-of-order", reason="journal")
            assert (tmp_path / "glass" / "latest.png").exists()
            mark = len(lane.heard.all)
            await lane.heard.until("screen", since=mark, state="out-of-order")
        assert not any(process.ended for process in lane.running.values())
        await lane.heard.until("alert", code="journal", state="cleared")
        await lane.heard.until("health/worker", since=mark, state="online")
        if "run" in commands:
            await lane.heard.until("screen", since=mark, state="idle")
            await drives_out(lane)
        else:
            await lane.heard.until("screen", since=mark, state="closed", reason="barrier")
        assert alerts(lane, "journal", "alert") == ["raised", "cleared"]
        assert not any(m["state"] == "offline" for topic, m in lane.heard.all if topic == "health/worker")


@pytest.mark.fault("journal-unwritable")
async def test_a_journal_that_is_locked_while_somebody_pays_ends_nothing_and_raises_once(
    tmp_path: Path, mosquitto: Mosquitto
) -> None:
    async with opened(Garage(tmp_path, mosquitto.url), ["run"]) as lane:
        mark = lane.scan(lane.ticket())
        order = await lane.order(since=mark)
        await lane.code_on_glass(order["token_url"])
        with held(tmp_path / "journal.db"):
            await lane.sandbox.pay(order["token_url"])
            await lane.heard.until("alert", since=mark, **ALERT)
            await lane.heard.until("screen", since=mark, state="out-of-order", reason="journal")
            assert not any(topic in ("receipt", "lift") for topic, _ in lane.heard.all[mark:]), "nothing was committed"
        await leaves(lane, mark)
        await lane.heard.until("alert", since=mark, code="journal", state="cleared")
        await lane.heard.until("screen", since=mark, state="idle")
        assert not lane.running["run"].ended
        assert len(lane.sandbox.calls_of("placeOrder")) == 1
        assert lane.sandbox.calls_of("refund/placeOrder") == []


@pytest.mark.fault("journal-unwritable")
async def test_a_folder_that_is_not_there_is_waited_for_by_both_roles(tmp_path: Path, mosquitto: Mosquitto) -> None:
    folder = tmp_path / "card"
    env = {
        "EXIT_TERMINAL_JOURNAL_PATH": str(folder / "journal.db"),
        "EXIT_TERMINAL_BARRIER_JOURNAL": str(folder / "barrier.db"),
    }
    async with Garage(tmp_path, mosquitto.url) as lane:
        await lane.start("run", env=env)
        for text in ("no lane is served", "none raises the boom"):
            await lane.heard.until("alert", **ALERT, text=lambda said, text=text: text in said and "card" in said)
        await lane.heard.until("screen", state="out-of-order", reason="journal")
        await lane.heard.until("health/barrier", state="degraded", reason=lambda r: "none raises the boom" in r)
        mark = len(lane.heard.all)
        folder.mkdir()
        await lane.heard.until("screen", since=mark, state="idle")
        await drives_out(lane)
        assert sorted(alerts(lane, "journal", "alert")) == ["cleared"] * 2 + ["raised"] * 2
        assert not lane.running["run"].ended


@pytest.mark.fault("journal-unwritable", "torn-write")
async def test_after_an_input_output_error_the_ticket_that_met_it_is_served_all_the_same(
    tmp_path: Path, mosquitto: Mosquitto
) -> None:
    """The kernel refuses the process each write beyond the log's present end, until the log begins anew."""
    async with opened(Garage(tmp_path, mosquitto.url), ["run"]) as lane:
        await drives_out(lane)
        log = tmp_path / "journal.db-wal"
        pid = lane.running["run"].pid
        _, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (log.stat().st_size + 1000, hard))
        mark = lane.scan(lane.ticket())
        await lane.heard.until("alert", since=mark, **ALERT, text=lambda said: "disk I/O error" in said)
        await lane.heard.until("alert", since=mark, code="journal", state="cleared")
        order = await lane.order(since=mark)
        await lane.sandbox.pay(order["token_url"])
        await leaves(lane, mark)
        assert not lane.running["run"].ended


@pytest.mark.fault("journal-unwritable")
async def test_a_worker_that_waits_for_its_disk_ends_at_once_when_it_is_asked_to(
    tmp_path: Path, mosquitto: Mosquitto
) -> None:
    async with Garage(tmp_path, mosquitto.url) as lane:
        Journal.open(tmp_path / "journal.db", role="worker").close()
        with held(tmp_path / "journal.db"):
            await lane.start("worker")
            await lane.heard.until("alert", **ALERT)
            assert await asyncio.wait_for(lane.running.pop("worker").kill(signal.SIGTERM), 4) == 0
            await lane.heard.until("health/worker", state="offline", reason="stopped")


@contextlib.contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """A card that takes nothing any more; for root, whom rights do not bind, a disk that is mounted so."""
    if os.geteuid():
        folder.chmod(0o555)
        for file in folder.iterdir():
            file.chmod(0o444)
        yield
        folder.chmod(0o755)
        for file in folder.iterdir():
            file.chmod(0o644)
    else:
        subprocess.run(["mount", "-o", "remount,ro", folder], check=True)
        yield
        subprocess.run(["mount", "-o", "remount,rw", folder], check=True)


@pytest.fixture
def card(tmp_path: Path) -> Iterator[Path]:
    """A small disk of its own; a folder if this user may not mount one."""
    folder = tmp_path / "card"
    folder.mkdir()
    if os.geteuid():
        yield folder
        return
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "none", folder], capture_output=True)
    if mounted.returncode != 0:
        pytest.skip("a disk that can be made read-only takes the right to mount one")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


@pytest.mark.fault("journal-unwritable")
async def test_on_a_read_only_card_the_glass_says_so_and_the_lane_comes_back(
    tmp_path: Path, mosquitto: Mosquitto, card: Path
) -> None:
    env = {
        "EXIT_TERMINAL_JOURNAL_PATH": str(card / "journal.db"),
        "EXIT_TERMINAL_BARRIER_JOURNAL": str(card / "barrier.db"),
    }
    for name, role in (("journal.db", "worker"), ("barrier.db", "barrier")):
        Journal.open(card / name, role=role).close()
    async with Garage(tmp_path, mosquitto.url) as lane:
        with read_only(card):
            await lane.start("run", env=env)
            for text in ("no lane is served", "none raises the boom"):
                await lane.heard.until("alert", **ALERT, text=lambda said, text=text: text in said)
            await lane.heard.until("screen", state="out-of-order", reason="journal")
        mark = len(lane.heard.all)
        await lane.heard.until("screen", since=mark, state="idle")
        await drives_out(lane)
        assert sorted(alerts(lane, "journal", "alert")) == ["cleared"] * 2 + ["raised"] * 2


@pytest.mark.fault("journal-unwritable")
async def test_a_barrier_that_cannot_journal_raises_for_who_paid_once_it_can_again(
    tmp_path: Path, mosquitto: Mosquitto
) -> None:
    async with opened(Garage(tmp_path, mosquitto.url), ["run"]) as lane:
        await lane.heard.until("barrier", state="down")
        mark = lane.scan(lane.ticket())
        order = await lane.order(since=mark)
        with held(tmp_path / "barrier.db"):
            await lane.sandbox.pay(order["token_url"])
            await lane.heard.until("alert", since=mark, **ALERT, text=lambda t: "none raises the boom" in t)
            await lane.heard.until("health/barrier", since=mark, state="degraded")
            await lane.heard.until("barrier", since=mark, answer=lambda a: a and a.get("why") == "journal")
            assert not any(m.get("state") in ("rising", "up") for t, m in lane.heard.all[mark:] if t == "barrier")
        await lane.heard.until("alert", since=mark, code="journal", state="cleared")
        await lane.heard.until("barrier", since=mark, state="up", reason="paid")
        await lane.heard.until("screen", since=mark, state="idle")
        states = [m["state"] for t, m in lane.heard.all[mark:] if t == "barrier"]
        assert [state for state, _ in groupby(states)].count("rising") == 1  # a lift that asks again is answered again
        assert not lane.running["run"].ended


# A journal that is taken away from under the process


def deleted(path: Path, _: Path) -> None:
    for file in path.parent.glob(path.name + "*"):
        file.unlink()


def folder_gone(path: Path, spare: Path) -> None:
    path.parent.rename(spare / "gone")
    for file in (spare / "gone").iterdir():
        file.unlink()


def replaced(path: Path, spare: Path) -> None:
    other = spare / "other.db"
    Journal.open(other, role="worker").close()
    other.rename(path)


TAKEN: dict[str, Any] = {"deleted": deleted, "its folder gone": folder_gone, "replaced": replaced}


@pytest.mark.fault("journal-replaced")
@pytest.mark.parametrize("how", TAKEN)
async def test_a_journal_that_is_taken_away_is_told_within_seconds_copied_out_and_takes_no_new_ticket(
    tmp_path: Path, mosquitto: Mosquitto, how: str
) -> None:
    folder = tmp_path / "card"
    folder.mkdir()
    path = folder / "journal.db"
    async with Garage(tmp_path, mosquitto.url) as lane:
        await lane.start("run", env={"EXIT_TERMINAL_JOURNAL_PATH": str(path)})
        mark = lane.scan(lane.ticket())
        order = await lane.order(since=mark)
        TAKEN[how](path, tmp_path)
        alert = await lane.heard.until(
            "alert", since=mark, limit_s=8, code="journal-replaced", state="raised", severity="critical"
        )
        copy = next(p for p in (folder, tmp_path) if p.is_dir() and list(p.glob("journal.db.rescued-*Z")))
        copy = next(copy.glob("journal.db.rescued-*Z"))
        assert str(copy) in alert["text"]
        await lane.sandbox.pay(order["token_url"])
        await leaves(lane, mark)
        await lane.heard.until("screen", since=mark, state="out-of-order", reason="journal")
        calls = len(lane.sandbox.calls_of("placeOrder"))
        mark = lane.scan(lane.ticket())
        await lane.heard.until("screen", since=mark, state="out-of-order", reason="journal", fee=lambda fee: fee)
        assert len(lane.sandbox.calls_of("placeOrder")) == calls
        assert await lane.running.pop("run").kill(15) == 0
        rows = list(read(copy))
        assert sum(b"PAID" in row.data for row in rows) == 1, "the copy followed"
        assert rows[-1].kind == "TicketRead", "up to the end"
