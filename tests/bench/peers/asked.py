"""How a peer speaks: a line asks for its job once, and a line says what it took."""

import sys
import time
from collections.abc import Callable


def cpu_us(job: Callable[[], object]) -> None:
    """Microseconds of this thread's CPU, for each line."""
    for _ in sys.stdin:
        began = time.thread_time_ns()
        job()
        print((time.thread_time_ns() - began) / 1000, flush=True)
