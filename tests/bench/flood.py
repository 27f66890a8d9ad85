"""One lane says 1,000 refused fees a second: how much longer does a visit at another lane take?

    python -m tests.bench.flood [--rounds N]

A real worker beside a real Mosquitto and PayBy's sandbox; the flood comes from a process of its own. A round is visits
without the flood and visits with it, in turn, so that whatever else the machine does falls on both: from the fee to the
order with its code, and from the payment's words to the lift. Exit status 1 if the median visit takes more than twice
as long, or if the flood was slower than asked.
"""

import argparse
import asyncio
import statistics
import sys
import tempfile
import time
from pathlib import Path

from terminal.contract.messages import Fee, encode
from terminal.mqtt.client import MqttClient
from tests.bench.rows import Progress, Row
from tests.bench.visits import Visits, head, topic
from tests.conftest import Mosquitto
from tests.support.garage import Garage, Heard

PER_S, ALLOWED = 1_000, 2.0
VISITS = 6
"""In a row, with the flood and without."""


async def flood(url: str) -> None:
    """Until killed; says once a second how many went out."""
    async with MqttClient(url, client_id="flooder") as bus:
        await bus.wait_connected()
        began, sent, told = time.monotonic(), 0, 0.0
        while True:
            due = int((time.monotonic() - began) * PER_S)
            for _ in range(due - sent):
                fee = Fee(**head(), ticket="garbage", reason="refused", why="ticket-unknown")
                await bus.publish(topic("exit-2", "fee"), encode(fee))
            sent = due
            if time.monotonic() - told >= 1.0:
                told = time.monotonic()
                print((sent - bus.dropped) / max(0.001, told - began), flush=True)
            await asyncio.sleep(0.005)


class Lane(Heard):
    """What is said at exit-1, and by the garage; a watcher of the flood would be flooded itself."""

    async def follow(self, bus: MqttClient) -> None:
        async for delivery in bus.subscribe(
            "parking/marina/exit-1/#", "parking/marina/garage/#", "parking/marina/+/alert"
        ):
            delivery.ack()
            async with self._news:
                self.all.append((delivery.topic.split("/", 3)[3], self.fields(delivery.payload)))
                self._news.notify_all()


async def compared(
    rounds: int, folder: Path, progress: Progress = lambda _: None
) -> tuple[list[float], list[float], list[float], list[str]]:
    """Seconds of a visit without the flood and with it, the flood's rates, and the alerts of it."""
    server = Mosquitto(folder)
    server.start()
    quiet: list[float] = []
    flooded: list[float] = []
    rates: list[float] = []
    try:
        (folder / "garage").mkdir()
        made = Garage(folder / "garage", server.url, notify=False, forks=False)
        made.heard = Lane()
        async with made as garage:
            await garage.start("worker")
            visits = Visits(garage)
            await visits.one()
            for number in range(rounds):
                progress(f"flood, round {number + 1} of {rounds}")
                quiet += [await visits.one() for _ in range(VISITS)]
                flooder = await asyncio.create_subprocess_exec(
                    sys.executable, "-m", "tests.bench.flood", "--flood", server.url, stdout=asyncio.subprocess.PIPE
                )
                assert flooder.stdout
                await flooder.stdout.readline()
                await flooder.stdout.readline()
                try:
                    flooded += [await visits.one() for _ in range(VISITS)]
                    rates.append(float(await flooder.stdout.readline()))
                finally:
                    flooder.kill()
                    await flooder.wait()
            alerts = [message["text"] for _, message in garage.heard.all if message.get("code") == "lane-flood"]
    finally:
        server.stop()
    return quiet, flooded, rates, alerts


def measure(progress: Progress, rounds: int = 3) -> list[Row]:
    with tempfile.TemporaryDirectory() as folder:
        quiet, flooded, _, _ = asyncio.run(compared(rounds, Path(folder), progress))
    figures = [statistics.median(values) * 1000 for values in (flooded, quiet)]
    step = f"a visit beside {PER_S:,} fees a second"
    return [Row(step, figures[0], "the same without", figures[1], "ms", ALLOWED)]


def told(quiet: list[float], flooded: list[float], rates: list[float], alerts: list[str]) -> int:
    """Print it; 1 where a target is missed."""
    ratio = statistics.median(flooded) / statistics.median(quiet)
    print(f"{'':<24}{'p50':>8}{'p90':>8}{'max':>8}  ms a visit, {len(quiet)} visits each")
    for name, values in ("quiet", sorted(quiet)), (f"{min(rates):.0f} refused fees a s", sorted(flooded)):
        figures = values[len(values) // 2], values[int(len(values) * 0.9)], values[-1]
        print(f"{name:<24}" + "".join(f"{value * 1000:8.0f}" for value in figures))
    print(f"{'ratio':<24}{ratio:8.2f}  (at most {ALLOWED})")
    print("\n".join(alerts))
    return int(ratio > ALLOWED or min(rates) < PER_S * 0.9)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--flood", metavar="URL", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.flood:
        asyncio.run(flood(arguments.flood))
        return 0
    with tempfile.TemporaryDirectory() as folder:
        return told(*asyncio.run(compared(arguments.rounds, Path(folder))))


if __name__ == "__main__":
    sys.exit(main())
