"""What this process tells systemd: that it is ready, how it is, and that it still works.

A datagram to the socket that NOTIFY_SOCKET names, as sd_notify(3) describes it; nothing where no service manager
listens. The watchdog is fed by the heartbeat that came back through the broker, and by nothing else: a process that
hangs, or whose messages no longer arrive, is started again. A worker that stands by for another has no broker: its sign
of life is the database that answers it.
"""

import contextlib
import os
import socket
import time
from collections.abc import Mapping

from terminal.payby.plain_text import plain

_STATUS_MOST = 400
_FED_AT_MOST = 4
"""How often in one interval of the watchdog it is fed; more often would only cost."""


class ServiceManager:
    """The service manager of ``environ``; without one every method does nothing."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        address = environ.get("NOTIFY_SOCKET", "")
        self._address = "\0" + address[1:] if address.startswith("@") else address
        own = environ.get("WATCHDOG_PID", "") in ("", str(os.getpid()))
        told = environ.get("WATCHDOG_USEC", "")
        self.watchdog_s = int(told) / 1_000_000 if own and told.isdecimal() else 0.0
        """After how long without a sign of life this process is killed; 0: never."""
        self._fed_s = float("-inf")
        self._ready = ""
        self._stands_by = False
        self._stands_by_as = ""
        self.ready_at_once = ""
        """What to say where the first heartbeat that comes back makes this process ready; empty: ready() is called."""

    def ready(self, text: str) -> None:
        """This process serves; ``text`` is what an operator sees of it."""
        self._ready = text
        self._tell("READY=1", self._status(text))

    def status(self, text: str) -> None:
        """Say in a line how this process is, or why it ended: `systemctl status` shows the last one."""
        self._tell(self._status(text))

    def connection(self, connected: bool, trouble: str) -> None:
        """The connection to the broker was made or lost, once this process has been ready."""
        if self._ready:
            self.status(self._ready if connected else f"no connection to the broker: {trouble}")

    def heartbeat_came_back(self) -> None:
        """The process's own message went through the broker and came back."""
        if self.ready_at_once and (self._stands_by or not self._ready):
            self._stands_by = False
            self.ready(self.ready_at_once)
        self._feed()

    def stands_by(self, text: str, well: bool) -> None:
        """This process waits for another's end; ``well``: it is able to take over. Called again and again."""
        if well and not self._stands_by:
            self._stands_by = True
            self.ready(text)
        elif text != self._stands_by_as:
            self.status(text)
        self._stands_by_as = text
        if well:
            self._feed()

    def _feed(self) -> None:
        now_s = time.monotonic()
        if self._ready and self.watchdog_s and now_s - self._fed_s >= self.watchdog_s / _FED_AT_MOST:
            self._fed_s = now_s
            self._tell("WATCHDOG=1")

    def stopping(self) -> None:
        """It was told to end, and ends."""
        self._tell("STOPPING=1")

    def _status(self, text: str) -> str:
        return f"STATUS={plain(text, _STATUS_MOST)}"

    def _tell(self, *fields: str) -> None:
        if not self._address.startswith(("/", "\0")):
            return
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as to:
            to.setblocking(False)
            to.sendto("\n".join(fields).encode(), self._address)
