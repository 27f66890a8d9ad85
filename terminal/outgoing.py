"""What is to be said to the broker: what waits, and what is under way and has no PUBACK yet. No socket in here."""

from collections import OrderedDict
from collections.abc import Callable

from terminal import packets

WINDOW = 20
"""Messages under way at a time (Mosquitto's limit as well)."""
BACKLOG = 1000
"""Messages that wait. The oldest go first: whoever needs an answer repeats the question."""


class Outgoing:
    """Messages of QoS 1, in order, across connections."""

    def __init__(self, next_mid: Callable[[], int]) -> None:
        self.dropped = 0
        self._next_mid = next_mid
        self._waiting: OrderedDict[tuple[str, bytes | None], tuple[bytes, bool]] = OrderedDict()
        self._under_way: OrderedDict[int, tuple[str, bytes, bool]] = OrderedDict()

    def __bool__(self) -> bool:
        """Is anything not acknowledged yet?"""
        return bool(self._waiting or self._under_way)

    def __contains__(self, mid: int) -> bool:
        return mid in self._under_way

    def add(self, topic: str, payload: bytes, retain: bool, latest_only: bool) -> None:
        """Queue a message: a repeat of one that waits is not queued twice, and with ``latest_only`` what waits for the
        same topic in this way is replaced."""
        key = (topic, None if latest_only else payload)
        if latest_only:
            self._waiting.pop(key, None)
        self._waiting[key] = payload, retain
        if len(self._waiting) > BACKLOG:
            self._waiting.popitem(last=False)
            self.dropped += 1

    def resume(self, send: Callable[[bytes], None]) -> None:
        """On a new connection: again, as duplicates, what had no PUBACK on the last one."""
        for mid, (topic, payload, retain) in self._under_way.items():
            send(packets.publish(topic, payload, mid, retain=retain, dup=True))

    def pump(self, send: Callable[[bytes], None]) -> None:
        """Send what may be sent now."""
        while self._waiting and len(self._under_way) < WINDOW:
            (topic, _), (payload, retain) = self._waiting.popitem(last=False)
            mid = self._next_mid()
            self._under_way[mid] = topic, payload, retain
            send(packets.publish(topic, payload, mid, retain=retain, dup=False))

    def acknowledge(self, mid: int) -> None:
        """A PUBACK came."""
        self._under_way.pop(mid, None)
