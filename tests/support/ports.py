"""Ports for servers that cannot be told to take any."""

import itertools
import os
import socket
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Any

from tests.support.eventually import LIMIT_S, soon

FIRST, COUNT = 15_000, 15_000
"""The kernel never picks one of these for port 0: Linux begins at 32768."""
_next = itertools.count(os.getpid() * 101)


def free_port() -> int:
    """A free port that nobody else gets before its user has started."""
    while True:
        port = FIRST + next(_next) % COUNT
        with socket.socket() as probe, suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
            return port


def listens(
    process: "subprocess.Popen[Any]", port: int, log: Path, *, limit_s: float = LIMIT_S, host: str = "127.0.0.1"
) -> None:
    """Wait until a server that was started takes connections. Raises RuntimeError, with its log, if it ends."""

    def answers() -> bool:
        if process.poll() is not None:
            raise RuntimeError(f"{process.args} ended: {log.read_text()}")
        with suppress(OSError), socket.create_connection((host, port), 1):
            return True
        return False

    soon(answers, limit_s=limit_s)
