"""``python -m tests.acceptance``: PayBy's nine cases, and a table of what was seen; status 1 where one does not pass.

Each runs twice: what PayBy's gateway refuses comes without a signature, as it does, and with one, as the page promises.
``--refusals unsigned`` runs one half. ``--scale 20`` runs them in a twentieth of the time, ``--only 5 6`` these alone;
``--keep FOLDER`` keeps logs and glass.
"""

import argparse
import shutil
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path

from tests.acceptance.cases import CASES
from tests.acceptance.measured import table
from tests.acceptance.running import REFUSALS, run_alone

AT_ONCE, AT_ONCE_SCALED = 9, 3
"""Cases side by side: what two cores bear when every second is short is less."""


def main() -> int:
    ask = argparse.ArgumentParser(prog="python -m tests.acceptance", description=__doc__)
    ask.add_argument("--scale", type=float, default=1.0, help="how many times faster the seconds go (default 1)")
    ask.add_argument("--only", type=int, nargs="+", default=[], metavar="CASE")
    ask.add_argument("--refusals", choices=("both", *REFUSALS), default="both")
    ask.add_argument("--at-once", type=int, help=f"cases side by side (default {AT_ONCE}; scaled {AT_ONCE_SCALED})")
    ask.add_argument("--keep", type=Path, metavar="FOLDER")
    asked = ask.parse_args()
    if shutil.which("mosquitto") is None:
        print("no mosquitto here: apt-get install mosquitto", file=sys.stderr)
        return 2
    at_once = asked.at_once or (AT_ONCE if asked.scale == 1 else AT_ONCE_SCALED)
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="acceptance-") as made:
        folder = asked.keep or Path(made)
        manners = REFUSALS if asked.refusals == "both" else (asked.refusals,)
        runs = [(c.number, how) for how in manners for c in CASES if not asked.only or c.number in asked.only]
        with ProcessPoolExecutor(at_once, get_context("spawn")) as pool:
            rows = list(pool.map(partial(run_alone, folder=folder, scale=asked.scale), *zip(*runs, strict=True)))
    print(table(rows))
    failed = sum(bool(row.problems) for row in rows)
    took = time.monotonic() - began
    print(f"\n{len(rows) - failed} of {len(rows)} runs pass; {took:.0f} s, a second was 1/{asked.scale:g} s long")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
