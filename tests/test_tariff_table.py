import pytest

from terminal.core.money import Fils
from terminal.core.tariff.stay import MAX_PRICE
from terminal.core.tariff.table import FREE, Part, PriceStep, PriceTable

HOUR = 3_600_000
TABLE = PriceTable(
    (
        PriceStep(HOUR, Fils(0)),
        PriceStep(3 * HOUR, Fils(500), HOUR // 2),
        PriceStep(4 * HOUR, Fils(2500)),
        PriceStep(None, Fils(700), 2 * HOUR),
    )
)
DAYS = PriceTable((PriceStep(HOUR, Fils(300)), PriceStep(24 * HOUR, Fils(100), HOUR)), 24 * HOUR)


def test_a_price_includes_the_end_of_a_step_and_not_a_moment_more() -> None:
    lengths = [0, 1, HOUR, HOUR + 1, HOUR * 3 // 2, HOUR * 3 // 2 + 1, 3 * HOUR, 3 * HOUR + 1, 4 * HOUR, 4 * HOUR + 1]
    assert [TABLE.price(length) for length in lengths] == [0, 0, 0, 500, 500, 1000, 2000, 2500, 2500, 3200]
    assert [TABLE.price(length) for length in (6 * HOUR, 6 * HOUR + 1, 8 * HOUR + 1)] == [3200, 3900, 4600]


def test_a_time_of_no_length_costs_nothing() -> None:
    assert (DAYS.price(0), DAYS.price(-1), DAYS.parts(0), DAYS.parts(-1)) == (0, 0, [], [])
    assert DAYS.price(1) == 300
    assert FREE.price(10**12) == 0


def test_what_repeats_begins_anew_and_adds_up() -> None:
    whole = PriceTable((PriceStep(HOUR, Fils(300)), PriceStep(24 * HOUR, Fils(100), HOUR)), 24 * HOUR)
    assert whole.price(24 * HOUR) == 2600
    assert whole.price(24 * HOUR + 1) == 2900
    assert whole.price(48 * HOUR) == 5200
    assert whole.price(48 * HOUR + 1) == 5500


def test_the_parts_say_how_a_price_came_about() -> None:
    assert TABLE.parts(HOUR) == [Part("total", 0, 1, HOUR)]
    assert TABLE.parts(2 * HOUR) == [Part("total", 0, 1, HOUR), Part("blocks", 500, 2, HOUR // 2)]
    assert TABLE.parts(4 * HOUR) == [Part("total", 2500, 1, 4 * HOUR)]
    assert TABLE.parts(9 * HOUR) == [Part("total", 2500, 1, 4 * HOUR), Part("blocks", 700, 3, 2 * HOUR)]
    day = PriceTable((PriceStep(None, Fils(300), HOUR),), 2 * HOUR)
    assert day.parts(2 * HOUR) == [Part("blocks", 300, 2, HOUR)]
    assert day.parts(4 * HOUR + 1) == [Part("repeats", 600, 2, 2 * HOUR), Part("blocks", 300, 1, HOUR)]
    assert FREE.parts(1) == [Part("total", 0, 1, None)]


@pytest.mark.parametrize("length", [1, HOUR, HOUR + 1, 5 * HOUR, 23 * HOUR, 24 * HOUR, 24 * HOUR + 1, 60 * HOUR])
def test_the_parts_come_to_the_price(length: int) -> None:
    turn = PriceTable((PriceStep(HOUR, Fils(300)), PriceStep(None, Fils(100), HOUR * 3)), 24 * HOUR)
    for table in (TABLE, turn):
        assert sum(part.amount * part.count for part in table.parts(length)) == table.price(length)


def test_the_marks_are_all_lengths_after_which_it_may_cost_more() -> None:
    half = HOUR // 2
    expected = {0, HOUR, 3 * half, 2 * HOUR, 5 * half, 3 * HOUR, 4 * HOUR, 6 * HOUR, 8 * HOUR}
    assert set(TABLE.marks(9 * HOUR)) == expected | {9 * HOUR}
    turn = PriceTable((PriceStep(None, Fils(100), 2 * HOUR),), 3 * HOUR)
    assert set(turn.marks(7 * HOUR)) == {0, 2 * HOUR, 3 * HOUR, 5 * HOUR, 6 * HOUR, 7 * HOUR}
    assert max(TABLE.marks(HOUR)) == HOUR
    assert set(TABLE.marks(0)) == {0}


def test_a_table_says_where_it_falls() -> None:
    fell = PriceTable(
        (PriceStep(HOUR, Fils(500), HOUR // 2), PriceStep(2 * HOUR, Fils(900)), PriceStep(None, Fils(901)))
    )
    assert fell.falls() == ((HOUR, 1000, 900),)
    assert TABLE.falls() == ()
    assert PriceTable((PriceStep(HOUR, Fils(500)), PriceStep(None, Fils(500)))).falls() == ()
    assert PriceTable((PriceStep(HOUR, Fils(500)), PriceStep(None, Fils(1), HOUR))).falls() == ()


def test_a_table_is_free_where_no_step_costs_anything() -> None:
    assert FREE.free()
    assert not TABLE.free()


@pytest.mark.parametrize(
    ("steps", "repeat", "said"),
    [
        ((), None, "steps: got none, takes one or more"),
        ((PriceStep(None, Fils(-1)),), None, f"steps 1: a price of -1 fils, takes 0 to {MAX_PRICE}"),
        (
            (PriceStep(None, Fils(MAX_PRICE + 1)),),
            None,
            f"steps 1: a price of {MAX_PRICE + 1} fils, takes 0 to {MAX_PRICE}",
        ),
        ((PriceStep(None, Fils(1), 999),), None, "steps 1: every 999 ms, takes a second or more"),
        ((PriceStep(None, Fils(1)), PriceStep(None, Fils(2))), None, "steps 1: has no until, and steps 2 follows it"),
        (
            (PriceStep(HOUR, Fils(1)), PriceStep(HOUR, Fils(2))),
            None,
            "steps 2: its until is not after that of steps 1",
        ),
        ((PriceStep(0, Fils(1)),), None, "steps 1: its until is not after the beginning"),
        (
            (PriceStep(HOUR, Fils(1)),),
            None,
            "steps: leave a gap, the last one has an until; takes one without it, or a repeat",
        ),
        ((PriceStep(HOUR, Fils(1)),), HOUR - 1, "repeat: takes the time at which the last step ends"),
        ((PriceStep(HOUR, Fils(1)),), HOUR + 1, "repeat: takes the time at which the last step ends"),
        (
            (PriceStep(HOUR, Fils(1)), PriceStep(None, Fils(2))),
            HOUR - 1,
            "repeat: takes the time at which the last step ends",
        ),
        ((PriceStep(None, Fils(1)),), 999, "repeat: takes the time at which the last step ends"),
    ],
)
def test_steps_that_are_no_table_are_refused_with_what_is_wrong(
    steps: tuple[PriceStep, ...], repeat: int | None, said: str
) -> None:
    with pytest.raises(ValueError, match=r".") as refused:
        PriceTable(steps, repeat)
    assert str(refused.value) == said


def test_the_edges_of_what_is_a_table_are_taken() -> None:
    assert PriceTable((PriceStep(None, Fils(MAX_PRICE), 1000),)).price(1) == MAX_PRICE
    assert PriceTable((PriceStep(1000, Fils(1)), PriceStep(None, Fils(2), 1000)), 1000).price(1500) == 2
    assert PriceTable((PriceStep(None, Fils(0)),), 1000).price(1) == 0
