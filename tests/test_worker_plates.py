"""A plate in place of a ticket: charged once by its entry, left to a person where the camera is not sure."""

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from terminal.clock import new_id
from terminal.contract.messages import Alert, Lift, Order, Plate, Screen, Vehicle, moment, stamp
from terminal.core.ids import derived_id, help_code
from terminal.payby.sandbox.server import Sandbox
from terminal.roles.worker.lookup_http import HttpTickets
from terminal.roles.worker.ticket_readings import ForeignTicketSettings
from tests.support.lifts import GARAGE, LANE
from tests.support.ticket_system import replies, ticket_system
from tests.support.worker_lane import CLOCK, Lane, sandbox, working

__all__ = ["sandbox"]
PLATES = ForeignTicketSettings(least_confidence=90)
CAR = new_id(CLOCK)
MINUTE_MS = 60_000


@pytest.fixture
async def lane(sandbox: Sandbox) -> AsyncIterator[Lane]:
    async with working(sandbox, foreign=PLATES) as lane:
        await lane.boom_is_down()
        yield lane


def plate(lane: Lane, *, minutes: int | None = 90, confidence: int = 97, text: str = "D 12345", **more: Any) -> Plate:
    entered = None if minutes is None else stamp(CLOCK.wall_ms() - minutes * MINUTE_MS)
    return Plate(**{**lane.head(), "plate": text, "confidence": confidence, "entered": entered, **more})


async def camera_reads(lane: Lane, said: Plate, at: str = LANE) -> None:
    await lane.bus.hears(lane.topic("plate", at), said)


async def waits(lane: Lane, car: str | None = CAR) -> None:
    seen = Vehicle(**lane.head(), waiting=car is not None, under_boom=False, car=car)
    await lane.bus.hears(lane.topic("vehicle"), seen)


async def test_a_plate_with_its_entry_is_charged_by_our_tariff_and_leaves(lane: Lane) -> None:
    await waits(lane)
    said = plate(lane)
    await camera_reads(lane, said)
    order = await lane.until(Order, status="created", fee=said.id)
    entered_ms = moment(said.entered or "")
    assert (order.amount, order.session) == ("20.00", derived_id(entered_ms, "plate", GARAGE, "D12345"))
    await lane.sandbox.pay(order.order_no or "", notify=False)
    lift = await lane.until(Lift, order_no=order.order_no)
    assert (lift.session, lift.car) == (order.session, CAR)
    assert lane.bus.unacknowledged == 0


async def test_a_short_stay_by_plate_is_free(lane: Lane) -> None:
    await waits(lane)
    await camera_reads(lane, plate(lane, minutes=5))
    assert (await lane.until(Lift)).reason == "free"


@pytest.mark.fault("plate-unsure")
async def test_a_plate_of_low_confidence_gets_help_with_its_reason_and_an_alert_and_is_charged_nothing(
    lane: Lane,
) -> None:
    await waits(lane)
    unsure = plate(lane, confidence=89)
    await camera_reads(lane, unsure)
    screen = await lane.until(Screen, state="help", fee=unsure.id)
    assert (screen.reason, screen.help_code) == ("plate-unsure", help_code("D 12345"))
    alert = await lane.until(Alert, code="plate-unsure")
    assert (alert.help_code, alert.severity) == (screen.help_code, "warning")
    for _ in range(3):
        await camera_reads(lane, plate(lane, confidence=50))
    sure = plate(lane, confidence=90)
    await camera_reads(lane, sure)
    await lane.until(Order, status="created", fee=sure.id)
    assert [alert.code for alert in lane.bus.of(Alert)].count("plate-unsure") == 1
    assert len(lane.sandbox.calls_of("placeOrder")) == 1


async def test_after_an_unsure_plate_the_driver_may_scan_a_ticket(lane: Lane) -> None:
    await waits(lane)
    await camera_reads(lane, plate(lane, confidence=10))
    await lane.until(Screen, state="help")
    fee = lane.fee(car=CAR)
    await lane.reads(fee)
    await lane.until(Order, status="created", fee=fee.id)


async def test_the_same_plate_read_again_is_the_same_visit_whatever_its_entry_is_said_to_be(lane: Lane) -> None:
    await waits(lane)
    first = plate(lane)
    await camera_reads(lane, first)
    order = await lane.until(Order, status="created")
    for again in (first, plate(lane, text="d-12345"), plate(lane, minutes=89), plate(lane, minutes=200)):
        await camera_reads(lane, again)
        await lane.until(Order, status="created", fee=again.id)
    assert {said.order_no for said in lane.bus.of(Order) if said.order_no} == {order.order_no}
    assert len(lane.sandbox.calls_of("placeOrder")) == 1


@pytest.mark.parametrize("other", [{"text": "D 12346"}, {"confidence": 40}, {"text": "???"}], ids=str)
async def test_another_reading_of_the_car_that_pays_changes_nothing(lane: Lane, other: dict[str, Any]) -> None:
    await waits(lane)
    await camera_reads(lane, plate(lane))
    order = await lane.until(Order, status="created")
    await camera_reads(lane, plate(lane, **other))
    again = plate(lane)
    await camera_reads(lane, again)
    assert (await lane.until(Order, fee=again.id)).order_no == order.order_no
    assert "help" not in {screen.state for screen in lane.bus.of(Screen)}
    assert len(lane.sandbox.calls_of("placeOrder")) == 1


async def test_a_plate_does_not_take_the_place_of_the_drivers_own_ticket(lane: Lane) -> None:
    await waits(lane)
    fee = lane.fee(car=CAR)
    await lane.reads(fee)
    order = await lane.until(Order, status="created")
    await camera_reads(lane, plate(lane))
    await camera_reads(lane, plate(lane, confidence=30))
    await lane.reads(fee)
    await lane.bus.until(Screen, len(lane.bus.of(Screen)) + 1)
    assert {said.order_no for said in lane.bus.of(Order) if said.order_no} == {order.order_no}
    assert len(lane.sandbox.calls_of("placeOrder")) == 1


async def test_the_drivers_own_ticket_takes_the_place_of_a_plate_and_one_of_the_two_is_charged(lane: Lane) -> None:
    await waits(lane)
    await camera_reads(lane, plate(lane))
    by_plate = await lane.until(Order, status="created")
    fee = lane.fee(car=CAR)
    await lane.reads(fee)
    by_ticket = await lane.until(Order, status="created", fee=fee.id)
    assert by_ticket.order_no != by_plate.order_no
    assert lane.sandbox.book.orders[by_plate.order_no or ""].status != "PAID_SUCCESS"


@pytest.mark.parametrize("minutes", [-60, 400 * 1440, 50 * 366 * 1440])
async def test_an_entry_that_cannot_be_leaves_the_plate_to_a_person(lane: Lane, minutes: int) -> None:
    await waits(lane)
    said = plate(lane, minutes=minutes)
    await camera_reads(lane, said)
    assert (await lane.until(Screen, state="help", fee=said.id)).reason == "plate-unsure"
    await lane.until(Alert, code="lookup-odd")
    assert lane.sandbox.calls_of("placeOrder") == []


async def test_without_an_entry_and_nobody_to_ask_a_person_decides(lane: Lane) -> None:
    await waits(lane)
    said = plate(lane, minutes=None)
    await camera_reads(lane, said)
    assert (await lane.until(Screen, state="help", fee=said.id)).reason == "plate-unsure"


async def test_a_plate_that_waited_in_a_broker_is_no_reading(lane: Lane) -> None:
    await camera_reads(lane, plate(lane, at=stamp(CLOCK.wall_ms() - 61_000)))
    await lane.until(Alert, code="bad-message")
    assert lane.sandbox.calls_of("placeOrder") == []


async def test_a_plate_at_a_closed_lane_or_in_the_garages_place_opens_nothing(lane: Lane) -> None:
    await camera_reads(lane, plate(lane), at="garage")
    await lane.until(Alert, code="bad-message")
    lanes = lane.worker.event_store.garage.lanes
    lanes[LANE] = replace(lanes[LANE], closed=True)
    await camera_reads(lane, plate(lane))
    await camera_reads(lane, plate(lane, confidence=1))
    assert (lane.sandbox.calls_of("placeOrder"), lane.bus.of(Lift)) == ([], [])


async def test_a_plate_that_was_read_before_a_visit_could_begin_is_taken_in_once_it_can(sandbox: Sandbox) -> None:
    """At a start, nothing has confirmed the clock for a moment; only the newest plate of a lane waits."""
    why = ["clock"]
    async with working(sandbox, foreign=PLATES, hindered=lambda: why[0]) as lane:
        await lane.boom_is_down()
        await camera_reads(lane, plate(lane, text="E 1"))
        newest = plate(lane)
        await camera_reads(lane, newest)
        await lane.bus.until(Screen, 1)
        assert lane.sandbox.calls_of("placeOrder") == []
        why[0] = ""
        assert (await lane.until(Order, status="created")).fee == newest.id
        assert len(lane.sandbox.calls_of("placeOrder")) == 1


async def test_without_a_plate_section_nobody_hears_cameras(sandbox: Sandbox) -> None:
    async with working(sandbox) as lane:
        await lane.boom_is_down()
        await camera_reads(lane, plate(lane, minutes=5))
        fee = lane.fee()
        await lane.reads(fee)
        await lane.until(Order, status="created")
        assert lane.bus.of(Lift) == []


async def test_a_plate_whose_entry_the_camera_does_not_know_is_looked_up(sandbox: Sandbox) -> None:
    async with ticket_system() as system:
        system.entries["D12345"] = stamp(CLOCK.wall_ms() - 90 * MINUTE_MS)
        async with working(sandbox, foreign=PLATES, tickets=lambda _: HttpTickets(system.address)) as lane:
            await lane.boom_is_down()
            said = plate(lane, minutes=None)
            await camera_reads(lane, said)
            assert (await lane.until(Order, status="created", fee=said.id)).amount == "20.00"
            assert [path for path, _ in system.asked] == ["/plate/D12345"]
            system.answering = replies(status=500)
            other = plate(lane, minutes=None, text="E 9")
            await camera_reads(lane, other, at="exit-2")
            assert (await lane.until(Screen, state="help", fee=other.id)).reason == "ticket-unanswered"


async def test_a_plate_at_two_lanes_is_a_copy(lane: Lane) -> None:
    await waits(lane)
    await camera_reads(lane, plate(lane))
    await lane.until(Order, status="created")
    other = plate(lane)
    await camera_reads(lane, other, at="exit-2")
    assert (await lane.until(Screen, state="help", fee=other.id)).reason == "ticket-copied"
