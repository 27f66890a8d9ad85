"""The simulation can fail: it notices every bug that is planted into the rules (tests/sim/planted.py)."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.sim.planted import BUGS, stands
from tests.sim.planted_bug import Bug

ROOT = Path(__file__).resolve().parents[1]


def noticed(bug: Bug) -> str:
    """What was noticed of it, in a process of its own."""
    hunt = subprocess.run(
        [sys.executable, "-m", "tests.sim.planted", "--json", "--jobs", "1", "--bug", bug.name],
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": "0"},
        stdout=subprocess.PIPE,
        timeout=280,
        check=False,
    )
    return str(json.loads(hunt.stdout)[bug.name])


@pytest.mark.timeout(300)
@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name.replace(" ", "-"))
def test_a_planted_bug_is_noticed(bug: Bug) -> None:
    assert stands(bug) == 1
    assert noticed(bug), bug.breaks


def test_bugs_are_many_and_each_its_own() -> None:
    assert len({(bug.module, bug.before, bug.after) for bug in BUGS}) == len({bug.name for bug in BUGS}) == len(BUGS)
    assert len(BUGS) >= 15
