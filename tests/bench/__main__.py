"""Each step of a visit, and the whole line, beside what a user would take instead and beside its floor: one table.

    python -m tests.bench [--only PART ...] [--json FILE] [--png FILE]

Of each pair both are measured in the same run, in turns, so only ratios count; where another program is not installed
(`make bench` installs them), its rows are left out. Takes about eight minutes and a quiet machine. Status 1 if a
target is missed.
"""

import argparse
import asyncio
import importlib
import json
import platform
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.bench import line as whole_line
from tests.bench import small as process_size
from tests.bench.plot import beside, save
from tests.bench.rows import Progress, Row, shown

UNITS = {"memory": "MiB"}


def line(progress: Progress) -> list[Row]:
    """The whole line beside a plain script (line.py), in rows."""
    found = asyncio.run(whole_line.measure(20, whole_line.PAYS_AFTER_S, progress))
    return [
        Row(step, row["ours"]["p50"], "a plain script", row["plain"]["p50"], UNITS.get(step, "ms"), row["most"])
        for step, row in found["rows"].items()
    ]


def small(progress: Progress) -> list[Row]:
    """One process with every role beside what it imports (small.py), in rows."""
    found = process_size.measure(progress)
    return [
        Row("memory at work", found["work_mib"], "its packages alone", found["others_mib"], "MiB", process_size.MEMORY),
        Row("start to ready", found["ready_s"], "its imports alone", found["imports_s"], "s", process_size.READY),
    ]


def part(name: str) -> Any:
    own = {"line": line, "small": small}
    return own.get(name) or importlib.import_module(f"tests.bench.{name}").measure


PARTS = ("line", "small", "syscalls", "found", "listener", "mqtt", "commit", "code", "instructions", "wire", "flood")
"""In the order of a visit, from the whole to its parts; each is the file of its name."""


def table(rows: Sequence[Row]) -> str:
    lines = [f"{'step':<42}{'ours':>14}   {'beside':<34}{'theirs':>14}{'ratio':>8}{'at most':>9}"]
    for row in rows:
        most = "" if row.target is None else f"{row.target:.2f}"
        lines.append(
            f"{row.step:<42}{shown(row.ours, row.unit):>14}   {row.peer:<34}{shown(row.theirs, row.unit):>14}"
            f"{row.ratio:>8.3f}{most:>9}{'' if row.well else '  MISSED'}"
        )
    return "\n".join(lines)


def as_json(rows: Sequence[Row], took_s: float) -> dict[str, Any]:
    told = [
        {"step": r.step, "ours": r.ours, "peer": r.peer, "theirs": r.theirs, "unit": r.unit, "ratio": r.ratio,
         "target": r.target}
        for r in rows
    ]  # fmt: skip
    return {"python": platform.python_version(), "machine": platform.machine(), "seconds": took_s, "rows": told}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--only", choices=PARTS, nargs="+", default=PARTS, metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--json", type=Path, help="the rows")
    parser.add_argument("--png", type=Path, help="a picture of the ratios")
    asked = parser.parse_args()
    began, rows = time.monotonic(), list[Row]()
    for number, name in enumerate(asked.only, 1):

        def progress(said: str, at: str = f"{number}/{len(asked.only)} {name}") -> None:
            print(f"{time.monotonic() - began:5.0f} s  {at}: {said}", file=sys.stderr, flush=True)

        rows += part(name)(progress)
    took_s = time.monotonic() - began
    print(table(rows))
    missed = [row for row in rows if not row.well]
    print(
        f"{len(rows)} rows in {took_s:.0f} s; {len(missed)} of {sum(r.target is not None for r in rows)} targets missed"
    )
    if asked.json:
        asked.json.write_text(json.dumps(as_json(rows, took_s), indent=1) + "\n")
    if asked.png:
        below = f"both in one run, in turns; Python {platform.python_version()}, {platform.machine()}"
        save(beside("What a visit costs, beside other ways", below, rows), asked.png)
    return int(bool(missed))


if __name__ == "__main__":
    sys.exit(main())
