"""`backup` while a lane works, and `restore`: what comes back, what is refused, and that what the backup does not know
of neither lifts nor goes back by itself."""

import os
import shutil
import sqlite3
import subprocess
import sys
import tarfile
from contextlib import closing
from pathlib import Path

import pytest

from terminal.config.load import load
from terminal.config.schema import ConfigError
from terminal.journal.journal import Journal
from terminal.journal.reading import read
from terminal.journal.rows import STEPS, JournalDamaged, JournalError, JournalForeign
from terminal.tools.backup import restore, save
from tests.conftest import Mosquitto
from tests.support.garage import Garage, opened
from tests.support.leaving import leaves
from tests.support.server_folder import init, payby

ROOT = Path(__file__).parents[1]
DESK = {"garage": "marina", "panel": "png", "reader": "stdin", "pins": "mock"}


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def saved(folder: Path, target: Path, *, secrets: bool = True, in_use: bool = False) -> str:
    said: list[str] = []
    settings = load(folder / "exit-terminal.toml", {})
    save.run(
        settings, target, secrets=secrets, now_ms=1_795_000_000_000, locked=lambda _: "ours" if in_use else "",
        say=said.append,
    )  # fmt: skip
    return "\n".join(said)


def restored(archive: Path, folder: Path, *, complete: bool = False) -> str:
    said: list[str] = []
    restore.run(archive, folder, complete=complete, user=None, say=said.append)
    return "\n".join(said)


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """A single box, with rows in both journals."""
    folder = tmp_path / "box"
    init(folder, shape="single", given=DESK)
    payby(folder)
    for name, role in (("journal.db", "worker"), ("barrier.db", "barrier")):
        with Journal.open(folder / name, role=role) as journal:
            journal.append_now([("fact", b"1"), ("fact", b"2")], 1)
    return folder


def test_what_was_saved_comes_back_whole_and_closed_to_others(installed: Path, tmp_path: Path) -> None:
    said = saved(installed, tmp_path / "b.tar")
    assert "worker 2 rows, barrier 2 rows" in said and "holds every key and password" in said
    assert (tmp_path / "b.tar").stat().st_mode & 0o777 == 0o600
    restored(tmp_path / "b.tar", tmp_path / "new")
    before, after = contents(installed), contents(tmp_path / "new")
    sides = {"journal.db", "barrier.db", "journal.db.head", "barrier.db.head"}
    assert {n: c for n, c in after.items() if n not in sides} == {
        n: c for n, c in before.items() if not n.startswith(("journal.db", "barrier.db"))
    }
    assert list(read(tmp_path / "new/journal.db")) == list(read(installed / "journal.db"))
    for path in (tmp_path / "new/secrets").rglob("*"):
        if path.is_file() and not path.name.endswith(".pub.pem"):
            assert path.stat().st_mode & 0o077 == 0, path
    settings = load(tmp_path / "new/exit-terminal.toml", {})
    assert settings.payby and settings.payby.private_key and settings.payby.private_key.exists()


@pytest.mark.parametrize("complete", [False, True])
def test_a_journal_that_was_put_back_begins_in_doubt_unless_nothing_came_after_it(
    installed: Path, tmp_path: Path, complete: bool
) -> None:
    saved(installed, tmp_path / "b.tar")
    said = restored(tmp_path / "b.tar", tmp_path / "new", complete=complete)
    assert ("is in doubt" in said) != complete
    for name, role in (("journal.db", "worker"), ("barrier.db", "barrier")):
        path = tmp_path / "new" / name
        if complete:
            Journal.open(path, role=role).close()
        else:
            with pytest.raises(JournalDamaged, match="it ends at row 2, but row 3 was acknowledged"):
                Journal.open(path, role=role)


def test_a_backup_of_a_running_service_is_never_called_complete(installed: Path, tmp_path: Path) -> None:
    saved(installed, tmp_path / "b.tar", in_use=True)
    with pytest.raises(ConfigError, match=r"--complete: .* was made while the service ran"):
        restored(tmp_path / "b.tar", tmp_path / "new", complete=True)
    assert not (tmp_path / "new").exists()


def test_without_secrets_no_key_and_no_password_is_in_it(installed: Path, tmp_path: Path) -> None:
    saved(installed, tmp_path / "b.tar", secrets=False)
    whole = (tmp_path / "b.tar").read_bytes()
    for path in (installed / "secrets").rglob("*"):
        if path.is_file() and not path.name.endswith(".pub.pem"):
            assert path.read_bytes().strip() not in whole, path
    said = restored(tmp_path / "b.tar", tmp_path / "new")
    assert "made without keys and passwords" in said
    assert (tmp_path / "new/secrets/worker.pub.pem").exists() and (tmp_path / "new/journal.db").exists()


def test_nothing_that_is_there_is_written_over(installed: Path, tmp_path: Path) -> None:
    saved(installed, tmp_path / "b.tar")
    before = contents(installed)
    with pytest.raises(JournalForeign, match=r"journal\.db is there already; no journal is written over"):
        restored(tmp_path / "b.tar", installed)
    assert contents(installed) == before
    for name in ("journal.db", "barrier.db"):
        for path in installed.glob(f"{name}*"):
            path.unlink()
    (installed / "secrets/worker.pem").write_text("another\n")
    before = contents(installed)
    with pytest.raises(ConfigError, match=r"worker\.pem is there already, and is another; move it away first"):
        restored(tmp_path / "b.tar", installed)
    assert contents(installed) == before


def test_what_is_no_backup_or_a_part_of_one_is_refused(installed: Path, tmp_path: Path) -> None:
    saved(installed, tmp_path / "b.tar")
    whole = (tmp_path / "b.tar").read_bytes()
    for name, content in (("text", b"no tar"), ("cut", whole[: len(whole) // 2]), ("none", b"")):
        (tmp_path / name).write_bytes(content)
        with pytest.raises((ConfigError, JournalError)):
            restored(tmp_path / name, tmp_path / "new")
        assert not (tmp_path / "new").exists()
    with tarfile.open(tmp_path / "evil", "w") as tar:
        tar.addfile(tarfile.TarInfo("../../etc/passwd"))
    with pytest.raises(ConfigError, match="takes a file that `backup` made"):
        restored(tmp_path / "evil", tmp_path / "new")


@pytest.mark.fault("update")
def test_a_backup_of_a_newer_program_is_refused_with_what_to_do(installed: Path, tmp_path: Path) -> None:
    with closing(sqlite3.connect(installed / "journal.db")) as db:
        db.execute(f"PRAGMA user_version={len(STEPS) + 1}")
    saved(installed, tmp_path / "b.tar")
    with pytest.raises(JournalForeign, match=r"newer program; this one knows .*: install the newer program again"):
        restored(tmp_path / "b.tar", tmp_path / "new")
    assert not (tmp_path / "new").exists()


@pytest.mark.fault("journal-put-back")
async def test_a_backup_of_a_lane_at_work_comes_back_and_what_it_does_not_know_of_raises_nothing(
    tmp_path: Path, mosquitto: Mosquitto
) -> None:
    """It is taken while the first car's code shows. The car pays and leaves after that, and then the disk is lost."""
    folder = tmp_path / "lane"
    folder.mkdir()
    async with opened(Garage(folder, mosquitto.url), ["run"]) as lane:
        ticket = lane.ticket()
        mark = lane.scan(ticket)
        order = await lane.order(since=mark)
        command = [sys.executable, *lane.words("backup"), str(tmp_path / "b.tar")]
        ended = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False, env={**os.environ})
        assert ended.returncode == 0, ended.stderr
        await lane.sandbox.pay(order["token_url"])
        await leaves(lane, mark)
        await lane.kill("run")
        for path in [*folder.glob("journal.db*"), *folder.glob("barrier.db*")]:
            path.unlink()
        shutil.rmtree(folder / "secrets")
        lane.file.unlink()
        restored(tmp_path / "b.tar", folder)
        mark = len(lane.heard.all)
        await lane.start("run")
        await lane.heard.until("alert", since=mark, code="journal-damaged", text=lambda text: "in doubt" in text)
        await lane.heard.until("screen", since=mark, state="idle")  # the order in doubt is known to be paid
        again = lane.scan(ticket)
        await lane.heard.until("screen", since=again, state="help", session=order["session"])
        fresh = lane.scan(lane.ticket())
        new = await lane.order(since=fresh)
        assert new["session"] != order["session"]
        await lane.code_on_glass(new["token_url"])
        assert [m for t, m in lane.heard.all[mark:] if t == "barrier" and m["state"] in ("rising", "up")] == []
        assert not lane.sandbox.refunds
