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
from typing import Any

from terminal.clock import SystemClock, new_id
from terminal.config.schema import TariffSettings
from terminal.contract.messages import Answer, Barrier, Fee, Message, Paid, encode, stamp
from terminal.core import money
from terminal.core.quote import quote
from terminal.core.tariff import Tariff
from terminal.mqtt.client import MqttClient
from terminal.payby.sandbox.command import key_pair
from terminal.payby.signing import sign
from tests.conftest import Mosquitto
from tests.support.garage import Garage, Heard
from tests.support.worker_lane import to_json

PER_S, ALLOWED = 1_000, 2.0
VISITS = 6
"""In a row, with the flood and without."""
CLOCK = SystemClock()


def head() -> dict[str, Any]:
    return {"id": new_id(CLOCK), "at": stamp(CLOCK.wall_ms())}


def topic(lane: str, what: str) -> str:
    return f"parking/marina/{lane}/{what}"


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


class Visits:
    """Cars at exit-1, one after the other, with their times."""

    def __init__(self, garage: Garage) -> None:
        self.garage = garage
        self.tariff = Tariff.from_texts(
            **{name: getattr(TariffSettings(), name) for name in TariffSettings.__struct_fields__}
        )
        self.keys = {"k1": bytes.fromhex((garage.folder / "secrets" / "ticket-k1").read_text().strip())}
        self.payby = key_pair(garage.folder / "secrets", "payby")

    async def says(self, what: str, message: Message) -> None:
        await self.garage.bus.publish(topic("exit-1", what), encode(message), retain=what == "barrier")

    async def one(self) -> float:
        """Seconds of a visit: what its driver waits for."""
        heard, sandbox = self.garage.heard, self.garage.sandbox
        await self.says("barrier", Barrier(**head(), state="down"))
        text, mark, at = self.garage.ticket(), len(heard.all), CLOCK.wall_ms()
        found = quote(text, at, garage="marina", keys=self.keys, tariff=self.tariff, lost_session="")
        fee = Fee(
            **head(), ticket=text, reason=found.reason, session=found.session, entered=stamp(found.entered_ms or 0),
            exited=stamp(at), minutes=found.minutes, amount=money.text(found.amount or 0), currency="AED",
        )  # fmt: skip
        began = time.perf_counter()
        repeating = asyncio.create_task(self.repeat(fee))
        order = await heard.until("order", since=mark, status="created", session=found.session)
        repeating.cancel()
        took = time.perf_counter() - began
        await sandbox.pay(order["order_no"], notify=False)
        body = to_json({
            "acquireOrder": sandbox.book.orders[order["order_no"]].words(), "notify_id": order["id"],
            "notify_timestamp": 1,
        })  # fmt: skip
        signature = sign(self.payby, body.encode())
        began = time.perf_counter()
        await self.says(
            "paid", Paid(**head(), order_no=order["order_no"], notify_id=order["id"], body=body, sign=signature)
        )
        lift = await heard.until("lift", since=mark, order_no=order["order_no"])
        took += time.perf_counter() - began
        answer = Answer(lift["id"], "raised", order_no=order["order_no"])
        await self.says(
            "barrier", Barrier(**head(), state="up", lift=lift["id"], session=lift["session"], answer=answer)
        )
        await heard.until("screen", since=mark, state="paid")
        return took

    async def repeat(self, fee: Fee) -> None:
        """As a reader does."""
        for pause_s in (0.5, 1.0, 2.0, 4.0, 4.0, 4.0):
            await self.says("fee", fee)
            await asyncio.sleep(pause_s)


async def measure(rounds: int, folder: Path) -> int:
    server = Mosquitto(folder)
    server.start()
    quiet: list[float] = []
    flooded: list[float] = []
    rates: list[float] = []
    try:
        (folder / "garage").mkdir()
        made = Garage(folder / "garage", server.url, notify=False)
        made.heard = Lane()
        async with made as garage:
            await garage.start("worker")
            visits = Visits(garage)
            await visits.one()
            for _ in range(rounds):
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
    return told(quiet, flooded, rates, alerts)


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
        return asyncio.run(measure(arguments.rounds, Path(folder)))


if __name__ == "__main__":
    sys.exit(main())
