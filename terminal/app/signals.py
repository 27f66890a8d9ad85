"""What signals do to a program that holds a relay: whatever would end it ends it in order, and nothing stops it.

- Every signal that ends a process by default (a closed ssh session's SIGHUP, Ctrl-\\, a stray ``kill -USR1``) ends this
  one as SIGTERM does: the relay off, the screen dark, ``offline`` said. A second one changes nothing: it could cut just
  that short. What takes too long ends by SIGKILL, systemd's last word.
- Ctrl-Z, and what stops a process that reads or writes a terminal from the background, is not obeyed: a stopped program
  would hold its relay closed and its code on the glass.
- SIGSTOP, SIGKILL and a crash can be answered by nobody; see deploy/wiring.md, The barrier.
"""

import asyncio
import logging
import signal
from collections.abc import Callable

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


def end_by_signals(loop: asyncio.AbstractEventLoop, end: Callable[[], object]) -> None:
    """Call ``end`` once, in ``loop``, with the first signal of ENDING; to be called in the main thread."""
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

    for number in sorted(ENDING | STOPPING):
        if number not in _ALWAYS and signal.getsignal(number) is not signal.SIG_DFL:
            continue
        if number in _BACKGROUND:
            signal.signal(number, signal.SIG_IGN)
        else:
            loop.add_signal_handler(number, on_end if number in ENDING else on_stop, number)


def _name(number: int) -> str:
    return signal.strsignal(number) or f"signal {number}"
