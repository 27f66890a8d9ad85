"""The package segno, the symbol alone, ``python -m ... URL``."""

import sys

import segno

from tests.bench.peers.asked import cpu_us

if __name__ == "__main__":
    cpu_us(lambda: segno.make(sys.argv[1], micro=False))
