"""One contract for every scanner, on real ports (a pty, a pipe, a device of input events) and on the simulated one."""

import asyncio
import os
import pty
import queue
import struct
import threading
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from drivers.lines import LONGEST, Reading
from drivers.scanner import HidScanner, Port, PortScanner, Scanner, SerialScanner, StdinScanner
from drivers.simulated import SimulatedScanner

SHIFT, SYN_DROPPED = 42, 3
KEYS = dict(zip("1234567890-=", range(2, 14), strict=True)) | dict(zip("qwertyuiop", range(16, 26), strict=True))
KEYS |= dict(zip("asdfghjkl;", range(30, 40), strict=True)) | dict(zip("zxcvbnm,./", range(44, 54), strict=True))
KEYS |= {"\r": 28, "\n": 96, " ": 57}
SHIFTED = dict(zip("!@#$%^&*()_+:<>?", "1234567890-=;,./", strict=True))


def key(code: int, value: int) -> bytes:
    return struct.pack("@llHHi", 1, 2, 1, code, value)


def typed(text: str) -> bytes:
    """What the kernel says while ``text`` is typed; a character that no key has is F1."""
    out = b""
    for char in text:
        plain = SHIFTED.get(char, char.lower())
        code = KEYS.get(plain, 59)
        press = key(code, 1) + key(code, 0)
        out += key(SHIFT, 1) + press + key(SHIFT, 0) if plain != char else press
    return out


@dataclass
class Rig:
    """A scanner, and the hand that holds tickets under it."""

    scanner: Scanner
    send: Callable[[bytes], None]

    async def readings(self, count: int) -> list[Reading]:
        return [await asyncio.wait_for(anext(self.scanner), 5) for _ in range(count)]


def pump(fd: int) -> Callable[[bytes], None]:
    """Writes in its turn, and never lets the caller wait for whoever reads."""
    pending: queue.SimpleQueue[bytes] = queue.SimpleQueue()

    def run() -> None:
        while True:
            write_all(fd, pending.get())

    threading.Thread(target=run, daemon=True).start()
    return pending.put


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
        async with SerialScanner(os.ttyname(far)) as scanner:
            await opened(scanner)
            yield Rig(scanner, pump(near))
        os.close(far)
    elif request.param == "stdin":
        far, near = os.pipe()
        async with StdinScanner(far) as scanner:
            yield Rig(scanner, pump(near))
        os.close(far)
    else:
        os.mkfifo(tmp_path / "event0")
        near = os.open(tmp_path / "event0", os.O_RDWR)
        write = pump(near)
        async with HidScanner(str(tmp_path / "event0"), grab=no_grab) as scanner:
            yield Rig(scanner, lambda data: write(typed(data.decode("latin-1"))))
    os.close(near)


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


async def test_a_ticket_is_read_as_it_was_scanned(rig: Rig) -> None:
    rig.send(b"T-1:marina-2/ABC def?x=1&y\r\n")
    assert await rig.readings(1) == [Reading("T-1:marina-2/ABC def?x=1&y")]


async def test_tickets_come_one_by_one_and_empty_lines_not_at_all(rig: Rig) -> None:
    rig.send(b"\r\none\r\n\r\ntwo\rthree\n")
    assert await rig.readings(3) == [Reading("one"), Reading("two"), Reading("three")]


@pytest.mark.fault("reader-garbage")
async def test_ten_kilobytes_of_garbage_are_bad_readings_and_the_next_ticket_is_read(rig: Rig) -> None:
    rig.send(b"x" * 10_000 + b"\r" + b"\x01\x02\x03" * 100 + b"\rgood\r")
    long, unprintable, good = await rig.readings(3)
    assert long.why == f"longer than {LONGEST} bytes"
    assert unprintable.why is not None and "not printable" in unprintable.why
    assert good == Reading("good")


@pytest.mark.fault("reader-garbage")
async def test_ten_bursts_of_garbage_do_not_keep_the_event_loop(rig: Rig) -> None:
    loop, latest = asyncio.get_running_loop(), 0.0

    async def watch() -> None:
        nonlocal latest
        while True:
            before = loop.time()
            await asyncio.sleep(0.001)
            latest = max(latest, loop.time() - before - 0.001)

    watching = asyncio.create_task(watch())
    for _ in range(10):
        rig.send(b"\xff" * 10_000 + b"\r")
    rig.send(b"good\r")
    readings = await rig.readings(11)
    watching.cancel()
    assert readings[-1] == Reading("good") and all(r.why for r in readings[:-1])
    assert latest < 0.2


async def test_nothing_is_wrong_with_a_scanner_that_reads(rig: Rig) -> None:
    rig.send(b"x\r")
    await rig.readings(1)
    assert rig.scanner.trouble is None


# A device that goes and comes back


class Pauses:
    """The pauses between two tries, noted and not waited for."""

    def __init__(self) -> None:
        self.seconds: list[float] = []
        self.before_next: Callable[[], None] = lambda: None

    async def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)
        self.before_next()
        await asyncio.sleep(0)


async def test_an_unplugged_serial_scanner_says_so_and_is_read_again_when_it_is_back(tmp_path: Path) -> None:
    near, far = pty.openpty()
    link = tmp_path / "ttyACM0"
    link.symlink_to(os.ttyname(far))
    pauses = Pauses()
    told: list[str | None] = []
    async with SerialScanner(str(link), sleep=pauses) as scanner:
        await opened(scanner)
        scanner.on_trouble(lambda: told.append(scanner.trouble))
        os.write(near, b"half")
        again, back = pty.openpty()

        def plug() -> None:
            if len(pauses.seconds) == 3:
                link.unlink()
                link.symlink_to(os.ttyname(back))

        pauses.before_next = plug
        reading = asyncio.create_task(anext(scanner))
        os.close(far)
        os.close(near)
        while told[-1:] != [None]:
            await asyncio.sleep(0.001)
        os.write(again, b"whole\r")
        assert await asyncio.wait_for(reading, 5) == Reading("whole")
    assert told[0] is not None and "was lost" in told[0]
    assert told[-2] is not None and "cannot be opened: No such file or directory" in told[-2]
    assert pauses.seconds[:3] == [0.5, 1.0, 2.0]
    os.close(again)
    os.close(back)


@pytest.mark.parametrize("make", [SerialScanner, HidScanner])
async def test_a_scanner_that_was_never_there_is_tried_with_growing_pauses(
    tmp_path: Path, make: Callable[..., PortScanner]
) -> None:
    pauses = Pauses()
    async with make(str(tmp_path / "none"), sleep=pauses) as scanner:
        reading = asyncio.create_task(anext(scanner))
        while len(pauses.seconds) < 6:
            await asyncio.sleep(0.001)
        assert pauses.seconds[:6] == [0.5, 1.0, 2.0, 4.0, 5.0, 5.0]
        assert scanner.trouble == f"the scanner at {tmp_path}/none cannot be opened: No such file or directory"
        reading.cancel()


async def test_an_event_device_that_cannot_be_had_alone_is_not_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "event0")
    near = os.open(tmp_path / "event0", os.O_RDWR)
    pauses = Pauses()
    async with HidScanner(str(tmp_path / "event0"), sleep=pauses) as scanner:
        reading = asyncio.create_task(anext(scanner))
        while not pauses.seconds:
            await asyncio.sleep(0.001)
        assert scanner.trouble is not None and "cannot be opened" in scanner.trouble
        reading.cancel()
    os.close(near)


async def test_a_key_that_is_held_types_once_and_lost_events_spoil_the_line(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "event0")
    near = os.open(tmp_path / "event0", os.O_RDWR)
    async with HidScanner(str(tmp_path / "event0"), grab=no_grab) as scanner:
        os.write(near, key(30, 1) + key(30, 2) * 5 + key(30, 0) + typed("\r"))
        assert await anext(scanner) == Reading("a")
        os.write(near, typed("half"))
        waiting = asyncio.create_task(anext(scanner))
        await asyncio.sleep(0)
        os.write(near, struct.pack("@llHHi", 0, 0, 0, SYN_DROPPED, 0))
        assert (await asyncio.wait_for(waiting, 5)).why == "the kernel lost key presses"
        os.write(near, typed("rest of it\rGood-1\r"))
        assert await anext(scanner) == Reading("Good-1")
    os.close(near)


async def test_standard_input_that_ends_is_said_and_ends_nothing() -> None:
    far, near = os.pipe()
    async with StdinScanner(far) as scanner:
        told = asyncio.Event()
        os.write(near, b"last\r\n")
        os.close(near)
        assert await anext(scanner) == Reading("last")
        scanner.on_trouble(told.set)
        waiting = asyncio.create_task(anext(scanner))
        await asyncio.wait_for(told.wait(), 5)
        assert scanner.trouble == "standard input has ended" and not waiting.done()
        waiting.cancel()
    os.close(far)


@pytest.mark.parametrize("text", ["one\ntwo\n", ""])
async def test_standard_input_may_be_a_plain_file_or_nothing_at_all(tmp_path: Path, text: str) -> None:
    (tmp_path / "tickets").write_text(text)
    fd = os.open(tmp_path / "tickets" if text else "/dev/null", os.O_RDONLY)
    async with StdinScanner(fd) as scanner:
        assert [(await anext(scanner)).text for _ in text.split()] == text.split()
        ended = asyncio.Event()
        scanner.on_trouble(lambda: ended.set() if scanner.trouble else None)
        waiting = asyncio.create_task(anext(scanner))
        await asyncio.wait_for(ended.wait(), 5)
        waiting.cancel()
    os.close(fd)


async def test_a_scanner_that_is_closed_while_it_is_being_opened_keeps_nothing_open() -> None:
    closed, may_open, opening = threading.Event(), threading.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()

    def slow_open() -> Port:
        loop.call_soon_threadsafe(opening.set)
        may_open.wait(5)
        return Port(0, closed.set)

    async with PortScanner("slow", slow_open) as scanner:
        waiting = asyncio.create_task(anext(scanner))
        await opening.wait()
        waiting.cancel()
    may_open.set()
    assert await asyncio.to_thread(closed.wait, 5)


async def test_an_unplugged_simulated_scanner_reads_nothing_and_says_so() -> None:
    scanner = SimulatedScanner()
    told: list[str | None] = []
    scanner.on_trouble(lambda: told.append(scanner.trouble))
    scanner.unplug()
    scanner.feed("lost")
    scanner.plug()
    scanner.feed("read")
    assert await anext(scanner) == Reading("read")
    assert len(told) == 2 and told[1] is None
