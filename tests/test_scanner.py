"""One contract for every scanner, on real ports (a pty, a pipe, a device of input events) and on the simulated one."""

import asyncio
import os
import pty
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
import serial
from evdev import ecodes

from drivers.line_reader import LONGEST, PAUSE_S, Reading
from drivers.scanner import HidScanner, Port, PortScanner, SerialScanner, StdinScanner
from drivers.simulated_scanner import SimulatedScanner
from tests.support.eventually import eventually
from tests.support.keyboard import event, key, typed
from tests.support.scanner_rig import Rig, no_grab, opened, rig

__all__ = ["rig"]


async def test_a_ticket_is_read_as_it_was_scanned(rig: Rig) -> None:
    rig.send(b"T-1:marina-2/ABC def?x=1&y\r\n")
    assert await rig.readings(1) == [Reading("T-1:marina-2/ABC def?x=1&y")]


async def test_tickets_come_one_by_one_and_empty_lines_not_at_all(rig: Rig) -> None:
    rig.send(b"\r\none\r\n\r\ntwo\rthree\n")
    assert await rig.readings(3) == [Reading("one"), Reading("two"), Reading("three")]


@pytest.mark.fault("reader-garbage")
async def test_ten_kilobytes_of_garbage_are_bad_readings_and_the_next_ticket_is_read(rig: Rig) -> None:
    rig.send(b"x" * 10_000 + b"\r" + b"\x01\x08\x1b" * 100 + b"\rgood\r")
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
            await asyncio.sleep(0.001)  # how late it wakes is what is tested
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


# Lines without an end, and rests of lines

TICKET = "P1.MARINA.01A1EC960000700080000000000000.1794994600.K1.ABCDEFGHIJKLMNOPQRSTUVWXYZ"


async def paced(send: Callable[[bytes], None], pieces: Iterable[bytes], pause_s: float) -> None:
    for i, piece in enumerate(pieces):
        if i:
            await asyncio.sleep(pause_s)  # the pauses are what is tested
        send(piece)


@pytest.mark.fault("scanner-ends")
async def test_a_ticket_without_a_line_end_is_read_after_half_a_second(rig: Rig) -> None:
    loop = asyncio.get_running_loop()
    for _ in range(2):
        rig.send(TICKET.encode())
        since_s = loop.time()
        assert await rig.readings(1) == [Reading(TICKET)]
        assert PAUSE_S * 0.9 < loop.time() - since_s < 2 * PAUSE_S


@pytest.mark.fault("scanner-ends")
@pytest.mark.parametrize("end", [b"\t", b"\x03", b"\0", b"\r\n", b"\x03\r"])
async def test_a_ticket_ends_with_what_scanners_send_and_none_is_swallowed(rig: Rig, end: bytes) -> None:
    for text in (TICKET, "second", "third"):
        rig.send(b"\x02" + text.encode() + end)
        assert await asyncio.wait_for(anext(rig.scanner), PAUSE_S * 0.9) == Reading(text)


@pytest.mark.fault("scanner-ends")
async def test_pieces_with_pauses_of_three_tenths_are_one_ticket(rig: Rig) -> None:
    pieces = asyncio.create_task(
        paced(rig.send, [TICKET[:20].encode(), TICKET[20:40].encode(), TICKET[40:].encode()], 0.3)
    )
    assert await rig.readings(1) == [Reading(TICKET)]
    await pieces


@pytest.mark.fault("scanner-ends")
async def test_a_ticket_that_comes_letter_by_letter_is_one_ticket(rig: Rig) -> None:
    letters = asyncio.create_task(paced(rig.send, [char.encode() for char in TICKET + "\r"], 0.009))
    assert await rig.readings(1) == [Reading(TICKET)]
    await letters


@pytest.mark.fault("scanner-ends")
@pytest.mark.parametrize(("rest", "read"), [("x", Reading("x")), (TICKET[:50], Reading(TICKET[:50]))])
async def test_a_rest_is_read_by_itself_and_spoils_no_later_ticket(rig: Rig, rest: str, read: Reading) -> None:
    rig.send(rest.encode())
    assert await rig.readings(1) == [read]
    rig.send(f"{TICKET}\r".encode())
    assert await rig.readings(1) == [Reading(TICKET)]


@pytest.mark.fault("scanner-ends")
async def test_what_is_thrown_away_ends_with_a_pause_also_where_no_line_end_comes(rig: Rig) -> None:
    rig.send(b"\xff" + b"rest")
    [bad] = await rig.readings(1)
    assert bad.why is not None
    await asyncio.gather(
        paced(rig.send, [b"of it", TICKET.encode()], PAUSE_S + 0.1), read := asyncio.create_task(rig.readings(1))
    )
    assert read.result() == [Reading(TICKET)]


@pytest.mark.fault("scanner-ends")
async def test_a_line_feed_that_comes_later_than_its_carriage_return_is_nothing(rig: Rig) -> None:
    sent = asyncio.create_task(paced(rig.send, [b"one\r", b"\n", b"two\r"], PAUSE_S + 0.1))
    assert await rig.readings(2) == [Reading("one"), Reading("two")]
    await sent


@pytest.mark.fault("scanner-ends")
async def test_a_good_ticket_right_behind_one_that_is_too_long_is_read(rig: Rig) -> None:
    rig.send(b"x" * (LONGEST + 1) + b"\r" + TICKET.encode() + b"\r")
    long, good = await rig.readings(2)
    assert (long.why, good) == (f"longer than {LONGEST} bytes", Reading(TICKET))


@pytest.mark.fault("scanner-ends")
async def test_a_ticket_sent_with_parity_bits_is_bad_once_and_the_next_one_read() -> None:
    near, far = pty.openpty()
    async with SerialScanner(os.ttyname(far)) as scanner:
        await opened(scanner)
        os.write(near, bytes(byte | (byte.bit_count() % 2) << 7 for byte in f"{TICKET}\r".encode()))
        bad = await asyncio.wait_for(anext(scanner), 5)
        assert bad.why is not None and "not printable" in bad.why
        reading = asyncio.create_task(anext(scanner))
        await asyncio.sleep(PAUSE_S + 0.1)  # its CR has the bit as well
        os.write(near, f"{TICKET}\r".encode())
        assert await asyncio.wait_for(reading, 5) == Reading(TICKET)
    os.close(near)
    os.close(far)


async def test_what_came_while_the_process_was_kept_from_looking_belongs_to_its_line(rig: Rig) -> None:
    reading = asyncio.create_task(anext(rig.scanner))
    rig.send(b"one ")
    await asyncio.sleep(0.1)  # it has read "one ", of which nobody tells
    time.sleep(PAUSE_S / 2)  # the event loop does not turn: what is tested
    rig.send(b"line\r")
    time.sleep(PAUSE_S)  # the same
    assert await asyncio.wait_for(reading, 5) == Reading("one line")


async def test_an_input_that_ends_within_a_line_has_that_line_read() -> None:
    far, near = os.pipe()
    async with StdinScanner(far) as scanner:
        os.write(near, b"one\ntwo")
        os.close(near)
        assert [await asyncio.wait_for(anext(scanner), PAUSE_S / 2) for _ in range(2)] == [
            Reading("one"),
            Reading("two"),
        ]
    os.close(far)


# A device that goes and comes back


class Pauses:
    """The pauses between two tries, noted and not waited for, but for the ``last`` one, which does not end."""

    def __init__(self, last: int | None = None) -> None:
        self.seconds: list[float] = []
        self.before_next: Callable[[], None] = lambda: None
        self._last, self.reached_last = last, asyncio.Event()

    async def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)
        self.before_next()
        if len(self.seconds) == self._last:
            self.reached_last.set()
            await asyncio.get_running_loop().create_future()
        await asyncio.sleep(0)


async def test_an_unplugged_serial_scanner_says_so_and_is_read_again_when_it_is_back(tmp_path: Path) -> None:
    near, far = pty.openpty()
    endpoint = tmp_path / "ttyACM0"
    endpoint.symlink_to(os.ttyname(far))
    pauses = Pauses()
    told: list[str | None] = []
    async with SerialScanner(str(endpoint), sleep=pauses) as scanner:
        await opened(scanner)
        scanner.on_trouble(lambda: told.append(scanner.trouble))
        os.write(near, b"half")
        again, back = pty.openpty()

        def plug() -> None:
            if len(pauses.seconds) == 3:
                endpoint.symlink_to(os.ttyname(back))

        pauses.before_next = plug
        reading = asyncio.create_task(anext(scanner))
        endpoint.unlink()  # the name of a pty that is closed may be another test's in no time
        os.close(far)
        os.close(near)
        await eventually(lambda: told[-1:] == [None])
        os.write(again, b"whole\r")
        assert await asyncio.wait_for(reading, 5) == Reading("whole")
    assert told[0] is not None and "was lost" in told[0]
    assert told[-2] is not None and "cannot be opened: No such file or directory" in told[-2]
    assert pauses.seconds[:3] == [0.5, 1.0, 2.0]
    os.close(again)
    os.close(back)


@pytest.mark.fault("scanner-ends")
async def test_a_device_that_another_program_holds_is_said_and_read_once_it_is_free() -> None:
    near, far = pty.openpty()
    pauses, told = Pauses(last=3), list[str | None]()  # no try is under way as the other program lets go
    with serial.Serial(os.ttyname(far), exclusive=True):
        async with SerialScanner(os.ttyname(far), sleep=pauses) as scanner:
            scanner.on_trouble(lambda: told.append(scanner.trouble))
            reading = asyncio.create_task(anext(scanner))
            await asyncio.wait_for(pauses.reached_last.wait(), 5)
            assert told == [f"the scanner at {os.ttyname(far)} cannot be opened: another program holds it"]
            reading.cancel()
    assert pauses.seconds == [0.5, 1.0, 2.0]
    async with SerialScanner(os.ttyname(far)) as scanner:
        await opened(scanner)
        os.write(near, b"free\r")
        assert await asyncio.wait_for(anext(scanner), 5) == Reading("free")
    os.close(near)
    os.close(far)


@pytest.mark.parametrize("make", [SerialScanner, HidScanner])
async def test_a_scanner_that_was_never_there_is_tried_with_growing_pauses(
    tmp_path: Path, make: Callable[..., PortScanner]
) -> None:
    pauses = Pauses()
    async with make(str(tmp_path / "none"), sleep=pauses) as scanner:
        reading = asyncio.create_task(anext(scanner))
        await eventually(lambda: len(pauses.seconds) >= 6)
        assert pauses.seconds[:6] == [0.5, 1.0, 2.0, 4.0, 5.0, 5.0]
        assert scanner.trouble == f"the scanner at {tmp_path}/none cannot be opened: No such file or directory"
        reading.cancel()


async def test_an_event_device_that_cannot_be_had_alone_is_not_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "event0")
    near = os.open(tmp_path / "event0", os.O_RDWR)
    pauses = Pauses()
    async with HidScanner(str(tmp_path / "event0"), sleep=pauses) as scanner:
        reading = asyncio.create_task(anext(scanner))
        await eventually(lambda: pauses.seconds)
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
        os.write(near, event(ecodes.EV_SYN, ecodes.SYN_DROPPED, 0))
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
