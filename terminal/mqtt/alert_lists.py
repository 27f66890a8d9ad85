"""What the broker keeps of a role's raised alerts is what the role has raised, whatever was kept before."""

import asyncio
import contextlib

from terminal.contract.messages import Alerts, BadMessage, decode
from terminal.contract.topics import TopicError, parse
from terminal.mqtt.alerts import RaisedAlerts
from terminal.mqtt.client import MqttClient
from terminal.mqtt.errors import SubscriptionRefused
from terminal.mqtt.heartbeat import SELDOM_S
from terminal.mqtt.subscription import Subscription

KEPT_S = 10.0
"""The longest that it is listened to what the broker kept."""


class AlertLists:
    """``filter_`` takes in the lists of this role, at its own lane or at all of them; ``own_lane`` is where there is
    always one, if only an empty one."""

    def __init__(self, mqtt_client: MqttClient, alerts: RaisedAlerts, *, filter_: str, own_lane: str) -> None:
        self._mqtt_client, self._alerts = mqtt_client, alerts
        self._filter, self._own_lane = filter_, own_lane
        self._runs = False

    async def run(self) -> None:
        """Say the lists after every connect, for the broker may have forgotten them, and put right what it kept of an
        earlier life of this role; once a minute say what is raised, for the broker may retain nothing. Until cancelled;
        where it runs already, another one only waits."""
        if self._runs:
            await asyncio.Event().wait()
        self._runs = True
        connected = asyncio.Event()
        undo = self._mqtt_client.on_change(lambda up: connected.set() if up else None)
        try:
            while True:
                connected.clear()
                with contextlib.closing(self._mqtt_client.subscribe(self._filter)) as kept:
                    for lane in sorted(self._alerts.lanes() | {self._own_lane}):
                        await self._alerts.publish_list(lane)
                    with contextlib.suppress(TimeoutError, SubscriptionRefused):
                        async with asyncio.timeout(KEPT_S):
                            await self._correct(kept)
                await self._until(connected)
        finally:
            self._runs = False
            undo()

    async def _until(self, connected: asyncio.Event) -> None:
        """Repeat what is raised, and no empty list, until there is a new connection."""
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(SELDOM_S):
                    await connected.wait()
                    return
            for lane in sorted(self._alerts.lanes()):
                await self._alerts.publish_list(lane)

    async def _correct(self, kept: Subscription) -> None:
        """Until the own list comes back: what was kept came before. Of what is said now nothing is put right: a second
        role of this name would do so too, for ever."""
        async for delivery in kept:
            delivery.ack()
            if not delivery.retained:
                return
            if not delivery.payload:
                continue
            lane, raised = "", None
            with contextlib.suppress(TopicError):
                lane = parse(delivery.topic).lane
            with contextlib.suppress(BadMessage):
                raised = decode(Alerts, delivery.payload).raised
            if lane and raised != self._alerts.raised_at(lane)[0]:
                await self._alerts.publish_list(lane)
