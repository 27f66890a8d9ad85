"""What the lane's messages tell an observer: the last screen, each role's health, and what is news."""

import json
import time
from typing import Any

from terminal.contract import topics
from terminal.demo.feed import MessagePassed
from terminal.demo.ports import PassedMessage

_REPEATED = ("health", "vehicle", "barrier")
"""Messages that are repeated whether or not they have changed."""
_SECRETIVE = ("qr", "sign", "key")
"""Fields of a screen that mean nothing to a person."""


class LaneObserver:
    """Remembers the latest messages. ``screen``: its fields; ``order_no``: the order that the lane speaks of;
    ``roles``: each role's state by its name."""

    def __init__(self) -> None:
        self.screen: dict[str, Any] = {}
        self.order_no: str | None = None
        self.roles: dict[str, str] = {}
        self._last: dict[str, dict[str, Any]] = {}
        self._count = 0

    def take(self, delivery: PassedMessage) -> MessagePassed | None:
        """A delivery as the demo's happening; None for a message that none of our roles sends (they raise the
        alert)."""
        at_s = time.perf_counter()
        try:
            topic = topics.parse(delivery.topic)
            data = json.loads(delivery.payload)
        except (topics.TopicError, ValueError, RecursionError):
            return None
        if not isinstance(data, dict):
            return None
        said = _said(topic.kind, data)
        routine = topic.kind in _REPEATED and "answer" not in data and self._last.get(delivery.topic) == said
        routine = routine or topic.kind == "alerts"  # what is in them was told by an `alert`
        self._last[delivery.topic] = said
        if topic.kind == "screen":
            self.screen = {name: value for name, value in data.items() if name not in _SECRETIVE}
        elif topic.kind == "order":
            self.order_no = data.get("order_no")
        elif topic.kind == "health":
            self.roles[topic.role] = str(data.get("state"))
        self._count += 1
        return MessagePassed(self._count, delivery.topic, topic.kind, data, delivery.retained, routine, at_s)


def _said(kind: str, data: dict[str, Any]) -> dict[str, Any]:
    """The part of a message that must differ from the last one for it to be news."""
    if kind == "barrier":
        return {"state": data.get("state")}
    return {name: value for name, value in data.items() if name not in ("id", "at")}
