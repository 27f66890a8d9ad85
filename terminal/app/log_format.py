"""Log lines that nobody else can forge, plain or as JSON; others' texts are cleaned in the same way as in the payby
package."""

import json
import logging
from datetime import UTC, datetime
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


class JsonFormatter(logging.Formatter):
    """One JSON object a line: ``at`` (RFC 3339, UTC, milliseconds), ``level``, ``logger``, ``message``, the record's
    own ``fields`` (logging's ``extra={"fields": {...}}``), and ``traceback`` where there is one. What a plain line
    would have cleaned is cleaned here too."""

    def format(self, record: logging.LogRecord) -> str:
        """The record's line, without its end."""
        at = datetime.fromtimestamp(record.created, UTC)
        said: dict[str, Any] = {
            "at": f"{at:%Y-%m-%dT%H:%M:%S}.{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": plain(record.getMessage(), 2_000),
        }
        fields = getattr(record, "fields", {})
        said |= {name: value for name, value in fields.items() if name not in said and value is not None}
        if record.exc_info and record.exc_info[0]:
            said["traceback"] = [plain(line, 500) for line in self.formatException(record.exc_info).splitlines()]
        return json.dumps(said, ensure_ascii=False, separators=(",", ":"), default=str)
