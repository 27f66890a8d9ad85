"""Ticket scanners: a serial one, one that acts as a keyboard, and standard input.

All are read in the same way, in the event loop of their user:

    async with SerialScanner("/dev/ttyACM0") as scanner:
        async for reading in scanner:
            ...

The iteration never ends by itself: a scanner that is gone is opened again and again, and ``trouble`` says so. A text
without a line end is read after a pause (line_reader.py has the rules).
Bytes are read from the device only when readings are asked for, so a flood waits in the kernel and not in memory.
"""

import asyncio
import errno
import os
import select
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from drivers.line_reader import PAUSE_S, LineReader, Reading, Unreadable

if TYPE_CHECKING:  # evdev takes a while to load, and most lanes have no keyboard
    from evdev import InputEvent

CHUNK = 4096
RETRY_S = 0.5
"""The pause (s) before a scanner is opened again; it doubles each time up to SLOWEST_RETRY_S."""
SLOWEST_RETRY_S = 5.0

Sleep = Callable[[float], Awaitable[None]]


@dataclass(frozen=True)
class Port:
    """An open device: what to wait for, how to close it and, for a keyboard, how to read it."""

    fd: int
    close: Callable[[], None]
    events: "Callable[[], Iterable[InputEvent]]" = tuple


class ScannerTroubles:
    """What is wrong ``now``, and the callbacks for changes."""

    def __init__(self, now: str | None = None) -> None:
        self.now = now
        self.callbacks: list[Callable[[], None]] = []

    def set(self, text: str | None) -> None:
        """Note what is wrong (None: nothing), and call back if that is news."""
        if text == self.now:
            return
        self.now = text
        for callback in self.callbacks:
            callback()


class PortScanner:
    """Reads lines from what ``open_port`` opens; the three scanners differ in this and in how bytes become text.

    ``open_port`` runs in a thread, because a hung USB device can block it; it raises OSError.
    """

    def __init__(self, name: str, open_port: Callable[[], Port], *, sleep: Sleep = asyncio.sleep) -> None:
        self._name, self._open_port, self._sleep = name, open_port, sleep
        self._port: Port | None = None
        self._lines = LineReader()
        self._fed_s = 0.0
        """When the last byte came, by the event loop's clock (s)."""
        self._ready: deque[Reading] = deque()
        self._retry_s = RETRY_S
        self._troubles = ScannerTroubles(f"the scanner at {name} is not open yet")

    @property
    def trouble(self) -> str | None:
        return self._troubles.now

    def on_trouble(self, callback: Callable[[], None]) -> None:
        self._troubles.callbacks.append(callback)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._close()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Reading:
        while not self._ready:
            port = self._port
            try:
                if port is None:
                    port = self._port = await self._opened()
                    self._troubles.set(None)
                if not await readable(port.fd, self._pause_left_s()):
                    self._ready.extend(self._lines.end())
                    continue
                readings = self._read(port)
            except BlockingIOError:  # woken for nothing
                continue
            except OSError as error:
                await self._lost("cannot be opened" if port is None else "was lost", _why(error))
                continue
            if readings is None:
                await self._ended()
                continue
            self._retry_s = RETRY_S
            self._ready.extend(readings)
        return self._ready.popleft()

    def _read(self, port: Port) -> list[Reading] | None:
        """The bytes that wait in the device; None if no more will come."""
        data = os.read(port.fd, CHUNK)
        if not data:
            return None
        self._fed_s = asyncio.get_running_loop().time()
        return self._lines.feed(data)

    def _pause_left_s(self) -> float | None:
        """How long (s) the line that has begun may still pause; None if none has."""
        if not self._lines.begun:
            return None
        return max(0.0, self._fed_s + PAUSE_S - asyncio.get_running_loop().time())

    async def _ended(self) -> None:
        await self._lost("was lost", "it was unplugged")

    async def _lost(self, what: str, why: str) -> None:
        """Give the device up, report it, and wait before the next try."""
        self._troubles.set(f"the scanner at {self._name} {what}: {why}")
        await self._close()
        await self._sleep(self._retry_s)
        self._retry_s = min(2 * self._retry_s, SLOWEST_RETRY_S)

    async def _opened(self) -> Port:
        opening = asyncio.ensure_future(asyncio.to_thread(self._open_port))
        try:
            return await asyncio.shield(opening)
        except asyncio.CancelledError:
            opening.add_done_callback(lambda done: None if done.exception() else done.result().close())
            raise

    async def _close(self) -> None:
        port, self._port = self._port, None
        self._lines.reset()
        if port is not None:
            await asyncio.to_thread(port.close)


class SerialScanner(PortScanner):
    """A scanner on a serial line, or a USB one that acts as one (/dev/ttyACM0). 8 data bits, no parity, 1 stop bit."""

    def __init__(self, device: str, baud: int = 9600, *, sleep: Sleep = asyncio.sleep) -> None:
        super().__init__(device, lambda: _open_serial(device, baud), sleep=sleep)


class HidScanner(PortScanner):
    """A scanner that acts as a keyboard: ``device`` is its event device (/dev/input/by-id/...-event-kbd), US layout.

    The keyboard is grabbed, so that a ticket is not typed into the machine's console as well. ``grab``: what to do
    instead with another source of keyboard events, such as a pipe on a test bench.
    """

    def __init__(self, device: str, *, grab: Callable[[int], None] | None = None, sleep: Sleep = asyncio.sleep) -> None:
        from drivers.keyboard import Keyboard

        super().__init__(device, lambda: _open_events(device, grab), sleep=sleep)
        self._new_keyboard, self._keyboard = Keyboard, Keyboard()

    def _read(self, port: Port) -> list[Reading] | None:
        events = list(port.events())
        if not events:
            return None
        readings = []
        for typed in self._keyboard.feed(events):
            self._fed_s = asyncio.get_running_loop().time()
            readings += self._lines.spoil(typed.why) if isinstance(typed, Unreadable) else self._lines.feed(typed)
        return readings

    async def _close(self) -> None:
        self._keyboard = self._new_keyboard()
        await super()._close()


class StdinScanner(PortScanner):
    """Standard input, for a test bench and for pipes. Once it has ended there is nothing to open again."""

    def __init__(self, fd: int = 0) -> None:
        super().__init__("standard input", lambda: Port(fd, lambda: None))

    async def _ended(self) -> None:
        if readings := self._lines.end():  # the last line may lack its end
            self._ready.extend(readings)
            return
        self._troubles.set("standard input has ended")
        await asyncio.get_running_loop().create_future()


async def readable(fd: int, within_s: float | None = None) -> bool:
    """Wait until ``fd`` can be read; a regular file or /dev/null always can. Returns False if it cannot in time."""
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    try:
        loop.add_reader(fd, ready.set)
    except PermissionError:  # epoll takes neither, since they never make a reader wait
        return True
    try:
        async with asyncio.timeout(within_s):
            await ready.wait()
    except TimeoutError:  # bytes that came while this process could not look count as in time
        poll = select.poll()
        poll.register(fd, select.POLLIN)
        return bool(poll.poll(0))
    finally:
        loop.remove_reader(fd)
    return True


def _why(error: OSError) -> str:
    told = {errno.EBUSY: "another program holds it", errno.ENOTTY: "it is not a device for this reader.driver"}
    return told.get(error.errno or 0) or error.strerror or str(error)


def _open_serial(device: str, baud: int) -> Port:
    import serial

    try:
        port = serial.Serial(device, baud, timeout=0, exclusive=True)
    except serial.SerialException as error:  # an OSError, with the device's name within its text
        # A lock that another program holds must not look like EAGAIN, which means that there is nothing to read.
        number = errno.EBUSY if error.errno == errno.EAGAIN else error.errno
        raise OSError(number, os.strerror(number) if number else str(error)) from None
    return Port(port.fileno(), port.close)


def _open_events(device: str, grab: Callable[[int], None] | None) -> Port:
    from drivers.input_device import EventFile, open_keyboard

    if grab is None:
        keyboard = open_keyboard(device)
        return Port(keyboard.fd, keyboard.close, keyboard.read)
    events = EventFile(device)
    try:
        grab(events.fd)
    except BaseException:
        events.close()
        raise
    return Port(events.fd, events.close, events.read)
