"""``python -m tests.chaos.witness PINS STEP COMMAND ...``: exit-terminal, with somebody looking on.

Each level of a mock pin is appended to the file PINS as ``<ms> <pin> <0 or 1>``. At STEP the process kills itself as
``kill -9`` would: ``before:KIND:N`` and ``after:KIND:N`` are around the commit of the N-th row of that kind,
``pin:1:N`` and ``pin:0:N`` as the pin goes so for the N-th time; ``-`` is no step.

What is replaced for that is gpiozero's mock pin and sqlite3's connection, nothing of ours.
"""

import os
import signal
import sqlite3
import sys
import time
from collections.abc import Iterable
from functools import partial
from typing import Any

from gpiozero.pins.mock import MockPin


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def watch_pins(file: str, level: str, count: int) -> None:
    """Append every level that a pin takes; die as it takes ``level`` for the ``count``-th time."""
    out = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    plain, seen = MockPin._change_state, [0]

    def change(pin: MockPin, value: bool) -> bool:
        changed = bool(plain(pin, value))
        if changed and pin.function == "output":
            os.write(out, f"{time.time_ns() // 1_000_000} {pin.info.name} {int(value)}\n".encode())
            seen[0] += str(int(value)) == level
            if count and seen[0] >= count:
                die()
        return changed

    MockPin._change_state = change


class Dying(sqlite3.Connection):
    """Dies around the commit that holds the row it waits for."""

    side = kind = ""
    left = 0

    def executemany(self, sql: str, rows: Iterable[Any], /) -> sqlite3.Cursor:
        held = list(rows)
        if sql.startswith("INSERT"):
            Dying.left -= sum(self.kind in row for row in held)
        return super().executemany(sql, held)

    def execute(self, sql: str, parameters: Any = (), /) -> sqlite3.Cursor:
        here = sql == "COMMIT" and Dying.left <= 0
        if here and self.side == "before":
            die()
        cursor = super().execute(sql, parameters)
        if here:
            die()
        return cursor


def main() -> None:
    pins, step, *words = sys.argv[1:]
    what, kind, count = step.split(":") if step != "-" else ("", "", "0")
    watch_pins(pins, kind, int(count) if what == "pin" else 0)
    if what in ("before", "after"):
        Dying.side, Dying.kind, Dying.left = what, kind, int(count)
        sqlite3.connect = partial(sqlite3.connect, factory=Dying)  # type: ignore[assignment]
    from terminal.__main__ import main as run

    sys.argv[1:] = words
    sys.exit(run())


if __name__ == "__main__":
    main()
