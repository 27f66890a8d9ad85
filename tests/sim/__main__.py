"""``python -m tests.sim --lives N --seed S``: worlds one after the other until N orders have come to their end.

Prints what was found; exit status 1 if an invariant was violated. A world's seed is ``S:number``; ``--world S:number``
runs that one alone and prints its trace. Every other world is full of one kind of trouble, unless ``--climate`` says
of which all are.
"""

import argparse
import multiprocessing
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace

from tests.sim.report import Options, Report, readable
from tests.sim.world import run

CLIMATES = (
    *("", "storm", "copies", "", "intruder", "held open", "", "operator", "power"),
    *("", "payer", "put back", "", "barrier", "stolen lane", "", "clocks"),
)
"""Of the worlds of a run, by their numbers."""
ASKED_FOR = ("look-ups", "allowances", "all tickets", "pair")
"""Climates that a world has only if it is asked for, so that the numbers above keep their worlds."""
TOLD_EVERY = 50_000
"""How many lives pass between two progress lines of a long run."""


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.sim", description=__doc__)
    parser.add_argument("--lives", type=int, default=2000, help="order lives to run (default 2000)")
    parser.add_argument("--seed", default="1", help="any text (default 1)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes (default: one a core)")
    parser.add_argument("--real", action="store_true", help="real signatures, SQLite and PayBy client")
    parser.add_argument("--calm", action="store_true", help="nothing goes wrong")
    parser.add_argument("--orders", type=int, default=60, help="about this many in a world (default 60)")
    parser.add_argument("--climate", choices=sorted({*CLIMATES, *ASKED_FOR} - {""}), help="what every world is full of")
    parser.add_argument("--only", default="", help="count only what is violated in these words")
    parser.add_argument("--world", help="run this world alone and print its trace")
    parser.add_argument("--trace", type=int, default=400, help="how many lines of a trace to print (default 400)")
    parser.add_argument("--keep-going", action="store_true", help="do not end at the first violation")
    asked = parser.parse_args(arguments)
    options = Options(asked.orders, not asked.calm, asked.real, climate=asked.climate or "")
    options = replace(options, only=asked.only)
    with tempfile.TemporaryDirectory(prefix="sim-") as folder:
        tempfile.tempdir = folder  # a world of a process that is told to end cleans up nothing
        return _alone(asked.world, options, asked.trace) if asked.world else _many(asked, options)


def _alone(seed: str, options: Options, lines: int) -> int:
    report = run(seed, replace(_in_climate(seed, options), tracing=True))
    print(readable(report.trace, lines))
    print(f"world {report.seed}: {report.orders} orders in {report.virtual_s:.0f} s; {_verdict(report)}")
    print("  ".join(f"{name}: {count}" for name, count in sorted(report.counts.items())))
    return 1 if report.violation else 0


def _many(asked: argparse.Namespace, options: Options) -> int:
    began = time.monotonic()
    orders, worlds, counts, bad = 0, 0, Counter[str](), list[Report]()
    for report in _reports(asked.seed, options, asked.lives, asked.jobs):
        if orders // TOLD_EVERY < (orders + report.orders) // TOLD_EVERY:
            print(f"{orders + report.orders} order lives so far, in {time.monotonic() - began:.0f} s", flush=True)
        orders, worlds = orders + report.orders, worlds + 1
        counts.update(report.counts)
        if report.violation:
            bad.append(report)
            print(f"world {report.seed}: {_verdict(report)}", flush=True)
            if not asked.keep_going:
                break
    took = time.monotonic() - began
    print(f"{orders} order lives in {worlds} worlds, {took:.1f} s, {orders / took:.0f} a second; {len(bad)} violations")
    print("  ".join(f"{name}: {count}" for name, count in sorted(counts.items())))
    if bad and not asked.keep_going:
        kind = " --real" * options.real + " --calm" * (not options.faults)
        kind += f" --orders {options.orders}" * (options.orders != Options().orders)
        kind += f" --climate '{options.climate}'" * bool(options.climate)
        print(f"\nthe trace of world {bad[0].seed} (python -m tests.sim --world {bad[0].seed}{kind}):")
        _alone(bad[0].seed, options, asked.trace)
    return 1 if bad else 0


def _verdict(report: Report) -> str:
    return f"VIOLATION {report.violation}" if report.violation else "no violation"


def _reports(seed: str, options: Options, lives: int, jobs: int) -> Iterator[Report]:
    """Worlds in the order of their numbers, until there were enough lives."""
    done = 0
    if jobs <= 1:
        for number in range(lives):
            report = _run((f"{seed}:{number}", options))
            yield report
            done += report.orders
            if done >= lives:
                return
        return
    with multiprocessing.get_context("fork").Pool(jobs) as pool:
        work = ((f"{seed}:{number}", options) for number in range(lives))
        for report in pool.imap(_run, _paced(work, lambda: done >= lives), chunksize=1):  # noqa: B023 - the latest is meant
            done += report.orders
            yield report
            if done >= lives:
                pool.terminate()
                return


def _run(work: tuple[str, Options]) -> Report:
    seed, options = work
    return run(seed, _in_climate(seed, options))


def _in_climate(seed: str, options: Options) -> Options:
    number = seed.rpartition(":")[2]
    if options.climate or not number.isdecimal():
        return options
    return replace(options, climate=CLIMATES[int(number) % len(CLIMATES)])


def _paced(work, enough):  # type: ignore[no-untyped-def]
    for item in work:
        if enough():
            return
        yield item


if __name__ == "__main__":
    if os.environ.get("PYTHONHASHSEED") is None:  # sets are walked in the order of hashes
        os.execve(
            sys.executable, [sys.executable, "-m", "tests.sim", *sys.argv[1:]], {**os.environ, "PYTHONHASHSEED": "0"}
        )
    sys.exit(main())
