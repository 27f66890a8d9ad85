"""A role's way to the broker: typed messages on the contract's topics, alerts that are raised once, a heartbeat.

Several roles of one process share one MqttClient; each has an Endpoint of its own.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Self

from terminal.clock import Clock, new_id
from terminal.contract.alerts import AlertCode
from terminal.contract.messages import MESSAGES, BadMessage, Health, Message, decode, encode, stamp
from terminal.contract.topics import (
    BY_ROLE,
    FLEETING,
    GARAGE_WIDE,
    LATEST_ONLY,
    RETAINED,
    Topic,
    TopicError,
    check_garage,
    check_lane,
    parse,
    topic,
)
from terminal.core.alert_codes import Severity
from terminal.mqtt.alert_lists import AlertLists
from terminal.mqtt.alerts import TEXT_MOST, AlertKey, RaisedAlerts
from terminal.mqtt.client import MqttClient
from terminal.mqtt.heartbeat import HEARTBEAT_S, Heartbeat
from terminal.mqtt.subscription import Delivery, Subscription
from terminal.mqtt.takeover import TAKEN_OVER
from terminal.payby.plain_text import plain


@dataclass(frozen=True, slots=True)
class ReceivedMessage:
    """A message that fits its type. ``retained``: it tells what was, not what happens now. Call ack() when it is dealt
    with for good; see Delivery."""

    topic: Topic
    message: Message
    retained: bool
    delivery: Delivery = field(repr=False)

    def ack(self) -> None:
        """Let the broker forget the message. A second call does nothing."""
        self.delivery.ack()


class MessageStream:
    """An async iterator of ReceivedMessage, for one consumer; see Endpoint.subscribe(). Closing it (or ``with``)
    ends it.

    An empty message on a retained topic is MQTT's way to delete what is retained there. It is skipped.
    """

    def __init__(self, endpoint: "Endpoint", subscription: Subscription) -> None:
        self._endpoint = endpoint
        self._subscription = subscription

    async def granted(self) -> None:
        """Return once the broker has confirmed the subscription; every later message arrives."""
        await self._subscription.granted()

    def close(self) -> None:
        """End the iteration; unacknowledged messages go back to the client (see MqttClient). A second call does
        nothing."""
        self._subscription.close()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> ReceivedMessage:
        async for delivery in self._subscription:
            try:
                where = parse(delivery.topic)
                kind = MESSAGES.get(where.kind)
                if kind is None:
                    raise BadMessage(f"{where.kind!r} is not a message of the contract")
                if not delivery.payload and where.kind in RETAINED:  # somebody deleted the retained message
                    delivery.ack()
                    continue
                return ReceivedMessage(where, decode(kind, delivery.payload), delivery.retained, delivery)
            except (BadMessage, TopicError) as error:
                delivery.ack()
                await self._endpoint.bad_message(delivery.topic, str(error))
        raise StopAsyncIteration

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Endpoint:
    """One role's connection to the others. ``lane`` None: a role of the whole garage. ``heartbeat_s`` is for tests.
    ``tells_of_connection``: if several roles share a connection, only one raises the alert about it. ``came_back`` is
    called each time that this role's heartbeat came back from the broker.

    Raises TopicError for names that no topic may hold.
    """

    def __init__(
        self,
        mqtt_client: MqttClient,
        *,
        garage: str,
        lane: str | None,
        role: str,
        version: str,
        clock: Clock,
        heartbeat_s: float = HEARTBEAT_S,
        tells_of_connection: bool = True,
        came_back: Callable[[], None] = lambda: None,
    ) -> None:
        self.mqtt_client = mqtt_client
        self.garage = check_garage(garage)
        self.lane = None if lane is None else check_lane(lane)
        self.role = role
        self.version = version
        self.clock = clock
        self._tells_of_connection = tells_of_connection
        self._alerts = RaisedAlerts(self._publish_alerts, self.head)
        self._alert_lists = AlertLists(
            mqtt_client,
            self._alerts,
            filter_=f"parking/{garage}/{lane or '+'}/alerts/{role}",
            own_lane=lane or GARAGE_WIDE,
        )
        self._heartbeat = Heartbeat(
            mqtt_client,
            clock,
            own_topic=self.where(f"health/{role}"),
            version=version,
            head=self.head,
            publish=self._publish_health,
            tell_takeover=self._tell_takeover,
            every_s=heartbeat_s,
            came_back=came_back,
        )
        self.may_speak: Callable[[], bool] | None = None
        """Once it says no, what is to be published is dropped: another process speaks for this role."""
        self.seal: Callable[[Health], Health] = lambda health: health
        """Applied to each heartbeat before it goes out: a worker signs its own."""

    def head(self) -> dict[str, Any]:
        """What every new message begins with: ``Lift(**endpoint.head(), ...)``."""
        return {"id": new_id(self.clock), "at": stamp(self.clock.wall_ms())}

    def where(self, what: str, lane: str | None = None) -> str:
        """The topic of ``what`` in ``lane``, by default this role's lane."""
        return topic(self.garage, lane or self.lane or GARAGE_WIDE, what)

    async def publish(self, message: Message, *, lane: str | None = None, role: str | None = None) -> None:
        """Publish ``message`` on its topic, retained if the contract says so. It may be lost: a sender that needs to
        know repeats it, with the same id, until an answer comes. ``role`` is for another role's health. Raises
        BadMessage for what is too large, ConnectionRefused where there will be no connection."""
        if self.may_speak and not self.may_speak():
            return
        kind = type(message).__name__.lower()
        await self.mqtt_client.publish(
            self.where(f"{kind}/{role or self.role}" if kind in BY_ROLE else kind, lane),
            encode(message),
            retain=kind in RETAINED,
            latest_only=kind in LATEST_ONLY,
        )

    def subscribe(self, *kinds: str, lane: str | None = None) -> MessageStream:
        """Messages of ``kinds`` (``fee``; ``health`` for every role's, ``health/worker`` for one) from now on.

        ``lane``: by default this role's, for health the garage's roles as well; or every lane (``+``) for a role of
        the whole garage. What does not fit its type is acknowledged, alerted and not yielded. Several streams may
        take in one message.
        """
        unknown = [kind for kind in kinds if kind.partition("/")[0] not in MESSAGES]
        if unknown or not kinds:
            raise ValueError(f"no messages of the contract: {', '.join(unknown) or 'nothing named'}")
        lasting, fleeting = list[str](), list[str]()
        for kind in kinds:
            place = f"parking/{self.garage}/{lane or self.lane or '+'}"
            topic_kind = kind.partition("/")[0]
            what = f"{kind}/+" if kind in BY_ROLE else kind
            (fleeting if topic_kind in FLEETING else lasting).append(f"{place}/{what}")
            if topic_kind == "health" and self.lane and not lane:
                fleeting.append(f"parking/{self.garage}/{GARAGE_WIDE}/{what}")
        return MessageStream(self, self.mqtt_client.subscribe(*lasting, fleeting=fleeting))

    # Alerts

    async def alert(
        self,
        code: AlertCode,
        text: str,
        *,
        severity: Severity | None = None,
        once: bool | None = None,
        lane: str | None = None,
        session: str | None = None,
        order_no: str | None = None,
        help_code: str | None = None,
    ) -> None:
        """Raise an alert, unless it is raised already for this lane, session and order. ``severity``, and ``once``
        (it happened, and is told every time; else it is a state that will be cleared), need to be said only where
        contract.alerts leaves them open. Any ``text`` will do: it goes out as one plain line, cut where it is too
        long. Raises ValueError where what is left open is not said."""
        key = self._alert_key(code, lane, session, order_no)
        await self._alerts.alert(key, text, severity=severity, once=once, help_code=help_code)

    async def clear(
        self,
        code: AlertCode,
        text: str,
        *,
        lane: str | None = None,
        session: str | None = None,
        order_no: str | None = None,
        help_code: str | None = None,
    ) -> None:
        """Clear what this endpoint raised under ``code``: for that session or order, or for the lane as a whole."""
        await self._alerts.clear(self._alert_key(code, lane, session, order_no), text, help_code=help_code)

    def raised(self) -> list[AlertCode]:
        """The codes of the alerts raised for this role's place as a whole, and for no stay or order."""
        return self._alerts.codes_of(self.lane or GARAGE_WIDE)

    async def bad_message(self, topic_text: str, reason: str) -> None:
        """Raise ``bad-message``; a flood of them is counted, not repeated."""
        now_ms = self.clock.steady_ms()
        await self._alerts.bad_message(topic_text, reason, now_ms=now_ms, lane=self.lane or GARAGE_WIDE)

    def _alert_key(self, code: AlertCode, lane: str | None, session: str | None, order_no: str | None) -> AlertKey:
        return AlertKey(code, lane or self.lane or GARAGE_WIDE, session, order_no)

    async def _publish_alerts(self, message: Message, lane: str) -> None:
        await self.publish(message, lane=lane)

    # Health

    def healthy(self) -> None:
        """Publish ``online`` from now on."""
        self._heartbeat.become("online", None)

    def degraded(self, reason: str) -> None:
        """Publish ``degraded`` from now on, and why, in any words: they are cleaned and cut like an alert's."""
        self._heartbeat.become("degraded", plain(reason, TEXT_MOST))

    async def run_heartbeat(self) -> None:
        """Publish this role's health until cancelled, and then that it is offline; see Heartbeat.run(). Also keep the
        broker's retained lists of its alerts true; see AlertLists.run()."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._alert_lists.run(), name=f"{self.role} alerts")
            await self._heartbeat.run()

    def send_heartbeat(self) -> None:
        """Publish this role's health at once."""
        self._heartbeat.send()

    async def _publish_health(self, health: Health) -> None:
        await self.publish(self.seal(health))

    async def _tell_takeover(self, taken_over: bool) -> None:
        if not self._tells_of_connection:
            return
        if taken_over:
            await self.alert("taken-over", TAKEN_OVER)
        else:
            await self.clear("taken-over", "the connection to the broker has held for a minute")
