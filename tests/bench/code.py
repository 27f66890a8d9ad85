"""PayBy's URL -> the bytes of a frame with its code: ours beside the packages segno and qrcode.

    python -m tests.bench.code [--rounds N]

The machine is shared, and what others do only ever adds: the least CPU of all rounds is what each costs.
"""

import argparse
import sys
import time
from collections.abc import Callable

import segno

from drivers.panel_frames import rgb565
from terminal.screen import qr
from tests.bench.lcd import SYMBOL, TOKEN
from tests.bench.peer import Peer, missing
from tests.bench.rows import Progress, Row

ROUNDS = 30


def cpu_us(job: Callable[[], object]) -> float:
    began = time.thread_time_ns()
    job()
    return (time.thread_time_ns() - began) / 1000


def ours() -> None:
    rgb565(qr.draw(qr.encode(TOKEN), 240).convert("RGB"))


def measure(progress: Progress, rounds: int = ROUNDS) -> list[Row]:
    took: dict[str, list[float]] = {"ours": [], "segno, the symbol alone": []}
    peer = None if missing("qrcode", "PIL") else Peer("qrcode_frame", TOKEN)
    try:
        for number in range(rounds):
            if number % 10 == 0:
                progress(f"codes, round {number + 1} of {rounds}")
            took["ours"].append(cpu_us(ours))
            took["segno, the symbol alone"].append(cpu_us(lambda: segno.make(TOKEN, micro=False)))
            if peer:
                took.setdefault("the package qrcode", []).append(peer.ask())
    finally:
        if peer:
            peer.__exit__(None, None, None)
    mine = min(took.pop("ours"))
    return [Row("URL -> a frame's bytes, CPU", mine, name, min(values), "us", SYMBOL) for name, values in took.items()]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    rows = measure(lambda said: print(f"  {said}", file=sys.stderr, flush=True), parser.parse_args().rounds)
    for row in rows:
        print(f"{row.step}: {row.ours:.0f} us, {row.peer} {row.theirs:.0f} us: x {row.ratio:.3f}")
    return int(not all(row.well for row in rows))


if __name__ == "__main__":
    sys.exit(main())
