"""Ports for servers that cannot be told to take any."""

import itertools
import os
import socket
from contextlib import suppress

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
