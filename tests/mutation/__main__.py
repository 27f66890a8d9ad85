"""``python -m tests.mutation TESTS``: does a test fail for every change of core/?

Prints the mutants that survive. Status 1 if one of them is not in accepted.txt, or one that is there does not survive.
"""

import argparse
import os
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from tests.mutation.accepted import PATH, name_of, read, written
from tests.mutation.forks import SURVIVED, Forks
from tests.mutation.mutants import CORE, Mutant, mutants
from tests.mutation.trial import try_functions, try_imports

TABLE = CORE / "rules" / "table.py"
"""Data that no rule looks at; test_states.py compares the whole of it with what they do."""


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description=__doc__)
    parser.add_argument("tests", nargs="+", help="the test files that are to kill them")
    parser.add_argument(
        "--only", action="append", default=[], metavar="FILE[:FUNCTION]", help="quote.py, rules/visits.py:end_visit"
    )
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes (default: one a core)")
    parser.add_argument("--again", type=Path, metavar="OUTPUT", help="only those that survived in an earlier run's")
    asked = parser.parse_args(arguments)
    again = {name for name, _ in read(["# again", *asked.again.read_text().splitlines()])} if asked.again else None
    began = time.monotonic()

    def wanted(file: str, within: str) -> bool:
        listed = again is None or any((name.file, name.within) == (file, within) for name in again)
        return listed and (not asked.only or file in asked.only or f"{file}:{within}" in asked.only)

    found = [mutant for path in sorted(CORE.rglob("*.py")) if path != TABLE for mutant in mutants(path, wanted)]
    found = [mutant for mutant in found if again is None or name_of(mutant) in again]
    print(f"{len(found)} mutants, made in {time.monotonic() - began:.0f} s", flush=True)
    accepted = {name for name, _ in read(PATH.read_text().splitlines()) if wanted(name.file, name.within)}
    accepted &= accepted if again is None else again
    fates: dict[Mutant, str] = {}

    def tell(mutant: Mutant, fate: str) -> None:
        fates[mutant] = fate
        if fate == SURVIVED and name_of(mutant) not in accepted:
            print(f"\n{written(name_of(mutant))}", flush=True)
        if len(fates) % 250 == 0:
            print(f"{len(fates)} tried, {Counter(fates.values())[SURVIVED]} survive", flush=True)

    forks = Forks(asked.jobs)
    try_imports([m for m in found if not m.in_function], asked.tests, forks, tell)
    try_functions([m for m in found if m.in_function], asked.tests, forks, tell)
    print(f"{len(fates)} tried in {time.monotonic() - began:.0f} s: {dict(Counter(fates.values()))}")
    survived = {name_of(mutant) for mutant in found if fates[mutant] == SURVIVED}
    new, stale = survived - accepted, accepted - survived
    if stale:
        print(f"\n{PATH.name} has {len(stale)} that do not survive, or are no more:\n")
        print("\n".join(map(written, sorted(stale))))
    print(f"{len(survived)} survive, {len(new)} of them with no reason in {PATH.name}")
    return 1 if new or stale else 0


if __name__ == "__main__":
    sys.exit(main())
