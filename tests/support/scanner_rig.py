"""Scanners on real ports, and the hand that types into them."""

import asyncio
import os
import pty
import queue
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from drivers.line_reader import Reading
from drivers.scanner import HidScanner, PortScanner, SerialScanner, StdinScanner
from drivers.simulated_scanner import SimulatedScanner
from tests.support.keyboard import typed


@dataclass
class Rig:
    """A scanner, and the hand that holds tickets under it."""

    scanner: PortScanner | SimulatedScanner
    send: Callable[[bytes], None]

    async def readings(self, count: int) -> list[Reading]:
        return [await asyncio.wait_for(anext(self.scanner), 5) for _ in range(count)]


@contextmanager
def pump(fd: int) -> Iterator[Callable[[bytes], None]]:
    """Writes in turn, and never makes the caller wait for the reader; then closes ``fd``."""
    pending: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()

    def run() -> None:
        while data := pending.get():
            write_all(fd, data)

    writer = threading.Thread(target=run, daemon=True)
    writer.start()
    yield pending.put
    pending.put(None)
    writer.join(5)
    assert not writer.is_alive(), "nobody read what was sent"
    os.close(fd)


def write_all(fd: int, data: bytes) -> None:
    while data:
        data = data[os.write(fd, data) :]


def no_grab(fd: int) -> None:
    """A pipe cannot be grabbed."""


@pytest.fixture(params=["serial", "stdin", "hid", "simulated"])
async def rig(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Rig]:
    if request.param == "simulated":
        simulated = SimulatedScanner()
        async with simulated:
            yield Rig(simulated, simulated.feed_bytes)
        return
    if request.param == "serial":
        near, far = pty.openpty()
        with pump(near) as write:
            async with SerialScanner(os.ttyname(far)) as scanner:
                await opened(scanner)
                yield Rig(scanner, write)
            os.close(far)
    elif request.param == "stdin":
        far, near = os.pipe()
        with pump(near) as write:
            async with StdinScanner(far) as scanner:
                yield Rig(scanner, write)
        os.close(far)
    else:
        os.mkfifo(tmp_path / "event0")
        with pump(os.open(tmp_path / "event0", os.O_RDWR)) as write:
            async with HidScanner(str(tmp_path / "event0"), grab=no_grab) as scanner:
                yield Rig(scanner, lambda data: write(typed(data.decode("latin-1"))))


async def opened(scanner: PortScanner) -> None:
    """A serial device forgets what came before it was opened: let it be opened first."""
    done = asyncio.Event()
    scanner.on_trouble(done.set)
    waiting = asyncio.create_task(anext(scanner))
    await asyncio.wait_for(done.wait(), 5)
    assert scanner.trouble is None
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
