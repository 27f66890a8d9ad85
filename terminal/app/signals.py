"""Signals to a program that holds a relay: any that would end it ends it in order, and none suspends it.

- Every signal that ends a process by default (a closed ssh session's SIGHUP, Ctrl-\\, a stray ``kill -USR1``) ends this
  one as SIGTERM does: relay off, screen dark, ``offline`` published. A second signal changes nothing, because it could
  cut the orderly end short. If the end takes too long, systemd sends SIGKILL.
- Ctrl-Z, and the signals that suspend a background process which reads or writes a terminal, are not obeyed: a
  suspended program would hold its relay closed and its code on the glass.
- No program can answer SIGSTOP, SIGKILL or a crash; see deploy/wiring.md, The barrier.
"""

import asyncio
import contextlib
import logging
import signal
import socket
from collections.abc import Awaitable, Callable, Iterator
from types import FrameType

log = logging.getLogger(__name__)

_CAUGHT_BY_NOBODY = {signal.SIGKILL, signal.SIGSTOP}
_CRASHES = {signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE, signal.SIGILL}
_ERRORS = {signal.SIGPIPE, signal.SIGXFSZ}
"""Python ignores these, and the interrupted call raises OSError."""
_HARMLESS = {signal.SIGCHLD, signal.SIGCONT, signal.SIGURG, signal.SIGWINCH}
_BACKGROUND = {signal.SIGTTIN, signal.SIGTTOU}
"""These are ignored, not caught: a call interrupted by a caught one would be retried for ever."""
STOPPING = frozenset({signal.SIGTSTP, *_BACKGROUND})
ENDING = frozenset(signal.valid_signals() - _CAUGHT_BY_NOBODY - _CRASHES - _ERRORS - _HARMLESS - STOPPING)
_ALWAYS = {signal.SIGINT, signal.SIGQUIT, signal.SIGTERM}
"""These are obeyed even if the parent left them ignored, as a shell does for a background job. Any other signal that
was ignored from the start stays ignored: ``nohup`` asks for that."""


@contextlib.contextmanager
def ended_by_signals(loop: asyncio.AbstractEventLoop, end: Callable[[], object]) -> Iterator[None]:
    """Call ``end`` once, in ``loop``, at the first signal of ENDING that comes inside the block. Enter it in the main
    thread, in a program that does nothing after it: from then on none of these signals has an effect.

    The loop's own handlers would not do: closing the loop restores the signals' default action, and one that came while
    Python cleans up would break off a program that had ended in order.
    """
    ending = False

    def on_end(number: int) -> None:
        nonlocal ending
        if ending:
            log.warning("%s: the program is already ending", _name(number))
            return
        ending = True
        end()

    def on_stop(number: int) -> None:
        log.warning("%s does not suspend a lane; Ctrl-C ends it", _name(number))

    def arrived() -> None:
        for number in told.recv(4096):
            (on_end if number in ENDING else on_stop)(number)

    told, tells = socket.socketpair()
    with told, tells:
        told.setblocking(False)
        tells.setblocking(False)
        loop.add_reader(told, arrived)
        before = signal.set_wakeup_fd(tells.fileno(), warn_on_full_buffer=False)  # wakes the loop when a signal comes
        caught = [number for number in ENDING | STOPPING if _is_ours(number)]
        for number in caught:
            signal.signal(number, signal.SIG_IGN if number in _BACKGROUND else _noted)
        try:
            yield
        finally:
            for number in caught:
                signal.signal(number, signal.SIG_IGN)
            signal.set_wakeup_fd(before)
            loop.remove_reader(told)


def until_stopped(work: Callable[[], Awaitable[int | None]], ending: Callable[[], None] = lambda: None) -> int:
    """Run ``work`` until it is done, or until a signal ends it after a call of ``ending``; the exit status."""

    async def guarded() -> int:
        task = asyncio.current_task()
        assert task is not None

        def end() -> None:
            ending()
            task.cancel()

        with ended_by_signals(asyncio.get_running_loop(), end):
            try:
                return await work() or 0
            except asyncio.CancelledError:
                return 0

    return asyncio.run(guarded())


def _is_ours(number: int) -> bool:
    return number in _ALWAYS or signal.getsignal(number) is signal.SIG_DFL


def _noted(number: int, frame: FrameType | None) -> None:
    """Do nothing: the wake-up tells the loop."""


def _name(number: int) -> str:
    return signal.strsignal(number) or f"signal {number}"
