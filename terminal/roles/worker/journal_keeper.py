"""The worker's journal on a disk that may fill up or be damaged, what is pruned, and the alerts about it.

Full: the reserve is given up, lanes take no new tickets, open orders end. Damaged: the intact rows go on in a new
journal; lost rows put orders in doubt, and lanes are out of order until PayBy has said how each of them ended.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from types import TracebackType
from typing import NoReturn, Self, Unpack

import msgspec

from terminal.core import money
from terminal.core.events import Damaged
from terminal.core.ids import parse_order_no
from terminal.core.model import OrderStage, VisitOrder
from terminal.eventstore.store import EventStore
from terminal.journal.append_only import AppendOnlyJournal
from terminal.journal.displaced import Displaced
from terminal.journal.journal import Journal, JournalOptions
from terminal.journal.kinds import GONE, WORDS
from terminal.journal.repair import finish, rebuild
from terminal.journal.rows import JournalDamaged, JournalError, JournalForeign, JournalFull, Row, connect
from terminal.mqtt.endpoint import Endpoint
from terminal.payby.errors import CallFailed, NotSent, OutcomeUnknown, RateLimited
from terminal.payby.messages import AcquireOrder
from terminal.roles.worker.payby_calls import PayByOrderList
from terminal.roles.worker.payby_health import WorkerTroubles

EVERY_S, FULL_EVERY_S = 60.0, 5.0
"""How often the disk is checked; the second value holds while it is full."""
FULL_AT = 0.9
PLACE_EVERY_S = 2.0
"""How often to check that the journal's path still names the open file."""
PRUNE_EVERY_S = 6 * 3600.0
KEEP_MS = 92 * 86_400_000
"""Rows younger than this stay in the journal: longer than anybody asks for a statement or about a dispute."""
PRUNE_ROWS = 5_000
"""Fewer rows are not worth pruning."""
ASK_AGAIN_S = 15.0
DOUBT_EVERY_S = 1.0
"""How often to check whether anything is in doubt."""
REFUSALS = 3
"""How many signed refusals of the list make the lanes serve without it."""
PAGE = 100
LISTED_DAYS = 2
"""PayBy's list is read from the day of the last intact row, but not further back than this many days."""
PAYBY_ZONE_S = 4 * 3600
logger = logging.getLogger(__name__)


class WorkerJournal:
    """A ledger's journal (``eventstore.store.EventLog``), from open() to close()."""

    def __init__(
        self,
        journal: AppendOnlyJournal,
        now_ms: Callable[[], int],
        repair: Callable[[JournalDamaged], tuple[AppendOnlyJournal, str]] | None = None,
    ) -> None:
        """open() calls this, and who has a journal in a database. ``repair`` puts a whole journal in the place of a
        damaged one that was closed, and opens it; without it damage is raised."""
        self.journal = journal
        self.damaged = ""
        """What was repaired at this start; empty if nothing was."""
        self.is_full = journal.lacks_room
        self.on_full: Callable[[], None] = lambda: None
        self._repair, self._now_ms = repair, now_ms
        self._noted: list[tuple[str, bytes]] = []
        self._displaced = Displaced()

    @classmethod
    def open(cls, path: Path, now_ms: Callable[[], int], **options: Unpack[JournalOptions]) -> Self:
        """``options`` go to Journal.open(); raises what that raises, except for damage, which is repaired."""

        def repair(error: JournalDamaged) -> tuple[AppendOnlyJournal, str]:
            text = _repair(path, error, options, now_ms())
            return Journal.open(path, role="worker", **options), text

        finish(path)
        try:
            return cls(Journal.open(path, role="worker", **options), now_ms, repair)
        except JournalForeign:
            raise
        except JournalDamaged as error:
            journal, text = repair(error)
            store = cls(journal, now_ms, repair)
            store.damaged = text
            return store

    def doubt(self, why: str) -> None:
        """Rows are missing that were acknowledged: journal that, before anything is replayed. Blocks."""
        at = self._now_ms()
        self.journal.append_now([(Damaged.__name__, msgspec.json.encode(Damaged(at, why, ())))], at)
        self.damaged = f"{why}; what came after it is in doubt"

    def replay(self) -> Iterator[Row]:
        """Every row in order; if one is damaged, the journal is repaired, and the repaired one's rows follow."""
        seen = 0
        try:
            for row in self.journal.replay():
                seen = row.seq
                yield row
        except JournalDamaged as error:
            if self._repair is None:
                raise
            self.journal.close()
            self.journal, self.damaged = self._repair(error)
            yield from (row for row in self.journal.replay() if row.seq > seen)

    async def append(self, rows: Sequence[tuple[str, bytes]], at_ms: int) -> int:
        """One flush, which also writes what was noted. A full disk costs the reserve; raises JournalFull when
        that is not enough: nothing is acknowledged, and the worker begins anew."""
        wanted, self._noted = [*self._noted, *rows], []
        try:
            return await self.journal.append(wanted, at_ms)
        except JournalFull:
            if not await asyncio.to_thread(self.journal.release_reserve):
                raise
            self._is_full_now()
            return await self.journal.append(wanted, at_ms)

    def note(self, rows: Sequence[tuple[str, bytes]], at_ms: int) -> None:
        self._noted += rows

    async def fetch(self, seq: int) -> bytes | None:
        row = await self.journal.row(seq)
        return row.data if row else None

    def close(self) -> None:
        """Write what was noted, if the disk takes it: the next start could do without."""
        if self._noted:
            try:
                self.journal.append_now(self._noted, self._now_ms())
            except Exception as error:
                logger.warning("the last observations are not in the journal: %s", error)
            self._noted.clear()
        self.look_at_place()
        self.journal.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()

    def look_at_place(self) -> str:
        """What a person must know if the path no longer names the journal, which is then copied out. Blocks."""
        if not isinstance(self.journal, Journal):
            return self.journal.displaced()
        return self._displaced.look(self.journal, self._now_ms())

    def room_again(self) -> bool:
        """Is there room for the reserve? Looks at the disk."""
        self.is_full = not self.journal.hold_reserve()
        return not self.is_full

    def _is_full_now(self) -> None:
        if not self.is_full:
            self.is_full = True
            self.on_full()


class JournalKeeper:
    """Watches the journal while the worker serves. ``changed``: show every lane anew; ``post`` takes an event."""

    def __init__(
        self,
        endpoint: Endpoint,
        store: WorkerJournal,
        event_store: EventStore,
        payby: PayByOrderList,
        troubles: WorkerTroubles,
        *,
        now: Callable[[], int],
        changed: Callable[[], Awaitable[None]],
        post: Callable[[Damaged], None],
        keep_ms: int = KEEP_MS,
        ask_again_s: float = ASK_AGAIN_S,
    ) -> None:
        self._endpoint, self._store, self._event_store, self._payby, self._troubles = (
            endpoint,
            store,
            event_store,
            payby,
            troubles,
        )
        self._now, self._changed, self._post, self._keep_ms = now, changed, post, keep_ms
        self._ask_again_s = ask_again_s
        self._news = asyncio.Event()
        self._nearly = self._is_displaced = False
        store.on_full = self._news.set

    def hindrance(self) -> str:
        """Why no new visit may begin: one of the contract's reasons for `closed` or `out-of-order`."""
        if self._store.is_full:
            return "disk-full"
        return "journal" if self._event_store.in_doubt or self._is_displaced else ""

    async def run(self) -> NoReturn:
        """Until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._watch_doubt(), name="worker watches what is in doubt")
            group.create_task(self._keep_short(), name="worker prunes its journal")
            group.create_task(self._watch_place(), name="worker watches its journal's place")
            shown = ""
            while True:
                await self._look()
                if (now := self.hindrance()) != shown:
                    shown = now
                    await self._changed()
                self._news.clear()
                every_s = FULL_EVERY_S if self._store.is_full else EVERY_S
                try:
                    async with asyncio.timeout(every_s):
                        await self._news.wait()
                except TimeoutError:
                    if self._store.is_full:
                        await asyncio.to_thread(self._store.room_again)

    async def _look(self) -> None:
        """Alert when the disk is nearly full or full, and clear that."""
        try:
            usage = await asyncio.to_thread(self._store.journal.usage)
        except OSError as error:  # its folder may be gone, which the place check tells
            logger.warning("cannot tell how full the disk is: %s", error)
            return
        if usage and usage.used >= FULL_AT:
            await self._endpoint.alert("disk", f"the disk under the worker's journal is {usage.used:.0%} full")
        elif self._nearly:
            await self._endpoint.clear("disk", "there is room on the disk under the worker's journal")
        self._nearly = usage is not None and usage.used >= FULL_AT
        if self._store.is_full:
            text = "the disk is full: new tickets are refused, open orders end on the worker's reserve; free some space"
            await self._troubles.tell("disk-full", text)
        else:
            await self._troubles.over("disk-full", "there is room for the worker's reserve again")

    async def _watch_place(self) -> NoReturn:
        """Alert when the journal was taken away: open visits go on in a lost file, and new ones do not begin."""
        while True:
            text = await asyncio.to_thread(self._store.look_at_place)
            if text:
                await self._troubles.tell("journal-replaced", f"no new tickets: {text}")
            else:
                await self._troubles.over("journal-replaced", "the journal is in its place again")
            if bool(text) != self._is_displaced:
                self._is_displaced = bool(text)
                self._news.set()
            await asyncio.sleep(PLACE_EVERY_S)

    async def _watch_doubt(self) -> NoReturn:
        """Settle what a damage put in doubt. At any time a barrier may show that the journal was put back."""
        damage = self._store.damaged
        while True:
            if damage or self._event_store.in_doubt:
                await self._settle_doubt(damage)
            damage = ""
            await asyncio.sleep(DOUBT_EVERY_S)

    async def _settle_doubt(self, damage: str) -> None:
        """Ask PayBy for its list of orders, and clear the alert when nothing is in doubt any more."""
        lost = " Lanes serve again when PayBy has said how each order ended." if self._event_store.in_doubt else ""
        text = f"the journal was damaged: {damage or 'earlier orders are in doubt'}.{lost}"
        await self._troubles.tell("journal-damaged", text)
        self._news.set()
        listed: int | None = None
        while self._event_store.in_doubt:
            since = self._event_store.unlisted
            if since is not None and since != listed:
                self._post(await self._asked_list(since))
                listed = since
            await asyncio.sleep(DOUBT_EVERY_S)
        self._news.set()
        await self._troubles.over("journal-damaged", "no order is in doubt any more")

    async def _asked_list(self, since: int) -> Damaged:
        """PayBy's list, once it gives one; after some signed refusals, an empty one."""
        refusals = 0
        while True:
            try:
                return await self._list(since)
            except CallFailed as error:
                logger.warning("PayBy's list of orders is still needed: %s", error)
                refusals += not isinstance(error, OutcomeUnknown | NotSent | RateLimited)
            if refusals >= REFUSALS:
                text = "PayBy gives no list of its orders, so orders that the journal lost whole are not looked for"
                await self._endpoint.alert("orders-unlisted", text)
                return Damaged(self._now(), text, listed=True)
            await asyncio.sleep(self._ask_again_s)

    async def _list(self, since: int) -> Damaged:
        """The orders that PayBy has and this journal lacks, except those that PayBy calls dead; they are looked up."""
        lost: list[VisitOrder] = []
        today = _payby_day(self._now())
        first = max(_payby_day(since), today - timedelta(days=LISTED_DAYS))
        number, pages = 0, 1
        while number < pages:
            page = await self._payby.query_order_page(first, today, number=number, size=PAGE)
            number, pages = number + 1, page.total_pages
            for item in page.items:
                name = parse_order_no(item.merchant_order_no)
                if (
                    name is None
                    or name.garage != self._event_store.garage.rules.garage
                    or self._knows(name.session, item)
                ):
                    continue
                stage: OrderStage = "closed" if item.status == "FAILURE" else "closing"
                lost.append(_order(item.merchant_order_no, item.total_amount.amount, self._now(), 0, stage))
        return Damaged(self._now(), "PayBy's list of orders", tuple(lost), listed=True)

    def _knows(self, session: str, item: AcquireOrder) -> bool:
        stay = self._event_store.garage.stays.get(session)
        if stay is None:
            return self._event_store.resting_stays.row_of(session) is not None  # it was settled, whatever orders it had
        return stay.order(item.merchant_order_no) is not None

    async def _keep_short(self) -> NoReturn:
        while True:
            await self.prune()
            await asyncio.sleep(PRUNE_EVERY_S)

    async def prune(self) -> int:
        """Move old rows into the archive, up to a checkpoint, in a thread and between commits; returns how many."""
        journal, event_store = self._store.journal, self._event_store
        if await asyncio.to_thread(journal.displaced):  # the archive is filled from what the path names
            return 0
        through = await journal.checkpoint_before(self._now() - self._keep_ms) - 1
        if through - event_store.pruned < PRUNE_ROWS:
            return 0
        try:
            gone = event_store.resting_stays.gone(through)
            event_store.prune(through, gone, await journal.append([(GONE, gone)], self._now()))
            return await journal.archive_and_prune(through)
        except (JournalError, OSError) as error:
            if isinstance(error, JournalError) and error.path == journal.path and not isinstance(error, JournalFull):
                raise
            logger.warning("nothing was pruned: %s", error)
            return 0


def _repair(path: Path, error: JournalDamaged, options: JournalOptions, now_ms: int) -> str:
    """Put a whole journal in the damaged one's place; returns the text for a person."""

    def tell(last_ms: int, later: Iterator[Row]) -> list[tuple[str, bytes, int]]:
        at = max(last_ms, now_ms)
        event = Damaged(at, str(error), tuple(_lost(later)))
        return [(Damaged.__name__, msgspec.json.encode(event), at)]

    rebuilt = rebuild(path, "worker", tell, now_ms, options.get("connect", connect))
    what = "only history is lost, and nothing is in doubt" if rebuilt.known else "what came after it is in doubt"
    return f"{error}; {what}; it is kept as {rebuilt.aside.name}"


class _Total(msgspec.Struct, frozen=True):
    amount: Decimal


class _OrderAsked(msgspec.Struct, frozen=True, rename="camel"):
    """The part of a placeOrder request that is needed to close the order."""

    total_amount: _Total
    expired_time: int = 0


def _lost(rows: Iterator[Row]) -> Iterator[VisitOrder]:
    """The orders that ``rows`` asked PayBy for."""
    seen: set[str] = set()
    for row in rows:
        name, _, body = row.data.partition(b"\n") if row.kind == WORDS else (b"", b"", b"")
        what, _, no = name.decode(errors="replace").partition(" ")
        if what == "placeOrder" and no not in seen and parse_order_no(no):
            seen.add(no)
            asked = msgspec.json.decode(body, type=_OrderAsked)
            yield _order(no, asked.total_amount.amount, row.at_ms, asked.expired_time, "closing")


def _order(no: str, amount: Decimal, at_ms: int, payby_expires: int, stage: OrderStage) -> VisitOrder:
    name = parse_order_no(no)
    assert name
    fils = money.from_decimal(amount)
    return VisitOrder(
        no, name.lane, name.session, name.attempt, fils, at_ms, at_ms, payby_expires or at_ms, stage=stage
    )


def _payby_day(ms: int) -> date:
    return (datetime.fromtimestamp(ms / 1000, UTC) + timedelta(seconds=PAYBY_ZONE_S)).date()
