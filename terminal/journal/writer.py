"""The thread that writes a journal: what waits at the same time shares one commit.

A caller hands rows over and gets their last number back once they are durable. Jobs run between two commits, on the
same connection. ``journal.py`` writes into a file, ``postgres/`` into a database.
"""

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from types import TracebackType
from typing import Any, Self

from terminal.journal import rows as rows_
from terminal.journal.kinds import PRUNED
from terminal.journal.loop_future import LoopFuture
from terminal.journal.rows import JournalError, JournalFailed, Sealed


@dataclass(frozen=True, slots=True)
class AppendRequest:
    """Rows that must be in one transaction, and the caller that waits for it."""

    rows: Sequence[tuple[str, bytes]]
    at_ms: int
    done: "Future[int] | LoopFuture[int]"


@dataclass(frozen=True, slots=True)
class WriterJob:
    """Other work on the writer's connection, between two commits."""

    do: Callable[[], Any]
    done: "Future[Any]"


class JournalWriter(ABC):
    """A journal that is open for writing, with its thread. A subclass starts the thread once all is open."""

    def __init__(self, path: Path | str, role: str, last: tuple[int, bytes]) -> None:
        self.role = role
        self._name = path
        self._seq, self._chain = last
        self._queue: SimpleQueue[AppendRequest | WriterJob | None] = SimpleQueue()
        self._failed = ""
        self._closed = False
        self._thread = threading.Thread(target=self._write_all, name=f"journal-{role}", daemon=True)

    @property
    def last_seq(self) -> int:
        """The number of the last committed row; 0 if the journal is empty."""
        return self._seq

    async def append(self, rows: Sequence[tuple[str, bytes]], at_ms: int) -> int:
        """Write (kind, data) rows in one transaction; returns the number of the last one once they are flushed.

        Raises JournalFull (nothing written, may be repeated), JournalFailed (stop, open anew, replay) or
        JournalFenced. If the caller is cancelled meanwhile, the rows are still written.
        """
        done = LoopFuture[int]()
        self._submit(_append(rows, at_ms, done))
        return await done

    def append_now(self, rows: Sequence[tuple[str, bytes]], at_ms: int) -> int:
        """append() for callers without an event loop; blocks until the flush is done."""
        done: Future[int] = Future()
        self._submit(_append(rows, at_ms, done))
        return done.result()

    def close(self) -> None:
        """Write what was asked for, and release the journal; may be called twice."""
        if self._closed:
            return
        self._closed = True
        self._queue.put(None)
        self._thread.join()
        self._release()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()

    def _submit(self, item: AppendRequest | WriterJob) -> Any:
        """Hand it to the writer's thread; returns its future."""
        if self._closed:
            raise JournalFailed(self._name, "it is closed")
        item.done.set_running_or_notify_cancel()  # from here on a cancellation undoes nothing
        self._queue.put(item)
        return item.done

    # What follows runs in the writer's thread; _release() after its end.

    @abstractmethod
    def _insert(self, sealed: list[Sealed], seq: int, chain: bytes) -> None:
        """Make rows durable, the last of which is ``seq`` with the hash ``chain``; raises what _refusal() takes."""

    @abstractmethod
    def _refusal(self, error: BaseException) -> JournalError:
        """The error for the callers."""

    @abstractmethod
    def _release(self) -> None:
        """Let go of what is open."""

    def _wait(self) -> "AppendRequest | WriterJob | None":
        """The next item; raises Empty when nothing came and the writer may tidy up."""
        return self._queue.get()

    @abstractmethod
    def _tidy(self) -> None:
        """Called when the writer is idle."""

    @abstractmethod
    def _committed(self) -> None:
        """Called after each commit."""

    def _write_all(self) -> None:
        batch: list[AppendRequest] = []
        while True:
            try:
                item = self._queue.get_nowait() if batch else self._wait()
            except Empty:  # nobody else waits: one flush for all who did, or for none
                if batch:
                    self._commit(batch)
                    batch = []
                else:
                    self._tidy()
                continue
            if isinstance(item, AppendRequest):
                batch.append(item)
                continue
            self._commit(batch)
            batch = []
            if item is None:
                return
            self._run(item)

    def _commit(self, batch: list[AppendRequest]) -> None:
        if not batch:
            return
        try:
            seq, chain, ends, sealed = self._seq, self._chain, [], list[Sealed]()
            for append in batch:
                for kind, data in append.rows:
                    seq += 1
                    crc, chain = rows_.seal(chain, seq, append.at_ms, kind, data)
                    sealed.append((seq, append.at_ms, kind, data, crc, chain))
                ends.append(seq)
            self._insert(sealed, seq, chain)
        except BaseException as error:  # whatever it is, the waiting callers must get it
            refusal = self._refusal(error)
            for append in batch:
                append.done.set_exception(refusal)
            return
        self._seq, self._chain = seq, chain
        for append, end in zip(batch, ends, strict=True):
            append.done.set_result(end)
        self._committed()

    def _run(self, job: WriterJob) -> None:
        try:
            job.done.set_result(job.do())
        except BaseException as error:  # whoever waits for the job gets it
            job.done.set_exception(self._refusal(error))


def _append(rows: Sequence[tuple[str, bytes]], at_ms: int, done: "Future[int] | LoopFuture[int]") -> AppendRequest:
    if not rows or not -(1 << 63) <= at_ms < 1 << 63:
        raise ValueError(f"{len(rows)} rows of {at_ms} ms cannot be written")
    for kind, data in rows:
        if kind == PRUNED or not (kind.isascii() and 0 < len(kind) <= 64) or not isinstance(data, bytes):
            raise ValueError(f"no row can be of kind {kind!r} with {type(data).__name__}")
    return AppendRequest(rows, at_ms, done)
