"""What was spent at this barrier: in its journal, and in memory, compact enough for years of lifts.

A lift leaves two rows: ``intent``, the lift itself without its proof, flushed before the pulse, and ``done``, its id,
after it. Nobody knows whether an intent without ``done`` was pulsed, and it is never pulsed again. A refusal that must
outlast this process leaves ``refused``, a damage ``repaired``.
"""

import time
from array import array
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Literal, NamedTuple, Self, Unpack

import msgspec

from terminal.clock import Clock
from terminal.contract import lift_rules
from terminal.contract.messages import Lift, LiftReason, RefusalReason, encode, moment
from terminal.core.digests import Digests
from terminal.journal.displaced import Displaced
from terminal.journal.journal import Journal, JournalOptions
from terminal.journal.kinds import BARRIERS, DONE, INTENT, REFUSED, REPAIRED
from terminal.journal.repair import finish, rebuild
from terminal.journal.rows import JournalDamaged, JournalForeign, Row, connect

MISTRUST_MS = 60_000
"""How long after a damage no lift raises the boom: every lift spent before has expired by then."""
REFUSALS = 100
"""How many are kept in memory before those are dropped of which no copy can still be valid."""
LATE_MS = 60 * 60_000
"""How long after its deadline a lift is kept, for clocks that jump."""
FLUSH_MS = 5_000
"""How long after its intent's time a pulse may come: the flush lies between, and a disk may be slow."""
SpentOutcome = Literal["raised", "unknown"]


class LastRaise(NamedTuple):
    """The lift that raised the boom last: the part that ``barrier`` tells of it."""

    lift: str
    session: str
    reason: LiftReason


class _Intent(msgspec.Struct, frozen=True):
    """The part of an intent's row that a replay needs."""

    id: str
    session: str
    reason: LiftReason
    order_no: str | None = None

    @property
    def number(self) -> str | None:
        return self.order_no if self.reason in lift_rules.PROVED else None


class _Refusal(msgspec.Struct, frozen=True):
    """What a refusal's row says."""

    id: str
    not_after: str
    why: RefusalReason


class SpentLifts:
    """Ids and order numbers that were spent here, with the outcome of each."""

    def __init__(self) -> None:
        self.ids = Digests()
        self.numbers = Digests()
        self.unknown: set[str] = set()
        """Intents without a ``done``."""
        self.last: LastRaise | None = None
        self.pulsed_ms: int | None = None
        """The latest time of the last pulse before this start, by the wall clock of that time."""
        self.repaired_ms: int | None = None
        """When rows were last lost."""
        self._refused: dict[str, tuple[RefusalReason, int]] = {}

    def replay(self, rows: Iterable[Row]) -> None:
        """Learn from a whole journal; raises ValueError for rows that are not a barrier's."""
        ids, numbers = array("Q"), array("Q")
        decode = msgspec.json.Decoder(_Intent).decode
        decode_refusal = msgspec.json.Decoder(_Refusal).decode
        intents: dict[str, _Intent] = {}
        for row in rows:
            if row.kind == INTENT:
                intent = decode(row.data)
                intents[intent.id] = intent
                ids.append(Digests.of(intent.id))
                if intent.number:
                    numbers.append(Digests.of(intent.number))
            elif row.kind == DONE:
                if done := intents.pop(row.data.decode(), None):
                    self.last = LastRaise(done.id, done.session, done.reason)
            elif row.kind == REFUSED:
                refusal = decode_refusal(row.data)
                self._note(refusal, moment(refusal.not_after))
            elif row.kind == REPAIRED:
                self.repaired_ms = row.at_ms
            else:
                raise ValueError(f"row {row.seq} of kind {row.kind!r} is not a barrier's")
        self.ids, self.numbers, self.unknown = Digests(ids), Digests(numbers), set(intents)

    def dated(self, rows: Iterable[Row]) -> Iterator[Row]:
        """The same rows, for replay(); notes the times of those that pulsed."""
        for row in rows:
            if row.kind in (INTENT, DONE):
                self.pulsed_ms = row.at_ms + (FLUSH_MS if row.kind == INTENT else 0)
            yield row

    def quiet_ms(self, clock: Clock) -> int:
        """For how long (ms) there was certainly no pulse, at a start: by the journal's times, but no longer than this
        machine is up, which is what its steady clock tells on Linux.

        So a pulse before the last boot is at least that old, whatever the wall clock said then or says now. A pulse
        since the boot seems older than it is only if the clock was set forward between it and this start. Then a lift
        within the next seconds may be pulsed to an arm that is not yet down, instead of being answered ``busy``; it
        spends its own id, and lets out nobody who has no lift.
        """
        steady_ms = clock.steady_ms()
        since_ms = steady_ms if self.pulsed_ms is None else clock.wall_ms() - self.pulsed_ms
        return max(0, min(since_ms, steady_ms))

    def intend(self, lift: Lift) -> None:
        """``lift`` is about to be journaled and pulsed."""
        self.ids.add(lift.id)
        self.unknown.add(lift.id)
        if number := lift_rules.spends(lift):
            self.numbers.add(number)

    def withdraw(self, lift: Lift) -> None:
        """The intent could not be journaled: the lift was not spent."""
        self.ids.discard(lift.id)
        self.unknown.discard(lift.id)
        if number := lift_rules.spends(lift):
            self.numbers.discard(number)

    def done(self, lift: Lift) -> None:
        """The pulse was given."""
        self.unknown.discard(lift.id)
        self.last = LastRaise(lift.id, lift.session, lift.reason)

    def refuse(self, lift: Lift, why: RefusalReason, now_ms: int) -> None:
        """The lift was refused, and that is in the journal."""
        self._note(_Refusal(lift.id, lift.not_after, why), now_ms)

    def refused_before(self, lift: Lift) -> RefusalReason | None:
        """Why a copy of ``lift`` was refused."""
        known = self._refused.get(lift.id)
        return known[0] if known else None

    def _note(self, refusal: _Refusal, now_ms: int) -> None:
        if len(self._refused) >= REFUSALS:
            self._refused = {key: kept for key, kept in self._refused.items() if kept[1] > now_ms}
            while len(self._refused) >= REFUSALS:
                del self._refused[next(iter(self._refused))]
        self._refused[refusal.id] = refusal.why, moment(refusal.not_after) + LATE_MS

    def outcome(self, lift_id: str) -> SpentOutcome:
        """What came of a spent lift."""
        return "unknown" if lift_id in self.unknown else "raised"


def intent_row(lift: Lift) -> tuple[str, bytes]:
    """The row that spends ``lift``: all that was signed, and its signature."""
    return INTENT, encode(msgspec.structs.replace(lift, proof=None))


def done_row(lift: Lift) -> tuple[str, bytes]:
    """The row that says that the pulse was given."""
    return DONE, lift.id.encode()


def refused_row(lift: Lift, why: RefusalReason) -> tuple[str, bytes]:
    """The row that says that ``lift`` was refused for good."""
    return REFUSED, msgspec.json.encode(_Refusal(lift.id, lift.not_after, why))


class BarrierJournal:
    """The barrier's journal, and what it says."""

    def __init__(self, journal: Journal, spent: SpentLifts, damaged: str = "") -> None:
        self.journal = journal
        self.spent = spent
        self.damaged = damaged
        """What was lost recently, and where it is kept; empty if nothing was."""
        self._displaced = Displaced()

    @classmethod
    def open(cls, path: Path, now_ms: int, **options: Unpack[JournalOptions]) -> Self:
        """Open, check and read the journal at ``path``; ``options`` go to Journal.open().

        The intact rows of a damaged journal go on in a new one, which is complete before it takes the old one's place:
        a barrier without a journal would leave every driver waiting, and one that forgot would raise twice. Raises what
        else a Journal raises.
        """
        finish(path)
        damaged = ""
        try:
            journal, spent = _read(path, options)
        except JournalForeign:
            raise
        except JournalDamaged as error:
            damaged = _repair(path, error, now_ms, options)
            journal, spent = _read(path, options)
        if spent.repaired_ms is not None and now_ms < spent.repaired_ms + MISTRUST_MS:
            damaged = damaged or "it was repaired a moment ago, and a lost lift may still be repeated"
        return cls(journal, spent, damaged)

    def look_at_place(self, now_ms: int) -> str:
        """What a person must know if the path no longer names the journal, which is then copied out. Blocks."""
        return self._displaced.look(self.journal, now_ms)

    def close(self) -> None:
        """Close the journal, after a copy of it if its path no longer names it. Blocks."""
        self.look_at_place(time.time_ns() // 1_000_000)
        self.journal.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()


def _read(path: Path, options: JournalOptions) -> tuple[Journal, SpentLifts]:
    journal = Journal.open(path, role="barrier", **options)
    try:
        spent = SpentLifts()
        spent.replay(spent.dated(journal.replay()))
    except (
        ValueError,
        msgspec.MsgspecError,
    ) as error:  # the rows are intact, so a newer program wrote them
        journal.close()
        raise JournalForeign(path, f"{error}; a newer program may have written it") from error
    except BaseException:
        journal.close()
        raise
    return journal, spent


def _repair(path: Path, error: JournalDamaged, now_ms: int, options: JournalOptions) -> str:
    """Put a whole journal in the damaged one's place; returns the text for a person."""

    def tell(_: int, later: Iterator[Row]) -> Iterator[tuple[str, bytes, int]]:
        yield from ((row.kind, row.data, row.at_ms) for row in later if row.kind in BARRIERS)
        yield REPAIRED, str(error).encode(), now_ms

    rebuilt = rebuild(path, "barrier", tell, now_ms, options.get("connect", connect))
    return f"{error}; it is kept as {rebuilt.aside.name}"
