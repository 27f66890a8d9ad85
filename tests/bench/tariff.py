"""What the price of a stay costs: a day of 10,000 stays by each tariff of deploy/tariffs.

    python -m tests.bench.tariff [--stays N]

Stays are seeded: most last hours, some days. Exit status 1 if a stay takes 1 ms of CPU or more, or if a ticket that
claims to be from 1970 takes 1 s or more: a ticket's form is read before its key, so anybody can print one.
"""

import argparse
import random
import sys
import time
from pathlib import Path

from terminal import build
from terminal.config.load import load
from terminal.core.tariff.stay import DAY_MS, MINUTE_MS

FOLDER = Path(__file__).parents[2] / "deploy" / "tariffs"
DAY = 1_796_004_000_000
STAY_MS, OLDEST_MS = 1.0, 1000.0


def stays(count: int) -> list[tuple[int, int]]:
    """Entries and exits of a day."""
    rng = random.Random(1)
    found = []
    for _ in range(count):
        entered = DAY + rng.randrange(DAY_MS // 1000) * 1000
        long = rng.random() < 0.02
        found.append((entered, entered + (rng.randrange(20 * DAY_MS) if long else rng.randrange(600 * MINUTE_MS))))
    return found


def main(count: int) -> int:
    day, slow = stays(count), []
    print(f"{'tariff':<26}{'a stay':>10}{'the day':>10}{'from 1970':>12}{'AED':>14}")
    for file in sorted(FOLDER.glob("*.toml")):
        tariff = build.tariff(load(file, {}))
        begin = time.process_time()
        total = sum(tariff.fee(*stay) for stay in day)
        spent = time.process_time() - begin
        tariff.fee(0, DAY)
        oldest = (time.process_time() - begin - spent) * 1000
        each = spent * 1000 / count
        print(f"{file.stem:<26}{each:>7.3f} ms{spent:>8.2f} s{oldest:>9.1f} ms{total / 100:>14,.2f}")
        if each >= STAY_MS or oldest >= OLDEST_MS:
            slow.append(file.stem)
    print(f"too slow: {', '.join(slow)}" if slow else "each within its target")
    return 1 if slow else 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stays", type=int, default=10_000)
    sys.exit(main(parser.parse_args().stays))
