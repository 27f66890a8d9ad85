"""A worker's journal in memory."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any


@dataclass
class Memory:
    """A journal in memory, which a second worker may go on with."""

    rows: list[Any] = field(default_factory=list)

    def replay(self) -> Iterable[Any]:
        return [replace(row, seq=seq) for seq, row in enumerate(self.rows, 1)]

    async def append(self, rows: Sequence[tuple[str, bytes]], at_ms: int) -> int:
        self.note(rows, at_ms)
        return len(self.rows)

    def note(self, rows: Sequence[tuple[str, bytes]], at_ms: int) -> None:
        self.rows += [Row(*row) for row in rows]

    async def fetch(self, seq: int) -> bytes | None:
        return self.rows[seq - 1].data


@dataclass
class Row:
    kind: str
    data: bytes
    seq: int = 0
    """As a replay numbers it."""
