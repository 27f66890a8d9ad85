"""One MQTT connection: socket, CONNECT and its answer, packets, keep-alive. bus.py makes one after the other."""

import asyncio
import logging
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from terminal.packets import DISCONNECT, PINGREQ, Connack, Packet, Parser, ProtocolError

log = logging.getLogger(__name__)

PORTS = {"mqtt": 1883, "mqtts": 8883}
KEEPALIVE_S = 5
"""What the broker is told. It drops a client that is silent for half as long again."""
TICK_S = KEEPALIVE_S / 2
"""How often silence is looked for. After one to two of these a PINGREQ goes out, and if nothing comes within
KEEPALIVE_S and one more, the connection is given up: 12.5 s at most, however dead the cable."""
CONNECT_S = 5.0
"""For name, TCP, TLS and CONNACK together."""


class Wire(asyncio.Protocol):
    """Hands every packet after the CONNACK to ``receive``, in order, on the event loop. Whatever goes wrong, in
    there as well, ends the connection and nothing else; ``lost`` then holds why."""

    def __init__(self, receive: Callable[["Wire", Packet], None]) -> None:
        loop = asyncio.get_running_loop()
        self.lost: asyncio.Future[str] = loop.create_future()
        self.answer: asyncio.Future[Connack] = loop.create_future()
        self._receive = receive
        self._loop = loop
        self._parser = Parser()
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._last_in = self._last_out = self._pinged = 0.0

    async def open(self, host: str, port: int, tls: ssl.SSLContext | None, hello: bytes) -> Connack:
        """Connect and say ``hello``, a CONNECT; returns its answer. Raises OSError (also for a certificate that is
        not the host's), TimeoutError, ProtocolError."""
        try:
            async with asyncio.timeout(CONNECT_S):
                # asyncio sets TCP_NODELAY by itself
                await self._loop.create_connection(lambda: self, host, port, ssl=tls)
                self.send(hello)
                either: set[asyncio.Future[Any]] = {self.answer, self.lost}
                await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            if not self.answer.done():
                raise ProtocolError(self.lost.result())
            return self.answer.result()
        except BaseException as error:
            self.cut(str(error) or type(error).__name__)
            raise

    def send(self, data: bytes) -> None:
        if self._transport and not self._transport.is_closing():
            self._last_out = self._loop.time()
            self._transport.write(data)

    def cut(self, why: str) -> None:
        """End it at once."""
        if not self.lost.done():
            self.lost.set_result(why)
        if self._timer:
            self._timer.cancel()
        if self._transport:
            self._transport.abort()

    async def goodbye(self, within_s: float) -> None:
        """Say DISCONNECT, so that the broker forgets the will, and end it when that is sent."""
        if self._transport and not self.lost.done():
            self.send(DISCONNECT)
            self._transport.close()
            await asyncio.wait([self.lost], timeout=within_s)
        self.cut("closed")

    # asyncio's calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._last_in = self._loop.time()
        self._timer = self._loop.call_later(TICK_S, self._tick)

    def data_received(self, data: bytes) -> None:
        self._last_in, self._pinged = self._loop.time(), 0.0
        try:
            for packet in self._parser.feed(data):
                if self.lost.done():
                    return
                if self.answer.done():
                    self._receive(self, packet)
                elif isinstance(packet, Connack):
                    self.answer.set_result(packet)
                else:
                    raise ProtocolError("an answer that is no CONNACK")
        except ProtocolError as error:
            self.cut(f"the broker sent {error}")
        except Exception as error:
            log.exception("mqtt: an error of ours while taking a packet; the connection is made anew")
            self.cut(f"error of ours: {error!r}")

    def connection_lost(self, error: Exception | None) -> None:
        self.cut(str(error) if error else "the broker closed the connection")

    def _tick(self) -> None:
        now = self._loop.time()
        self._timer = self._loop.call_later(TICK_S, self._tick)
        if self._pinged:
            if now - self._pinged >= KEEPALIVE_S:
                self.cut("no sign of life")
        elif now - min(self._last_in, self._last_out) >= TICK_S:
            self._pinged = now
            self.send(PINGREQ)


def where(url: str) -> tuple[str, int, bool]:
    """``mqtt://host:port`` or ``mqtts://host:port`` -> host, port, and whether over TLS; raises ValueError."""
    parts = urlsplit(url)
    try:
        port = parts.port
    except ValueError:
        port = 0
    if parts.scheme not in PORTS or not parts.hostname or port == 0 or "@" in parts.netloc:
        raise ValueError("mqtt url: mqtt://host:port or mqtts://host:port is needed, without a user")
    return parts.hostname, port or PORTS[parts.scheme], parts.scheme == "mqtts"


def tls_context(ca_file: Path | None, cert_file: Path | None, key_file: Path | None) -> ssl.SSLContext:
    """Checks the certificate and its host name, by ``ca_file`` or the system's authorities, and shows our own if there
    is one. Raises OSError, also for what is no certificate."""
    context = ssl.create_default_context(cafile=ca_file)
    if cert_file:
        context.load_cert_chain(cert_file, key_file)
    return context
