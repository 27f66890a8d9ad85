"""Drivers, PayBy's client, the journal and the demo's parts reach their roles by protocols: what does not fit, mypy
finds. Here each is made unfit in a copy of the source, and the complaint must name the protocol and its member.
"""

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parents[1]


class Unfit(NamedTuple):
    """What is put in the place of ``fit`` in a file, and which member of which protocol lacks it; where it is used."""

    file: str
    fit: str
    unfit: str
    protocol: str
    member: str
    user: str = "terminal/app/hardware.py"


KEEPER = "terminal/roles/worker/journal_keeper.py"
ROLES, DEMO = "terminal/app/roles.py", "terminal/app/demo.py"
CASES = {
    "relay without pulse": Unfit("drivers/relay.py", "def pulse(self)", "def push(self)", "RelayDriver", "pulse"),
    "loops that count": Unfit(
        "drivers/loops.py", "def waiting(self) -> bool:", "def waiting(self) -> int:", "LoopsDriver", "waiting"
    ),
    "panel that wants a box": Unfit(
        "drivers/panel.py",
        "image: Image.Image) -> None:",
        "image: Image.Image, box: Box) -> None:",
        "PanelDriver",
        "show",
    ),
    "panel in a folder without show": Unfit("drivers/panel_png.py", "def show(", "def write(", "PanelDriver", "show"),
    "panel in memory without light": Unfit(
        "drivers/panel_memory.py", "    light: None = None\n", "", "PanelDriver", "light", DEMO
    ),
    "scanner that calls nobody back": Unfit(
        "drivers/scanner.py",
        "callback: Callable[[], None]) -> None:",
        "callback: Callable[[int], None]) -> None:",
        "ScannerDriver",
        "on_trouble",
    ),
    "PayBy's client that cannot cancel": Unfit(
        "terminal/payby/client.py", "def cancel_order(", "def close_order(", "PayByCalls", "cancel_order", ROLES
    ),
    "journal that fetches objects": Unfit(
        KEEPER,
        "def fetch(self, seq: int) -> bytes | None:",
        "def fetch(self, seq: int) -> object:",
        "EventLog",
        "fetch",
        ROLES,
    ),
    "broker that stays away": Unfit(DEMO, "async def restore(", "async def begin(", "DemoBroker", "restore", DEMO),
}


@pytest.fixture(scope="module")
def complaints(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """What mypy says of all of them at once, each error with its notes. The project's cache makes it a matter of
    seconds, and stays as it is."""
    tree = tmp_path_factory.mktemp("unfit")
    for package in ("terminal", "broker", "drivers", ".mypy_cache"):
        if (ROOT / package).exists():
            shutil.copytree(ROOT / package, tree / package)
    shutil.copy(ROOT / "pyproject.toml", tree)
    for case in CASES.values():
        text = (tree / case.file).read_text(encoding="utf-8")
        assert case.fit in text, case
        (tree / case.file).write_text(text.replace(case.fit, case.unfit), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--no-error-summary"], cwd=tree, capture_output=True, text=True, timeout=110
    )
    assert not done.stderr
    return re.split(r"\n(?=\S+: error: )", done.stdout)


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_what_does_not_fit_its_role_does_not_pass_mypy(case: Unfit, complaints: list[str]) -> None:
    told = [
        text
        for text in complaints
        if text.startswith(f"{case.user}:") and f'"{case.protocol}' in text.replace("[", '"')
    ]
    assert any(re.search(rf"\b{case.member}\b", text) for text in told), "\n".join(complaints)
