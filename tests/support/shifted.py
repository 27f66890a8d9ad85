"""``python -m tests.support.shifted COMMAND CONFIG AHEAD_MS``: ``exit-terminal run``, or one role, on a machine whose
clock is wrong. The roles, their wiring and their configuration are the product's own.
"""

import asyncio
import logging
import os
import signal
import sys
from pathlib import Path

from terminal.app.hardware import RealHardware
from terminal.app.roles import run_roles
from terminal.clock import SystemClock
from terminal.config import load


class ShiftedClock(SystemClock):
    """This machine's, ``ahead_ms`` ahead."""

    def __init__(self, ahead_ms: int) -> None:
        self._ahead_ms = ahead_ms

    def wall_ms(self) -> int:
        return super().wall_ms() + self._ahead_ms


async def run(command: str, file: Path, clock: ShiftedClock) -> None:
    settings = load.load(file, os.environ)
    roles = settings.roles() if command == "run" else [command]
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    await run_roles(settings, roles, process=command, hardware=RealHardware(settings), clock=clock)


def main(words: list[str]) -> None:
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    asyncio.run(run(words[0], Path(words[1]), ShiftedClock(int(words[2]))))


if __name__ == "__main__":
    main(sys.argv[1:])
