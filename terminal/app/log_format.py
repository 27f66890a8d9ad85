"""Log lines that nobody else can forge; others' texts are cleaned in the same way as in the payby package."""

import logging
from typing import Any

from terminal.payby.plain_text import plain


class PlainFormatter(logging.Formatter):
    """No text in a record can begin a line of the log; a traceback's lines are indented."""

    def formatMessage(self, record: logging.LogRecord) -> str:
        """The record's line, with its message cleaned and cut to 2,000 characters."""
        record.message = plain(record.message, 2_000)
        return super().formatMessage(record)

    def formatException(self, ei: Any) -> str:
        """The traceback of ``ei`` (as sys.exc_info() gives it), indented, each line cleaned and cut to 500
        characters."""
        return "\n".join("    " + plain(line, 500) for line in super().formatException(ei).splitlines())
