"""One lane as it is out there: loops, an arm, the scanner's cable, and what its processes were seen to do."""

import asyncio
import contextlib
import os
import pty
import tty
from collections import Counter
from pathlib import Path
from typing import Any, Self

from tests.chaos.bell import Bell

ARM_S = 0.8
"""Rising and closing, by the configuration, and a little."""


class Tail:
    """The whole lines that were added to a file since it was read last."""

    def __init__(self, path: Path) -> None:
        self._path, self._at = path, 0

    def more(self) -> list[list[str]]:
        if not self._path.exists():
            return []
        with self._path.open("rb") as file:
            file.seek(self._at)
            data = file.read()
        whole = data[: data.rfind(b"\n") + 1]
        self._at += len(whole)
        return [line.split(" ", 2) for line in whole.decode().splitlines()]


class Kerb:
    """``async with Kerb(name, folder, bell)``: witnesses (witness.py) of the lane's processes call at ``port``."""

    def __init__(self, name: str, folder: Path, bell: Bell, *, loops: bool) -> None:
        self.name, self.folder, self.bell, self.has_loops = name, folder, bell, loops
        self.port = 0
        self.scanner = ""
        self.said: list[tuple[str, dict[str, Any]]] = []
        """What was heard on this lane's topics."""
        self.pins: list[tuple[int, str, str]] = []
        """ms, pin and level of each output."""
        self.hits: Counter[str] = Counter()
        """How often a process died at a step: ``<role> <step>``."""
        self._steps: dict[str, str] = {}
        self._loops = "0 0"
        self._wires: dict[str, asyncio.StreamWriter] = {}
        self._stack = contextlib.AsyncExitStack()

    async def __aenter__(self) -> Self:
        self.folder.mkdir(parents=True, exist_ok=True)
        self._pins_log, self._steps_log = Tail(self.folder / "pins.log"), Tail(self.folder / "steps.log")
        self._master, slave = pty.openpty()
        tty.setraw(slave)
        self._stack.callback(os.close, slave)
        self._stack.callback(os.close, self._master)
        self.scanner = os.ttyname(slave)
        server = await asyncio.start_server(self._witnessed, "127.0.0.1", 0)
        self._stack.callback(server.close)
        self.port = server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        for wire in self._wires.values():
            wire.transport.abort()
        await self._stack.aclose()

    @property
    def pulses(self) -> list[int]:
        """ms at which the relay closed, each of which raises the arm."""
        return [at for at, pin, level in self.pins if (pin, level) == ("GPIO17", "1")]

    # What is done here

    def scan(self, text: str) -> None:
        """Hold a ticket under the scanner."""
        os.write(self._master, text.encode() + b"\r\n")

    def cars(self, waiting: bool, under_boom: bool = False) -> None:
        """Where metal stands from now on."""
        self._loops = f"{waiting:d} {under_boom:d}"
        self._tell("loops", f"loops {self._loops}")

    def arm(self, role: str, step: str) -> None:
        """The role's process, or its next one, dies at that step."""
        self._steps[role] = step
        self._tell(role, f"step {step}")

    def disarm(self) -> None:
        for role in list(self._steps):
            self.arm(role, "-")
        self._steps.clear()

    def _tell(self, role: str, line: str) -> None:
        if wire := self._wires.get(role):
            wire.write(line.encode() + b"\n")

    # What is seen here

    async def _witnessed(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.CancelledError):
            role = (await reader.readline()).decode().strip()
            self._wires[role] = writer
            writer.write(f"loops {self._loops}\nstep {self._steps.get(role, '-')}\n".encode())
            with contextlib.suppress(OSError):
                while await reader.readline():
                    self._look()
            if self._wires.get(role) is writer:
                del self._wires[role]
        self._look()
        writer.transport.abort()

    def _look(self) -> None:
        """What a process wrote down is read even where its line broke."""
        for at, pin, level in self._pins_log.more():
            self.pins.append((int(at), pin, level))
        for _, role, step in self._steps_log.more():
            self.hits[f"{role} {step}"] += 1
            if self._steps.get(role) == step:
                del self._steps[role]
        self.bell.ring()
