"""The socket under the MQTT client: how it is opened, and how it is read.

paho reads a packet in four pieces, each with a system call, and leaves a socket whose TLS handshake failed to the
garbage collector. Both are corrected here, through the one method that opens sockets. It is private, so
test_mqtt_client.py checks that it is still called.
"""

import contextlib
import select
import socket
import ssl
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

CHUNK = 65536
"""How many bytes to ask from the kernel at once."""
_CRL = b"-----BEGIN X509 CRL-----"
VERDICT_S = 0.5
"""How long to wait for a broker's verdict of our certificate; most brokers answer within a round trip."""
TAKEN = "another process speaks under this name"
PORTS = {"mqtt": 1883, "mqtts": 8883}


class BufferedSocket:
    """What paho needs of a socket; recv() asks the kernel only when all bytes read before have been handed out, and
    send() hands it nothing once ``may_speak`` says no."""

    def __init__(self, sock: socket.socket, may_speak: Callable[[], bool] | None = None) -> None:
        self._sock, self._may_speak = sock, may_speak
        self._buffer = b""
        self._at = 0

    @property
    def pending(self) -> bool:
        """Are there bytes to read that the kernel has already handed out? No readiness event will come for them."""
        return self._at < len(self._buffer) or (isinstance(self._sock, ssl.SSLSocket) and self._sock.pending() > 0)

    def recv(self, size: int) -> bytes:
        """At most ``size`` bytes, b'' at the end of the stream. Raises OSError; BlockingIOError means that none
        wait."""
        if self._at >= len(self._buffer):
            self._buffer, self._at = self._sock.recv(CHUNK), 0
        data = self._buffer[self._at : self._at + size]
        self._at += len(data)
        return data

    def send(self, data: bytes | bytearray) -> int:
        """Hand bytes to the kernel; returns how many it took. Raises OSError, BlockingIOError if it takes none.

        The right to speak is asked for here, as late as it can be: a process may be frozen between any two lines, and
        between an earlier question and this line a whole packet is made."""
        if self._may_speak and not self._may_speak():
            raise ConnectionAbortedError(TAKEN)
        return self._sock.send(data)

    def close(self) -> None:
        """Close the socket; bytes that were not handed out are lost."""
        self._sock.close()

    def fileno(self) -> int:
        """The socket's descriptor, for the event loop; -1 once it is closed. See ``pending`` before waiting on it."""
        return self._sock.fileno()

    def setblocking(self, flag: bool) -> None:
        """Block in recv() and send() or, with False, raise BlockingIOError there."""
        self._sock.setblocking(flag)


class PahoClient(mqtt.Client):
    """paho's client on a BufferedSocket; uses ``tls`` if it is set."""

    tls: ssl.SSLContext | None = None
    ca_file: Path | None = None
    """Whom ``tls`` trusts; None: the system's authorities."""
    may_speak: Callable[[], bool] | None = None
    """Asked once there is a socket, before CONNECT: that takes the session from whoever has it under this name. And
    before all that is sent."""

    def _create_socket(self) -> BufferedSocket:
        sock = dialled(self.host, self.port, self.tls, self.connect_timeout)
        if self.may_speak and not self.may_speak():
            sock.close()
            raise ConnectionAbortedError(TAKEN)
        return BufferedSocket(sock, self.may_speak)


def dialled(host: str, port: int, tls: ssl.SSLContext | None, timeout_s: float) -> socket.socket:
    """An open socket, over TLS if that is given. Blocks; raises OSError, also for a certificate that either side does
    not accept."""
    sock = socket.create_connection((host, port), timeout=timeout_s)
    try:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls:
            sock = secured = tls.wrap_socket(sock, server_hostname=host, do_handshake_on_connect=False)
            secured.settimeout(timeout_s)
            secured.do_handshake()
            _hear_the_verdict(secured)
            secured.settimeout(timeout_s)
    except BaseException:
        sock.close()
        raise
    return sock


def _hear_the_verdict(sock: ssl.SSLSocket) -> None:
    """Raise SSLError if the broker does not accept our certificate. With TLS 1.3 it judges after the handshake, and
    answers with a session ticket or an alert; if we wrote first, its end of the connection could hide the alert."""
    if sock.version() != "TLSv1.3" or not select.select([sock], [], [], VERDICT_S)[0]:
        return
    sock.setblocking(False)
    with contextlib.suppress(ssl.SSLWantReadError):  # a ticket, and nothing to read
        sock.recv(1)


def new_client(client_id: str, clean: bool, username: str, password: str) -> PahoClient:
    """An MQTT 3.1.1 client that acknowledges and connects only when it is told to."""
    client = PahoClient(
        CallbackAPIVersion.VERSION2,
        client_id,
        clean_session=clean or not client_id,  # MQTT 3.1.1: without an id no session can be kept
        protocol=mqtt.MQTTv311,
        reconnect_on_failure=False,  # otherwise paho falls back to MQTT 3.1 by itself, blocking
        manual_ack=True,
    )
    if username:
        client.username_pw_set(username, password)
    return client


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
    """A TLS context that checks the certificate and its host name, by ``ca_file`` or the system's authorities, and
    shows our own certificate if there is one. A revocation list (CRL) in ``ca_file`` counts. Raises OSError, also for a
    file that is not a certificate."""
    context = ssl.create_default_context(cafile=ca_file)
    if ca_file and _CRL in ca_file.read_bytes():
        context.verify_flags |= ssl.VerifyFlags.VERIFY_CRL_CHECK_LEAF
    if cert_file:
        context.load_cert_chain(cert_file, key_file, password="")  # else OpenSSL asks for one on the terminal
    return context
