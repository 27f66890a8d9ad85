"""The broker for one machine: in this process, in memory, reachable only from this machine.

For development, the demo and a lane on a single machine. A garage with several machines needs Mosquitto
(deploy/mosquitto): this one forgets everything when it ends, and does not listen on a network.
"""

import asyncio
import errno
import logging
from collections.abc import Iterable
from pathlib import Path
from typing import Self

from amqtt.errors import BrokerError as AmqttError

from broker.errors import BadUsers, BrokerError, PortInUse, UnsafeBroker
from broker.guard import Guard, May
from broker.packets import Packet, encode_length, encode_publish, read_frame
from broker.tables import Counts
from broker.users import Users, UsersError

LOOPBACK = {"127.0.0.1": "127.0.0.1", "localhost": "127.0.0.1", "::1": "::1"}
SELF_TEST_S = 5.0


class EmbeddedBroker:
    """MQTT 3.1.1 on loopback, for the users ``names`` and ``watchers``, whose passwords are files in ``folder`` (made
    if absent).

    Rules: a CONNECT must come within 3 s, with a user's password, that user's name as client id, and only a will that
    the user may publish; no session is touched before. A watcher's client id may also be its name, a dash and anything,
    so that several may watch at once, and its session ends with its connection. Packets have at most 64 KiB. A newer
    connection takes over from the older one of its client id. ``may_publish(user, topic)`` and
    ``may_subscribe(user, filter)`` decide: a forbidden filter is refused, a forbidden message is dropped and counted.
    QoS 2 is accepted; at most QoS 1 is granted. Messages of QoS 1 are kept for a session that is away (1000; the oldest
    are dropped first), and sent again after a reconnect while they have no PUBACK. Nothing survives the end of the
    process.

    ``async with`` raises BrokerError for a host that is not loopback, a port in use, an unusable password file, or a
    self-test that got through where it must not.
    """

    def __init__(
        self,
        folder: Path,
        names: Iterable[str],
        *,
        watchers: Iterable[str] = (),
        may_publish: May,
        may_subscribe: May,
        host: str = "127.0.0.1",
        port: int = 1883,
    ) -> None:
        if host not in LOOPBACK:
            raise BrokerError(
                f"the embedded broker listens on 127.0.0.1 only, not on {host}; use Mosquitto for a network"
            )
        self._host, self._port = LOOPBACK[host], port
        self._folder, self._names, self._watchers = folder, tuple(names), tuple(watchers)
        self._may_publish, self._may_subscribe = may_publish, may_subscribe
        self._guard: Guard

    @property
    def port(self) -> int:
        """The port that it listens on; the chosen one if it was given as 0."""
        return int(self._guard.server.sockets[0].getsockname()[1])

    @property
    def url(self) -> str:
        """The value for ``mqtt.url``; it has a port only once the broker is entered."""
        return f"mqtt://{'[::1]' if self._host == '::1' else self._host}:{self.port}"

    @property
    def refused(self) -> Counts:
        """What was refused since the start."""
        return self._guard.counts

    def password_file(self, user: str) -> Path:
        """The file with this user's password, which entering the broker makes if it is absent."""
        return self._folder / user

    async def __aenter__(self) -> Self:
        # amqtt logs every client's mistake as a warning or worse; we count them (refused) and raise our own errors.
        logging.getLogger("amqtt").setLevel(logging.CRITICAL)
        logging.getLogger("transitions").setLevel(logging.WARNING)
        try:
            users = Users(self._folder, self._names, self._watchers)
            self._guard = Guard(users, self._host, self._port, self._may_publish, self._may_subscribe)
            await self._guard.start()
        except UsersError as error:
            raise BadUsers(str(error)) from None
        except AmqttError as error:
            cause = error.__cause__
            if isinstance(cause, OSError) and cause.errno == errno.EADDRINUSE:
                raise PortInUse(f"port {self._port} is in use") from None
            raise BrokerError(str(cause or error)) from None
        try:
            async with asyncio.timeout(SELF_TEST_S):
                await self._self_test(users)
        except BaseException as error:
            await self._guard.shutdown()
            if isinstance(error, (TimeoutError, OSError)):
                raise BrokerError(f"the self-test got no answer: {error}") from None
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._guard.shutdown()

    async def _self_test(self, users: Users) -> None:
        """Try what must not work: no user, a wrong password, another user's client id, and, as a user without rights,
        a forbidden will, filter and topic."""
        name = "self-test"
        password = users.add(name)
        try:
            for what, connect in {
                "a client without a user": _connect(name),
                "an empty password": _connect(name, name, ""),
                "a wrong password": _connect(name, name, password + "x"),
                "another user's client id": _connect("lane", name, password),
                "a forbidden will": _connect(name, name, password, will="parking/none/none/lift"),
            }.items():
                async with _Probe(self._host, self.port) as probe:
                    await probe.send(connect)
                    answer = await probe.read()
                    if answer is not None and answer.body[1] == 0:
                        raise UnsafeBroker(f"the broker let in {what}")
            async with _Probe(self._host, self.port) as probe:
                await probe.send(_connect(name, name, password))
                answer = await probe.read()
                if answer is None or answer.body != b"\0\0":
                    raise BrokerError("the broker refuses a right password")
                await probe.send(b"\x82\x06\0\x01\0\x01#\x01")
                answer = await probe.read()
                if answer is None or answer.body[2:] != b"\x80":
                    raise UnsafeBroker("the broker granted a forbidden filter")
                before = self.refused.publishes
                await probe.send(encode_publish(b"parking/none/none/lift", b"{}", 2, qos=1, retain=True))
                await probe.read()
                if self.refused.publishes != before + 1:
                    raise UnsafeBroker("the broker took a forbidden message")
                await probe.send(b"\xe0\0")
        finally:
            users.remove(name)
            self._guard.forget(name)
            self._guard.counts = Counts()


def _connect(client: str, user: str | None = None, password: str | None = None, will: str | None = None) -> bytes:
    flags = 2 | 0x80 * (user is not None) | 0x40 * (password is not None) | 4 * (will is not None)
    body = b"\0\x04MQTT\x04" + bytes([flags, 0, 5])
    for text in (client, *(() if will is None else (will, "{}")), user, password):
        if text is not None:
            body += len(text).to_bytes(2, "big") + text.encode()
    return b"\x10" + encode_length(len(body)) + body


class _Probe:
    """A client that does exactly what it is told."""

    def __init__(self, host: str, port: int) -> None:
        self._where = host, port

    async def __aenter__(self) -> Self:
        self._reader, self._writer = await asyncio.open_connection(*self._where)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._writer.transport.abort()

    async def send(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()

    async def read(self) -> Packet | None:
        return await read_frame(self._reader)
