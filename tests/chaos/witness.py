"""exit-terminal with somebody looking on: ``main([PORT, FOLDER, NAME, COMMAND, ...])`` in a process of its own
(mother.py), which is called NAME here.

Each level of a mock output is appended to FOLDER/pins.log as ``<ms> <pin> <0 or 1>``. On the line to PORT (kerb.py)
come ``step STEP`` and ``loops <waiting> <under the boom>``. At STEP the process kills itself as ``kill -9`` would, and
says so in FOLDER/steps.log: ``before:KIND:N`` and ``after:KIND:N`` are around the commit of the N-th row of that kind
from now on, ``pin:1:N`` and ``pin:0:N`` as an output goes so for the N-th time; ``-`` is no step. A worker with
a journal in a database (seat_witness.py) stops at ``halt-before:KIND:N`` and ``halt-after:KIND:N``, as ``kill -STOP``
would stop it.

What is replaced for that is gpiozero's mock pin and sqlite3's connection, nothing of ours.
"""

import os
import signal
import socket
import sqlite3
import sys
import threading
import time
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Any, TextIO

from gpiozero.pins.mock import MockPin

LOOPS = "GPIO5", "GPIO6"
"""The pins of the waiting loop and of the one under the boom."""
SEATED = "worker."
"""So begin the names of workers of which a garage has more than one."""


class Noted:
    """A file that is whole up to the moment of a kill."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def note(self, *words: object) -> None:
        self.note_at(time.time_ns() // 1_000_000, *words)

    def note_at(self, ms: int, *words: object) -> None:
        os.write(self._file, " ".join(map(str, (ms, *words))).encode() + b"\n")


class Step:
    """Where this process dies next."""

    def __init__(self, name: str, steps: Noted, bell: socket.socket) -> None:
        self.text, self.side, self.kind, self.left = "-", "", "", 0
        self._name, self._steps, self._bell = name, steps, bell

    def set(self, text: str) -> None:
        self.side, self.text = "", text
        if text != "-":
            side, self.kind, count = text.split(":")
            self.left = int(count)
            self.side = side  # last, for other threads look at it first

    def die(self) -> None:
        self._steps.note(self._name, self.text)
        os.kill(os.getpid(), signal.SIGKILL)
        threading.Event().wait()  # death may take a moment, and nothing may happen in it

    def halt(self) -> None:
        """Once; whoever looks on wakes it again."""
        self._steps.note(self._name, self.text)
        self.set("-")
        self._bell.sendall(b"halt\n")
        signal.pthread_kill(threading.get_ident(), signal.SIGSTOP)  # sent to the process, it would leave us a moment

    def wrote(self, rows: Iterable[tuple[Any, ...]]) -> None:
        """Count rows of the kind that is waited for; ``request placeOrder`` names the call as well."""
        kind, _, call = self.kind.partition(" ")
        for _, _, name, data, *_ in rows:
            self.left -= name == kind and bytes(data).startswith(call.encode())


class Dying(sqlite3.Connection):
    """Dies around the commit that holds the row it waits for."""

    step: Step

    def executemany(self, sql: str, rows: Iterable[Any], /) -> sqlite3.Cursor:
        held = list(rows)
        if sql.startswith("INSERT INTO entry") and self.step.side in ("before", "after"):
            self.step.wrote(held)
        return super().executemany(sql, held)

    def execute(self, sql: str, parameters: Any = (), /) -> sqlite3.Cursor:
        side = self.step.side if sql == "COMMIT" and self.step.left <= 0 else ""
        if side == "before":
            self.step.die()
        cursor = super().execute(sql, parameters)
        if side == "after":
            self.step.die()
        return cursor


def watch_outputs(step: Step, pins: Noted, bell: socket.socket) -> None:
    """Note every level that an output takes; die as it takes the one that is waited for."""
    plain = MockPin._change_state

    def change(pin: MockPin, value: bool) -> bool:
        changed = bool(plain(pin, value))
        pin.clear_states()  # a mock keeps each state that it was ever in: over ten thousand visits that is megabytes
        if changed and pin.function == "output":
            pins.note(pin.info.name, int(value))
            bell.sendall(b"pin\n")
            if step.side == "pin" and step.kind == str(int(value)):
                step.left -= 1
                if step.left <= 0:
                    step.die()
        return changed

    MockPin._change_state = change


class Street:
    """Drives the loops' pins as the cars stand, from the moment that a pin is there."""

    def __init__(self) -> None:
        self.covered = dict.fromkeys(LOOPS, False)
        self._pins: dict[str, MockPin] = {}
        plain = MockPin._set_pull

        def set_pull(pin: MockPin, value: str) -> None:
            plain(pin, value)
            if pin.info.name in LOOPS:
                self._pins[pin.info.name] = pin
                if self.covered[pin.info.name]:
                    pin.drive_high()

        MockPin._set_pull = set_pull

    def drive(self, levels: Iterable[str]) -> None:
        for name, level in zip(LOOPS, levels, strict=True):
            self.covered[name] = level == "1"
            if pin := self._pins.get(name):
                (pin.drive_high if self.covered[name] else pin.drive_low)()


def listen(line: TextIO, step: Step, street: Street, *, one: bool = False) -> None:
    """Do as the line says, until it ends; or only until its first ``step``."""
    for said in line:
        word, rest = said.strip().split(" ", 1)
        if word == "loops":
            street.drive(rest.split())
        else:
            step.set(rest)
            if one:
                return


def main(words: list[str]) -> int:
    port, folder, name, *words = words
    bell = socket.create_connection(("127.0.0.1", int(port)))
    step = Step(name, Noted(Path(folder, "steps.log")), bell)
    bell.sendall(name.encode() + b"\n")
    watch_outputs(step, Noted(Path(folder, "pins.log")), bell)
    line, street = bell.makefile(encoding="utf-8"), Street()
    listen(line, step, street, one=True)
    threading.Thread(target=listen, args=(line, step, street), name="witness", daemon=True).start()
    Dying.step = step
    sqlite3.connect = partial(sqlite3.connect, factory=Dying)  # type: ignore[assignment]
    if name.startswith(SEATED):
        from tests.chaos.seat_witness import watch_seat

        watch_seat(Noted(Path(folder, f"{name}.seat.log")), step, bell)
    from terminal.__main__ import main as run

    sys.argv[1:] = words
    return int(run() or 0)
