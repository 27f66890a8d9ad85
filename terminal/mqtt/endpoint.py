"""How a role talks: typed messages on the topics of the contract, alerts that are raised once, a heartbeat.

Several roles of one process share one MqttClient; each has an Endpoint of its own.
"""

import asyncio
import contextlib
import logging
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal, Self

from terminal.clock import Clock, new_id
from terminal.contract.messages import MESSAGES, Alert, BadMessage, Health, Message, decode, encode, stamp
from terminal.contract.topics import GARAGE_WIDE, Topic, TopicError, check_garage, check_lane, parse, topic
from terminal.mqtt.client import MqttClient
from terminal.mqtt.errors import MqttError, Will
from terminal.mqtt.subscription import Delivery, Subscription
from terminal.mqtt.takeover import TAKEN_OVER, TakeoverDetector
from terminal.payby.plain_text import plain

log = logging.getLogger(__name__)

RETAINED = {"order", "screen", "barrier", "vehicle", "health"}
FLEETING = {"fee", "vehicle", "health"}
"""Heard while there is a connection (QoS 0), and said again all the time: what a broker keeps of them for who is away
would come late as if it were new, and a lift for a car that has left would find that car waiting. And a broker that
writes to its disk what it keeps would fall behind where one reader says a thousand fees a second."""
LATEST_ONLY = {"order", "screen", "vehicle", "health"}
"""Of these only the newest waits for a connection. Not of ``barrier``: each may answer another lift."""
HEARTBEAT_S = 5.0
SAID_AGAIN_S = 2.2
"""So long after a connect a heartbeat is said once more: what is fleeting reaches only who is there, and whoever lost
the broker at the same time is back by then (bus.RETRY_S)."""
DEAF_AFTER_MS = 15_000
"""A heartbeat that did not come back for so long: the broker does not deliver, whatever it has granted."""
BAD_BURST, BAD_EVERY_MS = 5, 10_000
"""``bad-message`` alerts: so many at once, then one in so much time."""
ALERTS_KEPT = 1000
TEXT_MOST = 1000
"""Characters of an alert's text and of a health's reason; 4 bytes each leave room within a message."""

Severity = Literal["info", "warning", "critical"]
_Key = tuple[str, str, str | None, str | None]
"""Of an alert: its code and lane, and the session and order that it is about."""


@dataclass(frozen=True, slots=True)
class ReceivedMessage:
    """A message that fits its type. ``retained``: it tells what was, not what happens now. ack() when it is dealt
    with for good; see Delivery."""

    topic: Topic
    message: Message
    retained: bool
    delivery: Delivery = field(repr=False)

    def ack(self) -> None:
        self.delivery.ack()


class MessageStream:
    """An async iterator of ReceivedMessage, for one consumer; see Endpoint.subscribe(). Closing it (or ``with``)
    ends it.

    Nothing at all on a retained topic is MQTT's way to delete what is kept there. It says nothing, and is passed over.
    """

    def __init__(self, endpoint: "Endpoint", subscription: Subscription) -> None:
        self._endpoint = endpoint
        self._subscription = subscription

    async def granted(self) -> None:
        """Return once the broker has confirmed the subscription; what is said from then on is heard."""
        await self._subscription.granted()

    def close(self) -> None:
        self._subscription.close()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> ReceivedMessage:
        async for delivery in self._subscription:
            try:
                where = parse(delivery.topic)
                kind = MESSAGES.get(where.kind)
                if kind is None:
                    raise BadMessage(f"{where.kind!r} is no message of the contract")
                if not delivery.payload and where.kind in RETAINED:  # somebody deleted what the broker kept there
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
    """One role's way to the others. ``lane`` None: a role of the whole garage. ``heartbeat_s`` is for tests.
    ``tells_of_connection``: of several roles on one connection one alone raises the alert about it.

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
    ) -> None:
        self.mqtt_client = mqtt_client
        self.garage = check_garage(garage)
        self.lane = None if lane is None else check_lane(lane)
        self.role = role
        self.version = version
        self.clock = clock
        self._heartbeat_s = heartbeat_s
        self._state: Literal["online", "degraded", "offline"] = "online"
        self._own: tuple[Literal["online", "degraded", "offline"], str | None] = "online", None
        """What the role itself says, whatever befalls the connection."""
        self._since = stamp(clock.wall_ms())
        self._reason: str | None = None
        self._news = asyncio.Event()
        self._beats = False
        self._said_again: asyncio.TimerHandle | None = None
        self._echo_ms = clock.steady_ms()
        self._tells_of_connection = tells_of_connection
        self._takeover = TakeoverDetector(clock.steady_ms, connected=mqtt_client.connected)
        self._taken_over = self._heard_own = self._heard_other = False
        self._raised: OrderedDict[_Key, Severity] = OrderedDict()
        self._bad_tokens, self._bad_ms, self._bad_hidden = BAD_BURST, clock.steady_ms(), 0
        self.seal: Callable[[Health], Health] = lambda health: health
        """What is done to each heartbeat before it goes out: a worker signs its own."""

    def head(self) -> dict[str, Any]:
        """What every new message begins with: ``Lift(**endpoint.head(), ...)``."""
        return {"id": new_id(self.clock), "at": stamp(self.clock.wall_ms())}

    def where(self, what: str, lane: str | None = None) -> str:
        """The topic of ``what`` in ``lane``, by default the own one."""
        return topic(self.garage, lane or self.lane or GARAGE_WIDE, what)

    async def publish(self, message: Message, *, lane: str | None = None, role: str | None = None) -> None:
        """Publish ``message`` on its topic, retained if the contract says so. It may be lost: who needs to know says
        it again, with the same id, until an answer shows. ``role`` is for a health of another role's. Raises
        BadMessage for what is too large, BusRefused where there will be no connection."""
        kind = type(message).__name__.lower()
        await self.mqtt_client.publish(
            self.where(f"health/{role or self.role}" if kind == "health" else kind, lane),
            encode(message),
            retain=kind in RETAINED,
            latest_only=kind in LATEST_ONLY,
        )

    def subscribe(self, *kinds: str, lane: str | None = None) -> MessageStream:
        """Messages of ``kinds`` (``fee``; ``health`` for every role's, ``health/worker`` for one) from now on.

        ``lane``: by default the own one, for health the garage's roles as well; or every one's (``+``) for a role of
        the whole garage. What does not fit its type is acknowledged, alerted and not yielded. Several hearings may
        take in one message.
        """
        unknown = [kind for kind in kinds if kind.partition("/")[0] not in MESSAGES]
        if unknown or not kinds:
            raise ValueError(f"no messages of the contract: {', '.join(unknown) or 'nothing named'}")
        lasting, fleeting = list[str](), list[str]()
        for kind in kinds:
            place = f"parking/{self.garage}/{lane or self.lane or '+'}"
            topic_kind = kind.partition("/")[0]
            what = "health/+" if kind == "health" else kind
            (fleeting if topic_kind in FLEETING else lasting).append(f"{place}/{what}")
            if topic_kind == "health" and self.lane and not lane:
                fleeting.append(f"parking/{self.garage}/{GARAGE_WIDE}/{what}")
        return MessageStream(self, self.mqtt_client.subscribe(*lasting, fleeting=fleeting))

    # Alerts

    async def alert(
        self,
        code: str,
        severity: Severity,
        text: str,
        *,
        lane: str | None = None,
        session: str | None = None,
        order_no: str | None = None,
        help_code: str | None = None,
        once: bool = False,
    ) -> None:
        """Raise an alert, unless it is raised already for this lane, session and order. ``once``: something that
        happened, not a state that will be cleared; every time it happens is told. Any ``text`` will do: it goes out as
        one plain line, cut where it is too long."""
        key = code, lane or self.lane or GARAGE_WIDE, session, order_no
        if key in self._raised:
            return
        if not once:
            self._raised[key] = severity
        if len(self._raised) > ALERTS_KEPT:
            self._raised.popitem(last=False)
        await self._publish_alert("raised", severity, key, text, help_code)

    async def clear(
        self,
        code: str,
        text: str,
        *,
        lane: str | None = None,
        session: str | None = None,
        order_no: str | None = None,
        help_code: str | None = None,
    ) -> None:
        """Clear what this link raised under ``code``: for that session or order, or for the lane as a whole."""
        place = lane or self.lane or GARAGE_WIDE
        for key in [k for k in self._raised if k[:2] == (code, place)]:
            if session in (None, key[2]) and order_no in (None, key[3]):
                await self._publish_alert("cleared", self._raised.pop(key), key, text, help_code)

    def raised(self) -> list[str]:
        """The codes of what is raised for this role's place as a whole, and of no stay or order."""
        place = self.lane or GARAGE_WIDE
        return [code for code, *what in self._raised if what == [place, None, None]]

    async def _publish_alert(
        self, state: Literal["raised", "cleared"], severity: Severity, key: _Key, text: str, help_code: str | None
    ) -> None:
        code, lane, session, order_no = key
        text = plain(text, TEXT_MOST)
        log.log(
            logging.INFO if state == "cleared" or severity == "info" else logging.WARNING,
            "alert %s %s: %s%s", code, state, text, f" [{help_code}]" if help_code else "",
        )  # fmt: skip
        await self.publish(
            Alert(
                **self.head(),
                severity=severity,
                code=code,
                state=state,
                text=text,
                session=session,
                order_no=order_no,
                help_code=help_code,
            ),
            lane=lane,
        )

    async def bad_message(self, topic_text: str, reason: str) -> None:
        """Alert ``bad-message``; a flood of them is counted rather than repeated."""
        now = self.clock.steady_ms()
        gained, rest = divmod(now - self._bad_ms, BAD_EVERY_MS)
        self._bad_tokens, self._bad_ms = min(BAD_BURST, self._bad_tokens + gained), now - rest
        if not self._bad_tokens:
            self._bad_hidden += 1
            return
        self._bad_tokens -= 1
        hidden, self._bad_hidden = self._bad_hidden, 0
        text = f"{topic_text[:80]}: {reason[:300]}" + (f" (and {hidden} more)" if hidden else "")
        try:
            lane = parse(topic_text).lane
        except TopicError:
            lane = self.lane or GARAGE_WIDE
        await self._publish_alert("raised", "warning", ("bad-message", lane, None, None), text, None)

    # Health

    def healthy(self) -> None:
        """Say ``online`` from now on."""
        self._become("online", None)

    def degraded(self, reason: str) -> None:
        """Say ``degraded`` from now on, and why, in any words: they go out as an alert's."""
        self._become("degraded", plain(reason, TEXT_MOST))

    def _become(self, state: Literal["online", "degraded", "offline"], reason: str | None) -> None:
        self._own = state, reason
        if self._taken_over and state == "online":
            state, reason = "degraded", TAKEN_OVER
        if (state, reason) != (self._state, self._reason):
            if state != self._state:
                self._since = stamp(self.clock.wall_ms())
            self._state, self._reason = state, reason
            self._news.set()

    async def run_heartbeat(self) -> None:
        """Say this role's health every 5 s, on every change, after every connect and once more for who was slower to
        connect, until cancelled; then say ``offline``. The heartbeat is also the canary: some brokers grant what they
        then do not deliver, so a connection on which the own heartbeat does not come back for 15 s is given up and
        made anew. Where it is said already, by whoever keeps the role alive, another one only waits."""
        if self._beats:
            await asyncio.Event().wait()
        self._beats = True
        undo = self.mqtt_client.on_change(self._changed)
        echo = self.mqtt_client.subscribe(fleeting=[self.where(f"health/{self.role}")])
        self._echo_ms = self.clock.steady_ms()
        self._takeover = TakeoverDetector(self.clock.steady_ms, connected=self.mqtt_client.connected)
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._listen(echo), name=f"{self.role} echo")
                while True:
                    self._news.clear()
                    await self._look_at_losses()
                    await self._publish_health()
                    try:
                        async with asyncio.timeout(self._heartbeat_s):
                            await self._news.wait()
                    except TimeoutError:
                        self._check_echo()
        finally:
            undo()
            self._beats = False
            self._changed(False)
            echo.close()
            self._become("offline", "stopped")
            with contextlib.suppress(MqttError):
                await self._publish_health()

    def _changed(self, connected: bool) -> None:
        self._echo_ms = self.clock.steady_ms()
        self._takeover.changed(connected)
        if self._said_again:
            self._said_again.cancel()
        if connected:
            self._news.set()
            self._said_again = asyncio.get_running_loop().call_later(SAID_AGAIN_S, self._news.set)

    def send_heartbeat(self) -> None:
        """Say this role's health at once."""
        self._news.set()

    async def _publish_health(self) -> None:
        health = Health(
            **self.head(),
            state=self._state,
            version=self.version,
            instance=self.mqtt_client.instance,
            since=self._since,
            reason=self._reason,
        )
        await self.publish(self.seal(health))

    async def _listen(self, echo: Subscription) -> None:
        async for delivery in echo:
            delivery.ack()
            if self.mqtt_client.instance.encode() not in delivery.payload:
                self._heard_other = self._heard_own  # what was said before us was said by who ran here before
            elif not delivery.retained:
                self._echo_ms, self._heard_own = self.clock.steady_ms(), True

    async def _look_at_losses(self) -> None:
        many = self._takeover.are_many
        if many and self._heard_other:
            self.mqtt_client.yields = True
        if many == self._taken_over:
            return
        self._taken_over = many
        self._become(*self._own)
        if not many:
            self._heard_other = self.mqtt_client.yields = False
        if not self._tells_of_connection:
            return
        if many:
            await self.alert("taken-over", "critical", TAKEN_OVER)
        else:
            await self.clear("taken-over", "the connection to the broker has held for a minute")

    def _check_echo(self) -> None:
        if self.mqtt_client.connected and self.clock.steady_ms() - self._echo_ms > DEAF_AFTER_MS:
            log.error("the broker takes the heartbeats of %s and does not deliver them", self.role)
            self._echo_ms = self.clock.steady_ms()
            self.mqtt_client.reconnect("the broker does not deliver")


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
