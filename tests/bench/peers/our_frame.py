"""Ours, asked as the peers are: URL -> picture of 240 x 240 -> RGB565, ``python -m ... URL``."""

import sys

from drivers.panel_frames import rgb565
from terminal.screen import qr
from tests.bench.peers.asked import cpu_us

if __name__ == "__main__":
    cpu_us(lambda: rgb565(qr.draw(qr.encode(sys.argv[1]), 240).convert("RGB")))
