"""Does a change make a visit cost more? Counts that are the same on every machine, against those recorded.

    python -m tests.bench.counts [--write] [--story]

What is counted is in visit_counts.py (a visit through `run`: messages, flushes, signatures) and pure_counts.py
(bytecodes of what computes only, and the journal of a visit). bounds.txt has what was recorded. Status 1 if a count is
above it, or above what DESIGN.md's laws allow in any case; `--write` records what is counted now, `--story` prints
where the last visit's counts come from. Takes less than a minute.
"""

import argparse
import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from tests.bench.visit_counts import counted

BOUNDS = Path(__file__).with_name("bounds.txt")
HEAD = """\
# What a visit costs at most, as `make counts ARGS=--write` recorded it. Bytecodes are those of Python {python}.
"""
LIMITS = {
    "visit: flushes to the pin": 2,
    "visit: flushes of the worker": 6,
    "visit: flushes of anything else": 0,
    "visit: keys parsed": 0,
    "visit: pulses": 1,
    "pure: journal flushes": 6,
    "pure: journal bytes": 8192,
}
"""What no record may exceed: one flush of the worker and one of the barrier before a pulse, and a small journal."""
SLACK = {
    "visit: bytes of messages": 0.02,
    "visit: flushes of the broker": 0.6,
    "visit: idle messages a minute": 0.25,
    "pure:": 0.01,
}
"""By how much, as a part, a count may exceed its record, by its name or how that begins: times and ids that are a digit
longer, a broker that finds one or several messages at a time, and a heartbeat more in the window. All others may not
at all."""
VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"


def slack(name: str) -> float:
    return next((part for begin, part in SLACK.items() if name.startswith(begin)), 0.0)


def recorded(bounds: Path = BOUNDS) -> tuple[str, dict[str, float]]:
    """The version of Python whose bytecodes they are, and the counts."""
    head, *lines = bounds.read_text(encoding="utf-8").splitlines()
    pairs = (line.rsplit("  ", 1) for line in lines if line.strip())
    return head.rstrip(".").rsplit(" ", 1)[1], {name.strip(): float(value) for name, value in pairs}


def write(found: Mapping[str, float], bounds: Path = BOUNDS) -> None:
    width = max(map(len, found)) + 2
    lines = [
        f"{name:<{width}}{value:>10g}\n" if value < 1e6 else f"{name:<{width}}{value:>10.0f}\n"
        for name, value in found.items()
    ]
    bounds.write_text(HEAD.format(python=VERSION) + "".join(lines), encoding="utf-8")


def verdicts(found: Mapping[str, float], bounds: Mapping[str, float]) -> tuple[list[str], list[str]]:
    """What is wrong, and what became less, a line each."""
    wrong, less = [], []
    for name, value in found.items():
        bound = bounds.get(name)
        if (limit := LIMITS.get(name)) is not None and value > limit:
            wrong.append(f"TOO MUCH  {name}: {value:g}, and no change may need more than {limit:g}")
        elif bound is None:
            wrong.append(f"NEW       {name}: {value:g} is not recorded")
        elif value > bound * (1 + slack(name)):
            more = f"+{value - bound:g}" + (f", {value / bound - 1:.1%}" if bound else "")
            wrong.append(f"GREW      {name}: {value:g}, recorded {bound:g} ({more})")
        elif value < bound * (1 - slack(name)):
            less.append(f"less      {name}: {value:g}, recorded {bound:g}")
    wrong += [f"GONE      {name} is recorded and no longer counted" for name in bounds if name not in found]
    return wrong, less


ADVICE = """\
What to do: `make counts ARGS=--story` shows each message, flush and signature of a visit in the order of time. Make
the change cheaper; or, if it is worth its price, record that with `make counts ARGS=--write` and say in the commit's
message what it buys. A limit (TOO MUCH) cannot be recorded away."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="record what is counted now")
    parser.add_argument("--story", action="store_true", help="print the last visit in the order of time")
    asked = parser.parse_args()
    began = time.monotonic()
    words = [sys.executable, "-m", "tests.bench.pure_counts"]
    environment = {**os.environ, "PYTHONHASHSEED": "0"}
    with subprocess.Popen(words, stdout=subprocess.PIPE, env=environment) as computing:
        visit, story = asyncio.run(counted(lambda said: print(f"  {said}", file=sys.stderr, flush=True)))
        pure = json.loads(computing.communicate()[0])
    found = {f"visit: {name}": value for name, value in visit.items()}
    python, bounds = recorded() if BOUNDS.exists() else (VERSION, {})
    found |= {f"pure: {name}": value for name, value in pure.items()}
    if asked.story:
        print("\n".join(story))
    for name, value in found.items():
        print(f"{name:<40}{value:>10g}{bounds.get(name, float('nan')):>10g}")
    if asked.write:
        over = [name for name, limit in LIMITS.items() if found[name] > limit]
        write(found)
        print(f"recorded in {BOUNDS.name}" + (f"; above the limit all the same: {', '.join(over)}" if over else ""))
        return int(bool(over))
    if python != VERSION:  # other versions have other bytecodes
        print(f"Bytecodes were recorded under Python {python}, and this is {VERSION}: they are not compared.")
        same = {name for name in {*found, *bounds} if not name.startswith("pure: ") or "journal" in name}
        found = {name: value for name, value in found.items() if name in same}
        bounds = {name: value for name, value in bounds.items() if name in same}
    wrong, less = verdicts(found, bounds)
    print("\n".join(["", *wrong, *less, *([ADVICE] if wrong else [])]))
    if less and not wrong:
        print("Record what became less with `make counts ARGS=--write`, so that it stays.")
    print(f"{len(found) - len(wrong)} counts within their bounds, {len(wrong)} not; {time.monotonic() - began:.0f} s")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
