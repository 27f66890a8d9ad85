"""deploy/cluster/scale.md: its tables are those of the run beside it, and what it says to type is understood."""

import re
import shlex
import statistics
from typing import Any

import msgspec
import pytest

from tests.scale import page
from tests.scale.__main__ import parser
from tests.scale.figures import HOST_S, NODE_S, Run, Spread, Step
from tests.scale.measure import longest
from tests.scale.reckoning import BUSY, CARS_AN_HOUR, CELL_LANES, LANES, basis, needs
from tests.support.page_blocks import blocks

TEXT = page.PAGE.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def run() -> Run:
    return page.run()


def test_the_page_has_the_tables_of_its_run(run: Run) -> None:
    assert page.written(TEXT, run) == TEXT, "run python -m tests.scale.page"
    assert set(re.findall(r"<!-- (\w+) -->", TEXT)) == set(page.blocks(run))


def test_the_run_of_the_page_lost_nothing_and_reached_the_targets(run: Run) -> None:
    assert all(one.well for one in run.ledgers)
    assert {one.setup: one.limit_s for one in run.outages} == {"rabbitmq": NODE_S, "patroni": HOST_S}
    assert {one.setup for one in run.outages if one.well} == {"rabbitmq", "patroni"}
    assert {one.setup for one in run.ledgers} == set(run.engines) == {"mosquitto", "rabbitmq", "patroni"}
    assert all(one.paid > 100 for one in run.ledgers)


def test_what_the_page_says_to_type_is_understood() -> None:
    makefile = (page.CLUSTER.parents[1] / "Makefile").read_text(encoding="utf-8")
    assert re.search(r"^scale:", makefile, re.MULTILINE)
    lines = [line for block in blocks(page.PAGE, "sh") for line in block.splitlines()]
    assert len(lines) == 3
    for line in lines:
        make, target, arguments = shlex.split(line)
        assert (make, target) == ("make", "scale")
        parser().parse_args(shlex.split(arguments.removeprefix("ARGS=")))


def test_the_assumptions_of_the_page_are_those_of_the_reckoning() -> None:
    for words in (f"up to {CELL_LANES:,} lanes", f"{CARS_AN_HOUR} cars an hour", "cores that are half busy"):
        assert words in TEXT
    assert BUSY == 0.5 and LANES == 10 * CELL_LANES


def test_a_need_follows_from_what_was_measured(run: Run) -> None:
    found = basis(run)
    needed = {need.what: need for need in needs(found)}
    good = [step.visit_cpu_ms["broker"] for step in run.steps if step.setup == "rabbitmq" and not step.too_much]
    assert found.visit_ms["broker"] == statistics.median(good)
    cores = (50 * found.visit_ms["broker"] + 1000 * found.idle_ms["broker"]) / 1000 / 0.5
    assert needed["broker: cores"].cell == pytest.approx(cores)
    assert needed["broker: cores"].whole == pytest.approx(10 * cores)
    assert needed["worker: memory"].cell == pytest.approx(2 * 100 * found.memory_mib["worker"] / 1024)
    assert needed["database: disk a month"].cell == pytest.approx(3 * 1000 * 800 * 30 * found.bytes / 1e9)


def test_the_longest_silence_is_between_two_words_or_between_one_and_an_end() -> None:
    assert longest([1, 2, 5, 6], 0, 7) == 3
    assert longest([1, 2, 5, 6], 0, 20) == 14
    assert longest([], 3, 10) == 7
    assert longest([1, 11, 12], 10, 13) == 1


@pytest.mark.parametrize(
    "wrong",
    [{"lifted_once": 0}, {"journaled": 0}, {"gapless": False}, {"stuck": ["g1 exit-1: no code within 100 s"]}],
)
def test_a_run_that_lost_something_is_not_well(wrong: dict[str, Any], run: Run) -> None:
    whole = run.ledgers[0]
    assert whole.well and not msgspec.structs.replace(whole, **wrong).well
    assert not msgspec.structs.replace(run.outages[0], stopped_s=run.outages[0].limit_s + 0.01).well


def test_a_set_up_that_was_not_run_keeps_its_older_figures(run: Run) -> None:
    def of(setup: str) -> Run:
        parts = ([one for one in part if one.setup == setup] for part in (run.steps, run.outages, run.ledgers))
        return Run(run.at, run.cores, run.memory_gib, {s: e for s, e in run.engines.items() if s == setup}, *parts)

    assert of("patroni").with_others_of(of("rabbitmq")).with_others_of(of("mosquitto")) == run
    assert of("rabbitmq").with_others_of(run) == run


def test_a_step_is_too_much_when_fewer_cars_left_than_came(run: Run) -> None:
    assert Spread.of([0.001 * n for n in range(1, 101)]) == Spread(51.0, 96.0, 100.0)
    for step in run.steps:
        asked = step.seconds / step.every_s * step.all_lanes
        assert step.too_much == (step.visits < 0.9 * asked)


def test_the_last_step_of_a_set_up_alone_may_be_too_much(run: Run) -> None:
    by_setup: dict[str, list[Step]] = {}
    for step in run.steps:
        by_setup.setdefault(step.setup, []).append(step)
    assert all(not step.too_much for steps in by_setup.values() for step in steps[:-1])
