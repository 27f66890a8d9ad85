"""System calls of a car through the whole line, `run` beside the plain script (line.py), counted by strace.

Both do the same work for a driver; what ours calls for besides is its journal, its signatures and its screens. It
needs Debian's strace.
"""

import asyncio
import importlib
import importlib.util
import re
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from tests.bench.rows import Progress, Row
from tests.conftest import Mosquitto

CARS = 5


class Strace:
    """Counts the calls of a running process and its threads, from ``with`` to its end."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self.total = 0

    def __enter__(self) -> "Strace":
        words = ["strace", "-f", "-c", "-p", str(self._pid)]
        self._process = subprocess.Popen(words, stderr=subprocess.PIPE, text=True)
        assert self._process.stderr
        self._process.stderr.readline()  # it is attached
        return self

    def __exit__(self, *_: object) -> None:
        self._process.send_signal(signal.SIGINT)
        _, said = self._process.communicate()
        found = re.search(r"^100\.00 .*?(\d+)(?: +\d+)? total$", said, re.MULTILINE)
        self.total = int(found[1]) if found else 0


async def counted(cars: int, progress: Progress) -> tuple[float, float]:
    """Calls of a car, ours and the script's."""
    line: Any = importlib.import_module("tests.bench.line")
    calls: dict[int, int] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        server = Mosquitto(folder)
        server.start()
        try:
            (folder / "garage").mkdir()
            garage = line.ProductGarage(folder / "garage", server.url)
            garage.heard = line.Heartbeats()
            async with (
                garage,
                line.product(garage) as ours,
                line.plain(garage, folder / "plain", server.port) as theirs,
            ):
                for number in range(cars + 1):
                    progress(f"car {number} of {cars}")
                    for program in (ours, theirs):
                        with Strace(program.pid) as strace:
                            await program.car(line.PAYS_AFTER_S)
                        if number:
                            calls[program.pid] = calls.get(program.pid, 0) + strace.total
                return calls[ours.pid] / cars, calls[theirs.pid] / cars
        finally:
            server.stop()


def measure(progress: Progress) -> list[Row]:
    if shutil.which("strace") is None or importlib.util.find_spec("tests.bench.line") is None:
        progress("strace or line.py is not there: no system calls are counted")
        return []
    ours, theirs = asyncio.run(counted(CARS, progress))
    return [Row("system calls of a car", ours, "a plain script", theirs, "calls")]
