"""One demo for many tests: each finds the lane as a fresh one has it, idle and empty, or gets a fresh one."""

import json
import re
import signal
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import aiohttp

from tests.support.eventually import eventually, soon
from tests.support.leash import LEASH, shared

START_S = 40.0
"""A loaded machine takes so long for it; an idle one two seconds."""
SETTLES_S = 40.0
"""After a cut of the broker all roles must have found it again."""
PLACE = re.compile(r"The lane is at (http://127\.0\.0\.1:\d+)")


async def state_of(url: str) -> dict[str, Any]:
    """What the demo's page is told of the lane now."""
    async with aiohttp.ClientSession() as http, http.get(f"{url}/events") as answer:
        answer.raise_for_status()
        async for line in answer.content:
            if line.startswith(b"data: "):
                found: dict[str, Any] = json.loads(line[6:])
                return found
    raise RuntimeError("the demo has ended")


async def act(url: str, do: str, **more: object) -> str:
    """The driver does something; returns why it cannot be done now, else nothing."""
    async with aiohttp.ClientSession() as http, http.post(f"{url}/act", json={"do": do, **more}) as answer:
        assert answer.status == 200, do
        return str((await answer.json()).get("why", ""))


async def is_empty(url: str) -> bool:
    """Is the lane idle, all online, and no car there? One that waits is driven away."""
    state = await state_of(url)
    if state["car"]["phase"] == "waiting":
        if leaves := {"up": "drive_off", "down": "back_out"}.get(state["boom"]["state"]):
            await act(url, leaves)
        return False
    idle = state["screen"].get("state") == "idle" and state["boom"]["state"] == "down"
    roles = state["roles"]
    online = len(roles) >= 6 and set(roles.values()) == {"online"}
    return state["car"]["phase"] == "away" and idle and online and not state["cut"]


class SharedDemo:
    """``log`` gets what it says. ``given``: the address of one that somebody has started; that one is never ended."""

    def __init__(self, log: Path, given: str = "") -> None:
        self._log, self._given, self.url = log, given, given
        self._process: subprocess.Popen[bytes] | None = None
        self._is_shared = ExitStack()

    async def ready(self, *, fresh: bool = False) -> str:
        """Its address, with an idle and empty lane; ``fresh``: of one that has not seen a car."""
        if self.url and not (fresh and not self._given):
            try:
                await eventually(lambda: is_empty(self.url), limit_s=SETTLES_S, every_s=0.1)
                return self.url
            except (TimeoutError, aiohttp.ClientError, RuntimeError):
                if self._given:
                    raise
        self.end()
        self._start()  # in this thread, which lives as long as the tests do: the leash ends it with its thread
        await eventually(lambda: is_empty(self.url), limit_s=SETTLES_S, every_s=0.1)
        return self.url

    def _start(self) -> None:
        with self._log.open("ab") as log:
            began = log.tell()
            words = [*LEASH, sys.executable, "-u", "-m", "terminal", "demo", "--port", "0"]
            self._process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self._is_shared.enter_context(shared(self._process.pid))

        def place() -> str:
            said = self._log.read_text(errors="replace")[began:]
            assert self._process and self._process.poll() is None, f"the demo ended: {said}"
            return found[1] if (found := PLACE.search(said)) else ""

        self.url = soon(place, limit_s=START_S)

    def end(self) -> None:
        """End it as Ctrl-C does, and see that it does so in order."""
        if self._process is None:
            return
        process, self._process, self.url = self._process, None, ""
        try:
            process.send_signal(signal.SIGINT)
            assert process.wait(START_S) == 0, self._log.read_text(errors="replace")[-4000:]
        finally:
            process.kill()
            process.wait()
            self._is_shared.close()
