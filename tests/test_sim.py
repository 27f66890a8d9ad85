"""A bounded part of the simulation: whole worlds in virtual time, faults on. ``make sim`` runs as many as one likes."""

from collections import Counter

import pytest

from tests.sim.drivers import Driver
from tests.sim.loop import VirtualLoop
from tests.sim.report import Options, readable
from tests.sim.world import World, run


@pytest.mark.parametrize("number", range(4))
def test_a_world_full_of_faults_violates_nothing(number: int) -> None:
    report = run(f"ci:{number}", Options(orders=60, faults=True, real=False, tracing=True))
    assert not report.violation, f"{report.violation}\n{readable(report.trace, 200)}"
    assert report.orders >= 30


def test_phones_that_read_a_code_and_take_their_time_are_told_of_and_violate_nothing() -> None:
    reports = [run(f"phones:{number}", Options(orders=40, climate="payer")) for number in range(6)]
    assert [report.violation for report in reports if report.violation] == []
    for what in ("told as scanned", "ends moved"):
        told = [report.counts[what] for report in reports]
        assert 0 in told and any(told), f"some worlds see phones, others do not: {what} {told}"


def test_numbers_of_a_system_that_fails_lies_and_wavers_violate_nothing() -> None:
    for number in range(3):
        report = run(f"look-ups:{number}", Options(orders=40, climate="look-ups", tracing=True))
        assert not report.violation, f"{report.violation}\n{readable(report.trace, 200)}"
        assert report.counts["look-ups"] > 10


def test_coupons_of_which_some_are_copies_and_a_pay_station_violate_nothing() -> None:
    for number in range(3):
        report = run(f"allowances:{number}", Options(orders=40, climate="allowances", tracing=True))
        assert not report.violation, f"{report.violation}\n{readable(report.trace, 200)}"
        assert report.counts["allowances"] > 5


def test_drivers_who_have_all_of_these_in_one_world_violate_nothing() -> None:
    kinds = ("lost", "look-ups", "allowed by coupons", "allowed by passes", "allowed by the station")
    reports = [run(f"all:{number}", Options(orders=40, climate="all tickets", tracing=True)) for number in range(2)]
    for report in reports:
        assert not report.violation, f"{report.violation}\n{readable(report.trace, 200)}"
    counts = sum((Counter(report.counts) for report in reports), Counter[str]())
    assert all(counts[kind] for kind in (*kinds, "allowed to others' tickets")), counts


@pytest.mark.fault("worker-frozen")
def test_a_worker_that_is_frozen_or_cut_off_while_another_takes_over_violates_nothing() -> None:
    for number in range(2):
        report = run(f"pair:{number}", Options(orders=40, climate="pair", tracing=True))
        assert not report.violation, f"{report.violation}\n{readable(report.trace, 200)}"
        said = [" ".join(map(str, what)) for _, *what in report.trace if what[0] == "worker"]
        assert any("is thawed, replaced" in text for text in said)
        assert any("has no database" in text for text in said)


def test_the_same_seed_gives_the_same_world() -> None:
    options = Options(orders=30, faults=True, real=False, tracing=True)
    assert run("same", options).digest() == run("same", options).digest() != run("other", options).digest()


def test_a_world_with_real_signatures_and_a_real_journal_violates_nothing() -> None:
    report = run("real:0", Options(orders=30, faults=True, real=True, tracing=True))
    assert not report.violation, f"{report.violation}\n{readable(report.trace, 200)}"


@pytest.mark.parametrize("forgets", [False, True])
def test_a_state_that_a_start_turned_to_the_right_clock_is_compared_by_that_clock(*, forgets: bool) -> None:
    """A lane that no start has seen yet tells of none, and yet its times move with all others."""
    with VirtualLoop() as loop:
        world = World("turned", Options(faults=False), loop)

        async def story() -> str:
            worker = world.worker
            worker.clock.ahead_ms = 1_200_000
            worker.starts()
            driver = Driver(world, world.sites["exit-1"], 1, world.dice_for("driver"), "slow")
            visit = loop.create_task(driver.visit())
            await world.nap(6)
            lane = worker.worker.event_store.garage.lanes["exit-1"]
            assert lane.visit
            assert not lane.began
            worker.dies("for a restart", for_s=1)
            worker.clock.ahead_ms = 0
            if forgets:
                worker.disk.put_back(1)
            await world.nap(2)
            assert abs(worker.worker.event_store.last_at - world.true_ms()) < 10_000
            visit.cancel()
            return world.checks.violation

        assert loop.run(story()).startswith("I5") == forgets
