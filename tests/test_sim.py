"""A bounded part of the simulation: whole worlds in virtual time, faults on. ``make sim`` runs as many as one likes."""

import pytest

from tests.sim.world import Options, readable, run


@pytest.mark.parametrize("number", range(4))
def test_a_world_full_of_faults_violates_nothing(number: int) -> None:
    report = run(f"ci:{number}", Options(orders=60, faults=True, real=False, tracing=True))
    assert not report.violation, f"{report.violation}\n{readable(report.trace, 200)}"
    assert report.orders >= 30


def test_the_same_seed_gives_the_same_world() -> None:
    options = Options(orders=30, faults=True, real=False, tracing=True)
    assert run("same", options).digest() == run("same", options).digest() != run("other", options).digest()


def test_a_world_with_real_signatures_and_a_real_journal_violates_nothing() -> None:
    report = run("real:0", Options(orders=30, faults=True, real=True, tracing=True))
    assert not report.violation, f"{report.violation}\n{readable(report.trace, 200)}"
