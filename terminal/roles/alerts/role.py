"""The alerts role itself. The package's docstring says what it does."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from terminal.contract.alerts import AlertCode
from terminal.contract.messages import Alert, Alerts, RaisedAlert, moment
from terminal.core.alert_codes import Severity
from terminal.mqtt.endpoint import Endpoint, MessageStream
from terminal.roles.alerts.delivery import PAUSES_S, AlertDelivery
from terminal.roles.alerts.grouping import AlertGrouping
from terminal.roles.alerts.receivers import AlertReceiver
from terminal.roles.alerts.wording import AlertLetter

OWN: AlertCode = "alerts-undelivered"
STANDS_MS = 10_000
"""What was raised so long before its list was said had its own message before, which this role may have missed; what
is newer has its own message now, whichever of the two comes first."""
LOOK_S = 1.0
"""How often it is looked what is due, while anything waits."""


@dataclass(frozen=True, slots=True)
class AlertsOptions:
    """``name``: the garage's. ``least``: what is less grave is not sent. ``pauses_s`` is for tests."""

    name: str
    zone: ZoneInfo
    least: Severity = "warning"
    again_ms: int = 30 * 60_000
    pauses_s: Sequence[float] = PAUSES_S


class AlertsRole:
    """Hears every alert of the garage and sends it to ``receivers``."""

    def __init__(self, endpoint: Endpoint, receivers: Sequence[AlertReceiver], options: AlertsOptions) -> None:
        self._endpoint, self._options = endpoint, options
        self._grouping = AlertGrouping(options.least, options.again_ms)
        self._deliveries = [
            AlertDelivery(receiver, endpoint.clock, self._tell, pauses_s=options.pauses_s) for receiver in receivers
        ]
        self._news, self._state_news = asyncio.Event(), asyncio.Event()
        self._tell()

    async def run(self) -> None:
        """Hear and send until cancelled."""
        with self._endpoint.subscribe("alert", "alerts", lane="+") as stream:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._endpoint.run_heartbeat(), name="alerts health")
                tasks.create_task(self._hear(stream), name="alerts hears")
                tasks.create_task(self._send(), name="alerts sends")
                tasks.create_task(self._say_state(), name="alerts state")
                for delivery in self._deliveries:
                    tasks.create_task(delivery.run(), name=f"alerts {delivery.name}")

    async def _hear(self, stream: MessageStream) -> None:
        async for heard in stream:
            heard.ack()
            now_ms = self._endpoint.clock.steady_ms()
            match heard.message:
                case Alert():
                    self._grouping.take(heard.topic.lane, heard.message, now_ms)
                case Alerts():
                    for raised in heard.message.raised:
                        if heard.retained or _stands(heard.message, raised):
                            self._grouping.take_standing(heard.topic.lane, raised, now_ms)
            self._news.set()

    async def _send(self) -> None:
        clock = self._endpoint.clock
        while True:
            await self._news.wait()
            self._news.clear()
            while (moment := self._grouping.when()) is not None:
                notices, more = self._grouping.due(clock.steady_ms())
                if notices:
                    self._post(AlertLetter(
                        **self._endpoint.head(), garage=self._endpoint.garage, name=self._options.name,
                        zone=self._options.zone, notices=notices, more=more,
                    ))  # fmt: skip
                    continue
                await asyncio.sleep(max(0.02, min(LOOK_S, (moment - clock.steady_ms()) / 1000)))

    def _post(self, letter: AlertLetter) -> None:
        for delivery in self._deliveries:
            delivery.add(letter)

    def _tell(self) -> None:
        """Something has changed at a receiver."""
        self._state_news.set()

    async def _say_state(self) -> None:
        """What cannot be delivered is in this role's health at once, and an alert once a message is lost."""
        while True:
            await self._state_news.wait()
            self._state_news.clear()
            troubled = [one for one in self._deliveries if one.trouble]
            if troubled:
                words = "; ".join(f"{one.name}: {one.trouble}" for one in troubled)
                self._endpoint.degraded(f"alerts are not delivered, and tried again: {words}")
            else:
                self._endpoint.healthy()
            lost = [one for one in self._deliveries if one.lost]
            if lost:
                words = "; ".join(f"{one.lost} by {one.name} ({one.trouble or 'too many'})" for one in lost)
                await self._endpoint.alert(OWN, f"messages with alerts were given up: {words}")
            elif not troubled:
                await self._endpoint.clear(OWN, "alerts are delivered again")


def _stands(listed: Alerts, raised: RaisedAlert) -> bool:
    return moment(listed.at) - moment(raised.since) >= STANDS_MS
