"""What signals do to a program that holds a relay: whatever would end it ends it in order, and nothing stops it.

- Every signal that ends a process by default (a closed ssh session's SIGHUP, Ctrl-\\, a stray ``kill -USR1``) ends this
  one as SIGTERM does: the relay off, the screen dark, ``offline`` said. A second one changes nothing, up to the very
  end: it could cut just that short. What takes too long ends by SIGKILL, systemd's last word.
- Ctrl-Z, and what stops a process that reads or writes a terminal from the background, is not obeyed: a stopped program
  would hold its relay closed and its code on the glass.
- SIGSTOP, SIGKILL and a crash can be answered by nobody; see deploy/wiring.md, The barrier.
"""

import asyncio
import contextlib
import logging
import signal
import socket
from collections.abc import Callable, Iterator
from types import FrameType

log = logging.getLogger(__name__)

_CAUGHT_BY_NOBODY = {signal.SIGKILL, signal.SIGSTOP}
_CRASHES = {signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE, signal.SIGILL}
_ERRORS = {signal.SIGPIPE, signal.SIGXFSZ}
"""Python ignores them, and the call that met them raises OSError."""
_HARMLESS = {signal.SIGCHLD, signal.SIGCONT, signal.SIGURG, signal.SIGWINCH}
_BACKGROUND = {signal.SIGTTIN, signal.SIGTTOU}
"""To be ignored, not caught: the call that met a caught one would be tried again for ever."""
STOPPING = frozenset({signal.SIGTSTP, *_BACKGROUND})
ENDING = frozenset(signal.valid_signals() - _CAUGHT_BY_NOBODY - _CRASHES - _ERRORS - _HARMLESS - STOPPING)
_ALWAYS = {signal.SIGINT, signal.SIGQUIT, signal.SIGTERM}
"""Obeyed even where the parent left them ignored, as a shell does for what it starts in the background. Another that
was ignored from the start stays so: ``nohup`` asks for just that."""


@contextlib.contextmanager
def ended_by_signals(loop: asyncio.AbstractEventLoop, end: Callable[[], object]) -> Iterator[None]:
    """Call ``end`` once, in ``loop``, with the first signal of ENDING that comes within; to be entered in the main
    thread, by a program that has nothing to do any more after it: none of these signals does anything then.

    The loop's own handlers would not do: closing the loop gives the signals back their default action, and one that
    comes while Python clears up would end in disorder a program that has ended in order.
    """
    ending = False

    def on_end(number: int) -> None:
        nonlocal ending
        if ending:
            log.warning("%s: it is ending already", _name(number))
            return
        ending = True
        end()

    def on_stop(number: int) -> None:
        log.warning("%s does not stop a lane; Ctrl-C ends it", _name(number))

    def arrived() -> None:
        for number in told.recv(4096):
            (on_end if number in ENDING else on_stop)(number)

    told, tells = socket.socketpair()
    with told, tells:
        told.setblocking(False)
        tells.setblocking(False)
        loop.add_reader(told, arrived)
        before = signal.set_wakeup_fd(tells.fileno(), warn_on_full_buffer=False)  # what tells the loop of a signal
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


def _is_ours(number: int) -> bool:
    return number in _ALWAYS or signal.getsignal(number) is signal.SIG_DFL


def _noted(number: int, frame: FrameType | None) -> None:
    """The loop hears of it by the wake-up."""


def _name(number: int) -> str:
    return signal.strsignal(number) or f"signal {number}"
