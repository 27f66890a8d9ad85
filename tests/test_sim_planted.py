"""The simulation can fail: it notices every bug that is planted into the rules (tests/sim/planted.py)."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.sim.planted import BUGS, Bug, stands

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def found() -> dict[str, str]:
    """What was noticed of each bug, all of them hunted in processes of their own."""
    hunt = subprocess.run(
        [sys.executable, "-m", "tests.sim.planted", "--json"],
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": "0"},
        stdout=subprocess.PIPE,
        timeout=400,
        check=False,
    )
    return dict(json.loads(hunt.stdout))


@pytest.mark.timeout(420)
@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name.replace(" ", "-"))
def test_a_planted_bug_is_noticed(bug: Bug, found: dict[str, str]) -> None:
    assert stands(bug) == 1
    assert found[bug.name], bug.breaks


def test_bugs_are_many_and_each_its_own() -> None:
    assert len({(bug.module, bug.before, bug.after) for bug in BUGS}) == len({bug.name for bug in BUGS}) == len(BUGS)
    assert len(BUGS) >= 15
