"""A role's heartbeat: its health, repeated; the echo that proves the broker delivers; a second machine's traces."""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from terminal.clock import Clock, new_id
from terminal.contract.messages import Health, HealthState, encode, stamp
from terminal.contract.topics import GARAGE_WIDE, SILENT_MS, topic
from terminal.mqtt.client import MqttClient
from terminal.mqtt.errors import MqttError, Will
from terminal.mqtt.subscription import Subscription
from terminal.mqtt.takeover import TAKEN_OVER, TakeoverDetector

log = logging.getLogger(__name__)

HEARTBEAT_S = 5.0
SELDOM_S = 60.0
"""How often a role repeats its health when its process beats for it on ``health/run``. Each beat of the process is a
sign of life of all its roles (Presence), so a watcher of an idle lane hears less than half as much."""
SAID_AGAIN_S = 2.2
"""How long after a connect a heartbeat is repeated once: a QoS 0 message reaches only those who are connected, and a
role that lost the broker at the same time is back by then (reconnect_pace.RETRY_S)."""


class Heartbeat:
    """``publish`` sends a health on ``own_topic``; ``tell_takeover`` alerts, or clears, that our session is taken over
    again and again. ``head()`` begins a message; ``every_s`` is for tests. ``came_back`` is called each time that our
    own heartbeat came back from the broker."""

    def __init__(
        self,
        mqtt_client: MqttClient,
        clock: Clock,
        *,
        own_topic: str,
        version: str,
        head: Callable[[], dict[str, Any]],
        publish: Callable[[Health], Awaitable[None]],
        tell_takeover: Callable[[bool], Awaitable[None]],
        every_s: float = HEARTBEAT_S,
        came_back: Callable[[], None] = lambda: None,
    ) -> None:
        self._mqtt_client = mqtt_client
        self._came_back = came_back
        self._clock = clock
        self._own_topic = own_topic
        self._version = version
        self._head = head
        self._publish = publish
        self._tell_takeover = tell_takeover
        self._every_s = every_s
        self._state: HealthState = "online"
        self._reason: str | None = None
        self._own: tuple[HealthState, str | None] = "online", None
        """The role's own state, whatever happens to the connection."""
        self._since = stamp(clock.wall_ms())
        self._news = asyncio.Event()
        self._beats = False
        self._said_again: asyncio.TimerHandle | None = None
        self._echo_ms = clock.steady_ms()
        self._takeover = TakeoverDetector(clock.steady_ms, connected=mqtt_client.connected)
        self._taken_over = self._heard_own = self._heard_other = False

    def become(self, state: HealthState, reason: str | None) -> None:
        """Publish ``state`` from now on, and why."""
        self._own = state, reason
        if self._taken_over and state == "online":
            state, reason = "degraded", TAKEN_OVER
        if (state, reason) != (self._state, self._reason):
            if state != self._state:
                self._since = stamp(self._clock.wall_ms())
            self._state, self._reason = state, reason
            self._news.set()

    def send(self) -> None:
        """Publish it at once."""
        self._news.set()

    async def run(self) -> None:
        """Publish this role's health every ``every_s``, on every change, after every connect and once more for roles
        that were slower to connect, until cancelled; then publish ``offline``. The heartbeat is also a test: some
        brokers grant a subscription and then do not deliver, so if our own heartbeat does not come back for 15 s, the
        connection is made anew. If the role's keeper already runs the heartbeat, a second call only waits."""
        if self._beats:
            await asyncio.Event().wait()
        self._beats = True
        undo = self._mqtt_client.on_change(self._changed)
        echo = self._mqtt_client.subscribe(fleeting=[self._own_topic])
        self._echo_ms = self._clock.steady_ms()
        self._takeover = TakeoverDetector(self._clock.steady_ms, connected=self._mqtt_client.connected)
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._listen(echo), name=f"{self._own_topic} echo")
                while True:
                    self._news.clear()
                    await self._look_at_losses()
                    await self._publish_health()
                    await self._wait_for_news()
        finally:
            undo()
            self._beats = False
            self._changed(False)
            echo.close()
            self.become("offline", "stopped")
            with contextlib.suppress(MqttError):
                await self._publish_health()

    async def _wait_for_news(self) -> None:
        """Return when there is news, or when the next beat is due."""
        left_s = self._every_s
        while not self._news.is_set():
            tick_s = min(HEARTBEAT_S, left_s)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(tick_s):
                    await self._news.wait()
                    return
            if self._every_s <= HEARTBEAT_S:  # else the process's own beat tests the connection
                self._check_echo()
            left_s -= tick_s
            if left_s <= 0:
                return
            await self._look_at_losses()

    def _changed(self, connected: bool) -> None:
        self._echo_ms = self._clock.steady_ms()
        self._takeover.changed(connected)
        if self._said_again:
            self._said_again.cancel()
        if connected:
            self._news.set()
            self._said_again = asyncio.get_running_loop().call_later(SAID_AGAIN_S, self._news.set)

    async def _publish_health(self) -> None:
        await self._publish(
            Health(
                **self._head(),
                state=self._state,
                version=self._version,
                instance=self._mqtt_client.instance,
                since=self._since,
                reason=self._reason,
            )
        )

    async def _listen(self, echo: Subscription) -> None:
        async for delivery in echo:
            delivery.ack()
            if self._mqtt_client.instance.encode() not in delivery.payload:
                self._heard_other = self._heard_own  # the process before us published that
            elif not delivery.retained:
                self._echo_ms, self._heard_own = self._clock.steady_ms(), True
                self._came_back()

    async def _look_at_losses(self) -> None:
        many = self._takeover.are_many
        if many and self._heard_other:
            self._mqtt_client.yields = True
        if many == self._taken_over:
            return
        self._taken_over = many
        self.become(*self._own)
        if not many:
            self._heard_other = self._mqtt_client.yields = False
        await self._tell_takeover(many)

    def _check_echo(self) -> None:
        if self._mqtt_client.connected and self._clock.steady_ms() - self._echo_ms > SILENT_MS:
            log.error("the broker accepts the heartbeats on %s and does not deliver them", self._own_topic)
            self._echo_ms = self._clock.steady_ms()
            self._mqtt_client.reconnect("the broker does not deliver")


def last_will(
    *, garage: str, lane: str | None, role: str, version: str, instance: str, clock: Clock
) -> Callable[[], Will]:
    """The will of a connection, for MqttClient(will=...): that ``role`` (of a process with several: ``run``) is
    offline. ``instance`` must be the MqttClient's."""
    where = topic(garage, lane or GARAGE_WIDE, f"health/{role}")

    def will() -> Will:
        now = stamp(clock.wall_ms())
        health = Health(
            id=new_id(clock), at=now, state="offline", version=version, instance=instance, since=now, reason="lost"
        )
        return Will(where, encode(health))

    return will
