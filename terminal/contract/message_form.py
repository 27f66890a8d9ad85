"""What every message has: its id and time, the form of its times, and what makes one that does not fit.

messages.py has the messages themselves.
"""

from datetime import UTC, datetime
from functools import cache, lru_cache

import msgspec

from terminal.contract.field_forms import SIGNED_FIELDS, Stamp, Uuid7, is_signable

MAX_BYTES = 16 * 1024
"""Largest message, in bytes of UTF-8."""


class BadMessage(ValueError):
    """A message does not fit its type; the text names the field and what it takes."""


def stamp(ms: int) -> str:
    """Milliseconds since the epoch -> RFC 3339 in UTC with milliseconds."""
    return f"{_second(ms // 1000)}.{ms % 1000:03d}Z"


@lru_cache(maxsize=16)
def _second(s: int) -> str:
    return datetime.fromtimestamp(s, UTC).strftime("%Y-%m-%dT%H:%M:%S")


@lru_cache(maxsize=256)  # a message's times are read when it is checked and again when they are used
def moment(text: str) -> int:
    """RFC 3339 in UTC -> whole milliseconds since the epoch; raises ValueError for a text that is not a time."""
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise ValueError(f"{text!r} has no time zone")
    return int(at.timestamp()) * 1000 + at.microsecond // 1000


class Message(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="v", tag=1):
    """What every message has: ``v`` (1, written by the encoder), ``id`` and ``at``."""

    id: Uuid7
    at: Stamp

    def __post_init__(self) -> None:
        for name in _stamps(type(self)):
            if (text := getattr(self, name)) is not None:
                try:
                    moment(text)
                except ValueError:
                    raise ValueError(f"`{name}` is not a time: {text!r}") from None
        for name in SIGNED_FIELDS.get(type(self).__name__, ()):
            if (text := getattr(self, name)) is not None and not is_signable(text):
                raise ValueError(f"`{name}` holds `|` or a control character, which no signed field may")

    def need(self, *names: str, where: str) -> None:
        """Raise ValueError for the first of ``names`` that is absent though ``where`` asks for it."""
        for name in names:
            if getattr(self, name) is None:
                raise ValueError(f"`{name}` is missing, and {where} needs it")


@cache
def _stamps(kind: type[Message]) -> tuple[str, ...]:
    """The fields of a message that hold a time."""
    return tuple(f for f in kind.__struct_fields__ if f in _TIMES)


_TIMES = frozenset({"at", "entered", "exited", "expires", "not_after", "since", "issued", "until"})
