"""The worker's truth: events in the journal, and the state that follows from them.

An event is stepped, then written in one commit with the requests to PayBy that it causes; only then does the state
change and anything happen (DESIGN.md, law 2). Replaying the journal gives the same state and the same requests.

Three things hold however long a garage runs. A replay steps only the rows since the last checkpoint. Settled stays
leave memory, and come back when they are mentioned. And what a loop or an arm merely shows waits for the next commit: a
worker that dies before it simply has not heard it.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from heapq import heapify, heappop, heappush
from typing import Protocol

import msgspec

from terminal.core import events
from terminal.core.actions import CloseOrder, PlaceOrder, PlaceRefund, Pursuit, PursuitKey, RaiseAlert, key_of
from terminal.core.clock_turn import turn_of, turned
from terminal.core.events import EVENTS, Event
from terminal.core.invoice import InvoiceBooks
from terminal.core.model import Lane, Rules, Stay
from terminal.core.outbox import owed
from terminal.core.retention import NO_PROOF, REST_MS, RestingStays, rests_until, session_of, slim
from terminal.core.rules import Change, Garage, step
from terminal.journal.kinds import CHECKPOINT, GONE, RECALLED, SHELVED, WORDS
from terminal.payby.plain_text import plain

LIVE = events.VehicleSeen | events.VehicleUnknown | events.BoomSeen | events.BarrierGone | events.TimePassed
"""Events that a new start would see again, or reckon anew."""
CHECKPOINT_ROWS = 2_000
"""The least rows between checkpoints; more if the state is large, so that checkpoints stay a small part of the file."""
NOUNS_FREE = 50
"""Up to this many lanes and stays a checkpoint needs no more rows before the next."""
NOTED = 1_000
"""How many rows may wait for the next flush; the one after them is flushed with them, whatever it says."""
SHELVED_AT_ONCE = 50
_BUFFERED = 10_000
"""How many rows a replay holds back, in case a checkpoint makes them needless."""


class StoredEvent(Protocol):
    """A row of the journal, as the store needs it."""

    @property
    def seq(self) -> int:
        """Its number, which counts from 1 without gaps."""

    @property
    def kind(self) -> str:
        """The name of the event's class, or one of the kinds in journal/kinds."""

    @property
    def data(self) -> bytes:
        """Its content: an event as JSON in UTF-8, or what its kind says."""


class EventLog(Protocol):
    """The journal, as the store needs it."""

    def replay(self) -> Iterable[StoredEvent]:
        """Every row, in order."""

    async def append(self, rows: Sequence[tuple[str, bytes]], at_ms: int) -> int:
        """Write rows, and return the last one's number once they are on the disk; raises what stops the worker."""

    def note(self, rows: Sequence[tuple[str, bytes]], at_ms: int) -> None:
        """Write rows with the next append(), before its own."""

    async def fetch(self, seq: int) -> bytes | None:
        """The data of a row; None if it was pruned."""


class EventNotTaken(Exception):
    """An event could not be stepped or encoded, which is a fault of ours. It changed nothing."""


class Checkpoint(msgspec.Struct, frozen=True):
    """The state at a row: the data of a CHECKPOINT."""

    at: int
    lanes: list[Lane]
    stays: list[Stay]
    words: list[tuple[str, str, str]] = []
    unlisted: int | None = None
    rules: Rules | None = None
    books: InvoiceBooks = InvoiceBooks()


class _Named(msgspec.Struct, frozen=True):
    """The part of a shelved stay that names it."""

    session: str


_DECODERS: dict[str, msgspec.json.Decoder[Event]] = {n: msgspec.json.Decoder(kind) for n, kind in EVENTS.items()}
_CHECKPOINTS, _STAYS = msgspec.json.Decoder(Checkpoint), msgspec.json.Decoder(list[Stay])
_STAY, _NAMES = msgspec.json.Decoder(Stay), msgspec.json.Decoder(list[_Named])


class EventStore:
    """``word_for`` makes the bizContent of a pursuit that changes something at PayBy; it is called once for each.
    ``away`` is called for each stay that leaves memory. ``aside``: rows of these kinds change no state; a replay hands
    over what each of them says.
    """

    def __init__(
        self,
        rules: Rules,
        log: EventLog,
        word_for: Callable[[Pursuit], bytes],
        *,
        checkpoint_rows: int = CHECKPOINT_ROWS,
        away: Callable[[Stay], None] = lambda _: None,
        aside: Mapping[str, Callable[[bytes], None]] | None = None,
    ) -> None:
        self.garage = Garage(rules)
        self.words: dict[PursuitKey, bytes] = {}
        self.last_at = 0
        self.resting_stays = RestingStays()
        self.unlisted: int | None = None
        """When the journal was damaged, if PayBy has not been asked for its orders since."""
        self.pruned = 0
        """Rows up to this one are no longer in the journal."""
        self.unread: list[tuple[str, str | None, str]] = []
        """What a replay had to leave out: the kind of event, its stay if known, and why."""
        self._log = log
        self._word_for = word_for
        self._checkpoint_rows = checkpoint_rows
        self._away = away
        self._aside = aside or {}
        self._resting: list[tuple[int, str]] = []
        self._since = 0
        self._noted = 0
        """Rows since the last checkpoint."""
        self._ended_at = 0
        """When the previous worker wrote its last event: anything lost came after."""

    @property
    def in_doubt(self) -> bool:
        """May there be payable orders whose fate a damaged journal lost?"""
        return self.unlisted is not None or self.garage.in_doubt

    # -- reading -------------------------------------------------------------------------------------------------

    def replay(self) -> int:
        """Read the journal into the state; no action of a replayed event is performed. Returns the rows read. A fact
        that cannot be stepped is left out and put into ``unread``: one stay must not prevent a start."""
        count = 0
        waiting: list[StoredEvent] = []
        for row in self._log.replay():
            count += 1
            if count == 1:
                self.pruned = row.seq - 1
            if row.kind == SHELVED:
                for named in _NAMES.decode(row.data):
                    self.resting_stays.put(named.session, row.seq)
            elif row.kind == GONE:
                self.resting_stays.take_gone(row.data, row.seq)
            elif row.kind == CHECKPOINT:
                waiting.clear()
                self._since = -1
            elif hear := self._aside.get(row.kind):
                hear(row.data)
            waiting.append(row)
            self._since += 1
            if len(waiting) >= _BUFFERED:
                self.read(waiting)
                waiting.clear()
        self.read(waiting)
        stays = self.garage.stays.values()
        self._resting = [(due, s.session) for s in stays if (due := rests_until(s, self.last_at))]
        heapify(self._resting)
        return count

    def read(self, rows: Iterable[StoredEvent]) -> None:
        """Apply rows of the journal."""
        for row in rows:
            if decoder := _DECODERS.get(row.kind):
                self._read_fact(row.kind, row.data, decoder)
            elif row.kind == WORDS:
                name, _, body = row.data.partition(b"\n")
                what, _, number = name.decode().partition(" ")
                self.words[PursuitKey(what, number)] = body
            elif row.kind == SHELVED:
                for stay in _STAYS.decode(row.data):
                    self._put_away(stay, row.seq)
            elif row.kind == RECALLED:
                recalled = _STAY.decode(row.data)
                self.garage.stays[recalled.session] = recalled
            elif row.kind == CHECKPOINT:
                self._begin_at(read_checkpoint(row.data))

    def _read_fact(self, kind: str, data: bytes, decoder: msgspec.json.Decoder[Event]) -> None:
        event: Event | None = None
        try:
            event = decoder.decode(data)
            self._turn_back(event)
            change = step(self.garage, event)
        except Exception as error:
            session = session_of(event) if event else None
            self.unread.append((kind, session, plain(f"{type(error).__name__}: {error}")))
        else:
            self.garage.apply(change)
            self._heard(event, change)

    def _begin_at(self, state: Checkpoint) -> None:
        self.garage.lanes = {lane.id: lane for lane in state.lanes}
        self.garage.stays = {stay.session: stay for stay in state.stays}
        self.words = {PursuitKey(what, number): body.encode() for what, number, body in state.words}
        self.last_at, self.unlisted, self.garage.rules = state.at, state.unlisted, state.rules or self.garage.rules
        self.garage.books = state.books

    def _turn_back(self, event: Event) -> int:
        """If a start's clock is behind the last event's, move the state to it; returns by how many ms."""
        if by := turn_of(event, self.last_at):
            self.garage.lanes, self.garage.stays = turned(self.garage.lanes, by), turned(self.garage.stays, by)
            self._resting = [(due + by, session) for due, session in self._resting]
            self.unlisted, self.last_at = self.unlisted and self.unlisted + by, event.at
        return by

    def _heard(self, event: Event, change: Change) -> None:
        if isinstance(event, events.Started):
            self._ended_at = self.last_at
        self.last_at = max(self.last_at, event.at)
        if change.doubts:
            self.unlisted = self._ended_at or event.at
        if isinstance(event, events.Damaged):
            self.unlisted = None if event.listed else event.at

    def knows(self, session: str) -> bool:
        """Was this stay seen before, in memory or not?"""
        return session in self.garage.stays or self.resting_stays.row_of(session) is not None

    def is_over(self, session: str) -> bool:
        """Has this stay's car left, or the stay left memory? False for one that was never seen."""
        stay = self.garage.stays.get(session)
        return stay.left is not None if stay else self.knows(session)

    def find(self, session: str, fetch: Callable[[int], bytes | None]) -> Stay | None:
        """A stay, in memory or on the shelf; ``fetch`` returns the data of a row."""
        if (stay := self.garage.stays.get(session)) or (seq := self.resting_stays.row_of(session)) is None:
            return stay
        return _found(session, fetch(seq) if seq else None)

    # -- writing -------------------------------------------------------------------------------------------------

    async def take(self, event: Event) -> Change:
        """Step an event, commit, apply. An event that changes no state and alerts nobody is not written. Raises
        EventNotTaken if our code fails on the event, and what the journal raises."""
        recalled = await self._recall(event)
        resting = {recalled.session: recalled} if recalled else {}  # again, unless the event wakes it
        self._turn_back(event)  # what follows goes by the clock of this start
        try:
            try:
                change = step(self.garage, event)
                told = any(isinstance(action, RaiseAlert) for action in change.actions)
                told = told or isinstance(event, events.Damaged | events.Started)  # a replay needs the first rules too
                if not (change.lanes or change.stays or told):
                    return change
                words = self._new_words(change)
                rows = [(WORDS, f"{key.what} {key.number}\n".encode() + body) for key, body in words.items()]
                rows.insert(0, (type(event).__name__, msgspec.json.encode(_as_kept(event, told))))
            except Exception as error:
                raise EventNotTaken(type(event).__name__) from error
            await self._write(rows, event, change, recalled)
            recalled = None  # it is in the journal now
        finally:
            if recalled:
                del self.garage.stays[recalled.session]
        self.words.update(words)
        self.garage.apply(change)
        self._heard(event, change)
        for stay in {**resting, **change.stays}.values():
            if due := rests_until(stay, event.at):
                heappush(self._resting, (due, stay.session))
        return change

    async def _write(
        self, rows: Sequence[tuple[str, bytes]], event: Event, change: Change, recalled: Stay | None
    ) -> None:
        if _can_wait(event, change) and self._noted < NOTED:
            self._log.note(rows, event.at)
            self._since += len(rows)
            self._noted += len(rows)
            return
        ahead: list[tuple[str, bytes]] = []
        if recalled:
            ahead.append((RECALLED, msgspec.json.encode(recalled)))
        resting = self._rested(event.at, {*change.stays, session_of(event)})
        if resting:
            ahead.append((SHELVED, msgspec.json.encode([slim(stay) for stay in resting])))
        self._since += len(ahead) + len(rows)
        nouns = len(self.garage.stays) + len(self.garage.lanes)
        if self._since >= self._checkpoint_rows * max(1, nouns / NOUNS_FREE):
            ahead.append((CHECKPOINT, self._checkpoint(resting)))
            self._since = len(rows)
        self._noted = 0
        last = await self._log.append([*ahead, *rows], event.at)
        for stay in resting:
            self._put_away(stay, last - len(rows) - len(ahead) + (2 if recalled else 1))

    def _rested(self, now: int, spoken_of: Collection[str | None]) -> list[Stay]:
        """Settled stays that may leave memory now, except those that the event mentions."""
        rested: list[Stay] = []
        while self._resting and self._resting[0][0] <= now and len(rested) < SHELVED_AT_ONCE:
            _, session = heappop(self._resting)
            stay = self.garage.stays.get(session)
            due = rests_until(stay, 0) if stay else None
            if stay is None or due is None or stay in rested:
                continue  # it rests again once it is settled again
            if session in spoken_of:
                heappush(self._resting, (max(due, now + REST_MS), session))
            elif due > now:
                heappush(self._resting, (due, session))
            else:
                rested.append(stay)
        return rested

    def _put_away(self, stay: Stay, seq: int) -> None:
        self.garage.stays.pop(stay.session, None)
        self.resting_stays.put(stay.session, seq)
        for order in stay.orders:
            self.words.pop(PursuitKey("placeOrder", order.no), None)
            self.words.pop(PursuitKey("cancelOrder", order.no), None)
        for refund in stay.refunds:
            self.words.pop(PursuitKey("refund", refund.no), None)
        self._away(stay)

    def _checkpoint(self, without: Iterable[Stay]) -> bytes:
        left_out = {stay.session for stay in without}
        done = {order.no for stay in without for order in stay.orders}
        done |= {refund.no for stay in without for refund in stay.refunds}
        state = Checkpoint(
            self.last_at,
            list(self.garage.lanes.values()),
            [stay for session, stay in self.garage.stays.items() if session not in left_out],
            [(key.what, key.number, body.decode()) for key, body in self.words.items() if key.number not in done],
            self.unlisted,
            self.garage.rules,
            self.garage.books,
        )
        return msgspec.json.encode(state)

    async def _recall(self, event: Event) -> Stay | None:
        """Bring a stay that left memory back, as it was, when an event mentions it."""
        session = session_of(event)
        if session is None or session in self.garage.stays or (seq := self.resting_stays.row_of(session)) is None:
            return None
        stay = _found(session, await self._log.fetch(seq) if seq else None)
        if stay:
            self.garage.stays[session] = stay
        return stay

    def prune(self, through: int, gone: bytes, row: int) -> None:
        """The rows up to ``through`` are about to be pruned; the GONE row ``row`` keeps ``gone``, which is what
        ``resting_stays.gone`` says of them."""
        self.pruned = max(self.pruned, through)
        self.resting_stays.prune(through)
        self.resting_stays.take_gone(gone, row)

    def _new_words(self, change: Change) -> dict[PursuitKey, bytes]:
        wanted = [p for stay in change.stays.values() for p in owed(stay)]
        changing = [p for p in wanted if isinstance(p, PlaceOrder | CloseOrder | PlaceRefund)]
        return {key: self._word_for(p) for p in changing if (key := key_of(p)) not in self.words}


def read_checkpoint(data: bytes) -> Checkpoint:
    """Raises msgspec.MsgspecError."""
    return _CHECKPOINTS.decode(data)


def read_stay(data: bytes) -> Stay:
    """What a RECALLED row says; raises msgspec.MsgspecError."""
    return _STAY.decode(data)


def _as_kept(event: Event, told: bool) -> Event:
    """The event without a proof that nobody will ask for: that an order is open, as it should be."""
    if isinstance(event, events.OrderReported) and event.status == "CREATED" and not told:
        return replace(event, proof=NO_PROOF)
    return event


def _can_wait(event: Event, change: Change) -> bool:
    """May the event be written with the next commit? This holds for what a start would see again, and for a refusal,
    which the screen has shown: so a flood of them does not cost a flush each."""
    if isinstance(event, events.TicketRefused):
        return not change.stays and all(isinstance(action, RaiseAlert) and action.once for action in change.actions)
    return isinstance(event, LIVE) and not (change.stays or change.actions)


def _found(session: str, data: bytes | None) -> Stay | None:
    """A stay from its SHELVED row; if that is pruned, the stay is only known as used; None for another stay's row."""
    if data is None:
        return Stay(session, left=0)
    return next((stay for stay in _STAYS.decode(data) if stay.session == session), None)
