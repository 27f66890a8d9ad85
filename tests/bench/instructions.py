"""Instructions of a code, from PayBy's URL to a frame's bytes: ours beside segno and qrcode, counted by callgrind.

They are the same on every machine of a kind, whatever else it does. It needs Debian's valgrind.
"""

import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.bench.lcd import SYMBOL, TOKEN
from tests.bench.peer import PYTHON, ROOT, missing
from tests.bench.rows import Progress, Row

TIMES = 5
JOBS = {"ours": "our_frame", "segno, the symbol alone": "segno_symbol", "the package qrcode": "qrcode_frame"}


def counted(python: str, module: str, folder: Path) -> float:
    """Millions of instructions of one job, of several in a row after one that is not counted."""
    words = [
        "valgrind", "--tool=callgrind", "--instr-atstart=no", f"--callgrind-out-file={folder}/{module}",
        python, "-m", f"tests.bench.peers.{module}", TOKEN,
    ]  # fmt: skip
    pipe = subprocess.PIPE
    with subprocess.Popen(words, stdin=pipe, stdout=pipe, stderr=pipe, text=True, cwd=ROOT) as process:
        assert process.stdin and process.stdout and process.stderr

        def once() -> None:
            assert process.stdin and process.stdout
            process.stdin.write("\n")
            process.stdin.flush()
            process.stdout.readline()

        once()
        control = ["callgrind_control", "-i"]
        subprocess.run([*control, "on", str(process.pid)], check=True, capture_output=True)
        for _ in range(TIMES):
            once()
        subprocess.run([*control, "off", str(process.pid)], check=True, capture_output=True)
        process.stdin.close()
        said = process.stderr.read()
    found = re.search(r"Collected : (\d+)", said)
    if not found:
        raise RuntimeError(f"callgrind told nothing of {module}: {said[-500:]}")
    return int(found[1]) / TIMES / 1e6


def measure(progress: Progress) -> list[Row]:
    if shutil.which("valgrind") is None:
        progress("valgrind is not installed: no instructions are counted")
        return []
    took = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, module in JOBS.items():
            if module == "qrcode_frame" and missing("qrcode", "PIL"):
                continue
            progress(f"instructions of {name}")
            python = str(PYTHON) if module == "qrcode_frame" else sys.executable
            took[name] = counted(python, module, Path(folder))
    mine = took.pop("ours")
    return [Row("URL -> a frame's bytes", mine, name, millions, "M instr.", SYMBOL) for name, millions in took.items()]
