"""``exit-terminal worker --release``: the worker that holds the lease hands it to one that stands by."""

import time
from collections.abc import Callable
from contextlib import closing

import psycopg

from terminal import build
from terminal.config.schema import ConfigError, JournalSettings, Settings
from terminal.journal.postgres import lease
from terminal.journal.postgres.connection import BoundedConnection, as_journal_error
from terminal.journal.postgres.lease import LeaseState

LIMIT_S = 15.0
LOOK_S = 0.1


def run(settings: Settings, *, say: Callable[[str], None] = print, sleep: Callable[[float], None] = time.sleep) -> int:
    """Ask for it, and wait until another holds the lease; returns 0, or 1 where nothing was handed over.

    Raises ConfigError, JournalError.
    """
    if not settings.need(JournalSettings).url:
        raise ConfigError("worker --release: takes a journal.url; a worker whose journal is a file is stopped instead")
    address = build.journal_database(settings)
    with closing(BoundedConnection.open(address, "exit-terminal release")) as connection:
        try:
            return _hand_over(connection, say, sleep)
        except psycopg.errors.UndefinedTable:
            raise ConfigError(f"worker --release: {address.name} has no journal; no worker has run on it yet") from None
        except psycopg.Error as error:
            raise as_journal_error(address.name, error) from None


def _hand_over(connection: BoundedConnection, say: Callable[[str], None], sleep: Callable[[float], None]) -> int:
    now = lease.look(connection)
    if now is None or not now.holder:
        say("No worker holds the lease: the next one that starts has it at once.")
        return 1
    if not lease.standbys(connection):
        say(f"Nobody stands by for {now.holder}, so it keeps the lease. Start a second worker first.")
        return 1
    if not lease.ask_to_hand_over(connection, now.holder):
        say(f"{now.holder} lost the lease a moment ago.")
        return 1
    began = time.monotonic()
    while time.monotonic() - began < LIMIT_S:
        found = lease.look(connection)
        if found and _is_next(found, now):
            say(f"{now.holder} handed over to {found.holder}.")
            return 0
        sleep(LOOK_S)
    say(f"{now.holder} was asked, and no other worker holds the lease after {LIMIT_S:g} s: look at their logs.")
    return 1


def _is_next(found: LeaseState, before: LeaseState) -> bool:
    return found.holder not in ("", before.holder) and found.epoch > before.epoch
