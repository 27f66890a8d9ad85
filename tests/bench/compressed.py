"""``python -m tests.bench.compressed PORT FOLDER COMMAND ...``: tests/chaos/witness.py, where a settled stay leaves
memory after seconds.

A garage whose week passes within an hour would otherwise have a hundred times as many stays in memory as any garage:
those of ten minutes. Nothing else is hurried; nobody else's time is shorter for it.
"""

import sys

from terminal.core import retention

SECONDS = 5
retention.REST_MS = SECONDS * 1000  # before the store and everything else takes it from there

from tests.chaos import witness  # noqa: E402  (after the limit above has changed)

if __name__ == "__main__":
    sys.exit(witness.main(sys.argv[1:]))
