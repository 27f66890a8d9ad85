"""Another system is asked over MQTT: answers that come late, twice, to no question or with nonsense."""

from typing import Any

import pytest

from terminal.clock import new_id
from terminal.contract.messages import Alert, Found, Lookup, Order, stamp
from terminal.journal.kinds import TOLD
from terminal.mqtt.endpoint import Endpoint
from terminal.payby.sandbox.server import Sandbox
from terminal.roles.worker.lookup_mqtt import MqttTickets
from terminal.roles.worker.ticket_lookup import ForeignTicketPolicy
from terminal.roles.worker.ticket_readings import ForeignTicketSettings
from tests.support.foreign_tickets import FLAT, HELP, NUMBER, NUMBERS, SHORT, asked, help_shows
from tests.support.lifts import LANE
from tests.support.worker_lane import CLOCK, Lane, sandbox, working

__all__ = ["sandbox"]


def over_mqtt(foreign: ForeignTicketSettings = HELP, **more: Any) -> dict[str, Any]:
    def made(endpoint: Endpoint) -> MqttTickets:
        return MqttTickets(endpoint)

    return {"foreign": foreign, "tickets": made, **more}


async def answers(lane: Lane, **changes: Any) -> None:
    asked = (await lane.bus.until(Lookup, 1))[-1]
    said = {"lookup": asked.id, "number": asked.number, "entered": stamp(CLOCK.wall_ms() - 90 * 60_000), **changes}
    await lane.bus.hears(lane.topic("found", "garage"), Found(**lane.head(), **said))


async def test_over_mqtt_the_question_is_repeated_and_the_answer_believed(sandbox: Sandbox) -> None:
    async with working(sandbox, **over_mqtt(ForeignTicketSettings(NUMBERS, None, ForeignTicketPolicy(5.0)))) as lane:
        await lane.boom_is_down()
        await lane.reads(lane.number())
        first, second = await lane.bus.until(Lookup, 2)
        assert (first.id, first.kind, first.number) == (second.id, "number", NUMBER)
        await answers(lane)
        assert (await lane.until(Order, status="created")).amount == "20.00"
        assert {topic for topic, _, _ in lane.bus.said if topic.endswith("lookup")} == {lane.topic("lookup", "garage")}


@pytest.mark.parametrize(
    "changes", [{"number": "1"}, {"entered": "2199-01-01T00:00:00Z"}, {"entered": stamp(0)}], ids=str
)
async def test_an_odd_answer_over_mqtt_is_a_failure(sandbox: Sandbox, changes: dict[str, Any]) -> None:
    async with working(sandbox, **over_mqtt()) as lane:
        await lane.boom_is_down()
        fee = lane.number()
        await lane.reads(fee)
        await answers(lane, **changes)
        assert await help_shows(lane, fee) == "ticket-unanswered"
        await lane.until(Alert, code="lookup-odd")


async def test_a_second_answer_changes_nothing_and_one_that_differs_is_told(sandbox: Sandbox) -> None:
    async with working(sandbox, **over_mqtt()) as lane:
        await lane.boom_is_down()
        await lane.reads(lane.number())
        entered = stamp(CLOCK.wall_ms() - 90 * 60_000)
        await answers(lane, entered=entered)
        order = await lane.until(Order, status="created")
        await answers(lane, entered=entered)
        await answers(lane, entered=stamp(CLOCK.wall_ms() - 60_000))
        await lane.until(Alert, code="lookup-odd")
        assert [alert.code for alert in lane.bus.of(Alert)].count("lookup-odd") == 1
        again = lane.number()
        await lane.reads(again)
        assert (await lane.until(Order, fee=again.id, status="created")).order_no == order.order_no


async def test_an_answer_to_no_question_opens_nothing(sandbox: Sandbox) -> None:
    async with working(sandbox, **over_mqtt(SHORT)) as lane:
        await lane.boom_is_down()
        entered = stamp(CLOCK.wall_ms() - 60_000)
        found = Found(**lane.head(), lookup=new_id(CLOCK), number=NUMBER, entered=entered)
        await lane.bus.hears(lane.topic("found", "garage"), found)
        await lane.bus.hears(lane.topic("found", LANE), found)
        fee = lane.number()
        await lane.reads(fee)
        assert await help_shows(lane, fee) == "ticket-unanswered"


async def test_a_late_answer_serves_the_next_reading_and_not_this_one(sandbox: Sandbox) -> None:
    async with working(sandbox, **over_mqtt(SHORT)) as lane:
        await lane.boom_is_down()
        fee = lane.number()
        await lane.reads(fee)
        assert await help_shows(lane, fee) == "ticket-unanswered"
        await answers(lane)
        assert lane.sandbox.calls_of("placeOrder") == []
        again = lane.number()
        await lane.reads(again)
        order = await lane.until(Order, fee=again.id, status="created")
        assert order.amount == "20.00"
        assert [text for kind, text in asked(lane.log) if kind == TOLD] == ["no answer within 0.2 s", "found late"]
        assert len(lane.bus.of(Lookup)) == 1


@pytest.mark.fault("lookup-fails")
async def test_a_late_answer_after_a_flat_fee_charges_nobody_again(sandbox: Sandbox) -> None:
    async with working(sandbox, **over_mqtt(FLAT)) as lane:
        await lane.boom_is_down()
        await lane.reads(lane.number())
        order = await lane.until(Order, status="created")
        await answers(lane)
        again = lane.number()
        await lane.reads(again)
        same = await lane.until(Order, fee=again.id, status="created")
        assert (same.order_no, same.amount) == (order.order_no, "25.00")
