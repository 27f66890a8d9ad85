"""Messages that wait for the connection, oldest first."""

from collections import OrderedDict
from typing import NamedTuple

BACKLOG = 1000
"""Messages that wait for a connection. The oldest go first: whoever needs an answer repeats the question."""
LARGEST = 60_000
"""Bytes of a payload. Brokers take packets of 64 KiB (the embedded one, and Mosquitto as we ship it)."""


class QueuedMessage(NamedTuple):
    """What is to be published with QoS 1."""

    topic: str
    payload: bytes
    retain: bool


class Backlog:
    """A queue of at most BACKLOG messages; what does not fit pushes the oldest one out."""

    def __init__(self) -> None:
        self.dropped = 0
        """Messages that were pushed out."""
        self._waiting: OrderedDict[tuple[str, bytes | None], QueuedMessage] = OrderedDict()

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, message: QueuedMessage, *, latest_only: bool) -> None:
        """Queue a message. A repeat of the same bytes is not queued twice; ``latest_only``: it takes the place of what
        waits for its topic in the same way. Raises ValueError for a payload that no broker takes."""
        if len(message.payload) > LARGEST:
            size = len(message.payload)
            raise ValueError(f"{message.topic}: {size} bytes; a broker would drop the connection, again and again")
        key = (message.topic, None if latest_only else message.payload)
        if latest_only:
            self._waiting.pop(key, None)
        self._waiting[key] = message
        if len(self._waiting) > BACKLOG:
            self._waiting.popitem(last=False)
            self.dropped += 1

    def take(self) -> QueuedMessage:
        """The oldest message, which waits no longer; raises KeyError where none waits."""
        return self._waiting.popitem(last=False)[1]
