"""The console's journal: who signed in, who asked for what and why, what came of it, and who has seen which alert.

An action is in it before it is said on the broker. It is hash-chained as the other journals are, so what was taken out
of it later shows.
"""

from collections import OrderedDict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Literal, Self, TypeVar, Unpack

import msgspec

from terminal.contract.topics import GARAGE_WIDE
from terminal.journal.journal import Journal, JournalOptions
from terminal.journal.kinds import CONSOLES, DESK_ASKED, OUTCOME, REPAIRED, SEEN, SIGNED
from terminal.journal.repair import finish, rebuild
from terminal.journal.rows import JournalDamaged, JournalForeign, Row, connect

ActionKind = Literal[
    "lift", "lost-ticket", "damaged-ticket", "cancel", "refund", "keep", "let-go", "reset", "close-lane", "open-lane"
]
ABOUT_A_PAYMENT: frozenset[ActionKind] = frozenset({"refund", "keep", "let-go"})
"""What is done to an order that was paid, wherever its car is."""
DECISIONS: frozenset[ActionKind] = frozenset({"keep", "let-go"})
"""What is decided about a payment that waits for a person; so does giving it back."""
READ_OUT: frozenset[ActionKind] = frozenset({"lost-ticket", "damaged-ticket"})
"""What serves a driver whose ticket no scanner reads."""
OutcomeStage = Literal[
    "asked", "raised", "refused", "unknown", "done", "asked-payby", "created", "settled", "success", "failed",
    "unanswered",
]  # fmt: skip
"""``unanswered``: nobody answered before its time was up. ``asked-payby``, ``created``, … are a refund's."""
SignedWhat = Literal["in", "out", "ended", "refused"]
TAKEN = frozenset({"done", "asked-payby", "created", "settled", "success"})
"""What a worker that took a command says, or what follows from that."""
FINAL = frozenset({"raised", "refused", "unknown", "done", "settled", "success", "failed", "unanswered"})
KEPT = 2_000
"""Actions, and seen alerts, in memory; older ones are only in the file."""
R = TypeVar("R")


class SignRecord(msgspec.Struct, frozen=True, omit_defaults=True):
    """``what``: in, out, ended (by time, or because the user was changed), or refused, with ``why``."""

    what: SignedWhat
    user: str
    address: str
    why: str = ""


class ActionRecord(msgspec.Struct, frozen=True, omit_defaults=True):
    """What somebody asked for. ``id`` is the message's; ``once`` the form's, which is sent once. ``amount``: AED, or
    empty for all that is left. ``ticket``: what stands on one that no scanner reads. ``not_after``: ms since the
    epoch."""

    id: str
    once: str
    user: str
    role: str
    address: str
    lane: str
    action: ActionKind
    reason: str
    not_after: int
    note: str = ""
    session: str = ""
    order_no: str = ""
    amount: str = ""
    car: str = ""
    ticket: str = ""

    @property
    def subject(self) -> str:
        """What it is done to: two people who do something to the same must know of each other."""
        return self.order_no if self.action in ABOUT_A_PAYMENT else self.lane


class OutcomeRecord(msgspec.Struct, frozen=True, omit_defaults=True):
    """What came of an action; ``why`` in the words of whoever answered."""

    id: str
    stage: OutcomeStage
    why: str = ""


class SeenRecord(msgspec.Struct, frozen=True, omit_defaults=True):
    """Somebody has seen an alert. ``key`` names the alert with its time."""

    key: str
    user: str
    note: str = ""
    code: str = ""
    lane: str = GARAGE_WIDE


class DeskAction:
    """An action and how far it has come. ``at_ms`` when it was asked for, ``stages`` when which stage was reached, ms
    since the epoch."""

    def __init__(self, record: ActionRecord, at_ms: int) -> None:
        self.record, self.at_ms = record, at_ms
        self.stages: list[tuple[int, OutcomeStage, str]] = [(at_ms, "asked", "")]

    @property
    def stage(self) -> OutcomeStage:
        """How far it is."""
        return self.stages[-1][1]

    @property
    def is_over(self) -> bool:
        """Will nothing more come of it?"""
        return self.stage in FINAL

    @property
    def decided_ms(self) -> int:
        """When the worker took what was decided about a payment; 0: it was not taken, or is about none."""
        taken = (at_ms for at_ms, stage, _ in self.stages if stage in TAKEN)
        return next(taken, 0) if self.record.action in ABOUT_A_PAYMENT else 0


class DeskBook:
    """What the rows say, as far as the desk needs it: the last actions, and the alerts that were seen."""

    def __init__(self) -> None:
        self.actions: OrderedDict[str, DeskAction] = OrderedDict()
        self.seen: OrderedDict[str, tuple[int, SeenRecord]] = OrderedDict()
        self._once: dict[str, str] = {}
        self._newest: dict[str, str] = {}

    def take(self, kind: str, data: bytes, at_ms: int) -> None:
        """Note one row; raises ValueError for one that no console writes."""
        if kind == DESK_ASKED:
            record = _decode(ActionRecord, data)
            self.actions[record.id] = DeskAction(record, at_ms)
            self._once[record.once] = record.id
            self._newest[record.subject] = record.id
            if len(self.actions) > KEPT:
                _, old = self.actions.popitem(last=False)
                self._once.pop(old.record.once, None)
        elif kind == OUTCOME:
            outcome = _decode(OutcomeRecord, data)
            if action := self.actions.get(outcome.id):
                action.stages.append((at_ms, outcome.stage, outcome.why))
        elif kind == SEEN:
            seen = _decode(SeenRecord, data)
            self.seen.pop(seen.key, None)
            self.seen[seen.key] = at_ms, seen
            if len(self.seen) > KEPT:
                self.seen.popitem(last=False)
        elif kind not in CONSOLES:
            raise ValueError(f"a row of kind {kind!r} is not a console's")

    def asked_by_form(self, once: str) -> DeskAction | None:
        """The action that a form has already led to."""
        return self.actions.get(self._once.get(once, ""))

    def newest(self, subject: str) -> str:
        """The id of what was last asked for about a lane or, if it is about a payment, an order; empty where nothing
        was."""
        return self._newest.get(subject, "")

    def of(self, *, lane: str = "", session: str = "", order_no: str = "") -> list[DeskAction]:
        """The actions about a lane, a stay or an order, the newest first."""
        found = [
            action
            for action in self.actions.values()
            if (not lane or action.record.lane == lane)
            and (not session or action.record.session == session)
            and (not order_no or action.record.order_no == order_no)
        ]
        return found[::-1]


class DeskJournal:
    """The console's journal, opened for writing, and its book."""

    def __init__(self, journal: Journal, book: DeskBook, damaged: str = "") -> None:
        self.journal, self.book, self.damaged = journal, book, damaged

    @classmethod
    def open(cls, path: Path, now_ms: int, **options: Unpack[JournalOptions]) -> Self:
        """Open, check and read the journal at ``path``; the intact rows of a damaged one go on in a new one, and the
        damaged one is kept. Raises what a Journal raises, OSError."""
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        finish(path)
        try:
            return cls(*_read(path, options))
        except JournalForeign:
            raise
        except JournalDamaged as error:
            damage = str(error)

            def tell(_: int, later: Iterator[Row]) -> Iterator[tuple[str, bytes, int]]:
                yield from ((row.kind, row.data, row.at_ms) for row in later if row.kind in CONSOLES)
                yield REPAIRED, damage.encode(), now_ms

            rebuilt = rebuild(path, "console", tell, now_ms, options.get("connect", connect))
            return cls(*_read(path, options), f"{damage}; it is kept as {rebuilt.aside.name}")

    async def sign(self, record: SignRecord, at_ms: int) -> None:
        """Write that somebody signed in or out, or was refused. Raises JournalError, as all of these do."""
        await self._append(SIGNED, record, at_ms)

    async def ask(self, record: ActionRecord, at_ms: int) -> DeskAction:
        """Write an action; it may be said once this returns."""
        await self._append(DESK_ASKED, record, at_ms)
        return self.book.actions[record.id]

    async def come_of(self, record: OutcomeRecord, at_ms: int) -> None:
        """Write what came of an action."""
        await self._append(OUTCOME, record, at_ms)

    async def see(self, record: SeenRecord, at_ms: int) -> None:
        """Write that somebody has seen an alert."""
        await self._append(SEEN, record, at_ms)

    def close(self) -> None:
        """Close the file. It blocks."""
        self.journal.close()

    async def _append(self, kind: str, record: msgspec.Struct, at_ms: int) -> None:
        data = msgspec.json.encode(record)
        await self.journal.append([(kind, data)], at_ms)
        self.book.take(kind, data, at_ms)


def audit_rows(rows: Iterable[Row], since_ms: int, until_ms: int) -> Iterator[dict[str, str | int]]:
    """The rows from ``since_ms`` to before ``until_ms`` as flat fields, for a page or a file: ``n``, ``at_ms``,
    ``kind``, and the record's own."""
    kinds: dict[str, type[msgspec.Struct]] = {
        SIGNED: SignRecord, DESK_ASKED: ActionRecord, OUTCOME: OutcomeRecord, SEEN: SeenRecord,
    }  # fmt: skip
    for row in rows:
        if since_ms <= row.at_ms < until_ms:
            head: dict[str, str | int] = {"n": row.seq, "at_ms": row.at_ms, "kind": row.kind}
            if (record := kinds.get(row.kind)) is None:
                yield {**head, "why": row.data.decode("utf-8", "replace")}
            else:
                yield {**head, **msgspec.structs.asdict(_decode(record, row.data))}


def _decode(kind: type[R], data: bytes) -> R:
    try:
        return msgspec.json.decode(data, type=kind)
    except msgspec.MsgspecError as error:
        raise ValueError(str(error)) from None


def _read(path: Path, options: JournalOptions) -> tuple[Journal, DeskBook]:
    journal = Journal.open(path, role="console", **options)
    book = DeskBook()
    try:
        for row in journal.replay():
            book.take(row.kind, row.data, row.at_ms)
    except ValueError as error:
        journal.close()
        raise JournalForeign(path, f"{error}; a newer program may have written it") from error
    except BaseException:
        journal.close()
        raise
    return journal, book
