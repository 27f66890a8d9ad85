"""``python -m tests.chaos.mother``: processes of exit-terminal in no time, forked off one that has imported all of it.

Importing takes most of a second of a core, and a thousand processes that are killed would mostly do that. Each line on
standard input starts one, ``{"id": 1, "log": FILE, "words": [words of witness.py]}``; on standard output come
``<id> is <pid>`` and ``<id> ended <status>``, negative for a signal. Ends, with all its children, as its input ends.
"""

import asyncio
import json
import os
import selectors
import signal
import sys
from pathlib import Path
from typing import Any, Self

import terminal.__main__
import terminal.app.commands  # all that a role needs, before there is any thread
from tests.chaos import witness
from tests.support.garage import ROOT

assert terminal.__main__ and terminal.app.commands


def serve() -> list[str]:
    """Fork until the input ends; returns in each child, with its words."""
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
                return []
            *lines, rest = (rest + data).split(b"\n")
            for line in lines:
                asked = json.loads(line)
                if not (pid := os.fork()):
                    signal.set_wakeup_fd(-1)
                    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                    os.close(wake)
                    os.close(woken)
                    _become(Path(asked["log"]))
                    return list(asked["words"])
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


def _become(log: Path) -> None:
    """A process of its own: no input, and what it says goes to its log."""
    nothing = os.open(os.devnull, os.O_RDONLY)
    out = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    for at, file in enumerate((nothing, out, out)):
        os.dup2(file, at)
    os.close(nothing)
    os.close(out)


class Child:
    """As far as tests need it, an asyncio.subprocess.Process."""

    def __init__(self) -> None:
        self.pid = 0
        self.returncode: int | None = None
        self.is_there, self.has_ended = asyncio.Event(), asyncio.Event()

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
    """``async with Mother()``: ``bear`` starts a process."""

    def __init__(self) -> None:
        self._children: list[Child] = []

    async def __aenter__(self) -> Self:
        pipe = asyncio.subprocess.PIPE
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-W", "error", "-m", "tests.chaos.mother", stdin=pipe, stdout=pipe, cwd=ROOT
        )
        self._hearing = asyncio.create_task(self._hear(), name="hears of children")
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._process.stdin
        self._process.stdin.close()
        await self._process.wait()
        await self._hearing

    async def bear(self, log: Path, words: list[str]) -> Any:
        """Returns as soon as it runs."""
        child = Child()
        self._children.append(child)
        asked = {"id": len(self._children) - 1, "log": str(log), "words": words}
        assert self._process.stdin
        self._process.stdin.write(json.dumps(asked).encode() + b"\n")
        await child.is_there.wait()
        return child

    async def _hear(self) -> None:
        assert self._process.stdout
        async for line in self._process.stdout:
            number, what, value = line.split()
            child = self._children[int(number)]
            if what == b"is":
                child.pid = int(value)
                child.is_there.set()
            else:
                child.returncode = int(value)
                child.has_ended.set()


if __name__ == "__main__":
    if words := serve():
        sys.exit(witness.main(words))
