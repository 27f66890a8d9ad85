"""A notification: the listener beside what else could take it, each doing the same work.

    python -m tests.bench.listener [--rounds N]

Each checks PayBy's signature and the fields, publishes `paid`, waits for the receipt and answers. One Mosquitto and one
who gives receipts serve all. The floor is aiohttp that checks, and tells nobody. Each gets some notifications in turn,
one after the other and then eight at a time; CPU is that of all processes of the server.
"""

import argparse
import asyncio
import contextlib
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import psutil

from terminal.clock import SystemClock, new_id
from terminal.contract.messages import Receipt, encode, stamp
from terminal.core.ids import derived_id, order_no
from terminal.mqtt.client import MqttClient
from terminal.payby.sandbox.command import key_pair
from terminal.payby.signing import sign
from tests.bench.peer import PYTHON, ROOT, missing
from tests.bench.rows import Progress, Row
from tests.bench.visits import cpu_ms
from tests.conftest import Mosquitto
from tests.support.garage import Garage
from tests.support.leash import LEASH
from tests.support.ports import free_port, listens

ROUNDS, EACH, AT_ONCE = 6, 60, 8
OURS, FLOOR, FLASK, FASTAPI = "ours", "bare aiohttp, no MQTT", "Flask with gunicorn", "FastAPI with uvicorn"
CLOCK = SystemClock()


@dataclass
class Server:
    """One of those compared, and what its notifications took."""

    pid: int
    url: str
    cpu_us: list[float] = field(default_factory=list)
    again_us: list[float] = field(default_factory=list)
    """CPU of one that was answered before."""
    waited_ms: list[float] = field(default_factory=list)

    def cpu_ms(self) -> float:
        process = psutil.Process(self.pid)
        return sum(cpu_ms(one.pid) for one in (process, *process.children(recursive=True)))


class Notices:
    """Notifications, each of an order of its own, signed as PayBy does."""

    def __init__(self, secrets: Path) -> None:
        self._key, self._made = key_pair(secrets, "payby"), 0

    def __call__(self) -> tuple[bytes, str]:
        self._made += 1
        session = derived_id(CLOCK.wall_ms(), "stay", str(self._made))
        order = {
            "merchantOrderNo": order_no("marina", "exit-1", session, 1), "orderNo": f"1317225162900{self._made:05}",
            "status": "PAID_SUCCESS", "product": "Basic Payment Gateway", "payeeMid": "200000000888",
            "totalAmount": {"amount": 20.00, "currency": "AED"}, "subject": "Parking", "paySceneCode": "DYNQR",
            "requestTime": CLOCK.wall_ms(), "expiredTime": CLOCK.wall_ms() + 110_000, "reserved": "exit-1",
            "notifyUrl": "https://pay.example.com/payby/notify", "deviceId": "marina-exit-1", "revoked": "false",
            "paymentInfo": {"paidTime": CLOCK.wall_ms(), "payerMid": "100000003456", "payChannel": "BALANCE",
                            "paidAmount": {"amount": 20.00, "currency": "AED"}},
        }  # fmt: skip
        said = {"notify_id": new_id(CLOCK), "notify_timestamp": CLOCK.wall_ms(), "acquireOrder": order}
        body = json.dumps(said).encode()
        return body, sign(self._key, body)


async def receipts(bus: MqttClient) -> None:
    """What a worker says once a payment is in its journal."""
    async for delivery in bus.subscribe("parking/marina/+/paid"):
        delivery.ack()
        said = json.loads(delivery.payload)
        receipt = Receipt(
            id=new_id(CLOCK), at=stamp(CLOCK.wall_ms()), outcome="lifting", notify_id=said["notify_id"],
            order_no=said["order_no"],
        )  # fmt: skip
        await bus.publish(delivery.topic.replace("/paid", "/receipt"), encode(receipt))


@contextlib.asynccontextmanager
async def spawned(words: list[str], port: int, log: Path, environment: dict[str, str]) -> AsyncIterator[Server]:
    with log.open("ab") as out:
        process = await asyncio.create_subprocess_exec(
            *LEASH, *words, stdout=out, stderr=out, cwd=ROOT, env={**os.environ, **environment}
        )
    try:
        await asyncio.to_thread(_await, process, port, log)
        yield Server(process.pid, f"http://127.0.0.1:{port}/payby/notify")
    finally:
        with contextlib.suppress(ProcessLookupError, psutil.NoSuchProcess):
            for child in psutil.Process(process.pid).children(recursive=True):
                child.kill()
            process.kill()
        await process.wait()


class _Started:
    """What ports.listens() wants of a process."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process, self.args = process, "a peer"

    def poll(self) -> int | None:
        return self._process.returncode


def _await(process: asyncio.subprocess.Process, port: int, log: Path) -> None:
    # It is no Popen, and has all of one that is looked at.
    listens(_Started(process), port, log)  # type: ignore[arg-type]


async def send(http: aiohttp.ClientSession, server: Server, notice: tuple[bytes, str]) -> float:
    """Milliseconds until the answer, which must be that of success."""
    body, signature = notice
    headers = {"sign": signature, "Content-Type": "application/json"}
    began = time.perf_counter()
    async with http.post(server.url, data=body, headers=headers) as answer:
        said = await answer.read()
    assert answer.status == 200 and b"SUCCESS" in said, (server.url, answer.status)
    return (time.perf_counter() - began) * 1000


async def turn(http: aiohttp.ClientSession, server: Server, notices: Notices, *, again: bool) -> None:
    made = [notices() for _ in range(EACH)]
    server.waited_ms += [await send(http, server, notice) for notice in made[:10]]
    cpu = server.cpu_ms()
    todo = iter(made[10:])

    async def some() -> None:
        for notice in todo:
            await send(http, server, notice)

    await asyncio.gather(*(some() for _ in range(AT_ONCE)))
    server.cpu_us.append((server.cpu_ms() - cpu) * 1000 / (EACH - 10))
    if again:
        cpu = server.cpu_ms()
        for notice in made[10:]:
            await send(http, server, notice)
        server.again_us.append((server.cpu_ms() - cpu) * 1000 / (EACH - 10))


async def compared(rounds: int, folder: Path, progress: Progress) -> dict[str, Server]:
    broker = Mosquitto(folder, "allow_anonymous true")
    broker.start()
    async with contextlib.AsyncExitStack() as stack:
        stack.callback(broker.stop)
        (folder / "garage").mkdir()
        garage = await stack.enter_async_context(Garage(folder / "garage", broker.url, forks=False))
        await garage.start("listener")
        environment = {
            "BENCH_KEY": str(folder / "garage" / "secrets" / "payby.pub.pem"),
            "BENCH_MQTT": str(broker.port),
        }
        found = {OURS: Server(garage.running["listener"].pid, garage.notify_url)}
        port = {name: free_port() for name in (FLOOR, FLASK, FASTAPI)}
        peers = {FLOOR: [sys.executable, "-m", "tests.bench.peers.bare_listener", str(port[FLOOR])]}
        if not missing("flask", "gunicorn", "paho"):
            peers[FLASK] = [
                str(PYTHON), "-m", "gunicorn", "-b", f"127.0.0.1:{port[FLASK]}", "-k", "gthread", "--threads", "8",
                "tests.bench.peers.flask_listener:app",
            ]  # fmt: skip
        if not missing("fastapi", "uvicorn", "aiomqtt"):
            peers[FASTAPI] = [
                str(PYTHON), "-m", "uvicorn", "--port", str(port[FASTAPI]), "--no-access-log",
                "tests.bench.peers.fastapi_listener:app",
            ]  # fmt: skip
        for name, words in peers.items():
            progress(f"{name} starts")
            log = folder / f"{name.split()[0]}.log"
            found[name] = await stack.enter_async_context(spawned(words, port[name], log, environment))
        bus = await stack.enter_async_context(MqttClient(broker.url, client_id="worker"))
        await bus.wait_connected()
        giving = asyncio.create_task(receipts(bus), name="gives receipts")
        stack.callback(giving.cancel)
        http = await stack.enter_async_context(aiohttp.ClientSession())
        notices = Notices(folder / "garage" / "secrets")
        for number in range(rounds + 1):
            progress(f"notifications, round {number} of {rounds}")
            if number == 1:
                for server in found.values():
                    server.cpu_us, server.again_us, server.waited_ms = [], [], []
            for name, server in found.items():
                await turn(http, server, notices, again=name in (OURS, FLOOR))
    return found


def measure(progress: Progress, rounds: int = ROUNDS) -> list[Row]:
    with tempfile.TemporaryDirectory() as name:
        found = asyncio.run(compared(rounds, Path(name), progress))
    ours, floor, middle = found[OURS], found[FLOOR], statistics.median
    cpu, waits = "CPU of a notification", "a notification's answer"
    rows = [
        Row(cpu, middle(ours.cpu_us), FLOOR, middle(floor.cpu_us), "us", 2.5),
        Row("CPU of one that PayBy repeats", middle(ours.again_us), FLOOR, middle(floor.again_us), "us", 1.2),
    ]
    for peer in (FLASK, FASTAPI):
        if server := found.get(peer):
            rows.append(Row(cpu, middle(ours.cpu_us), peer, middle(server.cpu_us), "us", 1.0))
            rows.append(Row(waits, middle(ours.waited_ms), peer, middle(server.waited_ms), "ms"))
    return rows


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    rows = measure(lambda said: print(f"  {said}", file=sys.stderr, flush=True), parser.parse_args().rounds)
    for row in rows:
        print(f"{row.step:<32}{row.ours:>8.2f} {row.unit}, {row.peer} {row.theirs:.2f}: x {row.ratio:.2f}")
    return int(not all(row.well for row in rows))


if __name__ == "__main__":
    sys.exit(main())
