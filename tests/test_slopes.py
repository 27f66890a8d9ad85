"""Whether something grows (tests/bench/slopes.py)."""

import random

from tests.bench.slopes import growth, slope


def test_the_slope_of_a_line_is_its_own() -> None:
    assert slope([(x, 3 + 0.5 * x) for x in range(10)]) == 0.5


def test_one_wild_sample_does_not_turn_the_line() -> None:
    points = [(float(x), 50.0) for x in range(20)]
    points[13] = (13.0, 900.0)
    assert slope(points) == 0


def test_noise_is_no_growth_and_a_leak_in_noise_is_one() -> None:
    dice = random.Random(1)
    noise = [(100.0 * n, 80 + dice.uniform(-1, 1)) for n in range(60)]
    assert growth("worker: memory", noise, "MiB", least=1.5, part=0.03).well
    leak = [(visits, mib + visits * 0.0007) for visits, mib in noise]  # 0.7 kB a visit
    found = growth("worker: memory", leak, "MiB", least=1.5, part=0.03)
    assert not found.well and 3.5 < found.grown < 4.8
    assert found.line().endswith("GROWS")


def test_what_is_loaded_once_is_no_growth_whenever_that_is() -> None:
    for at in (5, 25, 30, 45, 55):
        step = [(100.0 * n, 60.0 if n < at else 66.0) for n in range(60)]
        assert growth("exit-3: memory", step, "MiB", least=1.5, part=0.03).grown == 0


def test_a_leak_that_comes_in_lumps_is_growth() -> None:
    lumps = [(100.0 * n, 60.0 + n // 8) for n in range(60)]
    assert not growth("exit-3: memory", lumps, "MiB", least=1.5, part=0.03).well
