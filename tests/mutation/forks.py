"""A process for each mutant: forked, so that all that takes long is loaded already, and ended when its limits are."""

import os
import resource
import sys
import threading
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NoReturn

SURVIVED, KILLED, TIMED_OUT = "survived", "killed", "timed out"
_STATUS = {0: SURVIVED, 1: KILLED, 2: TIMED_OUT}
MEMORY_BYTES = 2 << 30  # a loop without end that fills a list is to end before the machine does


class Broken(Exception):
    """A process ended as none of a mutant does."""


@dataclass(slots=True)
class Forks:
    """At most ``jobs`` at a time. What a process tells at its end goes to the callback that it was started with."""

    jobs: int
    _running: dict[int, tuple[int, Callable[[str, bytes], None]]] = field(default_factory=dict)

    def start(self, work: Callable[[], None], limit_s: float, ended: Callable[[str, bytes], None]) -> None:
        """Runs ``work`` in a fork, which survives if it returns; waits for another first where there are enough."""
        while len(self._running) >= self.jobs:
            self.wait()
        sys.stdout.flush()
        read, write = os.pipe()
        if pid := os.fork():
            os.close(write)
            self._running[pid] = (read, ended)
            return
        os.close(read)
        _Child.write = write
        try:
            _quiet()
            _limit(limit_s)
            work()
        except BaseException:
            leave("broken", traceback.format_exc().encode())
        leave(SURVIVED)

    def wait(self) -> None:
        """For the next to end."""
        pid, status = os.waitpid(-1, 0)
        read, ended = self._running.pop(pid)
        with os.fdopen(read, "rb") as pipe:
            told = pipe.read()
        code = os.waitstatus_to_exitcode(status)
        if code >= 0 and code not in _STATUS:
            raise Broken(told.decode())
        ended(_STATUS.get(code, TIMED_OUT), told)  # a signal: it was out of its seconds

    def wait_for_all(self) -> None:
        while self._running:
            self.wait()


def leave(fate: str, told: bytes = b"") -> NoReturn:
    """End this fork now, with no clean-up of what is the parent's."""
    os.write(_Child.write, told)
    os._exit(next((code for code, name in _STATUS.items() if name == fate), 3))


def ask(work: Callable[[], bytes]) -> bytes:
    """What ``work`` returns in a fork of its own."""
    read, write = os.pipe()
    pid = os.fork()
    if not pid:
        os.close(read)
        _quiet()
        try:
            with os.fdopen(write, "wb") as pipe:
                pipe.write(work())
        except BaseException:
            os._exit(1)
        os._exit(0)
    os.close(write)
    with os.fdopen(read, "rb") as pipe:
        answer = pipe.read()
    if os.waitpid(pid, 0)[1]:
        raise Broken("the tests do not pass as they are")
    return answer


class _Child:
    write = -1


def _quiet() -> None:
    nowhere = os.open(os.devnull, os.O_RDWR)
    for fd in (0, 1, 2):
        os.dup2(nowhere, fd)


def _limit(limit_s: float) -> None:
    """Seconds of work, so that a busy machine ends nobody early; and, much later, seconds on the wall."""
    cpu = round(limit_s) + 1
    resource.setrlimit(resource.RLIMIT_CPU, (cpu, cpu + 5))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY_BYTES, MEMORY_BYTES))
    timer = threading.Timer(30 + 10 * limit_s, leave, [TIMED_OUT])
    timer.daemon = True
    timer.start()
