"""A limit on how often something may happen: it keeps a flood out of alerts, logs, journals and panels."""


class Throttle:
    """A token bucket: ``burst`` events pass at once, then one every ``every_ms``; the others are counted.

    It reads no clock. Times are whole milliseconds of one clock that never jumps, so that nothing is lost by
    rounding; the bucket is full when the first event comes.
    """

    __slots__ = ("_at_ms", "_credit_ms", "_every_ms", "_full_ms", "_held_back")

    def __init__(self, every_ms: int, *, burst: int = 1) -> None:
        self._every_ms = every_ms
        self._full_ms = self._credit_ms = every_ms * burst
        self._at_ms: int | None = None
        self._held_back = 0

    def take(self, now_ms: int) -> int:
        """How many events came since the last one that passed, this one included; 0: hold this one back."""
        passed_ms = 0 if self._at_ms is None else now_ms - self._at_ms
        self._credit_ms = min(self._full_ms, self._credit_ms + passed_ms)
        self._at_ms = now_ms
        if self._credit_ms < self._every_ms:
            self._held_back += 1
            return 0
        self._credit_ms -= self._every_ms
        count, self._held_back = self._held_back + 1, 0
        return count
