import pytest

from terminal.core.money import Fils
from terminal.core.tariff.fee import ExplainedFee, FeeLine
from terminal.core.tariff.pricing import LONGEST_STRETCHES_MS, UnknownClass, explain, fee, first_entry
from terminal.core.tariff.stay import DAY_MS, MINUTE_MS, EarlierStay, PricedStay, PriorPayment
from tests.support.tariffs import DAY, ENTRY, HOURLY, NIGHT, amounts, fees, lines, moment, schedule

HOUR = 3_600_000


def test_a_fee_is_the_sum_of_its_lines() -> None:
    told = ExplainedFee(1, 2, (FeeLine("total", 500), FeeLine("blocks", 300), FeeLine("paid", -200)))
    assert told.total == 600
    assert explain(schedule(HOURLY), PricedStay(ENTRY, ENTRY + HOUR)) == ExplainedFee(
        ENTRY, ENTRY + HOUR, (FeeLine("blocks", 1000, 1, 1000, HOUR),)
    )


def test_an_exit_before_the_entry_and_a_class_without_rates_have_no_fee() -> None:
    with pytest.raises(ValueError, match="before the entry"):
        fee(schedule(HOURLY), ENTRY, ENTRY - 1)
    with pytest.raises(UnknownClass, match=r"^class 'vip': the tariff has \['', 'b'\]$"):
        fee(schedule(HOURLY, {**HOURLY, "class": "b"}), ENTRY, ENTRY, "vip")


# -- three times with three names ------------------------------------------------------------------------------------


def test_who_turns_round_within_the_unpaid_grace_owes_nothing_whatever_the_rate() -> None:
    tariff = schedule({"steps": [{"total": "50.00"}]}, unpaid_grace=10, minimum="20.00", free_minutes=10)
    assert lines(tariff, "10 min") == [FeeLine("unpaid-grace", 0, length_ms=10 * MINUTE_MS)]
    assert fees(tariff, "10 min", "10 min 1 s") == [0, 5000]
    assert lines(schedule(HOURLY), "") == [FeeLine("unpaid-grace", 0)]


def test_complimentary_minutes_are_all_or_nothing() -> None:
    tariff = schedule(HOURLY, free_minutes=90)
    assert lines(tariff, "90 min") == [FeeLine("free-minutes", 0, length_ms=90 * MINUTE_MS)]
    assert fees(tariff, "90 min", "90 min 1 s", "2 h 1 s") == [0, 2000, 3000]


def test_minutes_off_are_taken_from_every_stay() -> None:
    tariff = schedule(HOURLY, minutes_off=90)
    assert lines(tariff, "90 min") == [FeeLine("minutes-off", 0, length_ms=90 * MINUTE_MS)]
    assert lines(tariff, "91 min") == [
        FeeLine("minutes-off", 0, length_ms=90 * MINUTE_MS),
        FeeLine("blocks", 1000, 1, 1000, HOUR),
    ]
    assert fees(tariff, "90 min", "90 min 1 s", "150 min", "150 min 1 s") == [0, 1000, 1000, 2000]


def test_a_rate_may_have_its_own_minutes() -> None:
    own = {**HOURLY, "free_minutes": 0, "minutes_off": 0}
    assert fees(schedule(own, free_minutes=90, minutes_off=60), "1 min") == [1000]
    given = {**HOURLY, "free_minutes": 30, "minutes_off": 60}
    assert fees(schedule(given), "30 min", "1 h", "1 h 1 s") == [0, 0, 1000]
    assert amounts(schedule(given), "30 min") == [("free-minutes", 0)]


def test_the_exit_grace_begins_with_the_payment_and_then_only_the_rest_is_due() -> None:
    tariff, paid = schedule(HOURLY), PriorPayment(ENTRY + HOUR, Fils(1000))
    assert lines(tariff, "1 h 15 min", paid=(paid,)) == [
        FeeLine("blocks", 2000, 2, 1000, HOUR),
        FeeLine("paid", -1000),
        FeeLine("exit-grace", -1000, length_ms=15 * MINUTE_MS),
    ]
    assert amounts(tariff, "1 h 15 min 1 s", paid=(paid,)) == [("blocks", 2000), ("paid", -1000)]
    assert amounts(tariff, "1 h", paid=(paid,)) == [("blocks", 1000), ("paid", -1000)]


def test_a_payment_that_was_too_small_has_no_exit_grace() -> None:
    small = PriorPayment(ENTRY + HOUR, Fils(999))
    assert amounts(schedule(HOURLY), "1 h 1 min", paid=(small,)) == [("blocks", 2000), ("paid", -999)]
    two = (PriorPayment(ENTRY + HOUR, Fils(1)), small)
    assert amounts(schedule(HOURLY), "1 h 1 min", paid=two) == [
        ("blocks", 2000),
        ("paid", -1000),
        ("exit-grace", -1000),
    ]
    assert amounts(schedule(HOURLY), "1 h 1 min", paid=(PriorPayment(ENTRY + HOUR, Fils(0)),)) == [("blocks", 2000)]


def test_a_payment_before_the_entry_or_after_the_exit_has_no_grace() -> None:
    before = PriorPayment(ENTRY - 1, Fils(1))
    assert amounts(schedule(HOURLY), "1 min", paid=(before,)) == [("blocks", 1000), ("paid", -1)]
    after = PriorPayment(ENTRY + HOUR + 2000, Fils(1000))
    assert amounts(schedule(HOURLY), "1 h 1 s", paid=(after,)) == [("blocks", 2000), ("paid", -1000)]
    exact = PriorPayment(ENTRY, Fils(1))
    assert amounts(schedule(HOURLY), "1 min", paid=(exact,)) == [("blocks", 1000), ("paid", -1), ("exit-grace", -999)]


def test_what_was_paid_too_much_is_not_given_back_here() -> None:
    assert amounts(schedule(HOURLY), "1 h", paid=(PriorPayment(ENTRY, Fils(5000)),)) == [
        ("blocks", 1000),
        ("paid", -1000),
    ]


# -- by what a rate is chosen ----------------------------------------------------------------------------------------


def test_by_entry_the_first_rate_prices_the_whole_stay() -> None:
    tariff = schedule(DAY, NIGHT)
    assert lines(tariff, "12 h") == [
        FeeLine("blocks", 6000, 12, 500, HOUR, rate="Day", rate_ar="نهار"),
        FeeLine("most", -3000, each=3000, rate="Day", rate_ar="نهار"),
    ]
    assert fees(tariff, "30 h", entered=moment("2026-11-30 21:00")) == [1200]


def test_by_stretch_each_part_of_a_stay_has_its_own_rate_from_its_own_beginning() -> None:
    tariff = schedule(DAY, NIGHT, rates_by="stretch")
    begin, night, day = moment("2026-11-30 18:30"), moment("2026-11-30 20:00"), moment("2026-12-01 08:00")
    assert lines(tariff, "14 h", begin) == [
        FeeLine("blocks", 1000, 2, 500, HOUR, begin, night, "Day", "نهار"),
        FeeLine("total-last", 1200, 1, 1200, 0, night, day, "Night", "ليل"),
        FeeLine("blocks", 500, 1, 500, HOUR, day, begin + 14 * HOUR, "Day", "نهار"),
    ]
    assert amounts(tariff, "24 h", ENTRY) == [("blocks", 5500), ("most", -2500), ("total-last", 1200), ("blocks", 500)]


def test_by_block_each_block_costs_what_the_rate_says_when_it_begins() -> None:
    night = {"hours": "20:00-08:00", "steps": [{"every": "1 h", "add": "2.00"}], "name": "Night"}
    day = {key: value for key, value in DAY.items() if key != "most"}
    tariff = schedule(day, night, rates_by="block")
    begin = moment("2026-11-30 18:30")
    assert lines(tariff, "3 h", begin) == [
        FeeLine("blocks", 1000, 2, 500, HOUR, begin, moment("2026-11-30 20:00"), "Day", "نهار"),
        FeeLine("stretch", 200, begin_ms=moment("2026-11-30 20:00"), end_ms=begin + 3 * HOUR, rate="Night"),
    ]
    assert fees(tariff, "90 min", "2 h", "2 h 1 s", entered=begin) == [1000, 1000, 1200]


def test_by_paid_time_the_clock_stands_still_in_free_hours() -> None:
    day = {"hours": "08:00-18:00", "steps": [{"until": "2 h", "total": "3.00"}, {"every": "2 h", "add": "1.00"}]}
    tariff = schedule(day, {"hours": "18:00-08:00", "free": True}, rates_by="paid-time")
    begin = moment("2026-11-30 17:00")
    assert fees(tariff, "1 h", "15 h", "16 h", "16 h 1 s", "18 h", "18 h 1 s", entered=begin) == [
        300, 300, 300, 400, 400, 500,
    ]  # fmt: skip
    assert amounts(tariff, "16 h 30 min", begin) == [("total", 300), ("stretch", 0), ("stretch", 100)]
    assert amounts(tariff, "15 h", moment("2026-11-30 18:00")) == [("total-last", 0), ("total", 300)]


def test_a_stay_longer_than_a_year_costs_no_more_where_it_is_cut_into_stretches() -> None:
    tariff = schedule(DAY, NIGHT, rates_by="stretch")
    assert LONGEST_STRETCHES_MS == 366 * 86_400_000
    year = fee(tariff, ENTRY, ENTRY + LONGEST_STRETCHES_MS)
    assert fee(tariff, ENTRY, ENTRY + 2 * LONGEST_STRETCHES_MS) == year
    assert fee(tariff, ENTRY, ENTRY + LONGEST_STRETCHES_MS - 24 * HOUR) == year - 4200
    assert fees(schedule(HOURLY), "2000 days") == [48_000_000]


# -- who comes back --------------------------------------------------------------------------------------------------

FIRST = EarlierStay(ENTRY, ENTRY + 2 * HOUR)


def again(after: int, *earlier: EarlierStay) -> PricedStay:
    begin = (earlier[-1] if earlier else FIRST).exited_ms + after
    return PricedStay(begin, begin + HOUR, earlier=earlier or (FIRST,))


def test_who_comes_back_in_time_goes_on_with_his_first_stay() -> None:
    tariff = schedule(HOURLY, reentry_minutes=60)
    told = explain(tariff, again(HOUR))
    assert (told.entered_ms, told.exited_ms, told.total) == (ENTRY, ENTRY + 4 * HOUR, 4000)
    assert told.lines[0] == FeeLine("first-stay", 0, begin_ms=ENTRY)
    late = explain(tariff, again(HOUR + 1))
    assert (late.entered_ms, late.total, late.lines[0].kind) == (FIRST.exited_ms + HOUR + 1, 1000, "blocks")


def test_each_return_in_time_leads_back_to_the_first_entry() -> None:
    tariff = schedule(HOURLY, reentry_minutes=60)
    second = EarlierStay(FIRST.exited_ms + HOUR, FIRST.exited_ms + 2 * HOUR)
    assert first_entry(tariff, again(HOUR, FIRST, second)) == ENTRY
    later = EarlierStay(FIRST.exited_ms + HOUR + 1, FIRST.exited_ms + 2 * HOUR)
    assert first_entry(tariff, again(HOUR, FIRST, later)) == later.entered_ms
    assert first_entry(schedule(HOURLY), again(0)) == FIRST.exited_ms


def test_an_earlier_time_that_cannot_be_is_no_first_stay() -> None:
    tariff = schedule(HOURLY, reentry_minutes=60)
    stay = PricedStay(ENTRY, ENTRY + HOUR, earlier=(EarlierStay(ENTRY - HOUR, ENTRY + 1),))
    assert first_entry(tariff, stay) == ENTRY
    backwards = PricedStay(ENTRY, ENTRY + HOUR, earlier=(EarlierStay(ENTRY, ENTRY - 1),))
    assert first_entry(tariff, backwards) == ENTRY
    for end in (ENTRY - 1, ENTRY):
        touching = PricedStay(ENTRY, ENTRY + HOUR, earlier=(EarlierStay(ENTRY - 1, end),))
        assert first_entry(tariff, touching) == ENTRY - 1


def test_a_beginning_that_is_known_is_believed() -> None:
    assert explain(schedule(HOURLY), again(HOUR), ENTRY).total == 4000


def test_paid_time_goes_on_where_it_stopped() -> None:
    day = {
        "hours": "08:00-18:00",
        "steps": [{"until": "2 h", "total": "3.00"}, {"until": "4 h", "total": "5.00"}, {"total": "9.00"}],
    }
    tariff = schedule(day, {"hours": "18:00-08:00", "free": True}, rates_by="paid-time")
    begin = moment("2026-11-30 17:00")
    stays = ("1 h", "16 h", "16 h 1 s", "18 h", "18 h 1 s", "40 h")
    assert fees(tariff, *stays, entered=begin) == [300, 300, 500, 500, 900, 900]


def test_a_line_of_a_fee_is_nothing_once_unless_it_says_so() -> None:
    line = FeeLine("minutes-off")
    assert (line.amount, line.count, line.each, line.length_ms, line.begin_ms, line.end_ms) == (0, 1, 0, 0, None, None)
    assert (line.rate, line.rate_ar) == ("", "")


def test_parts_of_a_second_begin_nothing() -> None:
    assert fee(schedule(HOURLY), ENTRY, ENTRY + HOUR + 999) == 1000
    assert fee(schedule(HOURLY), ENTRY + 999, ENTRY + 999 + HOUR) == 1000
    assert fee(schedule(DAY, NIGHT, rates_by="stretch"), ENTRY + 500, ENTRY + 500 + HOUR + 999) == 500
    assert DAY_MS == 86_400_000
