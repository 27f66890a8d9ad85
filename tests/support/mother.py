"""``python -m tests.support.mother MODULE``: processes in no time, forked off one that has imported the program.

Importing takes most of a second of a core, and a thousand processes that are killed would mostly do that. Each line on
standard input starts one, ``{"id": 1, "log": FILE, "words": [words of MODULE's main()], "env": {…}}``; on standard
output come ``<id> is <pid>`` and ``<id> ended <status>``, negative for a signal. Ends, with all its children, as its
input ends.
"""

import asyncio
import atexit
import ctypes
import importlib
import json
import os
import selectors
import signal
import subprocess
import sys
import threading
import time
from contextlib import ExitStack, suppress
from functools import cache
from pathlib import Path
from typing import Any, Self

from tests.support.leash import LEASH, shared

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = "terminal.__main__"
BORN_S = 60.0
"""So soon a process is there, on a loaded machine whose mother has yet to import everything."""
_PR_SET_PDEATHSIG = 1


def serve() -> dict[str, Any] | None:
    """Fork until the input ends; returns in each child, with what it was asked to be."""
    children: dict[int, int] = {}
    wake, woken = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(woken)
    with selectors.DefaultSelector() as ready:
        ready.register(0, selectors.EVENT_READ)
        ready.register(wake, selectors.EVENT_READ)
        rest = b""
        while True:
            keys = {key.fd for key, _ in ready.select()}
            if wake in keys:
                os.read(wake, 4096)
                _bury(children)
            if 0 not in keys:
                continue
            if not (data := os.read(0, 65536)):
                for pid in children:
                    os.kill(pid, signal.SIGKILL)
                return None
            *lines, rest = (rest + data).split(b"\n")
            for line in lines:
                asked: dict[str, Any] = json.loads(line)
                if not (pid := os.fork()):
                    signal.set_wakeup_fd(-1)
                    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                    os.close(wake)
                    os.close(woken)
                    _become(Path(asked["log"]), asked["env"])
                    return asked
                children[pid] = asked["id"]
                _say(f"{asked['id']} is {pid}")


def _bury(children: dict[int, int]) -> None:
    while children:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if not pid:
            return
        _say(f"{children.pop(pid)} ended {os.waitstatus_to_exitcode(status)}")


def _say(line: str) -> None:
    os.write(1, line.encode() + b"\n")


def _become(log: Path, env: dict[str, str]) -> None:
    """A process of its own: no input, what it says goes to its log, and it ends with its mother. ``env``: if it is not
    its mother's."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    nothing = os.open(os.devnull, os.O_RDONLY)
    out = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    for at, file in enumerate((nothing, out, out)):
        os.dup2(file, at)
    os.close(nothing)
    os.close(out)
    if env:
        os.environ.clear()
        os.environ.update(env)
        time.tzset()


class Child:
    """As far as tests need it, an asyncio.subprocess.Process; of the event loop that it was made in."""

    def __init__(self) -> None:
        self.pid = 0
        self.returncode: int | None = None
        self._loop = asyncio.get_running_loop()
        self.is_there, self.has_ended = asyncio.Event(), asyncio.Event()

    def tell(self, what: bytes, value: int) -> None:
        """Of the mother's: that it is there, or how it ended. From any thread."""
        if what == b"is":
            self.pid = value
        else:
            self.returncode = value
        with suppress(RuntimeError):  # the loop is over, and nobody waits any more
            self._loop.call_soon_threadsafe((self.is_there if what == b"is" else self.has_ended).set)

    async def wait(self) -> int:
        await self.has_ended.wait()
        assert self.returncode is not None
        return self.returncode

    def send_signal(self, how: int) -> None:
        if self.returncode is None:
            os.kill(self.pid, how)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


class Mother:
    """``async with Mother()``: ``bear`` starts a process, by ``module``'s main() with its words."""

    def __init__(self, module: str = PROGRAM) -> None:
        self._module = module
        self._children: list[Child] = []

    def start(self) -> None:
        """Have it import everything; ``end`` it afterwards."""
        self._process = subprocess.Popen(
            [*LEASH, sys.executable, "-W", "error", "-m", "tests.support.mother", self._module],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=ROOT,
        )
        self._hearing = threading.Thread(target=self._hear, name="hears of children", daemon=True)
        self._hearing.start()

    def end(self) -> None:
        assert self._process.stdin and self._process.stdout
        self._process.stdin.close()
        self._process.wait()
        self._hearing.join()
        self._process.stdout.close()

    async def __aenter__(self) -> Self:
        self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await asyncio.to_thread(self.end)

    @property
    def pid(self) -> int:
        return self._process.pid

    async def bear(self, log: Path, words: list[str], env: dict[str, str] | None = None) -> Any:
        """Returns as soon as it runs; raises TimeoutError if its mother has gone."""
        child = Child()
        self._children.append(child)
        log.touch(mode=0o600)  # before it runs: it may be read at once
        asked = {"id": len(self._children) - 1, "log": str(log), "words": words, "env": env or {}}
        assert self._process.stdin
        self._process.stdin.write(json.dumps(asked).encode() + b"\n")
        self._process.stdin.flush()
        await asyncio.wait_for(child.is_there.wait(), BORN_S)
        return child

    def end_children(self) -> list[int]:
        """Kill those that have not ended; which they were."""
        left = [child.pid for child in self._children if child.pid and child.returncode is None]
        for pid in left:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return left

    def _hear(self) -> None:
        assert self._process.stdout
        for line in self._process.stdout:
            number, what, value = line.split()
            self._children[int(number)].tell(what, int(value))


@cache
def of_tests() -> Mother:
    """The one that all tests of this process share, from the first that needs it."""
    mother = Mother()
    mother.start()
    held = ExitStack()
    held.callback(mother.end)
    held.enter_context(shared(mother.pid))
    atexit.register(held.close)
    return mother


def left_behind() -> list[int]:
    """End those that a test has not ended; which they were."""
    return of_tests().end_children() if of_tests.cache_info().currsize else []


def main(module: str) -> int:
    program = importlib.import_module(module)
    importlib.import_module("terminal.app.commands")  # all that a role needs, before there is any thread
    asked = serve()
    return int(program.main(asked["words"]) or 0) if asked else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
