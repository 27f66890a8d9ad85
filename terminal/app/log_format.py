"""Lines of the log in which nobody else can write one; others' texts are cleaned as PayBy's library does it."""

import logging
from typing import Any

from terminal.payby.plain_text import plain


class PlainFormatter(logging.Formatter):
    """Nothing that a record says begins a line of the log, but for a traceback, whose lines are indented."""

    def formatMessage(self, record: logging.LogRecord) -> str:
        record.message = plain(record.message, 2_000)
        return super().formatMessage(record)

    def formatException(self, ei: Any) -> str:
        return "\n".join("    " + plain(line, 500) for line in super().formatException(ei).splitlines())
