"""``python -m tests.acceptance.lane CONFIG SCALE ORIGIN_MS``: ``exit-terminal run`` in shorter seconds.

The roles, their wiring and their configuration are the product's own; see scaled.py for what is not.
"""

import asyncio
import logging
import os
import signal
import sys
from pathlib import Path

from terminal import config
from terminal.app.wiring import RealHardware, run_roles
from tests.acceptance.scaled import ScaledClock, ScaledLoop


async def run(file: Path, clock: ScaledClock) -> None:
    settings = config.load(file, os.environ)
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    await run_roles(settings, settings.roles(), process="run", hardware=RealHardware(settings), clock=clock)


def main(words: list[str]) -> None:
    file, scale, origin_ms = Path(words[0]), float(words[1]), int(words[2])
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    with asyncio.Runner(loop_factory=lambda: ScaledLoop(scale)) as runner:
        runner.run(run(file, ScaledClock(scale, origin_ms)))


if __name__ == "__main__":
    main(sys.argv[1:])
