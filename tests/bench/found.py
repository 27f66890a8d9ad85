"""From the driver's payment to the worker's journal: PayBy's notification through our listener, beside a script that
polls, on the very same payments.

    python -m tests.bench.found [--payments N]

The script (peers/polling.py) asks PayBy every three seconds, as our worker does besides: what PayBy's page advises.
Payments come at any moment of its three seconds.
"""

import argparse
import asyncio
import random
import statistics
import sys
import tempfile
import time
from pathlib import Path

from tests.bench.peer import Peer
from tests.bench.rows import Progress, Row
from tests.bench.visits import Visits
from tests.conftest import Mosquitto
from tests.support.garage import Garage

PAYMENTS, EVERY_S = 8, 3.0


async def compared(payments: int, folder: Path, progress: Progress) -> tuple[list[float], list[float]]:
    """Milliseconds: ours until the receipt, the script's until it knows."""
    server = Mosquitto(folder)
    server.start()
    dice, ours, theirs = random.Random(1), list[float](), list[float]()
    try:
        (folder / "garage").mkdir()
        async with Garage(folder / "garage", server.url, forks=False) as garage:
            await garage.start("worker", "listener")
            visits, sandbox = Visits(garage), garage.sandbox
            secrets = garage.folder / "secrets"
            words = sandbox.base_url, str(secrets / "merchant.pem"), sandbox.partner_id, str(EVERY_S)
            with Peer("polling", *words, ours=True) as peer:
                for number in range(payments):
                    progress(f"payment {number + 1} of {payments}")
                    order = await visits.order("exit-1")
                    polling = asyncio.create_task(asyncio.to_thread(peer.ask, order["order_no"]))
                    await asyncio.sleep(0.5 + dice.uniform(0, EVERY_S))  # at any moment between two queries
                    mark, began = len(garage.heard.all), time.monotonic()
                    await sandbox.pay(order["order_no"])
                    await garage.heard.until("receipt", since=mark, order_no=order["order_no"])
                    ours.append((time.monotonic() - began) * 1000)
                    theirs.append((await polling - began) * 1000)
                    await garage.heard.until("lift", since=mark, order_no=order["order_no"])
    finally:
        server.stop()
    return ours, theirs


def measure(progress: Progress, payments: int = PAYMENTS) -> list[Row]:
    with tempfile.TemporaryDirectory() as name:
        ours, theirs = asyncio.run(compared(payments, Path(name), progress))
    return [
        Row("payment known", statistics.median(ours), f"a script that polls every {EVERY_S:g} s",
            statistics.median(theirs), "ms", 1.0)
    ]  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--payments", type=int, default=PAYMENTS)
    (row,) = measure(lambda said: print(f"  {said}", file=sys.stderr, flush=True), parser.parse_args().payments)
    print(f"{row.step}: {row.ours:.0f} ms, {row.peer} {row.theirs:.0f} ms: x {row.ratio:.3f}")
    return int(not row.well)


if __name__ == "__main__":
    sys.exit(main())
