"""A worker whose journal is in a database, with somebody looking on: what the database acknowledged, and all it sent.

Appends lines ``<ms> <pid> <what>``, at the moment that it knows, or is about to send:

``stands-by`` as it looks at the lease on a connection for the first time; ``took EPOCH SENT``; ``renewed EPOCH SENT``;
``wrote EPOCH FIRST LAST HASH BEGUN SENT`` for acknowledged rows, with the hash of the last; ``released EPOCH``;
``sends PORT BYTES WHAT`` for what goes out by TCP, which the database's connection does not. SENT is the ms at which
the statement was sent, BEGUN that from which on it was to be, which a step may lie behind.

What is replaced for that is psycopg's cursor and the socket's send, nothing of ours.
"""

import os
import socket
import time
from collections.abc import Callable
from typing import Any

import psycopg

from tests.chaos.packets import described
from tests.chaos.witness import Noted, Step


def watch_seat(log: Noted, step: Step, bell: socket.socket) -> None:
    """From now on, in this process."""
    pid = os.getpid()

    def note(*words: object) -> None:
        log.note(pid, *words)

    _watch_statements(note, step, lambda: bell.sendall(b"seat\n"))
    _watch_sends(log, pid)


def _watch_statements(note: Callable[..., None], step: Step, ring: Callable[[], None]) -> None:
    plain = psycopg.Cursor.execute
    seen: list[object] = []

    def execute(cursor: Any, query: Any, params: Any = None, **more: Any) -> Any:
        text = query.decode() if isinstance(query, bytes) else str(query)
        if text.startswith("SELECT epoch, holder") and cursor.connection not in seen:
            plain(cursor, query, params, **more)
            seen[:] = [cursor.connection]
            note("stands-by")
            ring()
            return cursor
        is_append, sent_ms = "INSERT INTO entry SELECT" in text, time.time_ns() // 1_000_000
        if is_append:
            _come(step, "before", list(zip(*params[5:], strict=True)))
        begun_ms, sent_ms = sent_ms, time.time_ns() // 1_000_000
        plain(cursor, query, params, **more)
        if is_append and cursor.rowcount == len(params[5]) and not cursor.connection.notices:
            last, chain, epoch = params[:3]
            note("wrote", epoch, last - len(params[5]) + 1, last, chain.hex(), begun_ms, sent_ms)
            _come(step, "after", [])
        elif "SET epoch = epoch + 1" in text and cursor.rowcount == 1:
            note("took", params[2] + 1, begun_ms)
            ring()
        elif "RETURNING asked" in text and cursor.rowcount == 1:
            note("renewed", params[0], begun_ms)
        elif "SET holder = ''" in text and cursor.rowcount == 1:
            note("released", params[0])
            ring()
        return cursor

    psycopg.Cursor.execute = execute  # type: ignore[method-assign]  # the witness looks on there


def _come(step: Step, side: str, rows: list[tuple[Any, ...]]) -> None:
    """Die or halt here, if it is the step; ``rows`` are about to be written."""
    if step.side.removeprefix("halt-") not in ("before", "after"):
        return
    step.wrote(rows)
    if step.left <= 0 and step.side == side:
        step.die()
    elif step.left <= 0 and step.side == f"halt-{side}":
        step.halt()


def _watch_sends(log: Noted, pid: int) -> None:
    plain = socket.socket.send

    def send(self: socket.socket, data: Any, *flags: int) -> int:
        at_ms = time.time_ns() // 1_000_000  # first of all: what follows here takes longer than the sending
        if self.family == socket.AF_INET:
            log.note_at(at_ms, pid, "sends", self.getpeername()[1], len(data), described(bytes(data)))
        return plain(self, data, *flags)

    socket.socket.send = send  # type: ignore[assignment]  # as above
