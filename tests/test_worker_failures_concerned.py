"""Whom a failure concerns."""

import pytest

from terminal.core import events, ids
from terminal.core.model import Lane, ParkingFee, Rules, Visit
from terminal.core.rules import Garage
from terminal.roles.worker.failures import concerned
from tests.support.story import T0, an_id

SERVED = ParkingFee("a fee", an_id("stay", "a"), "a ticket", 2000, "due")
ORDER_NO = ids.order_no("marina", "exit-1", SERVED.session, 1)


@pytest.mark.parametrize(
    ("event", "stay", "lane"),
    [
        (events.TimePassed(T0, lane="exit-1"), "served", "exit-1"),
        (events.VehicleUnknown(T0, "exit-1"), "served", "exit-1"),
        (events.VehicleUnknown(T0, "exit-2"), None, "exit-2"),
        (events.LiftAnswered(T0, "exit-1", "another", "a lift", "raised", ""), "another", "exit-1"),
        (events.AlertTold(T0, "another", "tailgating"), "another", None),
        (events.OrderUnheard(T0, ORDER_NO, "getOrder", "time-out"), "served", "exit-1"),
        (events.OrderUnheard(T0, "no number of ours", "getOrder", "time-out"), None, None),
        (events.Started(T0, "1"), None, None),
    ],
)
def test_a_failure_concerns_the_stay_of_the_event_or_the_one_at_its_lane(
    event: events.Event, stay: str | None, lane: str | None
) -> None:
    garage = Garage(Rules("marina"), {"exit-1": Lane("exit-1", visit=Visit(SERVED, "paying", T0))})
    assert concerned(event, garage) == (SERVED.session if stay == "served" else stay, lane)
