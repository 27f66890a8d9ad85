"""Log lines on a stream that may close or block: then a line is lost, and the lane goes on."""

import contextlib
import io
import logging
import os
import select
import sys
from typing import TextIO

from terminal.app.log_format import JsonFormatter, PlainFormatter

PIECE = 512
"""How many bytes a pipe that has any room (POLLOUT) takes without waiting: the least PIPE_BUF that POSIX allows."""


class LogStream(logging.Handler):
    """Writes lines to ``stream`` and never waits: a terminal under Ctrl-S, a stalled ssh session or an unread pager
    would hold up the event loop, and with it the lane. A closed stream raises nothing."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__()
        self._stream = stream
        self._fd = _patient(stream)

    def emit(self, record: logging.LogRecord) -> None:
        """Write the record's line, as much of it as the stream takes at once. Raises nothing."""
        try:
            line = self.format(record) + "\n"
            if self._fd is None:
                self._stream.write(line)
            else:
                self._send(line.encode(errors="backslashreplace"))
        except OSError:
            return  # closed or full: the line is lost
        except Exception:
            self.handleError(record)  # a mistake of ours in the call

    def _send(self, data: bytes) -> None:
        assert self._fd is not None
        ready = select.poll()
        ready.register(self._fd, select.POLLOUT)
        while data and ready.poll(0):
            data = data[os.write(self._fd, data[:PIECE]) :]


def _patient(stream: TextIO) -> int | None:
    """The descriptor to write to; None if ``stream`` has none. A terminal is opened anew, because it may report room
    and then take only a part; the inherited descriptor is shared with the shell and stays as it is."""
    try:
        fd = stream.fileno()
    except (io.UnsupportedOperation, ValueError, AttributeError):
        return None
    with contextlib.suppress(OSError):
        return os.open(os.ttyname(fd), os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    return fd


def is_journald(stream: TextIO) -> bool:
    """Does this stream end in systemd's journal, which adds times of its own? It says so in the environment, by the
    device and inode (systemd.exec(5), $JOURNAL_STREAM), which a redirection since then does not have."""
    try:
        found = os.fstat(stream.fileno())
    except (OSError, ValueError, AttributeError):
        return False
    return os.environ.get("JOURNAL_STREAM") == f"{found.st_dev}:{found.st_ino}"


def log_to_stderr() -> None:
    """Log to standard error, one plain line for each record, until log_as() says otherwise."""
    lines = LogStream(sys.stderr)
    time = "" if is_journald(sys.stderr) else "%(asctime)s "
    lines.setFormatter(PlainFormatter(f"{time}%(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(handlers=[lines], level=logging.INFO)
    logging.getLogger("aiohttp.access").setLevel(logging.WARNING)


def log_as(form: str) -> None:
    """From now on log as ``[log] format`` says: ``json``, or ``plain`` as before."""
    if form == "json":
        for handler in logging.getLogger().handlers:
            if isinstance(handler, LogStream):
                handler.setFormatter(JsonFormatter())


def is_json() -> bool:
    """Are lines JSON now?"""
    return any(isinstance(handler.formatter, JsonFormatter) for handler in logging.getLogger().handlers)
