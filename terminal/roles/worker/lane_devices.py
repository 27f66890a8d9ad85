"""What loops and barriers say: whether a vehicle waits, what the boom does, and how a lift was answered."""

import asyncio
import contextlib
from collections.abc import Callable, Collection

from terminal.contract.messages import Barrier, Health, Vehicle, moment
from terminal.contract.topics import SILENT_MS, Topic
from terminal.core import events
from terminal.core.model import Lane
from terminal.core.rules import Change
from terminal.eventstore.store import EventStore
from terminal.mqtt.endpoint import Endpoint, ReceivedMessage
from terminal.roles.worker.inbox import PostEvent
from terminal.roles.worker.lane_timers import LaneTimers
from terminal.roles.worker.lift_index import LiftIndex

BARRIER_S = 0.025
"""How long the rest of an event's consequences waits for a barrier in this process to take its lift."""


class LaneDevices:
    """``post`` takes an event, and a callback for when it is taken; ``hurry`` sends a lane's lift at once; ``expect``
    is called when a driver has come."""

    def __init__(
        self,
        endpoint: Endpoint,
        event_store: EventStore,
        lifts: LiftIndex,
        *,
        now: Callable[[], int],
        post: PostEvent,
        hurry: Callable[[str], None],
        expect: Callable[[], None],
    ) -> None:
        self._endpoint, self._event_store, self._lifts = endpoint, event_store, lifts
        self._now, self._post, self._hurry, self._expect = now, post, hurry, expect
        self._timers: dict[str, LaneTimers] = {}
        self._heard_barrier = asyncio.Event()
        self._near: str | None = None
        """The lane whose barrier runs in this process."""

    def known(self, lane: str) -> None:
        """Note that there is such a lane, even if nothing happened there."""
        self._event_store.garage.lanes.setdefault(lane, Lane(lane))

    async def hear_vehicle(self, received: ReceivedMessage) -> None:
        """Take in a `vehicle`: what the loops see."""
        vehicle, lane = received.message, received.topic.lane
        assert isinstance(vehicle, Vehicle)
        received.ack()
        if received.retained and abs(self._endpoint.clock.wall_ms() - moment(vehicle.at)) > SILENT_MS:
            return
        self.known(lane)
        said = self._of(lane)
        if said.vehicle_silent:
            said.vehicle_silent.cancel()
        said.vehicle_silent = self._silence(lambda: events.VehicleUnknown(self._now(), lane))
        if vehicle.waiting and not said.waiting:
            self._expect()
        said.waiting = vehicle.waiting
        self._post(events.VehicleSeen(self._now(), lane, vehicle.waiting, vehicle.under_boom, vehicle.car))

    async def hear_barrier(self, received: ReceivedMessage) -> None:
        """Take in a `barrier`: what the boom does, and what came of a lift."""
        barrier, lane = received.message, received.topic.lane
        assert isinstance(barrier, Barrier)
        apart = moment(barrier.at) - self._endpoint.clock.wall_ms()
        if received.retained and abs(apart) > SILENT_MS:
            received.ack()
            return
        if not received.retained and lane == self._near:
            self._heard_barrier.set()
        self.known(lane)
        before = self._event_store.garage.lanes[lane].boom
        skew: int | None = self._event_store.garage.lanes[lane].skew
        if not received.retained:
            skew = self._of(lane).rhythm.skew(apart, self._endpoint.clock.steady_ms())
        answer, lift = barrier.answer, barrier.raised_last_by
        if others := self._others(lane, lift, answer.lift if answer else None):
            await self._endpoint.bad_message(
                str(received.topic), f"a barrier answered for a lift of {others}; the answer was dropped"
            )
            answer, lift = None, None
        news: list[events.Event] = []
        if skew is not None:
            self._barrier_alive(lane)
            news.append(events.BoomSeen(self._now(), lane, barrier.state, lift, skew))
            if barrier.state == "down" and before and before.state != "down" and not received.retained:
                self._hurry(lane)
        if not received.retained and answer and (stay := self._lifts.session_of(answer.lift)):
            outcome, why = answer.outcome, answer.why or ""
            news.append(events.LiftAnswered(self._now(), lane, stay, answer.lift, outcome, why))

        async def done(_: Change | None) -> None:
            received.ack()

        for event in news[:-1]:
            self._post(event)
        if news:
            self._post(news[-1], done)
        else:
            received.ack()

    def hear_health(self, topic: Topic, health: Health) -> None:
        """Note which lane's barrier shares our connection, and so our process, and what went offline."""
        if health.state == "offline" and topic.role == "barrier":
            self._post(events.BarrierGone(self._now(), topic.lane))
        elif health.state == "offline" and topic.role == "loops":
            self._post(events.VehicleUnknown(self._now(), topic.lane))
        if topic.role == "barrier" and health.instance == self._endpoint.mqtt_client.instance:
            self._near = topic.lane

    async def barrier_first(self, lanes: Collection[str | None]) -> None:
        """A lift has just gone out to these lanes. If one of their barriers is in this process, return once it has said
        something, as it does when it pulses, or after a moment: what is published now would be taken and drawn here
        while the boom is to rise."""
        if self._near is None or self._near not in lanes:
            return
        self._heard_barrier.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(BARRIER_S):
                await self._heard_barrier.wait()

    def _others(self, lane: str, *lifts: str | None) -> str:
        """The other lane that one of these lifts is for; empty if there is none."""
        lanes = (self._lifts.lane_of(lift) for lift in lifts if lift)
        return next((found for found in lanes if found not in (None, lane)), None) or ""

    def _barrier_alive(self, lane: str) -> None:
        said = self._of(lane)
        if said.barrier_silent:
            said.barrier_silent.cancel()
        said.barrier_silent = self._silence(lambda: events.BarrierGone(self._now(), lane))

    def _silence(self, event: Callable[[], events.Event]) -> asyncio.TimerHandle:
        return asyncio.get_running_loop().call_later(SILENT_MS / 1000, lambda: self._post(event()))

    def _of(self, lane: str) -> LaneTimers:
        return self._timers.setdefault(lane, LaneTimers())
