from zoneinfo import ZoneInfo

import pytest

from terminal.screen.dimming import MOVE_EVERY_MS, PLACES, Dimming, darker, night_of, place

DUBAI = ZoneInfo("Asia/Dubai")
MINUTE = 60_000
NOON = 1_795_000_000_000 // 86_400_000 * 86_400_000 + 8 * 60 * MINUTE
"""In Dubai, four hours ahead of UTC."""


def test_by_day_the_light_goes_down_after_so_many_minutes_without_a_driver() -> None:
    dimming = Dimming(0.4, 30 * MINUTE, None, DUBAI)
    assert [dimming.dims(NOON, minutes * MINUTE) for minutes in (0, 29, 30, 500)] == [False, False, True, True]


@pytest.mark.parametrize(
    ("night", "dark"),
    [
        ("22:00-06:00", {22, 23, 0, 1, 2, 3, 4, 5}),
        ("00:00-05:00", {0, 1, 2, 3, 4}),
        ("13:00-13:00", set()),
        ("", set()),
    ],
)
def test_at_night_it_is_down_at_once_by_the_garages_own_clock(night: str, dark: set[int]) -> None:
    dimming = Dimming(0.4, None, night_of(night), DUBAI)
    down = {(12 + hour) % 24 for hour in range(24) if dimming.dims(NOON + hour * 60 * MINUTE, 0)}
    assert down == dark


def test_a_share_of_all_the_light_is_never_down() -> None:
    assert not Dimming(1.0, 0, (0, 1440), DUBAI).dims(NOON, 10**9)


def test_the_picture_moves_every_minute_and_comes_back() -> None:
    places = [place(minute * MOVE_EVERY_MS) for minute in range(len(PLACES) + 1)]
    assert places == [*range(len(PLACES)), 0]
    assert place(MOVE_EVERY_MS - 1) == 0
    assert len(set(PLACES)) == len(PLACES)


def test_a_dimmed_picture_gives_that_share_of_the_light_and_keeps_black() -> None:
    table = darker(0.4)
    assert len(table) == 3 * 256
    assert table[0] == 0
    assert (table[255] / 255) ** 2.2 == pytest.approx(0.4, abs=0.01)


@pytest.mark.parametrize("text", ["22:00", "25:00-06:00", "22:00-06:00-07:00"])
def test_what_is_no_night_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        night_of(text)
