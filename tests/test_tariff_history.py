import re

import pytest

from terminal.core.money import Fils
from terminal.core.tariff import SettledStay, TariffHistory
from terminal.core.tariff.stay import EarlierStay, PricedStay, PriorPayment
from tests.support.tariffs import HOURLY, history, moment, schedule

HOUR = 3_600_000
TURN = moment("2027-01-01 00:00")
RISE = history(
    HOURLY,
    reentry_minutes=60,
    next=[{"from": "2027-01-01", "rate": [{"steps": [{"every": "1 h", "add": "12.00"}]}], "lost_ticket": "180.00"}],
)


def test_a_stay_is_priced_by_the_tariff_in_force_when_it_began() -> None:
    assert RISE.fee(TURN - 1000, TURN + HOUR) == 2000
    assert RISE.fee(TURN, TURN + HOUR) == 1200
    assert RISE.fee(0, HOUR) == 1000
    assert RISE.fee(-5 * HOUR, -4 * HOUR) == 1000


def test_who_comes_back_keeps_the_tariff_of_his_first_stay() -> None:
    stay = PricedStay(TURN + HOUR, TURN + 2 * HOUR, earlier=(EarlierStay(TURN - HOUR, TURN),))
    told = RISE.explain(stay)
    assert (told.entered_ms, told.total) == (TURN - HOUR, 3000)
    paid = PricedStay(stay.entered_ms, stay.exited_ms, "", stay.earlier, (PriorPayment(TURN, Fils(1000)),))
    assert RISE.explain(paid).total == 2000


def test_a_key_gives_its_tickets_their_class_in_every_tariff() -> None:
    bus = {"class": "bus", "steps": [{"total": "30.00"}]}
    found = history(HOURLY, bus, classes={"k2": "bus"})
    assert found.classes == {"K2": "bus"}
    assert [found.fee(0, HOUR, key) for key in ("", "k1", "k2", "K2")] == [1000, 1000, 3000, 3000]
    with pytest.raises(ValueError, match=r"^classes.K2: got 'bus', takes the class of a rate$"):
        history(HOURLY, bus, classes={"k2": "bus"}, next=[{"from": "2027-01-01", "rate": [HOURLY]}])


def test_whether_a_stay_goes_on_is_said_by_the_tariff_of_its_own_entry() -> None:
    found = history(HOURLY, next=[{"from": "2027-01-01", "reentry_minutes": 60}])
    stay = PricedStay(TURN + HOUR, TURN + 2 * HOUR, earlier=(EarlierStay(TURN - HOUR, TURN),))
    assert found.explain(stay).total == 3000


def test_the_lost_ticket_costs_what_it_costs_at_the_time() -> None:
    assert [RISE.lost_fee(at) for at in (0, TURN - 1, TURN, TURN + 1)] == [15000, 15000, 18000, 18000]


def test_vat_and_exit_grace_are_the_same_at_all_times() -> None:
    assert (RISE.vat(2500), RISE.exit_grace_ms) == (119, 900_000)
    one, other = schedule(HOURLY), schedule(HOURLY, exit_grace=20)
    with pytest.raises(ValueError, match=r"^next: exit_grace: is the same at all times$"):
        TariffHistory(((0, one), (1, other)))
    with pytest.raises(ValueError, match=r"^next: vat_percent: is the same at all times$"):
        TariffHistory(((0, one), (1, schedule(HOURLY, vat_percent="7"))))


@pytest.mark.parametrize(
    ("starts", "said"),
    [
        ((), "next: takes a tariff before it"),
        ((0, 0), "next[1]: from: does not begin after the tariff before it"),
        ((1, 0), "next[1]: from: does not begin after the tariff before it"),
        ((0, 2, 2), "next[2]: from: does not begin after next[1]"),
        ((0, 1, 3, 2), "next[3]: from: does not begin after next[2]"),
    ],
)
def test_tariffs_begin_one_after_the_other(starts: tuple[int, ...], said: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(said)}$"):
        TariffHistory(tuple((start, schedule(HOURLY)) for start in starts))


def test_a_vehicle_that_came_back_goes_on_and_what_it_paid_counts() -> None:
    tariff = history(HOURLY, reentry_minutes=120)
    first, second = SettledStay(TURN, TURN + 3 * HOUR, 3000), SettledStay(TURN + 4 * HOUR, TURN + 5 * HOUR, 2000)

    def due(entered: int, *before: SettledStay) -> int:
        return tariff.fee_after(entered, entered + HOUR, "", before)

    assert due(TURN + 5 * HOUR) == 1000
    assert due(TURN + 5 * HOUR, first) == 3000
    assert due(TURN + 6 * HOUR, first, second) == 2000
    assert due(TURN + 5 * HOUR + 1000, first) == 1000  # a second too late: what it paid then is of no account now
    assert due(TURN + 7 * HOUR + 1, first, second) == 1000
    assert history(HOURLY).fee_after(TURN + 5 * HOUR, TURN + 6 * HOUR, "", (first,)) == 1000


def test_a_replay_prices_by_the_tariff_of_the_time() -> None:
    """What was in force stays written down beside what is: old stays cost what they cost."""
    before = history(HOURLY)
    stays = [(TURN - hours * HOUR, TURN + hours * HOUR) for hours in range(1, 40)]
    assert [RISE.fee(*stay) for stay in stays] == [before.fee(*stay) for stay in stays]
