"""The worker's truth: events in the journal, and the state that follows from them.

An event is stepped, then written together with the words that it makes us say to PayBy, in one commit; only then does
the state move on and anything happen (design, law 2). Replaying the journal gives the same state and the same words.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

import msgspec

from terminal.core.actions import Alert, CloseOrder, PlaceOrder, PlaceRefund, Pursuit
from terminal.core.events import EVENTS, Event
from terminal.core.lane import Change, Garage, Rules, step
from terminal.core.owed import owed

WORDS = "request"
"""The kind of a journal row that holds a request to PayBy: ``<call> <number>``, a line feed, and its bizContent."""


class Row(Protocol):
    """A row of the journal, as far as it matters here."""

    @property
    def kind(self) -> str: ...
    @property
    def data(self) -> bytes: ...


class Log(Protocol):
    """The journal, as far as it matters here."""

    def replay(self) -> Iterable[Row]: ...

    async def append(self, rows: Sequence[tuple[str, bytes]], at_ms: int) -> int: ...


@dataclass(frozen=True, slots=True)
class Key:
    """Names one pursuit: what is pursued, and the number or id it is pursued for."""

    what: str
    number: str


def key_of(pursuit: Pursuit) -> Key:
    """The same pursuit has the same key, however its nouns change meanwhile."""
    match pursuit:
        case PlaceOrder(order):
            return Key("placeOrder", order.no)
        case CloseOrder(order):
            return Key("cancelOrder", order.no)
        case PlaceRefund(refund):
            return Key("refund", refund.no)
        case _:
            grant = getattr(pursuit, "grant", None)
            return Key("lift", grant.id) if grant else Key("getOrder", pursuit.order.no)  # type: ignore[union-attr]


class Ledger:
    """``word_for`` makes the bizContent of a pursuit that changes something at PayBy; it is asked once for each."""

    def __init__(self, rules: Rules, log: Log, word_for: Callable[[Pursuit], bytes]) -> None:
        self.garage = Garage(rules)
        self.words: dict[Key, bytes] = {}
        self.last_at = 0
        self._log = log
        self._word_for = word_for

    def replay(self) -> int:
        """Read the journal into the state; no action of a replayed event is performed. Returns the rows read."""
        count = 0
        decoders = {name: msgspec.json.Decoder(kind) for name, kind in EVENTS.items()}
        for row in self._log.replay():
            count += 1
            if row.kind == WORDS:
                name, _, body = row.data.partition(b"\n")
                what, _, number = name.decode().partition(" ")
                self.words[Key(what, number)] = body
            elif decoder := decoders.get(row.kind):
                event = decoder.decode(row.data)
                self.garage.apply(step(self.garage, event))
                self.last_at = max(self.last_at, event.at)
        return count

    async def take(self, event: Event) -> Change:
        """Step, commit, move on; what does not change the state and tells no person is not written."""
        change = step(self.garage, event)
        if change.lanes or change.stays or any(isinstance(a, Alert) for a in change.actions):
            words = self._new_words(change)
            rows = [(f"{key.what} {key.number}\n".encode() + body) for key, body in words.items()]
            first = (type(event).__name__, msgspec.json.encode(event))
            await self._log.append([first, *((WORDS, row) for row in rows)], event.at)
            self.words.update(words)
            self.garage.apply(change)
            self.last_at = max(self.last_at, event.at)
        return change

    def _new_words(self, change: Change) -> dict[Key, bytes]:
        wanted = [p for stay in change.stays.values() for p in owed(stay)]
        changing = [p for p in wanted if isinstance(p, PlaceOrder | CloseOrder | PlaceRefund)]
        return {key: self._word_for(p) for p in changing if (key := key_of(p)) not in self.words}


class Steady:
    """Milliseconds that start at the wall clock's (or the journal's last) and then only follow a monotonic clock."""

    def __init__(self, wall_ms: int, steady_ms: Callable[[], int], *, not_before: int = 0) -> None:
        self._steady_ms = steady_ms
        self._offset = max(wall_ms, not_before) - steady_ms()

    def now(self) -> int:
        return self._steady_ms() + self._offset
