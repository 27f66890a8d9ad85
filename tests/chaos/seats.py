"""Two workers and one lease: what each of them wrote, took and sent, and what of it must not have been.

``judge_seats`` compares that with the database's rows, PayBy's calls and the barriers' journals. I9 has two halves:

- **one history**: the rows are numbered from 1 on, each with the hash of the one before it; what was acknowledged
  is there, and no number was acknowledged twice; epochs never go back.
- **one speaker**: no byte to the broker or to PayBy but from who holds the lease, nothing once another may have
  taken it, no call at PayBy from another, and no boom rises but for a lift that the holder sent.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from tests.chaos.history import Intent

LEASE_MS = 3_000
"""Another may take it so long after the last renewal."""
ON_THE_WAY_MS = 500
"""The lease's margin: what its holder says last has arrived by then."""


@dataclass(frozen=True, slots=True)
class Taking:
    """ms at which it was sent and known. ``pid`` names a life of the worker of that name."""

    epoch: int
    worker: str
    pid: int
    sent: int
    at: int


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """Rows that the database acknowledged; ``chain`` in hexadecimal digits, of the last. ms at which they were sent and
    acknowledged."""

    worker: str
    epoch: int
    first: int
    last: int
    chain: str
    sent: int
    at: int


@dataclass(frozen=True, slots=True)
class Utterance:
    """Bytes that a life of a worker was about to send, to the broker or to PayBy."""

    worker: str
    pid: int
    at: int
    words: str


@dataclass(slots=True)
class SeatRecords:
    """What both workers did, as their witnesses wrote it down."""

    takings: list[Taking] = field(default_factory=list)
    acknowledged: list[Acknowledged] = field(default_factory=list)
    utterances: list[Utterance] = field(default_factory=list)
    renewals: dict[int, list[int]] = field(default_factory=dict)
    """By epoch: ms at which each taking, renewal or append that came through was sent."""
    releases: dict[int, int] = field(default_factory=dict)
    """By epoch: ms."""
    standing: dict[int, bool] = field(default_factory=dict)
    """By life: does it stand by?"""
    holder: Taking | None = None
    """Who took it last."""
    wrote: dict[int, int] = field(default_factory=dict)
    spoke: dict[int, int] = field(default_factory=dict)
    """By epoch: ms of the first row and of the first byte."""
    _epochs: dict[int, int] = field(default_factory=dict)
    """By life: its last epoch."""

    def read(self, worker: str, lines: Iterable[Sequence[str]]) -> None:
        """Each line as ms, pid, and the rest."""
        for at, pid, said in lines:
            word, *rest = said.split()
            self._note(worker, int(pid), int(at), word, rest)

    def _note(self, worker: str, pid: int, at: int, word: str, rest: list[str]) -> None:
        match word, rest:
            case "stands-by", _:
                self.standing[pid] = True
            case "took", [epoch, sent]:
                self.standing[pid] = False
                taking = Taking(int(epoch), worker, pid, int(sent), at)
                self.takings.append(taking)
                self._epochs[pid] = taking.epoch
                self.holder = max(self.holder or taking, taking, key=lambda taking: taking.epoch)
                self._renewed(epoch, sent)
            case "renewed", [epoch, sent]:
                self._renewed(epoch, sent)
            case "wrote", [epoch, first, last, chain, begun, sent]:
                done = Acknowledged(worker, int(epoch), int(first), int(last), chain, int(sent), at)
                self.acknowledged.append(done)
                self.wrote.setdefault(int(epoch), at)
                self._renewed(epoch, begun)
            case "released", [epoch]:
                self.releases[int(epoch)] = at
            case "sends", [_, _, *what]:
                self.utterances.append(Utterance(worker, pid, at, " ".join(what)))
                if term := self._epochs.get(pid):
                    self.spoke.setdefault(term, at)
            case _:
                raise ValueError(f"{worker} wrote down {word} {rest}")

    def _renewed(self, epoch: str, sent: str) -> None:
        self.renewals.setdefault(int(epoch), []).append(int(sent))


@dataclass(frozen=True, slots=True)
class StoredRow:
    """A row of the database. ``opened``: the epoch that it says was taken."""

    seq: int
    chain: str
    opened: int | None = None


@dataclass(slots=True)
class SeatHistory:
    """``rows`` in order, up to the first that is not as its hash says: then ``broken`` says so. ``calls``: at PayBy, by
    which worker, and when (ms). ``intents``: of all barriers."""

    records: SeatRecords
    rows: Sequence[StoredRow] = ()
    broken: str = ""
    calls: Sequence[tuple[str, int]] = ()
    intents: Sequence[Intent] = ()


def judge_seats(history: SeatHistory) -> list[str]:
    """Every violation, in words; empty where all is well."""
    return [*_one_history(history), *_one_speaker(history)]


def unanswered(history: SeatHistory) -> int:
    """How many rows are there that nobody was told of."""
    told = sum(wrote.last - wrote.first + 1 for wrote in history.records.acknowledged)
    return len(history.rows) - told


def _one_history(history: SeatHistory) -> Iterator[str]:
    if history.broken:
        yield f"I9: the chain is broken: {history.broken}"
    rows = {row.seq: row for row in history.rows}
    if sorted(rows) != list(range(1, len(rows) + 1)):
        yield "I9: the rows have gaps"
    epochs = [row.opened for row in history.rows if row.opened is not None]
    if epochs != sorted(set(epochs)):
        yield f"I9: the epochs in the journal go back: {epochs}"
    wrote = sorted(history.records.acknowledged, key=lambda wrote: (wrote.first, wrote.at))
    for earlier, later in pairwise(wrote):
        if later.first <= earlier.last:
            yield f"I9: row {later.first} was acknowledged to {earlier.worker} and to {later.worker}"
        if later.epoch < earlier.epoch:
            yield f"I9: row {later.first} was written under epoch {later.epoch}, after one of {earlier.epoch}"
    for one in wrote:
        if one.last not in rows:
            yield f"I9: row {one.last} was acknowledged to {one.worker}, and is missing"
        elif rows[one.last].chain != one.chain:
            yield f"I9: row {one.last} was acknowledged to {one.worker}, and is another now"
    known = {taking.epoch: taking.at for taking in history.records.takings}
    for one in wrote:
        late_ms = one.sent - known.get(one.epoch + 1, 1 << 60)
        if late_ms > 0:
            yield f"I9: row {one.last} of epoch {one.epoch} was written {late_ms} ms after another took the lease"
    taken = [taking.epoch for taking in history.records.takings]
    for epoch in {epoch for epoch in taken if taken.count(epoch) > 1}:
        yield f"I9: epoch {epoch} was taken twice"


def _one_speaker(history: SeatHistory) -> Iterator[str]:
    records = history.records
    terms = _terms(records)
    lifts: set[str] = set()
    for said in records.utterances:
        if wrong := _unlawful(said, terms, records.renewals):
            yield f"I9: {said.worker} ({said.pid}) sent {said.words} {wrong}"
        else:
            lifts |= {word.partition("#")[2] for word in said.words.split() if "#" in word}
    for worker, at in history.calls:
        if not any(
            taking.worker == worker and taking.sent <= at <= until + ON_THE_WAY_MS
            for own in terms.values()
            for taking, until in own
        ):
            yield f"I9: {worker} called PayBy at {at}, when it did not hold the lease"
    for intent in history.intents:
        if intent.id not in lifts:
            yield f"I9: lift {intent.id} was to raise, and no holder of the lease sent it"


def _terms(records: SeatRecords) -> dict[int, list[tuple[Taking, int]]]:
    """By life: each taking, and the ms at which the next one was sent."""
    takings = sorted(records.takings, key=lambda taking: taking.epoch)
    found: dict[int, list[tuple[Taking, int]]] = {}
    for number, taking in enumerate(takings):
        until = takings[number + 1].sent if number + 1 < len(takings) else 1 << 60
        found.setdefault(taking.pid, []).append((taking, until))
    return found


def _unlawful(said: Utterance, terms: Mapping[int, list[tuple[Taking, int]]], renewals: Mapping[int, list[int]]) -> str:
    """Why it must not have been said; empty if it might."""
    own = [(taking, until) for taking, until in terms.get(said.pid, ()) if taking.sent <= said.at]
    if not own:
        return "before it had the lease"
    taking, until = own[-1]
    if said.at > until:
        return f"{said.at - until} ms after another took the lease of epoch {taking.epoch}"
    last = max((sent for sent in renewals.get(taking.epoch, ()) if sent <= said.at), default=taking.sent)
    if said.at > last + LEASE_MS:
        return f"{said.at - last} ms after the last renewal of epoch {taking.epoch}"
    return ""
