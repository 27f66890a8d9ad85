"""The blocks of a page, and its commands made to run here."""

import re
import subprocess
import sys
import textwrap
from collections.abc import Mapping
from pathlib import Path

CLUSTER = Path(__file__).parents[2] / "deploy/cluster"


def blocks(page: Path, language: str) -> list[str]:
    """The page's blocks in this language, wherever they are indented."""
    text = page.read_text(encoding="utf-8")
    found = re.findall(rf"^( *)```{language}\n(.*?)^\1```", text, re.MULTILINE | re.DOTALL)
    return [textwrap.dedent(block) for _, block in found]


def block_with(page: Path, language: str, words: str) -> str:
    """The one block that has these words."""
    [found] = [block for block in blocks(page, language) if words in block]
    return found


def run(block: str, folder: Path, places: Mapping[str, str] | None = None) -> str:
    """Run a block in ``folder``, its paths changed by ``places``, without sudo and with this interpreter; returns what
    it printed. Fails at the first command that fails."""
    block = block.replace("sudo ", "").replace(".venv/bin/python", sys.executable)
    block = block.replace(".venv/bin/exit-terminal", f"{sys.executable} -m terminal")
    for theirs, here in (places or {}).items():
        block = block.replace(theirs, here)
    ended = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", block], cwd=folder, capture_output=True, text=True, check=False, timeout=60
    )
    assert ended.returncode == 0, f"{block}\n{ended.stdout}{ended.stderr}"
    return ended.stdout
