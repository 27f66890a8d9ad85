"""Other programs that `python -m tests.bench` measures beside ours. They have an environment of their own,
``.venv-bench``, which `make bench` makes from requirements-bench.lock: nothing of it is installed for anything else.
"""

import os
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Self

ROOT = Path(__file__).resolve().parents[2]
PYTHON = Path(os.environ.get("BENCH_PYTHON") or ROOT / ".venv-bench" / "bin" / "python")


def missing(*modules: str) -> bool:
    """Is one of these not installed for the peers? Whoever starts `make bench` has them."""
    if not PYTHON.exists():
        return True
    words = [str(PYTHON), "-c", f"import importlib.util as u, sys; sys.exit(not all(map(u.find_spec, {modules!r})))"]
    return subprocess.run(words, check=False).returncode != 0


class Peer:
    """One module of peers/, which does its job once each time that it is asked, and says what that took."""

    def __init__(self, module: str, *words: str, ours: bool = False) -> None:
        """``ours``: it needs no more than we have."""
        python = sys.executable if ours else str(PYTHON)
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(
            [python, "-m", f"tests.bench.peers.{module}", *words], stdin=pipe, stdout=pipe, text=True, cwd=ROOT
        )

    @property
    def pid(self) -> int:
        return self._process.pid

    def ask(self, words: str = "") -> float:
        """Microseconds, or what else the module says that it gives."""
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write(words + "\n")
        self._process.stdin.flush()
        return float(self._process.stdout.readline())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        assert self._process.stdin and self._process.stdout
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.kill()
        self._process.wait()
