"""The simulation can fail: it notices every bug that is planted into the rules (tests/sim/planted.py)."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.sim.planted import BUGS, stands
from tests.sim.planted_bug import Bug
from tests.support.leash import running, shared

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def hunter() -> Iterator[subprocess.Popen[str]]:
    """Hunts a bug at a time, each in a process of its own, and imports the packages but once."""
    words = (sys.executable, "-m", "tests.sim.planted", "--hear")
    env, pipe = {**os.environ, "PYTHONHASHSEED": "0"}, subprocess.PIPE
    with running(*words, cwd=ROOT, env=env, stdin=pipe, stdout=pipe) as process, shared(process.pid):
        yield process


def noticed(bug: Bug, hunter: subprocess.Popen[str]) -> str:
    """What was noticed of it; empty if nothing was."""
    assert hunter.stdin and hunter.stdout
    hunter.stdin.write(bug.name + "\n")
    hunter.stdin.flush()
    (violation,) = json.loads(hunter.stdout.readline())
    return str(violation)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name.replace(" ", "-"))
def test_a_planted_bug_is_noticed(bug: Bug, hunter: subprocess.Popen[str]) -> None:
    assert stands(bug) == 1
    assert noticed(bug, hunter), bug.breaks


def test_bugs_are_many_and_each_its_own() -> None:
    assert len({(bug.module, bug.before, bug.after) for bug in BUGS}) == len({bug.name for bug in BUGS}) == len(BUGS)
    assert len(BUGS) >= 15
