"""A simulated scanner, for the demo and for tests."""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Self

from drivers.line_reader import PAUSE_S, LineReader, Reading
from drivers.scanner import ScannerTroubles


class SimulatedScanner:
    """A scanner.Scanner that reads what it is fed, by the same rules as the real ones."""

    def __init__(self) -> None:
        self._lines = LineReader()
        self._ready: deque[Reading] = deque()
        self._more = asyncio.Event()
        self._troubles = ScannerTroubles()

    def feed(self, text: str) -> None:
        """Hold a ticket under it; ``text`` has no line end."""
        self.feed_bytes(text.encode() + b"\r\n")

    def feed_bytes(self, data: bytes) -> None:
        """The very bytes that come down the cable; none while it is unplugged."""
        if data and self._troubles.now is None:
            self._ready.extend(self._lines.feed(data))
            self._more.set()

    def unplug(self) -> None:
        """Pull its cable."""
        self._lines.reset()
        self._troubles.set("the simulated scanner was lost: it was unplugged")

    def plug(self) -> None:
        """And back."""
        self._troubles.set(None)

    @property
    def trouble(self) -> str | None:
        return self._troubles.now

    def on_trouble(self, callback: Callable[[], None]) -> None:
        self._troubles.callbacks.append(callback)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *error: object) -> None:
        return None

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Reading:
        while not self._ready:
            self._more.clear()
            try:
                async with asyncio.timeout(PAUSE_S if self._lines.begun else None):
                    await self._more.wait()
            except TimeoutError:
                self._ready.extend(self._lines.end())
        return self._ready.popleft()
