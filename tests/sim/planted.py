"""Planted bugs: changes to the rules, each of which the simulation must notice, or it proves nothing.

A bug is a piece of a file and what stands in its place. The file is read, changed and compiled in memory as it is
imported; on the disk nothing changes. ``python -m tests.sim.planted`` hunts all of them and prints a table.
"""

import argparse
import importlib
import importlib.machinery
import importlib.util
import json
import multiprocessing
import os
import sys
from collections.abc import Iterable, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType
from typing import NamedTuple

from tests.sim.planted_bug import Bug
from tests.sim.planted_in_money import IN_MONEY
from tests.sim.planted_in_pair import IN_PAIR
from tests.sim.planted_in_roles import IN_ROLES
from tests.sim.planted_in_visits import IN_VISITS

OURS = ("terminal", "drivers", "broker", "tests.sim")


BUGS = (*IN_VISITS, *IN_MONEY, *IN_ROLES, *IN_PAIR)


class Found(NamedTuple):
    """What came of a hunt; ``violation`` is empty where nothing was noticed. ``world``: the last one's number."""

    bug: str
    violation: str
    lives: int
    world: int


class _Loader(SourceFileLoader):
    def __init__(self, fullname: str, path: str, bug: Bug) -> None:
        super().__init__(fullname, path)
        self._bug = bug

    def get_code(self, fullname: str) -> CodeType:
        text = self.get_data(self.path).decode()
        if text.count(self._bug.before) != 1:
            raise ValueError(f"planted bug {self._bug.name!r}: its piece stands {text.count(self._bug.before)} times")
        code: CodeType = compile(text.replace(self._bug.before, self._bug.after), self.path, "exec", dont_inherit=True)
        return code


class _Finder(MetaPathFinder):
    def __init__(self, bug: Bug) -> None:
        self._bug = bug

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname != self._bug.module:
            return None
        found = PathFinder.find_spec(fullname, path)
        assert found is not None and found.origin is not None
        loader = _Loader(fullname, found.origin, self._bug)
        return importlib.util.spec_from_file_location(
            fullname, found.origin, loader=loader, submodule_search_locations=found.submodule_search_locations
        )


def stands(bug: Bug) -> int:
    """How often the piece that ``bug`` replaces stands in its file; 1, unless the file has changed."""
    found = importlib.util.find_spec(bug.module)
    assert found is not None and found.origin is not None
    return Path(found.origin).read_text().count(bug.before)


def hunt(bug: Bug, lives: int, seed: str = "planted") -> Found:
    """Run worlds with ``bug`` in them until one is violated or ``lives`` orders have lived. Call it in a process of
    its own: the product is imported anew."""
    for name in [n for n in sys.modules if n.startswith(OURS) and n != __name__]:
        del sys.modules[name]
    sys.meta_path.insert(0, _Finder(bug))
    world = importlib.import_module("tests.sim.world")
    done, number = 0, bug.world
    while True:
        report = world.run(f"{seed}:{number}", world.Options(climate=bug.climate, only=bug.only))
        done += report.orders
        if report.violation or done >= lives:
            return Found(bug.name, report.violation, done, number)
        number += 1


def hunt_all(bugs: Iterable[Bug], lives: int, jobs: int) -> list[Found]:
    """Each in a process of its own, which finds the packages imported already: they are half of an import."""
    importlib.import_module("tests.sim.world")
    with multiprocessing.get_context("fork").Pool(jobs, maxtasksperchild=1) as pool:
        return pool.starmap(hunt, [(bug, lives) for bug in bugs], chunksize=1)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.sim.planted", description=__doc__)
    parser.add_argument("--lives", type=int, default=2000, help="at most this many for each bug (default 2000)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--only", default="", help="bugs whose names hold this")
    which.add_argument("--hear", action="store_true", help="one by one, by their names on standard input; prints JSON")
    asked = parser.parse_args(arguments)
    if asked.hear:
        for line in sys.stdin:
            named = [bug for bug in BUGS if bug.name == line.rstrip("\n")]
            print(json.dumps([what.violation for what in hunt_all(named, asked.lives, 1)]), flush=True)
        return 0
    bugs = [bug for bug in BUGS if asked.only in bug.name]
    found = hunt_all(bugs, asked.lives, asked.jobs)
    for bug, what in zip(bugs, found, strict=True):
        said = what.violation.replace("\n", " ")[:90] or "NOT CAUGHT"
        print(f"{bug.name:32} {what.lives:5} lives  world {what.world:3}  {said}")
    return 1 if any(not what.violation for what in found) else 0


if __name__ == "__main__":
    sys.exit(main())
