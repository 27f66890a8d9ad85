"""``python -m tests.fuzz``: searches each target for so many seconds; status 1 if anything is found.

What is found lies in ``build/fuzz/`` and is told with its traceback. Mend it, put the input into ``tests/fuzz/corpus/``
under a name that says what it was, and ``make test`` tries it for ever. What the search learned stays in
``build/fuzz/``, so the next one goes on from there; ``--keep`` puts the smallest inputs that reach what the samples and
the corpus do not into the corpus.
"""

import argparse
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path
from types import FrameType
from typing import Any

from tests.fuzz.search import ATHERIS, SLOW_S
from tests.fuzz.target import CORPUS, FuzzTarget
from tests.fuzz.targets import ALL

TREE = Path(__file__).parents[2]
WORK = TREE / "build" / "fuzz"
OURS = tuple(f"{TREE / name}/" for name in ("terminal", "broker", "drivers"))
KEPT_BYTES = 1024
"""A larger input is not kept in the repository unless it was a finding."""


def seeded(target: FuzzTarget) -> Path:
    """The folder in which its search goes on, with the samples in it."""
    folder = WORK / target.name
    folder.mkdir(parents=True, exist_ok=True)
    for data in target.samples():
        (folder / f"sample-{sha256(data).hexdigest()[:16]}").write_bytes(data)
    return folder


def search(target: FuzzTarget, seconds: int) -> subprocess.CompletedProcess[str]:
    """One process; it may end with a crash of the interpreter, which is a finding too."""
    folder = seeded(target)
    words = [sys.executable, "-m", "tests.fuzz.search", target.name, str(folder), str(seconds)]
    return subprocess.run(
        words, cwd=TREE, capture_output=True, text=True, errors="replace", check=False, timeout=seconds * 3 + 300
    )


def reached(target: FuzzTarget, data: bytes) -> set[tuple[str, int, int]]:
    """The steps from line to line of our own code that an input takes."""
    steps: set[tuple[str, int, int]] = set()

    def follow(frame: FrameType, event: str, _: object) -> Any:
        name = frame.f_code.co_filename
        if not name.startswith(OURS):
            return None
        before = 0

        def line(frame: FrameType, event: str, _: object) -> Any:
            nonlocal before
            steps.add((name, before, frame.f_lineno))
            before = frame.f_lineno
            return line

        return line

    sys.settrace(follow)
    try:
        target.takes(data)
    finally:
        sys.settrace(None)
    return steps


def keep(target: FuzzTarget, most: int) -> int:
    """Put the smallest inputs that take a step which nothing in the corpus takes into it; returns how many."""
    known: set[tuple[str, int, int]] = set()
    for data in (*target.samples(), *(path.read_bytes() for path in target.kept())):
        known |= reached(target, data)
    found = sorted({path.read_bytes() for path in seeded(target).iterdir()}, key=lambda data: (len(data), data))
    room, count = most - len(target.kept()), 0
    for data in found:
        if count >= room or len(data) > KEPT_BYTES:
            break
        if new := reached(target, data) - known:
            known |= new
            place = CORPUS / target.name / sha256(data).hexdigest()[:16]
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(data)
            count += 1
    return count


def main() -> int:
    ask = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    ask.add_argument("--seconds", type=int, default=30, help="for each target (default: 30)")
    ask.add_argument("--target", action="append", choices=ALL, help="only these")
    ask.add_argument("--jobs", type=int, default=2, help="processes at a time (default: 2)")
    ask.add_argument(
        "--keep", type=int, default=0, metavar="N", help="afterwards, have up to N inputs a target in the corpus"
    )
    asked = ask.parse_args()
    how = "by coverage" if ATHERIS.is_dir() else "by chance: atheris is not here"
    chosen = [ALL[name] for name in asked.target or ALL]
    print(
        f"{len(chosen)} targets, {asked.seconds} s each, {how}; an input that takes {SLOW_S} s is a finding", flush=True
    )
    found = 0
    with ThreadPoolExecutor(asked.jobs) as pool:
        for target, ended in zip(chosen, pool.map(lambda one: search(one, asked.seconds), chosen), strict=True):
            last = [line for line in ended.stderr.splitlines() if "cov:" in line or "inputs by chance" in line][-1:]
            print(f"{target.name}: {'FOUND' if ended.returncode else 'nothing'}; {''.join(last).strip()}", flush=True)
            if ended.returncode:
                found += 1
                print("\n".join(ended.stderr.splitlines()[-60:]), flush=True)
            elif asked.keep:
                print(f"{target.name}: {keep(target, asked.keep)} inputs are new in the corpus", flush=True)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
