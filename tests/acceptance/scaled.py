"""Time that runs faster, for a process of the product and for PayBy beside it.

The contract's limits stand (``query_every`` 2 to 6 s, ``cancel_after`` 20 to 120 s): what is shortened is the second
itself, at the two places where the product learns of time: its Clock and its event loop.
"""

import asyncio
import selectors
import time
from collections.abc import Mapping
from typing import Any


class ScaledClock:
    """terminal.clock.Clock that runs ``scale`` times as fast from ``origin_ms`` (since the epoch) on. Processes that
    were given the same numbers have the same time."""

    def __init__(self, scale: float, origin_ms: int) -> None:
        self._scale, self._origin_ms = scale, origin_ms

    def wall_ms(self) -> int:
        return self._origin_ms + int((time.time_ns() / 1_000_000 - self._origin_ms) * self._scale)

    def steady_ms(self) -> int:
        return int(time.monotonic_ns() * self._scale) // 1_000_000


class ScaledSelector(selectors.BaseSelector):
    """The system's selector, for a caller whose seconds are shorter."""

    def __init__(self, scale: float) -> None:
        self._scale = scale
        self._real = selectors.DefaultSelector()

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return self._real.register(fileobj, events, data)

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        return self._real.unregister(fileobj)

    def modify(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return self._real.modify(fileobj, events, data)

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        return self._real.select(timeout if timeout is None else timeout / self._scale)

    def close(self) -> None:
        self._real.close()

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        return self._real.get_map()


class ScaledLoop(asyncio.SelectorEventLoop):
    """An event loop whose time() runs ``scale`` times as fast."""

    def __init__(self, scale: float) -> None:
        self._scale = scale
        super().__init__(ScaledSelector(scale))

    def time(self) -> float:
        return super().time() * self._scale
