"""The MQTT connection of a process: publish, subscribe, acknowledge after commit, reconnect, resubscribe.

paho runs on asyncio's readiness events, not in its network thread: so a hop costs no change of thread
(tests/bench/mqtt.py compares), and there is no thread that an exception could kill unnoticed. Only what blocks (the
name look-up, TCP connect and TLS handshake) runs in a short-lived thread, during which nothing else touches the
client. Rules for changes of this file:

- paho's callbacks only note what happened. They must not call into paho: its callback lock is not re-entrant, so a
  write that fails inside a callback would stop the process.
- Whatever paho raises costs the connection, never the event loop (_drive).
- A PUBACK belongs to the connection on which its message came; message ids start anew on the next one.
"""

import asyncio
import contextlib
import logging
import threading
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any, Self

import paho.mqtt.client as mqtt
from paho.mqtt.enums import MQTTErrorCode
from paho.mqtt.reasoncodes import ReasonCode
from uuid_utils import uuid7

from terminal.mqtt.backlog import Backlog, QueuedMessage
from terminal.mqtt.dial_faults import in_words
from terminal.mqtt.errors import CORRECT_USER, REFUSALS, ConnectionRefused, MqttError, Will
from terminal.mqtt.reconnect_pace import ReconnectPace
from terminal.mqtt.router import GRACE_S, SubscriptionRouter
from terminal.mqtt.subscription import Arrival, Subscription, check_filter, check_topic
from terminal.mqtt.transport import TAKEN, BufferedSocket, new_client, tls_context, where

log = logging.getLogger(__name__)

KEEPALIVE_S = 5
"""paho notices a dead link after twice this and one TICK_S."""
TICK_S = 1.0
ENDED_AGAIN = (
    "the broker takes every connection, grants nothing and ends it, so the next attempt is in half a minute or more: "
    "look at its log; it may refuse what mqtt.username subscribes to"
)
FIRST_S = 3.0
"""How long opening waits to learn whether the broker accepts the user; without an answer it goes on."""
FLUSH_S = 2.0
"""How long closing waits for outstanding PUBACKs."""
WINDOW = 20
"""Messages under way to the broker at a time (paho's own limit, and Mosquitto's)."""


class MqttClient:
    """One connection to the broker at ``url`` (``mqtt://host:port`` or ``mqtts://host:port``), kept up until exit.

    ``async with`` raises ConnectionRefused when the broker refuses the user, and MqttError for an unusable URL or
    certificate file; it goes on when no broker can be reached. If the first answer comes later and is a refusal,
    publish(), wait_connected() and every subscription raise it. After a first success a refusal is retried.
    The broker keeps the session under ``client_id``, by default the user's name; it keeps none without either, nor with
    ``clean``, for onlookers. ``mqtts`` checks certificate and host name, by ``ca_file`` or the system's authorities.
    A ``will`` function is called before each connect, so that no two wills have the same id. ``grace_s``: how long a
    message that nobody takes is kept unacknowledged; see SubscriptionRouter. Once ``may_speak`` says no, not a byte
    more is sent, and the connection is dropped."""

    def __init__(
        self,
        url: str,
        *,
        client_id: str = "",
        username: str = "",
        password: str = "",
        ca_file: Path | None = None,
        cert_file: Path | None = None,
        key_file: Path | None = None,
        will: Will | Callable[[], Will] | None = None,
        instance: str = "",
        clean: bool = False,
        grace_s: float = GRACE_S,
        may_speak: Callable[[], bool] | None = None,
    ) -> None:
        self.instance = instance or str(uuid7())
        """Names this start of the program, in the health of every role on this connection."""
        self.connected = False
        self.trouble = "not connected yet"
        """Why there is no connection, in words; empty while there is one."""
        self.yields = False
        """Set when another machine is known to connect under our client id: we then connect less often."""
        self._loop: asyncio.AbstractEventLoop
        self._task: asyncio.Task[None] | None = None
        self._first: asyncio.Future[None]
        self._up, self._lost, self._idle = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self._error: MqttError | None = None
        self._once_connected = self._was_up = self._served = self._dialing = self._blocked = False
        self._closing = False
        self._refusal = ""
        self._fd: int | None = None
        self._generation = self._outstanding = 0
        self._backlog = Backlog()
        self._router = SubscriptionRouter(grace_s)
        self._listeners: list[Callable[[bool], None]] = []
        self._will = will
        self._may_speak = may_speak
        try:
            host, port, secure = where(url)
            tls = tls_context(ca_file, cert_file, key_file) if secure else None
        except ValueError as error:
            raise MqttError(str(error)) from None
        except OSError as error:
            raise MqttError(f"mqtt certificate files: {error}") from None
        self._client = client = new_client(client_id or username, clean, username, password)
        client.tls, client.ca_file, client.may_speak = tls, ca_file, may_speak
        client.max_inflight_messages = WINDOW
        client.on_socket_close = lambda *_: self._detach()
        client.on_connect = self._answered
        client.on_disconnect = self._disconnected
        client.on_subscribe = self._subscribed
        client.on_publish = self._published
        client.on_message = self._arrived
        client.connect_async(host, port, KEEPALIVE_S)

    # The public interface

    @property
    def dropped(self) -> int:
        """Messages that did not fit into the backlog."""
        return self._backlog.dropped

    async def publish(self, topic: str, payload: bytes, *, retain: bool = False, latest_only: bool = False) -> None:
        """Hand a message to the connection, QoS 1, and return; without a connection it waits here. That proves nothing:
        a sender that needs to know must wait for an answer. While a message waits, the same bytes are not queued twice,
        and with ``latest_only`` (a state, a heartbeat) only the topic's newest is kept."""
        check_topic(topic)
        if self._error:
            raise self._error
        self._backlog.put(QueuedMessage(topic, payload, retain), latest_only=latest_only)
        self._idle.clear()
        self._drive(lambda: None)

    def subscribe(self, *filters: str, fleeting: Iterable[str] = ()) -> Subscription:
        """Messages on ``filters`` (QoS 1) from now on, retained ones first; twice where filters overlap. ``fleeting``
        ones have QoS 0: a heartbeat must not be kept by the broker and come late as if it were new."""
        wanted = {check_filter(f): 1 for f in filters} | {check_filter(f): 0 for f in fleeting}
        if not wanted:
            raise ValueError("subscribe() needs a filter")
        subscription = Subscription(wanted, self._unsubscribe)
        self._router.add(subscription)
        if self._error:
            subscription.fail(self._error)
        elif self.connected:
            self._drive(lambda: self._ask(wanted))
        return subscription

    async def wait_connected(self) -> None:
        """Return once there is a connection; raises ConnectionRefused if there will be none."""
        await self._up.wait()
        if self._error:
            raise self._error

    async def settled(self) -> bool:
        """Wait until the broker has acknowledged everything; False if some of it did not fit into the backlog."""
        dropped = self.dropped
        if self._backlog or self._outstanding:
            await self._idle.wait()
        return self.dropped == dropped

    def on_change(self, tell: Callable[[bool], None]) -> Callable[[], None]:
        """Call ``tell(True)`` after every connect and ``tell(False)`` after every loss; returns what undoes it."""
        self._listeners.append(tell)
        return partial(self._listeners.remove, tell)

    def reconnect(self, why: str) -> None:
        """Give the present connection up and make a new one: for a caller who knows that it only looks alive."""
        if self.connected:
            self._cut(why)

    # The connection's life

    async def __aenter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        self._first = self._loop.create_future()
        self._router.begin(self._loop)
        self._task = asyncio.create_task(self._keep_connected(), name="bus")
        try:
            await asyncio.wait([self._first], timeout=FIRST_S)
            if self._error:
                raise self._error
        except BaseException:
            await self._stop()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        self._closing = True
        try:
            if self.connected and (self._backlog or self._outstanding) and (not self._may_speak or self._may_speak()):
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(FLUSH_S):
                        await self._idle.wait()
            if self.connected:
                self._drive(self._client.disconnect)  # a clean disconnect: the broker forgets the will
        finally:
            await self._stop()

    async def _stop(self) -> None:
        self._router.forget_parked()
        if self._task:
            self._task.cancel()
            await asyncio.wait([self._task])
        if not self._dialing:
            self._drop_socket()
        self._router.close()

    async def _keep_connected(self) -> None:
        pace = ReconnectPace()
        while not self._error:
            began, self._was_up, self._served = self._loop.time(), False, False
            if trouble := await self._dial():
                self._note(trouble)
            else:
                await self._hold()
            if not self._first.done():
                self._first.set_result(None)
            lasted_s, in_vain = self._loop.time() - began, self._was_up and not self._served
            wait_s = pace.next_s(lasted_s, in_vain=in_vain, yields=self.yields)
            if pace.is_refused:
                self._note(ENDED_AGAIN)
            await asyncio.sleep(wait_s)

    async def _dial(self) -> str:
        """Open the socket and send CONNECT, in a thread; returns what went wrong, or nothing."""
        if self._may_speak and not self._may_speak():
            return TAKEN
        if will := self._will() if callable(self._will) else self._will:
            self._client.will_set(will.topic, will.payload, 1, will.retain)
        done: asyncio.Future[str] = self._loop.create_future()

        def finish(trouble: str) -> None:
            self._dialing = False
            if done.cancelled():
                self._drop_socket()
            else:
                done.set_result(trouble)

        def dial() -> None:
            trouble = ""
            try:
                if (code := self._client.reconnect()) != MQTTErrorCode.MQTT_ERR_SUCCESS:
                    trouble = mqtt.error_string(code)
            except Exception as error:  # a wrong name, a refusal, a certificate: all are retried
                trouble = in_words(error, self._client.ca_file)
            try:
                self._loop.call_soon_threadsafe(finish, trouble)
            except RuntimeError:  # the loop ended meanwhile
                self._drop_socket()

        self._refusal, self._dialing = "", True
        threading.Thread(target=dial, name="bus dial", daemon=True).start()
        return await done

    async def _hold(self) -> None:
        """Serve the open socket until it is lost."""
        sock = self._client.socket()
        if sock is None:
            return
        self._lost.clear()
        self._fd = sock.fileno()
        self._loop.add_reader(self._fd, self._readable)
        self._drive(lambda: None)
        while not self._lost.is_set():
            try:
                async with asyncio.timeout(TICK_S):
                    await self._lost.wait()
            except TimeoutError:
                self._drive(self._client.loop_misc)

    def _drive(self, work: Callable[[], object]) -> None:
        """Let paho work, then send what is waiting."""
        if self._fd is None:
            return
        if self._may_speak and not self._may_speak():
            self._cut(TAKEN)
            return
        try:
            work()
            while self.connected and self._backlog and self._outstanding < WINDOW:
                topic, payload, retain = self._backlog.take()
                self._outstanding += 1
                self._client.publish(topic, payload, 1, retain)  # rc 4 (offline) is not an error: paho sends it later
            if self._client.want_write():
                self._client.loop_write()
            if self._fd is not None and (blocked := self._client.want_write()) != self._blocked:
                self._blocked = blocked
                if blocked:
                    self._loop.add_writer(self._fd, self._drive, self._client.loop_write)
                else:
                    self._loop.remove_writer(self._fd)
        except Exception as error:
            log.exception("mqtt: error while serving the connection; reconnecting")
            self._cut(f"error in the client: {error}")
        if not self._backlog and not self._outstanding:
            self._idle.set()

    def _readable(self) -> None:
        self._drive(self._client.loop_read)
        while self._fd is not None and isinstance(sock := self._client.socket(), BufferedSocket) and sock.pending:
            self._drive(self._client.loop_read)

    def _cut(self, why: str) -> None:
        self._drop_socket()
        self._down(why)

    def _drop_socket(self) -> None:
        self._detach()
        if sock := self._client.socket():
            sock.close()

    def _detach(self) -> None:
        if not self._dialing and self._fd is not None:
            self._loop.remove_reader(self._fd)
            self._loop.remove_writer(self._fd)
            self._fd, self._blocked = None, False

    def _down(self, why: str) -> None:
        self._lost.set()
        self._generation += 1
        self._note(why)
        self._router.lost(ends=self._error is not None)
        if self.connected:
            self.connected = False
            self._up.clear()
            self._tell(False)

    def _note(self, trouble: str) -> None:
        if trouble != self.trouble and not self._closing:
            log.warning("mqtt: no connection: %s", trouble)
        self.trouble = trouble

    def _tell(self, connected: bool) -> None:
        for tell in list(self._listeners):
            self._loop.call_soon(tell, connected)

    # paho's callbacks

    def _answered(self, _client: Any, _userdata: Any, _flags: Any, reason: ReasonCode, _properties: Any) -> None:
        if reason.is_failure:
            name = str(reason)
            self._refusal = f"the broker refuses: {REFUSALS.get(name, name)}"
            if name in REFUSALS and not self._once_connected:
                self._error = ConnectionRefused(f"mqtt: {self._refusal}", CORRECT_USER)
                self._up.set()
                self._router.fail(self._error)
            self._loop.call_soon(self._cut, self._refusal)  # the broker ought to close the connection, but some wait
            return
        self.connected = self._once_connected = self._was_up = True
        self.trouble = ""
        self._up.set()
        if not self._first.done():
            self._first.set_result(None)
        if filters := self._router.filters():
            self._ask(filters)  # whatever session_present says: a broker may keep a session and lose these
        self._tell(True)

    def _disconnected(self, _client: Any, _userdata: Any, _flags: Any, reason: ReasonCode, _properties: Any) -> None:
        if not self._dialing:
            self._down(self._refusal or f"lost: {reason}")

    def _ask(self, filters: Iterable[str]) -> None:
        wanted = self._router.wanted(filters)
        _, mid = self._client.subscribe(list(wanted.items()))
        self._router.asked(mid, wanted)

    def _subscribed(self, _client: Any, _userdata: Any, mid: int, codes: list[ReasonCode], _properties: Any) -> None:
        self._served = self._served or not any(code.is_failure for code in codes)
        self._router.answered(mid, [code.is_failure for code in codes])

    def _published(self, *_: Any) -> None:
        self._outstanding -= 1
        self._served = True

    def _arrived(self, _client: Any, _userdata: Any, message: mqtt.MQTTMessage) -> None:
        puback = partial(self._puback, self._generation, message.mid, message.qos)
        try:
            topic = message.topic
        except UnicodeDecodeError:  # not a valid topic: MQTT 3.1.1, 1.5.3
            self._loop.call_soon(puback)
            return
        if not self._router.route(Arrival(topic, bytes(message.payload), message.retain, puback)):
            self._loop.call_soon(puback)

    # Acknowledging

    def _puback(self, generation: int, mid: int, qos: int) -> None:
        if qos and generation == self._generation and self.connected:
            self._drive(partial(self._client.ack, mid, qos))

    def _unsubscribe(self, subscription: Subscription) -> None:
        runs = self._task is not None and not self._task.done()
        unused = self._router.remove(subscription, park=runs)
        if unused and self.connected:
            self._drive(lambda: self._client.unsubscribe(unused))
