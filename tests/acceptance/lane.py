"""``python -m tests.acceptance.lane COMMAND CONFIG SCALE ORIGIN_MS``: ``exit-terminal run``, or one role, in shorter
seconds.

The roles, their wiring and their configuration are the product's own; see scaled.py for what is not.
"""

import asyncio
import logging
import os
import signal
import sys
from pathlib import Path

from terminal.app.hardware import RealHardware
from terminal.app.roles import run_roles
from terminal.config import load
from tests.acceptance.scaled import ScaledClock, ScaledLoop


async def run(command: str, file: Path, clock: ScaledClock) -> None:
    settings = load.load(file, os.environ)
    roles = settings.roles() if command == "run" else [command]
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    await run_roles(settings, roles, process=command, hardware=RealHardware(settings), clock=clock)


def main(words: list[str]) -> None:
    command, file, scale, origin_ms = words[0], Path(words[1]), float(words[2]), int(words[3])
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    with asyncio.Runner(loop_factory=lambda: ScaledLoop(scale)) as runner:
        runner.run(run(command, file, ScaledClock(scale, origin_ms)))


if __name__ == "__main__":
    main(sys.argv[1:])
