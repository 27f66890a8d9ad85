"""amqtt's broker with its private hooks replaced: who gets in, who may publish what, and who gets which message.

Of amqtt there remain the listener's life cycle, the packets, and the tables of sessions and subscriptions.
"""

import asyncio
from collections.abc import Callable
from typing import Any

from amqtt.broker import Broker
from amqtt.contexts import Action, BrokerConfig, ListenerConfig
from amqtt.session import Session

from broker.connection import Connection
from broker.outbox import Outbox, Parcel
from broker.tables import Counts, Kept, Tables
from broker.users import Users

May = Callable[[str, str], bool]
"""(user, topic or filter) -> allowed?"""

PENDING = 32
"""How many connections may be waiting for their CONNECT; more are dropped at once."""
SUBSCRIPTIONS = 256
"""The most filters of one client."""
RETAINED = 5000
RETAINED_BYTES = 8 << 20
"""The most topics with a retained message, and the most bytes of all these messages: a thousand lanes need a quarter of
it. What is beyond them is passed on and not kept."""


class Guard(Broker):  # type: ignore[misc]
    """Speaks MQTT 3.1.1 to ``users``, on ``host`` and ``port``; see EmbeddedBroker for the rules."""

    def __init__(self, users: Users, host: str, port: int, may_publish: May, may_subscribe: May) -> None:
        # An empty list of plugins: without the list amqtt loads its defaults, which let everybody in.
        super().__init__(BrokerConfig(listeners={"default": ListenerConfig(bind=f"{host}:{port}")}, plugins={}))
        self.users = users
        self.may_publish = may_publish
        self.may_subscribe = may_subscribe
        self.counts = Counts()
        self.tables = Tables()
        self.connections: set[asyncio.Task[Any]] = set()
        self.pending = 0
        self.closing = False
        self.address = host, port
        self.server: asyncio.Server

    # amqtt's hooks

    async def _create_server_instance(self, *_: object) -> asyncio.Server:
        self.server = await asyncio.start_server(self.connected, *self.address)
        return self.server

    async def _session_monitor(self) -> None:
        """Sessions end with their connection or not at all, so there is nothing to clean up every second."""

    async def _topic_filtering(self, session: Session, topic: str, action: Action) -> bool:
        return action == Action.SUBSCRIBE and self.may_subscribe(session.username, topic)

    async def shutdown(self) -> None:
        """Take no more connections, end those there are without their wills, then end as amqtt does."""
        self.closing = True
        # The event loop hands a connection over two turns after it accepted it, and one that finds its server closed by
        # then stays open. So no more are accepted, and those under way are let in and dropped.
        for door in self.server.sockets:
            asyncio.get_running_loop().remove_reader(door)
        for _ in range(3):
            await asyncio.sleep(0)
        self.server.close()
        for task in self.connections:
            task.cancel()
        if self.connections:
            await asyncio.wait(self.connections)
        await super().shutdown()

    # Connections

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """asyncio's: serve a new connection to its end. Cut it off if PENDING others still owe their CONNECT, or the
        broker closes."""
        task = asyncio.current_task()
        if task is None or self.closing or self.pending >= PENDING:
            writer.transport.abort()
            return
        task.set_name("mqtt connection")
        self.connections.add(task)
        try:
            await Connection(self, reader, writer).serve()
        finally:
            self.connections.discard(task)

    def session(self, fresh: Session) -> tuple[Session, bool, Outbox]:
        """The session of a client that was just let in, whether it existed before, and its outbox."""
        client = fresh.client_id
        known = self._sessions.get(client, (None, None))[0]
        if known is None or fresh.clean_session:
            self.forget(client)
            known, present = fresh, False
        else:
            present = True
            for name in ("will_flag", "will_topic", "will_message", "will_qos", "will_retain", "keep_alive"):
                setattr(known, name, getattr(fresh, name))
            known.clean_session = False
        self._sessions[client] = known, None
        return known, present, self.tables.outboxes.setdefault(client, Outbox())

    def forget(self, client: str) -> None:
        """End a client's session, with its subscriptions and waiting messages."""
        session = self._sessions.pop(client, (None, None))[0]
        self.tables.outboxes.pop(client, None)
        if session:
            for text in [t for t in self._subscriptions if self._del_subscription(t, session)]:
                if not self._subscriptions[text]:
                    del self._subscriptions[text]
        self.tables.routes.clear()

    # Messages

    async def subscribe(self, session: Session, text: str, qos: int) -> int:
        """The return code for one filter: the granted QoS, at most 1, or 0x80."""
        self._del_subscription(text, session)
        mine = sum(s is session for subscribers in self._subscriptions.values() for s, _ in subscribers)
        code: int = 0x80 if mine >= SUBSCRIPTIONS else await self.add_subscription((text, min(qos, 1)), session)
        self.counts.subscriptions += code == 0x80
        self.tables.routes.clear()
        return code

    def unsubscribe(self, session: Session, text: str) -> None:
        self._del_subscription(text, session)
        if not self._subscriptions.get(text, True):
            del self._subscriptions[text]
        self.tables.routes.clear()

    def send_retained(self, client: str, text: str, qos: int) -> None:
        """Send the retained messages that the filter matches to that client only."""
        for topic, kept in self.tables.retained.items():
            if self._matches(topic, text):
                self.tables.outboxes[client].push(Parcel(topic.encode(), kept.data, True), min(qos, kept.qos))

    def publish(self, user: str, topic: str, data: bytes, *, qos: int, retain: bool) -> None:
        """Send a message once to everybody who subscribed to it. A message that its user may not publish is dropped and
        counted: MQTT 3.1.1 has no way to refuse it."""
        if not self.may_publish(user, topic):
            self.counts.publishes += 1
            return
        if retain:
            self._retain(topic, data, qos)
        routes = self.tables.routes.get(topic)
        if routes is None:
            best: dict[str, int] = {}
            for text, subscribers in self._subscriptions.items():
                if self._matches(topic, text):
                    for session, granted in subscribers:
                        best[session.client_id] = max(granted, best.get(session.client_id, 0))
            if len(self.tables.routes) >= 1024:
                self.tables.routes.clear()
            routes = self.tables.routes[topic] = list(best.items())
        parcel = Parcel(topic.encode(), data, False)
        for client, granted in routes:
            self.tables.outboxes[client].push(parcel, min(qos, granted))

    def _retain(self, topic: str, data: bytes, qos: int) -> None:
        tables = self.tables
        if was := tables.retained.get(topic):
            tables.retained_bytes -= len(was.data)
        if not data:
            tables.retained.pop(topic, None)
        elif (was or len(tables.retained) < RETAINED) and tables.retained_bytes + len(data) <= RETAINED_BYTES:
            tables.retained[topic] = Kept(data, min(qos, 1))
            tables.retained_bytes += len(data)
        elif was:  # what it said is no longer true
            del tables.retained[topic]
