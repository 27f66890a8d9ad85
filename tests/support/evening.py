"""A worker's journal after an evening of every kind of stay, and disks that are full or fail."""

import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path

from terminal.core import events as e
from terminal.core.actions import Action
from terminal.core.model import Rules, Stay
from terminal.core.rules import Garage
from terminal.eventstore.store import EventStore
from terminal.journal.append_only import AppendOnlyJournal
from terminal.roles.worker.journal_keeper import WorkerJournal
from terminal.roles.worker.payby_requests import PayByRequests
from tests.support.journal_files import watching
from tests.support.story import T0, Story
from tests.support.worker_lane import TARIFF

BALLAST = 4096
WORDING = PayByRequests("marina", "Marina", "", None, TARIFF)


def a_store(path: Path, **options: object) -> WorkerJournal:
    return WorkerJournal.open(path, lambda: T0 + 86_400_000, ballast_bytes=BALLAST, **options)


def a_store_over(journal: AppendOnlyJournal) -> WorkerJournal:
    """With a journal of either kind, which repairs nothing."""
    return WorkerJournal(journal, lambda: T0 + 86_400_000)


def a_ledger(store: WorkerJournal, rows: int = 30) -> EventStore:
    return EventStore(Rules("marina"), store, lambda pursuit: WORDING(pursuit, 0), checkpoint_rows=rows)


def told(tell: Callable[[Story], None], *lanes: str) -> tuple[Story, list[e.Event]]:
    """A story, and the facts it consists of, the first ones included."""
    facts: list[e.Event] = []

    class Heard(Story):
        def tell(self, event: e.Event) -> list[Action]:
            facts.append(event)
            return super().tell(event)

    story = Heard(lanes=lanes or ("exit-1",))
    tell(story)
    return story, facts


def visit(story: Story, session: str) -> None:
    story.shows_qr(session)
    story.wait(5)
    story.payby("PAID", session)
    story.raises(session)
    story.wait(2)
    story.drives_through()


def an_evening(story: Story) -> None:
    """Cars that leave, one that pays when it has gone, one whose lift is out, one that sees its code."""
    for n in range(3):
        visit(story, f"s{n}")
        story.wait(700)
    story.shows_qr("late")
    story.leaves_loop()
    story.wait(3)
    story.payby("PAID", "late")
    story.shows_qr("lifting", "exit-2")
    story.payby("PAID", "lifting")
    story.shows_qr("looking", "exit-1")


async def filled(path: Path, facts: Sequence[e.Event], **options: int) -> Garage:
    """A closed journal of these facts; returns the state."""
    with a_store(path) as store:
        event_store = a_ledger(store, **options)
        event_store.replay()
        for fact in facts:
            await event_store.take(fact)
        return event_store.garage


# A full disk


def full_while(there: Path) -> Callable[[str], sqlite3.Connection]:
    """A disk that has no room as long as a file is there."""

    def commit() -> None:
        if there.exists():
            error = sqlite3.OperationalError("database or disk is full")
            error.sqlite_errorcode = sqlite3.SQLITE_FULL
            raise error

    return watching(before=commit)


# Damage


def unsettled(stay: Stay) -> bool:
    return any(p.holder in ("lift", "credit") for p in stay.payments) or bool(stay.grants)
