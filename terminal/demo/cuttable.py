"""A part of the demo that can be taken away for a while and put back, as if its cable were pulled."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Self


class Cuttable:
    """Holds what ``make`` makes, open. cut() closes it; restore() opens a new one. parts.Broker over any broker.

    What ``make`` returns must be one that may be closed by another task than the one that opened it.
    """

    def __init__(self, make: Callable[[], AbstractAsyncContextManager[object]]) -> None:
        self._make = make
        self._open: AbstractAsyncContextManager[object] | None = None

    async def __aenter__(self) -> Self:
        await self.restore()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.cut()

    async def cut(self) -> None:
        """Close it; twice is harmless."""
        held, self._open = self._open, None
        if held is not None:
            await held.__aexit__(None, None, None)

    async def restore(self) -> None:
        """Open a new one, unless there is one; raises what opening raises."""
        if self._open is None:
            made = self._make()
            await made.__aenter__()
            self._open = made
