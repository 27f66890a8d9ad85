"""What a standby keeps of the rows that it follows: as much as a replay needs, and no more.

Of rows before the last checkpoint a replay needs only who left memory, and what its listeners hear.
"""

from collections.abc import Collection, Iterator

import msgspec

from terminal.journal.kinds import CHECKPOINT, GONE, SHELVED
from terminal.journal.rows import Row


class _StayName(msgspec.Struct, frozen=True):
    session: str


_NAMES = msgspec.json.Decoder(list[_StayName])


class RowsForReplay:
    """``aside``: the kinds of rows that somebody hears at a replay, wherever they stand; see EventStore."""

    def __init__(self, aside: Collection[str] = ()) -> None:
        self._kinds = {SHELVED, GONE, *aside}
        self._before: list[Row] = []
        self._since: list[Row] = []

    def take(self, row: Row) -> None:
        """The next row."""
        if row.kind == CHECKPOINT:
            for number, old in enumerate(self._since):
                if old.kind in self._kinds:
                    self._before.append(_brief(old))
                elif number == 0 and not self._before:  # the first one tells what was pruned before it
                    self._before.append(Row(old.seq, old.at_ms, "first", b""))
            self._since.clear()
        self._since.append(row)

    def rows(self) -> Iterator[Row]:
        """Rows with which EventStore.replay() comes to the same state as with all."""
        yield from self._before
        yield from self._since


def _brief(row: Row) -> Row:
    """A row of before the last checkpoint: of the stays that left memory only their names are needed."""
    if row.kind != SHELVED:
        return row
    return row._replace(data=msgspec.json.encode(_NAMES.decode(row.data)))
