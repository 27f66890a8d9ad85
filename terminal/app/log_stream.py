"""Log lines on a stream that may go away, or take nothing for a while: a line is lost then, and the lane goes on."""

import contextlib
import io
import logging
import os
import select
import sys
from typing import TextIO

from terminal.app.log_format import PlainFormatter

PIECE = 512
"""Bytes that a pipe with room for any (POLLOUT) takes without waiting: POSIX's least PIPE_BUF."""


class LogStream(logging.Handler):
    """Lines on ``stream``. Never waits: a terminal under Ctrl-S, a stalled ssh session or a pager that is not read
    would hold up the event loop, and with it the lane. Nor does a closed one raise."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__()
        self._stream = stream
        self._fd = _patient(stream)

    def emit(self, record: logging.LogRecord) -> None:
        try:
            line = self.format(record) + "\n"
            if self._fd is None:
                self._stream.write(line)
            else:
                self._send(line.encode(errors="backslashreplace"))
        except OSError:
            return  # closed, or full: the line is lost
        except Exception:
            self.handleError(record)  # a mistake of ours in the call

    def _send(self, data: bytes) -> None:
        assert self._fd is not None
        ready = select.poll()
        ready.register(self._fd, select.POLLOUT)
        while data and ready.poll(0):
            data = data[os.write(self._fd, data[:PIECE]) :]


def _patient(stream: TextIO) -> int | None:
    """What to write to; None where there is nothing behind ``stream`` but Python. A terminal is opened anew, for it may
    say that it has room and then take only a part; what we inherited is shared with the shell and stays as it is."""
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
    """What the program has to say goes to standard error, a line each."""
    lines = LogStream(sys.stderr)
    time = "" if is_journald(sys.stderr) else "%(asctime)s "
    lines.setFormatter(PlainFormatter(f"{time}%(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(handlers=[lines], level=logging.INFO)
    logging.getLogger("aiohttp.access").setLevel(logging.WARNING)
