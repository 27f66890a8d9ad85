"""How the delays of `make bench-desk` are reckoned from what was said and what was shown."""

import pytest

from tests.bench import desk
from tests.bench.desk_delays import delays, summary


def entries(field: str, *told: tuple[float, str]) -> list[tuple[str, str, float, str]]:
    return [("exit-1", field, at, text) for at, text in told]


def test_each_text_is_late_by_the_time_until_it_is_shown() -> None:
    said = entries("boom", (0, "rising"), (1000, "up"), (2000, "down"))
    shown = entries("boom", (90, "rising"), (1150, "up"), (2700, "down"))
    assert delays(said, shown) == ([90, 150, 700], 0)


def test_what_was_overtaken_is_as_late_as_what_overtook_it() -> None:
    said = entries("boom", (0, "rising"), (40, "up"))
    assert delays(said, entries("boom", (120, "up"))) == ([120, 80], 0)


def test_the_same_text_again_waits_for_its_own_change() -> None:
    said = entries("boom", (0, "up"), (1000, "down"), (2000, "up"), (3000, "down"))
    shown = entries("boom", (2500, "up"), (3500, "down"), (4500, "up"), (5500, "down"))
    assert delays(said, shown) == ([2500, 2500, 2500, 2500], 0)


def test_what_is_never_shown_is_counted_and_what_was_shown_before_does_not_answer() -> None:
    said = entries("boom", (100, "up"), (200, "down"))
    assert delays(said, entries("boom", (50, "up"))) == ([], 2)
    assert delays(said, entries("screen", (150, "up"))) == ([], 2)


def test_a_summary_has_median_and_slowest_and_refuses_nothing() -> None:
    found = summary([*range(100)])
    assert (found.count, found.median, found.p95, found.most) == (100, 49.5, 95, 99)
    with pytest.raises(ValueError, match="nothing"):
        summary([])


def measured(most: float, dark: int = 0, idle: float = 0.5) -> dict[str, object]:
    way = {"delays": summary([10, most]), "lost": 0}
    ways = dict.fromkeys((desk.BROKER, desk.STREAM, desk.SCREEN), way)
    live = {"ways": ways, "rate": 199.0, "cpu": 30.0, "dark": dark, "tasks": [], "complaints": [], "load": 0.5}
    shares = dict(zip(desk.IDLE, (1.0, 1.0 + idle, 1.1 + idle), strict=True))
    return {"live": live, "idle": {"shares": shares, "load": 0.5}}


def test_a_report_says_of_each_target_whether_it_is_met() -> None:
    assert all(target.is_met for target in desk.targets(measured(400)))
    assert "MISSED" not in desk.report(measured(400))
    missed = [target.name for target in desk.targets(measured(501, dark=1, idle=1.5)) if not target.is_met]
    assert missed == [
        "slowest state on screen", "times that the page looked cut off",
        "an idle lane with a console, beside one without", "an idle lane with a page open, beside one without",
    ]  # fmt: skip
    assert desk.report(measured(501)).count("MISSED") == 1
