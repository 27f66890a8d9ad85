"""The whole line, from the ticket to the boom: `run` beside a plain script, car by car in turn.

    python -m tests.bench.line [--cars N] [--pays-after SECONDS] [--json FILE]

Both use the same Mosquitto, the same PayBy (the sandbox) and the same kind of panel (PNG files), and are measured from
outside: from the ticket's bytes at the scanner to the picture with the code, and from the notification's first byte at
the listener to the relay's pin (tests/bench/pin_clock.py). CPU is the process's own, from the ticket until the lane is
idle again; the part until the boom tells the length of the way on a busy machine too. The plain script
(tests/bench/plain_lane.py) has no journal, no signatures of its own and no recovery. Exit status 1 if a target is
missed. It needs a quiet machine.
"""

import argparse
import asyncio
import contextlib
import ctypes
import json
import os
import pty
import socket
import sqlite3
import statistics
import sys
import tempfile
import time
import tty
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
from PIL import Image

from terminal.mqtt.client import MqttClient
from terminal.payby.sandbox.orders import SandboxOrder
from terminal.payby.signing import sign
from terminal.screen import qr
from tests.conftest import Mosquitto
from tests.support.garage import Garage, Heard
from tests.support.leash import LEASH
from tests.support.ports import free_port

PIN, LIMIT_S, WARM = 17, 20.0, 2
PAYS_AFTER_S, LEAVES_S, CARS = 0.5, 1.3, 40
TARGETS = {"payment to boom": 2.0, "ticket to screen": 0.8, "CPU of a car": 1.8}
"""At most this many times the plain script's median."""
MOVED_TO = 0x80  # inotify(7): a file was renamed into the folder
_ENCODER = msgspec.json.Encoder(decimal_format="number")


Moment = tuple[int, int]


@dataclass
class Figures:
    """Of one program, in ms a car."""

    screen: list[float] = field(default_factory=list)
    boom: list[float] = field(default_factory=list)
    boom_cpu: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    rss_mib: float = 0.0


class Moments:
    """Moments (``monotonic_ns``, and the process's CPU time) that a descriptor tells of; ``read`` takes its bytes."""

    def __init__(self, fd: int, read: Callable[[bytes], list[Moment]]) -> None:
        self._fd, self._read = fd, read
        self._queue: asyncio.Queue[Moment] = asyncio.Queue()
        asyncio.get_running_loop().add_reader(fd, self._take)

    def _take(self) -> None:
        for moment in self._read(os.read(self._fd, 65536)):
            self._queue.put_nowait(moment)

    async def next(self) -> Moment:
        return await asyncio.wait_for(self._queue.get(), LIMIT_S)

    def forget(self) -> None:
        while not self._queue.empty():
            self._queue.get_nowait()

    def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self._fd)
        os.close(self._fd)


def pin_moments(pipe: Path) -> Moments:
    os.mkfifo(pipe)
    return Moments(os.open(pipe, os.O_RDWR | os.O_NONBLOCK), lambda data: [_moment(line) for line in data.splitlines()])


def glass_moments(folder: Path) -> Moments:
    """When a picture took ``latest.png``'s place."""
    libc = ctypes.CDLL(None, use_errno=True)
    fd = libc.inotify_init1(os.O_NONBLOCK)
    if fd < 0 or libc.inotify_add_watch(fd, os.fsencode(folder), MOVED_TO) < 0:
        raise OSError(ctypes.get_errno(), "inotify")
    return Moments(fd, lambda data: [(time.monotonic_ns(), 0)] * data.count(b"latest.png"))


def _moment(line: bytes) -> Moment:
    at, cpu = line.split()
    return int(at), int(cpu)


class Heartbeats(Heard):
    """Nothing else, so that this process does little while a car is measured."""

    async def follow(self, bus: MqttClient) -> None:
        async for delivery in bus.subscribe("parking/marina/+/health/#"):
            delivery.ack()
            async with self._news:
                self.all.append((delivery.topic.split("/", 3)[3], self.fields(delivery.payload)))
                self._news.notify_all()


class ProductGarage(Garage):
    """``run``, with a clock at its pin."""

    def words(self, command: str) -> list[str]:
        pipe = str(self.folder / "pin")
        return ["-m", "tests.bench.pin_clock", pipe, str(PIN), "terminal", command, "--config", str(self.file)]


@dataclass
class Program:
    """One of the two while it runs."""

    pid: int
    garage: Garage
    scan: Callable[[str], object]
    folder: Path
    notify_port: int
    pin: Moments
    glass: Moments
    figures: Figures = field(default_factory=Figures)

    def cpu_ns(self) -> int:
        """User and system time of the process, of threads that ended too (clock_getcpuclockid(3))."""
        return time.clock_gettime_ns((~self.pid << 3) | 2)

    async def car(self, pays_after_s: float) -> None:
        self.pin.forget()
        self.glass.forget()
        placed = len(self.garage.sandbox.orders)
        cpu, began = self.cpu_ns(), time.monotonic_ns()
        self.scan(self.garage.ticket())
        while True:
            at, _ = await self.glass.next()
            orders = list(self.garage.sandbox.orders.values())
            if len(orders) > placed and self.on_glass() == orders[-1].token_url:
                break
        self.figures.screen.append((at - began) / 1e6)
        await asyncio.sleep(pays_after_s)  # a driver takes out the phone; nothing is said meanwhile
        await self.is_paid(orders[-1])
        await asyncio.sleep(LEAVES_S)  # pulse, rise and close of the simulated arm, and the picture after them
        self.figures.cpu.append((self.cpu_ns() - cpu) / 1e6)

    def on_glass(self) -> str | None:
        with Image.open(self.folder / "latest.png") as image:
            return qr.decode(image.convert("RGB"))

    async def is_paid(self, order: SandboxOrder) -> None:
        """Notify as a reverse proxy does, on a connection of its own; measured from the first byte to the pin."""
        await self.garage.sandbox.pay(order.no, notify=False)
        said = {"acquireOrder": order.words(), "notify_id": order.payby_no, "notify_timestamp": time.time_ns() // 10**6}
        body = _ENCODER.encode(said)
        signature = sign(self.garage.sandbox.private_key, body)
        head = (
            f"POST /payby/notify HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nsign: {signature}\r\n"
        )
        request = head.encode() + b"Content-Length: %d\r\n\r\n" % len(body) + body
        with socket.create_connection(("127.0.0.1", self.notify_port)) as connection:
            cpu, began = self.cpu_ns(), time.monotonic_ns()
            connection.sendall(request)
            rose, rose_cpu = await self.pin.next()
            self.figures.boom.append((rose - began) / 1e6)
            self.figures.boom_cpu.append((rose_cpu - cpu) / 1e6)
            connection.setblocking(False)
            answer = await asyncio.wait_for(asyncio.get_running_loop().sock_recv(connection, 4096), LIMIT_S)
            if b" 200 " not in answer.partition(b"\r\n")[0]:
                raise RuntimeError(f"the notification was answered {answer[:200]!r}")


@contextlib.asynccontextmanager
async def product(garage: ProductGarage) -> AsyncIterator[Program]:
    pin = pin_moments(garage.folder / "pin")
    await garage.start("run")
    glass = glass_moments(garage.folder / "glass")

    try:
        port = int(garage.notify_url.split(":")[2].split("/")[0])
        yield Program(garage.running["run"].pid, garage, garage.scan, garage.folder / "glass", port, pin, glass)
    finally:
        pin.close()
        glass.close()


@contextlib.asynccontextmanager
async def plain(garage: Garage, folder: Path, broker_port: int) -> AsyncIterator[Program]:
    folder.mkdir()
    pin, glass, port = pin_moments(folder / "pin"), glass_moments(folder), free_port()
    master, slave = pty.openpty()
    tty.setraw(slave)
    secrets = garage.folder / "secrets"
    told = {
        "scanner": os.ttyname(slave),
        "mqtt": broker_port,
        "payby": garage.sandbox.base_url,
        "partner_id": garage.sandbox.partner_id,
        "private_key": str(secrets / "merchant.pem"),
        "payby_key": str(secrets / "payby.pub.pem"),
        "port": port,
        "notify_url": f"http://127.0.0.1:{port}/payby/notify",
        "glass": str(folder),
    }
    words = ["-m", "tests.bench.pin_clock", str(folder / "pin"), str(PIN), "tests.bench.plain_lane", json.dumps(told)]
    process = await asyncio.create_subprocess_exec(*LEASH, sys.executable, *words)

    try:
        await glass.next()
        yield Program(
            process.pid, garage, lambda text: os.write(master, text.encode() + b"\r\n"), folder, port, pin, glass
        )
    finally:
        process.kill()
        await process.wait()
        for moments in pin, glass:
            moments.close()
        os.close(slave)
        os.close(master)


def two_commits(db: sqlite3.Connection) -> float:
    """ms of the disk's part in a payment: two bare commits, as durable as the product's."""
    began = time.monotonic_ns()
    for _ in range(2):
        db.execute("BEGIN IMMEDIATE")
        db.execute("INSERT INTO event VALUES (?)", (bytes(2000),))
        db.execute("COMMIT")
    return (time.monotonic_ns() - began) / 1e6


def measure(
    cars: int = CARS, pays_after_s: float = PAYS_AFTER_S, told: Callable[[str], None] = lambda _: None
) -> dict[str, Any]:
    """Cars through both programs in turn: each figure of both, and the ratios of the medians. ``told`` hears of the
    progress."""
    return asyncio.run(_measured(cars, pays_after_s, told))


async def _measured(cars: int, pays_after_s: float, told: Callable[[str], None]) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        server = Mosquitto(folder)
        server.start()
        try:
            (folder / "garage").mkdir()
            garage = ProductGarage(folder / "garage", server.url)
            garage.heard = Heartbeats()
            db = sqlite3.connect(folder / "bare.db", isolation_level=None)
            for words in "PRAGMA journal_mode=WAL", "PRAGMA synchronous=FULL", "CREATE TABLE event (body BLOB)":
                db.execute(words)
            commits: list[float] = []
            async with garage, product(garage) as ours, plain(garage, folder / "plain", server.port) as theirs:
                for number in range(WARM + cars):
                    if number == WARM:
                        ours.figures, theirs.figures = Figures(), Figures()
                    for program in (ours, theirs) if number % 2 else (theirs, ours):
                        await program.car(pays_after_s)
                    commits.append(two_commits(db))
                    told(f"car {number + 1 - WARM} of {cars}")
                for program in ours, theirs:
                    status = Path(f"/proc/{program.pid}/status").read_text()
                    program.figures.rss_mib = int(status.split("VmRSS:")[1].split()[0]) / 1024
        finally:
            server.stop()
    return summary(ours.figures, theirs.figures, commits)


def summary(ours: Figures, theirs: Figures, commits: list[float]) -> dict[str, Any]:
    """The figures (ms, MiB), the ratios, the targets that are missed, and what two bare commits take on this disk."""
    rows: dict[str, Any] = {}
    for name, mine, other in (
        ("payment to boom", ours.boom, theirs.boom),
        ("CPU until the boom", ours.boom_cpu, theirs.boom_cpu),
        ("ticket to screen", ours.screen, theirs.screen),
        ("CPU of a car", ours.cpu, theirs.cpu),
        ("memory", [ours.rss_mib], [theirs.rss_mib]),
    ):
        row = rows[name] = {"ours": points(mine), "plain": points(other)}
        row["ratio"] = row["ours"]["p50"] / row["plain"]["p50"]
        row["most"] = TARGETS.get(name)
    missed = [name for name, row in rows.items() if row["most"] is not None and row["ratio"] > row["most"]]
    return {"cars": len(ours.boom), "rows": rows, "missed": missed, "two commits": points(commits)}


def points(values: list[float]) -> dict[str, float]:
    ordered = sorted(values)
    return {"p50": statistics.median(ordered), "p95": ordered[min(len(ordered) - 1, int(len(ordered) * 0.95))]}


def table(found: dict[str, Any]) -> str:
    head = f"{'':<18}{'ours p50':>10}{'p95':>8}{'plain p50':>11}{'p95':>8}{'ratio':>8}  at most"
    lines = [f"{head}   ms, MiB; {found['cars']} cars"]
    for name, row in found["rows"].items():
        most = "" if row["most"] is None else f"{row['most']:9.2f}" + (" missed" if name in found["missed"] else "")
        ours, other = row["ours"], row["plain"]
        lines.append(
            f"{name:<18}{ours['p50']:10.2f}{ours['p95']:8.2f}{other['p50']:11.2f}{other['p95']:8.2f}{row['ratio']:8.2f}{most}"
        )
    commits = found["two commits"]
    lines.append(f"of payment to boom, two bare commits take {commits['p50']:.2f} ms here (p95 {commits['p95']:.2f})")
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cars", type=int, default=CARS)
    parser.add_argument("--pays-after", type=float, default=PAYS_AFTER_S, help="seconds from the code to the payment")
    parser.add_argument("--json", type=Path, help="write the figures into this file too")
    arguments = parser.parse_args()
    found = measure(arguments.cars, arguments.pays_after, lambda text: print(text, file=sys.stderr, flush=True))
    print(table(found))
    if arguments.json:
        arguments.json.write_text(json.dumps(found, indent=1) + "\n")
    return int(bool(found["missed"]))


if __name__ == "__main__":
    sys.exit(main())
