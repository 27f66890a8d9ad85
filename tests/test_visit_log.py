"""One line of the log for each visit that ends, with the seconds of each step."""

import logging

import pytest

from terminal.core import ids
from terminal.core.model import Lane, ParkingFee, Payment, PaymentProof, Rules, Stay, Visit, VisitOrder
from terminal.core.rules import Garage
from terminal.core.value import replace
from terminal.roles.worker.visit_log import VisitLog

NOW = 1_795_000_000_000
SESSION = ids.derived_id(NOW, "session")
NUMBER = ids.order_no("marina", "exit-1", SESSION, 1)
VISIT = Visit(ParkingFee("f", SESSION, "PX1", 2000, "due", 91), "ordering", NOW)
ORDER = VisitOrder(NUMBER, "exit-1", SESSION, 1, 2000, NOW, NOW + 110_000, NOW + 700_000)
PAYMENT = Payment(NUMBER, 2000, NOW, PaymentProof("{}", "c2ln"), "lift")


class Told:
    """A garage of one lane whose visit goes on step by step."""

    def __init__(self) -> None:
        self.garage = Garage(Rules("marina"))
        self.log = VisitLog()

    def is_so(self, after_s: float, visit: Visit | None, stay: Stay) -> None:
        self.garage.lanes["exit-1"] = Lane("exit-1", visit=visit)
        self.garage.stays[SESSION] = stay
        self.log.note(NOW + round(after_s * 1000), self.garage, "exit-1")


def test_a_visit_that_left_is_told_with_its_steps(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    told, stay = Told(), Stay(SESSION, orders=(ORDER,))
    told.is_so(0, VISIT, Stay(SESSION))
    visit = replace(VISIT, phase="paying", order_no=NUMBER)
    told.is_so(0.3, visit, stay)
    told.is_so(0.8, visit, replace(stay, orders=(replace(ORDER, stage="created"),)))
    told.is_so(1.0, visit, replace(stay, orders=(replace(ORDER, stage="created"),)))
    told.is_so(12.8, visit, replace(stay, orders=(replace(ORDER, stage="created", scanned=True),)))
    paid = replace(stay, orders=(replace(ORDER, stage="paid", scanned=True),), payments=(PAYMENT,))
    leaving = replace(visit, phase="leaving", grant="lift")
    told.is_so(20.8, leaving, paid)
    told.is_so(21.3, replace(leaving, raised=True), paid)
    assert caplog.messages == []
    told.is_so(25.3, None, replace(paid, left=NOW + 25_300))
    assert caplog.messages == [
        f"visit at exit-1 left: ticket ..{SESSION[-4:].upper()}, order {NUMBER}, AED 20.00, help code "
        f"{ids.help_code(SESSION)}; ticket to code 0.8 s, code to scan 12.0 s, scan to paid 8.0 s, paid to lift 0.0 s, "
        "lift to raised 0.5 s, raised to gone 4.0 s"
    ]


def test_the_amount_is_that_of_the_order_which_is_named(caplog: pytest.LogCaptureFixture) -> None:
    """A coupon lessened it after the ticket was read."""
    caplog.set_level(logging.INFO)
    told, second = Told(), ids.order_no("marina", "exit-1", SESSION, 2)
    orders = (replace(ORDER, stage="closed"), replace(ORDER, no=second, attempt=2, amount=1500, stage="created"))
    told.is_so(0, replace(VISIT, order_no=NUMBER), Stay(SESSION, orders=(ORDER,)))
    told.is_so(2, replace(VISIT, order_no=second), Stay(SESSION, orders=orders))
    told.is_so(9, None, Stay(SESSION, orders=orders))
    assert f"order {second}, AED 15.00, help code" in caplog.messages[0]


def test_a_visit_that_ends_in_help_or_without_leaving_says_so(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    told = Told()
    for visit in (replace(VISIT, phase="helping", reason="unpaid"), VISIT):
        told.is_so(0, visit, Stay(SESSION))
        told.is_so(3, None, Stay(SESSION))
    code, tail = ids.help_code(SESSION), SESSION[-4:].upper()
    assert caplog.messages == [
        f"visit at exit-1 ended in help (unpaid): ticket ..{tail}, no order, help code {code}; ticket to gone 3.0 s",
        f"visit at exit-1 ended without leaving: ticket ..{tail}, no order, help code {code}; ticket to gone 3.0 s",
    ]


def test_the_next_ticket_at_a_lane_ends_the_visit_before_it(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    told, other = Told(), ids.derived_id(NOW, "other")
    told.is_so(0, VISIT, Stay(SESSION))
    told.is_so(9, replace(VISIT, fee=replace(VISIT.fee, session=other)), Stay(SESSION))
    told.is_so(10, None, Stay(SESSION))
    assert [message.split("help code ")[1].split(";")[0] for message in caplog.messages] == [
        ids.help_code(SESSION),
        ids.help_code(other),
    ]
