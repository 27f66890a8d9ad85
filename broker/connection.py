"""One client's connection: from its CONNECT, which is checked before anything else, to its end."""

import asyncio
import contextlib
from typing import Any, Protocol

from amqtt.mqtt.connack import (
    BAD_USERNAME_PASSWORD,
    IDENTIFIER_REJECTED,
    NOT_AUTHORIZED,
    SERVER_UNAVAILABLE,
    UNACCEPTABLE_PROTOCOL_VERSION,
)
from amqtt.mqtt.packet import (
    CONNECT,
    DISCONNECT,
    PINGREQ,
    PUBACK,
    PUBCOMP,
    PUBLISH,
    PUBREC,
    PUBREL,
    SUBSCRIBE,
    UNSUBSCRIBE,
)
from amqtt.session import Session

from broker.outbox import Outbox
from broker.packets import Malformed, Packet, decode, encode_length, read_frame
from broker.tables import Counts, Tables
from broker.users import Users

CONNECT_S = 3.0
CLOSE_S = 1.0
UNREAD = 4 * 1024 * 1024
"""How many bytes a client may leave unread before it is dropped."""
WATCHERS = 64
"""How many watchers may be connected at once, under ids that they make up; further ones are told to try again later.
Roles have an id each, so watchers never keep one of them out."""
_REQUIRED_FLAGS = {PUBREL: 2, SUBSCRIBE: 2, UNSUBSCRIBE: 2}


class ConnectionHost(Protocol):
    """The broker as a connection needs it."""

    users: Users
    counts: Counts
    tables: Tables
    pending: int
    """Connections that have not yet sent their CONNECT."""
    closing: bool

    def may_publish(self, user: str, topic: str, /) -> bool:
        """May this user publish to this topic?"""

    def session(self, fresh: Session) -> tuple[Session, bool, Outbox]:
        """The session of a client that was just let in, whether it existed before, and its outbox."""

    def forget(self, client: str) -> None:
        """End a client's session."""

    async def subscribe(self, session: Session, text: str, qos: int) -> int:
        """The return code for one filter."""

    def unsubscribe(self, session: Session, text: str) -> None:
        """Take one filter away."""

    def send_retained(self, client: str, text: str, qos: int) -> None:
        """Send that client what is retained on the filter's topics."""

    def publish(self, user: str, topic: str, data: bytes, *, qos: int, retain: bool) -> None:
        """Send a message to everybody who subscribed to it."""


class Connection:
    """Serves one socket. ``finished`` is set when nothing of it is left."""

    def __init__(self, broker: ConnectionHost, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.broker = broker
        self.finished = asyncio.Event()
        self._reader = reader
        self._writer = writer
        self._task = asyncio.current_task()

    def drop(self) -> None:
        """End it from outside."""
        if self._task:
            self._task.cancel()

    async def serve(self) -> None:
        """Serve from CONNECT to the end; raises nothing."""
        try:
            session = await self._admit()
            if session:
                await self._converse(session)
        except asyncio.CancelledError:
            pass  # taken over by a newer connection, or the broker closes
        except Malformed:
            self.broker.counts.malformed += 1
        finally:
            self.finished.set()
            await self._close()

    def write(self, data: bytes) -> None:
        """Send bytes without waiting. A client that leaves more than UNREAD bytes unread is cut off. Raises nothing."""
        transport = self._writer.transport
        if transport.get_write_buffer_size() > UNREAD:
            transport.abort()
        elif not transport.is_closing():
            self._writer.write(data)

    async def _close(self) -> None:
        self._writer.close()
        try:
            async with asyncio.timeout(CLOSE_S):
                await self._writer.wait_closed()
        except (TimeoutError, OSError, asyncio.CancelledError):
            self._writer.transport.abort()

    async def _admit(self) -> Session | None:
        """Take the CONNECT; returns the session that it asks for, or None after a refusal."""
        self.broker.pending += 1
        try:
            async with asyncio.timeout(CONNECT_S):
                frame = await read_frame(self._reader)
        except TimeoutError:
            self.broker.counts.silent += 1
            return None
        finally:
            self.broker.pending -= 1
        if frame is None:
            return None
        if frame.kind != CONNECT or frame.flags:
            raise Malformed("the first packet is not a CONNECT")
        if frame.body[:6] not in (b"\0\x04MQTT", b"\0\x06MQIs"):
            raise Malformed("CONNECT of another protocol")
        if frame.body[:7] == b"\0\x04MQTT\x04":
            connect = await decode(frame)
            _check(connect, frame.body)
            refusal = self._refusal(connect)
        else:
            refusal = UNACCEPTABLE_PROTOCOL_VERSION
        if refusal:
            self.broker.counts.connects += 1
            self.write(bytes([0x20, 2, 0, refusal]))
            return None
        session = _session(connect)
        if self.broker.users.is_watcher(session.username):
            session.clean_session = True  # under ids made up each time, sessions that stay would fill the memory
        return session

    def _refusal(self, connect: Any) -> int:
        """The CONNACK code for a client that must not come in, otherwise 0."""
        if not self.broker.users.check(connect.username, connect.password):
            return int(BAD_USERNAME_PASSWORD)
        if not self.broker.users.may_have(connect.username, connect.client_id):
            return int(IDENTIFIER_REJECTED)
        if connect.will_flag and not self.broker.may_publish(connect.username, connect.will_topic):
            return int(NOT_AUTHORIZED)
        if self.broker.users.is_watcher(connect.username):
            others = self.broker.tables.watching - {connect.client_id}
            return int(SERVER_UNAVAILABLE) if len(others) >= WATCHERS else 0
        return 0

    async def _converse(self, fresh: Session) -> None:
        broker, client = self.broker, fresh.client_id
        while old := broker.tables.live.get(client):
            old.drop()
            await old.finished.wait()
        broker.tables.live[client] = self
        if broker.users.is_watcher(fresh.username):
            broker.tables.watching.add(client)
        session, present, outbox = broker.session(fresh)
        self.write(bytes([0x20, 2, present, 0]))
        outbox.attach(self.write)
        goodbye = False
        try:
            while not goodbye and (frame := await self._next(session.keep_alive)):
                goodbye = await self._handle(session, frame)
        finally:
            outbox.detach()
            del broker.tables.live[client]
            broker.tables.watching.discard(client)
            if session.clean_session:
                broker.forget(client)
            if session.will_flag and not goodbye and not broker.closing:
                broker.publish(
                    session.username,
                    session.will_topic,
                    bytes(session.will_message),
                    qos=session.will_qos,
                    retain=session.will_retain,
                )

    async def _next(self, keep_alive: int) -> Packet | None:
        """The next packet; None at the end, or after a silence of one and a half times the client's keep-alive."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(1.5 * keep_alive if keep_alive else None):
                return await read_frame(self._reader)
        return None

    async def _handle(self, session: Session, frame: Packet) -> bool:
        """Do what the packet asks for; returns True for a DISCONNECT."""
        if frame.kind != PUBLISH and frame.flags != _REQUIRED_FLAGS.get(frame.kind, 0):
            raise Malformed("reserved flags")
        packet = await decode(frame)
        match frame.kind:
            case kind if kind == PUBLISH:
                self._publish(session, packet)
            case kind if kind == PUBACK:
                self.broker.tables.outboxes[session.client_id].acknowledge(packet.variable_header.packet_id)
            case kind if kind == PUBREL:
                session.inflight_in.pop(packet.variable_header.packet_id, None)
                self._answer(PUBCOMP, packet.variable_header.packet_id)
            case kind if kind == SUBSCRIBE:
                await self._subscribe(session, packet)
            case kind if kind == UNSUBSCRIBE:
                for text in packet.payload.topics:
                    self.broker.unsubscribe(session, text)
                self.write(b"\xb0\x02" + packet.variable_header.packet_id.to_bytes(2, "big"))
            case kind if kind == PINGREQ:
                self.write(b"\xd0\x00")
            case kind if kind == DISCONNECT:
                return True
            case _:
                raise Malformed(f"a packet of kind {frame.kind}")
        return False

    def _publish(self, session: Session, packet: Any) -> None:
        mid, qos = packet.packet_id, packet.qos
        if qos == 3 or mid == 0 or not packet.topic_name:
            raise Malformed("PUBLISH without QoS, id or topic")
        if qos < 2 or mid not in session.inflight_in:
            self.broker.publish(
                session.username, packet.topic_name, packet.data, qos=qos, retain=bool(packet.retain_flag)
            )
        if qos == 1:
            self._answer(PUBACK, mid)
        elif qos == 2:
            if len(session.inflight_in) >= 1000:
                raise Malformed("too many QoS 2 messages without a PUBREL")
            session.inflight_in[mid] = True
            self._answer(PUBREC, mid)

    async def _subscribe(self, session: Session, packet: Any) -> None:
        topics, mid = packet.payload.topics, packet.variable_header.packet_id
        if not topics or not mid or any(qos > 2 for _, qos in topics):
            raise Malformed("SUBSCRIBE without filters, id or QoS")
        codes = [await self.broker.subscribe(session, text, qos) for text, qos in topics]
        self.write(b"\x90" + encode_length(2 + len(codes)) + mid.to_bytes(2, "big") + bytes(codes))
        for (text, _), code in zip(topics, codes, strict=True):
            if code != 0x80:
                self.broker.send_retained(session.client_id, text, code)

    def _answer(self, kind: int, mid: int) -> None:
        self.write(bytes([kind << 4, 2]) + mid.to_bytes(2, "big"))


def _check(connect: Any, body: bytes) -> None:
    """Refuse what amqtt lets pass in a CONNECT: it takes a cut field to be absent, and does not check every flag."""
    header, payload = connect.variable_header, connect.payload
    if (
        header.reserved_flag
        or (header.password_flag and not header.username_flag)
        or (header.will_flag and (header.will_qos > 2 or not payload.will_topic or payload.will_message is None))
        or (not header.will_flag and (header.will_qos or header.will_retain_flag))
    ):
        raise Malformed("CONNECT whose flags contradict each other")
    if (
        (payload.client_id_is_random and body[10:12] != b"\0\0")
        or (header.username_flag and payload.username is None)
        or (header.password_flag and payload.password is None)
    ):
        raise Malformed("CONNECT that is cut short")


def _session(connect: Any) -> Session:
    session = Session()
    session.client_id, session.username = connect.client_id, connect.username
    session.clean_session = connect.clean_session_flag
    session.keep_alive = connect.keep_alive
    session.will_flag = connect.will_flag
    session.will_topic = connect.will_topic
    session.will_message = connect.will_message
    session.will_qos = connect.will_qos
    session.will_retain = connect.will_retain_flag
    return session
