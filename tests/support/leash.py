"""What a test starts ends with it, whatever the test's own end is.

A program that was left behind would go on opening its scanner's pty, whose name the kernel gives to a later test's.
"""

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

LEASH = ("setpriv", "--pdeathsig", "KILL")
"""Before the words of a command: the kernel kills it as the thread that started it ends, were it by a kill itself."""


@contextmanager
def running(*words: str, **more: Any) -> Iterator["subprocess.Popen[str]"]:
    """A command, killed where the block leaves it; ``more`` goes to Popen."""
    with subprocess.Popen([*LEASH, *words], text=True, **more) as process:
        try:
            yield process
        finally:
            process.kill()


def bring_down(process: "subprocess.Popen[Any]", how: int) -> None:
    """Signal it until it has ended: Mosquitto forgets a signal that comes between its listening and its loop."""
    while process.poll() is None:
        process.send_signal(how)
        with suppress(subprocess.TimeoutExpired):
            process.wait(2)


_shared: set[int] = set()


@contextmanager
def shared(pid: int) -> Iterator[None]:
    """Several tests use this process of ours: it is not left behind by any of them. Who starts it ends it."""
    _shared.add(pid)
    try:
        yield
    finally:
        _shared.discard(pid)


def children() -> dict[int, str]:
    """Of this process: the command of each that has not ended, by its number, but for those that tests share."""
    found = {}
    for task in Path("/proc/self/task").iterdir():
        for pid in set(map(int, _read(task / "children").split())) - _shared:
            if words := _read(Path(f"/proc/{pid}/cmdline")):  # what has ended has none
                found[pid] = words.replace(b"\0", b" ").decode(errors="replace")
    return found


def _read(path: Path) -> bytes:
    """Nothing where the thread or the process has just gone."""
    try:
        return path.read_bytes()
    except OSError:
        return b""


def end_children() -> dict[int, str]:
    """Kill those that have not ended, and wait until they have; which they were."""
    for pid in (left := children()):
        os.kill(pid, signal.SIGKILL)
        with suppress(ChildProcessError):  # somebody else has waited for it
            os.waitpid(pid, 0)
    return left
