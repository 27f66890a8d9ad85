"""The repair of a barrier's journal dies at every step: the next start knows all that was spent."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from terminal.journal.kinds import REPAIRED
from terminal.roles.barrier.spent_lifts import MISTRUST_MS, BarrierJournal
from tests.support.barrier_journal import spent, written
from tests.support.evening import BALLAST
from tests.support.garage import ROOT
from tests.support.journal_files import copy_of
from tests.support.story import T0

DYING = """
import os, signal, sys
from pathlib import Path
from terminal.roles.barrier.spent_lifts import BarrierJournal
from terminal.journal.rows import connect

left = 0

def step(*_):
    global left
    left -= 1
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)

def hook(event, args):
    if event in ("sqlite3.connect", "os.rename", "os.remove", "open") and "barrier.db" in str(args[:1]):
        step()

def traced(path):
    connection = connect(path)
    connection.set_trace_callback(lambda sql: None if sql.startswith(("INSERT", "SELECT")) else step())
    return connection

def opened(path):
    with BarrierJournal.open(Path(path), {now}, ballast_bytes={ballast}, connect=traced) as book:
        assert book.damaged

for path in sys.argv[2:]:
    if (child := os.fork()) == 0:
        left = int(sys.argv[1]) or int(Path(path).parent.name)
        sys.addaudithook(hook)
        opened(path)
        print(left)
        sys.stdout.flush()
        os._exit(0)
    print(path, os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    sys.stdout.flush()
"""
"""Opens each journal in a process of its own, which dies at the step that the first word, or the folder, names."""


def opened_in_processes(dies_at: int, *paths: Path) -> list[str]:
    script = DYING.replace("{now}", str(T0 + 1000)).replace("{ballast}", str(BALLAST))
    words = [sys.executable, "-c", script, str(dies_at), *map(str, paths)]
    return subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=100, check=True).stdout.splitlines()


@pytest.mark.fault("kill-in-repair")
def test_killed_at_any_step_of_its_repair_the_barrier_forgets_nothing_that_was_spent(tmp_path: Path) -> None:
    path = written(tmp_path / "barrier.db")
    whole = bytearray(path.read_bytes())
    whole[whole.index(b'"by":"worker"') + 7] ^= 1
    path.write_bytes(whole)

    with BarrierJournal.open(copy_of(path, tmp_path / "undisturbed"), T0 + 1000, ballast_bytes=BALLAST) as book:
        wanted = spent(book)
        assert book.damaged
    assert len(wanted[0]) > 40

    many = 10_000
    left, _ = opened_in_processes(many, copy_of(path, tmp_path / "counted"))
    steps = many - int(left)
    assert steps > 30
    copies = [copy_of(path, tmp_path / str(n)) for n in range(1, steps + 1)]
    assert opened_in_processes(0, *copies) == [f"{copy} {-signal.SIGKILL}" for copy in copies]
    for n, copy in enumerate(copies, 1):
        with BarrierJournal.open(copy, T0 + 2000, ballast_bytes=BALLAST) as book:
            assert spent(book) == wanted, n
            assert book.damaged, f"step {n}: no lift in this minute"
            assert [row.kind for row in book.journal.replay()].count(REPAIRED) == 1, n
        with BarrierJournal.open(copy, T0 + 2000 + MISTRUST_MS, ballast_bytes=BALLAST) as book:
            assert (spent(book), book.damaged) == (wanted, "")
        assert not (copy.parent / "barrier.db.new").exists()
