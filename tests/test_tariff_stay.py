import dataclasses
import importlib
import pkgutil

import pytest

import terminal.core.tariff as package
from terminal.core.money import Fils
from terminal.core.tariff.calendar import Dates
from terminal.core.tariff.stay import DAY_MS, DAY_S, MAX_PRICE, MINUTE_MS, SECOND_MS, PricedStay, PriorPayment
from tests.support.tariffs import HOURLY, history

MODULES = [
    importlib.import_module(found.name) for found in pkgutil.iter_modules(package.__path__, "terminal.core.tariff.")
]
NOUNS = sorted(
    {
        kind
        for module in MODULES
        for kind in vars(module).values()
        if isinstance(kind, type) and dataclasses.is_dataclass(kind)
    },
    key=lambda kind: kind.__name__,
)


@pytest.mark.parametrize("kind", NOUNS, ids=lambda kind: kind.__name__)
def test_a_noun_of_the_tariff_is_frozen_and_has_only_its_fields(kind: type) -> None:
    assert vars(kind)["__dataclass_params__"].frozen is True
    assert "__slots__" in vars(kind)


def test_a_stay_has_no_class_no_past_and_no_payment_unless_it_says_so() -> None:
    stay = PricedStay(1, 2)
    assert (stay.ticket_class, stay.earlier, stay.paid) == ("", (), ())
    assert Dates.__dataclass_fields__["yearly"].default is False


def test_times_are_counted_in_milliseconds() -> None:
    assert (SECOND_MS, MINUTE_MS, DAY_S, DAY_MS, MAX_PRICE) == (1000, 60_000, 86_400, 86_400_000, 10**8)


def test_nothing_is_charged_twice_for_a_stay_that_was_paid_on_the_way() -> None:
    tariff = history(HOURLY)
    paid: tuple[PriorPayment, ...] = ()
    for hours in (1, 3, 4, 9):
        end = hours * 3_600_000
        due = tariff.explain(PricedStay(0, end, paid=paid)).total
        paid = (*paid, PriorPayment(end, Fils(due)))
    assert sum(payment.amount for payment in paid) == tariff.fee(0, 9 * 3_600_000) == 9000
