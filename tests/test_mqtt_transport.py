"""The socket under paho: opened by our own rules, and read in few system calls."""

import asyncio
import socket
from pathlib import Path

import pytest
from paho.mqtt.enums import CallbackAPIVersion

from terminal.mqtt.transport import BufferedSocket, PahoClient, tls_context, where


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("mqtt://broker", ("broker", 1883, False)),
        ("mqtt://127.0.0.1:1884", ("127.0.0.1", 1884, False)),
        ("mqtts://broker.example", ("broker.example", 8883, True)),
        ("mqtts://[::1]:8884", ("::1", 8884, True)),
    ],
)
def test_a_url_says_host_port_and_tls(url: str, found: tuple[str, int, bool]) -> None:
    assert where(url) == found


@pytest.mark.parametrize("url", ["http://broker", "mqtt://", "mqtt://broker:0", "mqtt://broker:x", "mqtt://me@broker"])
def test_a_url_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="without a user"):
        where(url)


def test_certificate_files_that_are_none_are_refused(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("no certificate")
    with pytest.raises(OSError):
        tls_context(tmp_path / "ca.pem", None, None)
    with pytest.raises(OSError):
        tls_context(tmp_path / "nothing.pem", None, None)


def test_bytes_are_asked_from_the_kernel_once_and_handed_out_in_pieces() -> None:
    ours, theirs = socket.socketpair()
    with theirs:
        buffered = BufferedSocket(ours)
        theirs.sendall(b"abcdef")
        assert not buffered.pending
        assert buffered.recv(2) == b"ab"
        assert buffered.pending
        assert (buffered.recv(1), buffered.recv(10)) == (b"c", b"def")
        assert not buffered.pending
        buffered.close()


async def test_paho_opens_its_socket_by_our_own_method_without_delay() -> None:
    """_create_socket is paho's and private: were it not called any more, nothing else would tell."""
    with socket.create_server(("127.0.0.1", 0)) as door:
        client = PahoClient(CallbackAPIVersion.VERSION2, "me")
        client.connect_async("127.0.0.1", door.getsockname()[1], 5)
        await asyncio.to_thread(client.reconnect)
        opened = client.socket()
        assert isinstance(opened, BufferedSocket)
        assert opened._sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 1
        opened.close()
