"""One MQTT hop, publish to subscriber, QoS 1: our client against two plain paho clients, on the same broker.

    python tests/bench/mqtt.py [--hops N] [--broker mosquitto|embedded]

Each hop of one kind is followed by one of the other, with the same pause before each, so that whatever else the
machine does falls on both. Prints the median and the ratio; exit status 1 if the ratio is over 1.0 on Mosquitto.
"""

import argparse
import asyncio
import contextlib
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

sys.path.insert(0, str(Path(__file__).parents[2]))

from terminal.mqtt.client import MqttClient
from tests.bench.peer import Peer, missing
from tests.bench.rows import Progress, Row

TOPIC = "parking/marina/exit-1/fee"
PAYLOAD = b"x" * 300
USERS = ("one", "two", "three", "four")
ALLOWED = 1.0


def no_delay(_client: mqtt.Client, _userdata: Any, sock: Any) -> None:
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


class Paho:
    """Two clients with their network threads; the hop ends in the subscriber's callback."""

    def __init__(self, port: int, passwords: dict[str, str]) -> None:
        self.came, subscribed = threading.Event(), threading.Event()
        self.clients = [mqtt.Client(CallbackAPIVersion.VERSION2, name) for name in USERS[:2]]
        self.publisher, self.subscriber = self.clients
        self.subscriber.on_message = self.message
        self.subscriber.on_connect = lambda client, *_: client.subscribe(TOPIC + "/paho", 1)
        self.subscriber.on_subscribe = lambda *_: subscribed.set()
        for name, client in zip(USERS, self.clients, strict=False):
            client.username_pw_set(name, passwords[name])
            client.on_socket_open = no_delay
            client.connect("127.0.0.1", port)
            client.loop_start()
        if not subscribed.wait(5):
            raise TimeoutError("no SUBACK")

    def message(self, *_: object) -> None:
        self.at = time.perf_counter_ns()
        self.came.set()

    def hop(self) -> float:
        """Microseconds."""
        self.came.clear()
        start = time.perf_counter_ns()
        info = self.publisher.publish(TOPIC + "/paho", PAYLOAD, 1)
        if not self.came.wait(5):
            raise TimeoutError("the message is missing")
        info.wait_for_publish(5)
        return (self.at - start) / 1e3

    def close(self) -> None:
        for client in self.clients:
            client.disconnect()
            client.loop_stop()


@asynccontextmanager
async def mosquitto(folder: Path) -> AsyncIterator[tuple[int, dict[str, str]]]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    (folder / "conf").write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\nset_tcp_nodelay true\n")
    server = subprocess.Popen(["mosquitto", "-c", str(folder / "conf")], stderr=subprocess.DEVNULL)
    try:
        for _ in range(200):
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                await asyncio.sleep(0.02)
        yield port, dict.fromkeys(USERS, "")
    finally:
        server.terminate()
        server.wait()


@asynccontextmanager
async def embedded(folder: Path) -> AsyncIterator[tuple[int, dict[str, str]]]:
    """In a process of its own, as paho's blocking hop would stop it in this one."""
    code = (
        "import asyncio, sys; from pathlib import Path; from broker.embedded import EmbeddedBroker\n"
        "async def main():\n"
        "    may = lambda user, _: user != 'self-test'\n"
        f"    users = Path(sys.argv[1]), {USERS!r}\n"
        "    async with EmbeddedBroker(*users, may_publish=may, may_subscribe=may, port=0) as broker:\n"
        "        print(broker.port, flush=True)\n"
        "        await asyncio.Event().wait()\n"
        "asyncio.run(main())"
    )
    root = Path(__file__).parents[2]
    server = subprocess.Popen([sys.executable, "-c", code, str(folder)], stdout=subprocess.PIPE, cwd=root)
    try:
        assert server.stdout
        port = int(server.stdout.readline())
        yield port, {name: (folder / name).read_text().strip() for name in USERS}
    finally:
        server.terminate()
        server.wait()


async def hops(broker: str, count: int, progress: Progress = lambda _: None) -> dict[str, list[float]]:
    """Microseconds of each hop, sorted, by whose it is; on Mosquitto aiomqtt's too, where it is installed."""
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        async with {"mosquitto": mosquitto, "embedded": embedded}[broker](Path(folder)) as (port, passwords):
            paho = Paho(port, passwords)
            peer = None
            if broker == "mosquitto" and not missing("aiomqtt"):
                peer = stack.enter_context(Peer("aiomqtt_hop", str(port), TOPIC + "/aiomqtt", str(len(PAYLOAD))))
            url = f"mqtt://127.0.0.1:{port}"
            async with (
                MqttClient(url, username="three", password=passwords["three"]) as publisher,
                MqttClient(url, username="four", password=passwords["four"]) as subscriber,
            ):
                subscription = subscriber.subscribe(TOPIC)
                await subscription.granted()
                took: dict[str, list[float]] = {"ours": [], "paho": []}
                for turn in range(count + 50):
                    if turn % 200 == 0:
                        progress(f"hop {turn} of {count}")
                    await asyncio.sleep(0.002)  # the acknowledgement of our hop is not to fall into theirs
                    took["paho"].append(paho.hop())
                    await asyncio.sleep(0.002)
                    start = time.perf_counter_ns()
                    await publisher.publish(TOPIC, PAYLOAD + b"%d" % turn)
                    delivery = await anext(subscription)
                    took["ours"].append((time.perf_counter_ns() - start) / 1e3)
                    delivery.ack()
                    if peer:
                        await asyncio.sleep(0.002)
                        took.setdefault("aiomqtt", []).append(await asyncio.to_thread(peer.ask))
            paho.close()
    return {name: sorted(values[50:]) for name, values in took.items()}


def measure(progress: Progress, count: int = 500) -> list[Row]:
    took = asyncio.run(hops("mosquitto", count, progress))
    names = {"paho": "two paho clients", "aiomqtt": "two aiomqtt clients"}
    mine = statistics.median(took["ours"])
    return [
        Row("MQTT hop", mine, name, statistics.median(took[key]), "us", ALLOWED)
        for key, name in names.items()
        if key in took
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hops", type=int, default=1000)
    parser.add_argument("--broker", choices=["mosquitto", "embedded"], default="mosquitto")
    arguments = parser.parse_args()
    took = asyncio.run(hops(arguments.broker, arguments.hops))
    ratio = statistics.median(took["ours"]) / statistics.median(took["paho"])
    print(f"{arguments.broker:<10} {'p50':>8}{'p90':>8}{'p99':>8}  us a hop")
    for name, values in took.items():
        print(f"{name:<10} " + "".join(f"{values[int(len(values) * p)]:8.0f}" for p in (0.5, 0.9, 0.99)))
    print(f"ratio      {ratio:8.2f}  (at most {ALLOWED}, beside paho)")
    return int(arguments.broker == "mosquitto" and ratio > ALLOWED)


if __name__ == "__main__":
    sys.exit(main())
