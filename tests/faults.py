"""The faults that a lane must survive, and the tests that show what happens then.

``python -m tests.faults`` prints each row with its tests, which bear ``@pytest.mark.fault("key", ...)``; status 1 where
a row has none, or a mark names no row. ``--run`` runs just these tests, and says for each row what came of them.
"""

import argparse
import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
SUITES = (TESTS, TESTS / "chaos")
"""Folders whose ``test_*.py`` may bear marks."""


@dataclass(frozen=True, slots=True)
class Row:
    """A fault. ``by``: how it is to be shown. Rules (told as stories or simulated), Processes, Property, Mock pins."""

    key: str
    title: str
    by: str


ROWS = (
    Row(
        "cut-before-fee",
        "the worker dies before it has written a fee down: it is repeated and counts once",
        "Processes",
    ),
    Row("cut-before-order", "it dies with an order unsent or unanswered: same number, same words, same code", "Rules"),
    Row("cut-unpaid", "it dies while a code shows: asked first, then shown again, or closed and placed anew", "Rules"),
    Row("cut-paid", "it dies between payment and lift: lifted for a car that waits, else credit", "Rules, Processes"),
    Row(
        "cut-barrier",
        "the barrier dies around its pulse: never pulsed twice, and the worker told honestly",
        "Mock pins",
    ),
    Row(
        "torn-write", "any write or flush of the journal fails: nothing is acknowledged, the restart is clean", "Rules"
    ),
    Row("broker-restarts", "the broker restarts while people pay: all is said again, nothing is lost", "Processes"),
    Row(
        "broker-hour",
        "no broker for an hour: PayBy hears 503, queries go on, no lift out of its time",
        "Rules, Processes",
    ),
    Row("link-cuts", "lines that break all the time or hang half open: noticed in 15 s, nothing is lost", "Processes"),
    Row(
        "forged-lift",
        "forged, altered, replayed, late or misdirected lifts and payments: told, no pulse",
        "Property, Processes",
    ),
    Row("notified-often", "one notification fifty times at once: SUCCESS for each, one lift", "Processes"),
    Row("notified-late", "a notification a day late: credit or refund, no lift", "Rules"),
    Row(
        "paid-before-answer", "paid before placeOrder is answered: believed, since the number was written down", "Rules"
    ),
    Row("forged-notification", "a notification that PayBy did not sign: 401, and no trace of it", "Property"),
    Row("payment-misfit", "a genuine one with another amount, currency, lane or status: told, no lift", "Property"),
    Row("paid-while-closing", "paid while it is being cancelled, in whatever order: lift, or credit", "Rules"),
    Row("paid-twice", "two orders of one visit are paid: the second goes back", "Rules"),
    Row("never-notified", "no notification at all: found by asking, within 6 s", "Rules, Processes"),
    Row("answer-unsigned", "an answer without PayBy's good signature: no answer", "Property"),
    Row(
        "outcome-unknown", "errors, time-outs, resets, half answers: asked about, same number, then cancelled", "Rules"
    ),
    Row("rate-limit", "PayBy finds us too fast: slower, and new orders go before queries", "Rules"),
    Row("clock-wrong", "this machine's clock is wrong or jumps: measured, corrected, told from 60 s on", "Rules"),
    Row("disk-full", "the disk is full: the reserve serves open orders, new tickets are refused, told", "Processes"),
    Row(
        "journal-damaged", "the journal is damaged: kept aside, orders closed, payments wait for a person", "Processes"
    ),
    Row(
        "reader-garbage",
        "the scanner delivers garbage: refused on the screen, told, the lane goes on",
        "Property, Processes",
    ),
    Row("ticket-again", "a ticket again, a used one, another garage's: the same visit, or refused with help", "Rules"),
    Row("second-ticket", "another ticket while an order is open: that one is closed or found paid first", "Rules"),
    Row("lcd-fails", "the panel fails, hangs, is unplugged: payments go on, whole picture each minute", "Mock pins"),
    Row("qr-unreadable", "a code that cannot be read back from its picture: not shown, help instead", "Rules"),
    Row("arm-stuck", "the arm does not rise: three lifts, then no new orders; credit and help", "Mock pins"),
    Row(
        "relay-quiet",
        "start, end and death of the process: never a level on the pin that nobody asked for",
        "Mock pins",
    ),
    Row("loop-faulty", "a loop sticks on, sticks off or bounces: no lift for another's car, told", "Rules"),
    Row("backs-out", "the driver backs out before or after paying: order closed, or credit, then refund", "Rules"),
    Row("tailgating", "a second car slips through: one lift, one passage, told", "Rules"),
    Row("forced-open", "the arm is forced open: noted, and the lane recovers", "Mock pins"),
    Row("listener-flood", "bad signatures and half requests in masses: a genuine one is answered in time", "Processes"),
    Row("keys-rotate", "PayBy's key or ours is replaced: both count for a while, a stranger's is alerted", "Rules"),
    Row("certificate", "a certificate expired or of another host: not spoken to, told", "Processes"),
    Row("update", "a newer version finds open orders: the journal comes along, the visit goes on", "Processes"),
    Row("stranger-paid", "another merchant's payment under our number: written down, told, no lift", "Property"),
    Row("cut-free", "it dies at any step of a free stay: the same lift again, one raise", "Rules"),
    Row("barrier-away", "the barrier is away with a lift, its car at another lane: one holder, one raise", "Rules"),
    Row("cars-swap", "another car stands there when the lift comes: refused, the payment is credit", "Rules"),
    Row("worker-away", "two tickets are read while the worker is away: who waits now is served", "Rules"),
    Row("stolen-lane", "a lane's whole secrets in others' hands: delay and alarm, and nothing else", "Processes"),
    Row("clock-for-money", "the clock is off by hours or years, known or not: the true amount, or none", "Processes"),
    Row("barrier-clock", "the barrier's clock is off: told at 5 s, out of order at 15 s, before anybody pays", "Rules"),
    Row("forged-screen", "somebody else's code on the broker: not shown, told", "Processes"),
    Row("code-orphaned", "the worker dies under a shown code: off in 15 s, and its payment found later", "Processes"),
    Row("arm-still-up", "a lift while the arm is up for the car before: kept, and renewed once it is down", "Rules"),
    Row("close-stuck", "an old order cannot be closed: free and credited cars leave, others get help", "Rules"),
    Row("ticket-copied", "a copy of a ticket, read at any lane and time: help, told, one raise in all", "Rules"),
    Row("power-cut", "a barrier comes back after minutes and names the lift: its raise stays known", "Rules"),
    Row("passed-open", "paid, and out under another's raise or an open arm: used, told, not given back", "Rules"),
    Row("journal-put-back", "an older journal is put back: in doubt, nothing lifts or goes back by itself", "Rules"),
    Row(
        "three-raises",
        "the loop under the boom is dead, or the arm up for minutes: three raises of a stay at most",
        "Rules",
    ),
    Row("rules-changed", "the exit grace or the tariff changes with orders open: the past replays as it was", "Rules"),
    Row("lost-names-nobody", "lost tickets with somebody else's session: refused, told", "Rules"),
    Row("lost-again", "a lost ticket whose loop names its car anew: charged once", "Rules"),
    Row("nat-forgets", "a router forgets quiet connections unsaid: the code comes as fast as ever", "Processes"),
    Row(
        "pins-signals-clones",
        "a GPIO line of another's, a signal in a pulse, a copied card: named, relay off, told",
        "Mock pins, Processes",
    ),
    Row("operator-replayed", "an operator's commands and lifts are recorded and sent again: nothing", "Property"),
    Row(
        "scanner-ends",
        "no line end, TAB, ETX, marks around, rests of lines: read as meant, or refused as such",
        "Processes",
    ),
    Row("scanner-keys", "a keyboard's caps lock, Ctrl, Alt codes, repeats: read as meant, or refused", "Processes"),
    Row("zeroed-sector", "a sector of a journal reads as zeros: the start ends, what is intact is kept", "Processes"),
    Row("kill-in-repair", "killed at any step of its repair the barrier forgets nothing that was spent", "Processes"),
    Row(
        "journal-unwritable", "a journal that cannot be written: the glass stays lit, told, back by itself", "Processes"
    ),
    Row("journal-replaced", "a journal is taken away under its process: told, copied out, no new ticket", "Processes"),
    Row("no-journal", "another file, a folder, another role's journal in its place: left alone, status 2", "Processes"),
    Row("lookup-fails", "another system answers late, twice, with nonsense or not at all: nobody pays twice", "Rules"),
    Row(
        "worker-frozen",
        "one of two workers is frozen and thawed: the other serves, it says nothing",
        "Processes, Rules",
    ),
    Row("database-cut", "the database dies, is cut off or does not commit: nothing acknowledged is lost", "Processes"),
    Row("database-lies", "the database was put back, or answers beside the truth: in doubt, not acknowledged", "Rules"),
    Row("lookup-cut", "the worker dies while it asks another system: asked again, charged once", "Processes"),
    Row(
        "plate-unsure", "a camera is not sure of a plate, or reads another: a person, or no effect", "Rules, Processes"
    ),
)
KEYS = frozenset(row.key for row in ROWS)


# -- which tests bear which keys, read off the source ------------------------------------------------------------


def marks_in(source: str) -> Iterator[tuple[str, str]]:
    """(test, key) for each mark of a test in a file's source."""
    for node in ast.parse(source).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
            for decorator in node.decorator_list:
                if isinstance(decorator, ast.Call) and ast.unparse(decorator.func) == "pytest.mark.fault":
                    for argument in decorator.args:
                        yield node.name, ast.literal_eval(argument)


def marks() -> Iterator[tuple[Path, str, str]]:
    """(file, test, key) for each mark of all suites."""
    for folder in SUITES:
        for path in sorted(folder.glob("test_*.py")):
            for test, key in marks_in(path.read_text(encoding="utf-8")):
                yield path, test, key


# -- as a command: what pytest itself finds, and what comes of it ----------------------------------------------------


@dataclass
class Found:
    """A pytest plugin: keeps the tests that bear a mark, with how each of them ended."""

    rows: dict[str, dict[str, list[str]]] = field(default_factory=dict)
    """Key -> test -> its outcomes, one for each set of its parameters."""
    _tests: dict[str, tuple[str, tuple[str, ...]]] = field(default_factory=dict)

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        for item in items:
            keys = tuple(key for mark in item.iter_markers("fault") for key in mark.args)
            if keys:
                name = f"{item.path.relative_to(TESTS)}::{getattr(item, 'originalname', item.name)}"
                self._tests[item.nodeid] = name, keys
                for key in keys:
                    self.rows.setdefault(key, {}).setdefault(name, [])
        items[:] = [item for item in items if item.nodeid in self._tests]

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "call" or report.outcome != "passed":
            name, keys = self._tests[report.nodeid]
            for key in keys:
                self.rows[key][name].append(report.outcome)


def table(found: Found, *, with_outcomes: bool) -> tuple[str, bool]:
    """The rows with their tests, and whether all is well."""
    lines, is_well = [], True
    for number, row in enumerate(ROWS, 1):
        tests = found.rows.get(row.key, {})
        outcomes = [outcome for test in tests.values() for outcome in test]
        said = f"{len(tests)} tests" if tests else "NO TEST"
        if with_outcomes:
            counts = {name: outcomes.count(name) for name in ("passed", "failed", "skipped")}
            said = ", ".join(f"{count} {name}" for name, count in counts.items() if count) or "NOTHING RUN"
            is_well = is_well and counts["passed"] > 0 and not counts["failed"]
        is_well = is_well and bool(tests)
        lines.append(f"{number:2} {row.key}: {row.title} ({row.by}): {said}")
        for name, ended in sorted(tests.items()):
            bad = "" if set(ended) <= {"passed"} else f"  {', '.join(sorted(set(ended) - {'passed'}))}"
            lines.append(f"     {name}{bad}")
    for key in sorted(found.rows.keys() - KEYS):
        is_well = False
        lines.append(f"   {key}: no such row, marked by {', '.join(sorted(found.rows[key]))}")
    return "\n".join(lines), is_well


def main() -> int:
    ask = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    ask.add_argument("--run", action="store_true", help="run the tests, and say what came of each row")
    asked = ask.parse_args()
    found = Found()
    files = (str(path) for suite in SUITES for path in sorted(suite.glob("test_*.py")))  # of folders it takes the outer
    words = ["-q", "--no-header", "-p", "no:cacheprovider", *files]
    status = pytest.main([*words, *([] if asked.run else ["--collect-only", "-qqq"])], plugins=[found])
    text, is_well = table(found, with_outcomes=asked.run)
    print(text)
    return 0 if is_well and status in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED) else 1


if __name__ == "__main__":
    sys.exit(main())
