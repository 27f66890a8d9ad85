"""glibc's malloc, set for a process that runs for months on a small computer.

By default each thread has a heap of its own, and freed pictures of several MB stay in it: glibc raises the size from
which a block goes back to the kernel to that of the largest one that was freed. See mallopt(3).
"""

import ctypes

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8  # malloc.h
ARENAS = 1
"""Python's threads allocate in turn anyway."""
GIVEN_BACK = 1 << 20
"""A block of this many bytes goes back to the kernel as it is freed. A frame of the largest panel is smaller and is
used again; what pictograms are drawn on is larger."""
KEPT_FREE = 2 << 20
"""How many free bytes the end of the heap may have."""


def keep_small() -> bool:
    """Set it so for all of this process; False for another C library, which does as it does."""
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError):
        return False
    wanted = ((_M_ARENA_MAX, ARENAS), (_M_MMAP_THRESHOLD, GIVEN_BACK), (_M_TRIM_THRESHOLD, KEPT_FREE))
    return [mallopt(option, value) for option, value in wanted] == [1, 1, 1]


def give_back() -> bool:
    """Give every free page in the heap back to the kernel: imports leave some MB of them between what stays. False for
    another C library, which does as it does. See malloc_trim(3)."""
    try:
        return bool(ctypes.CDLL(None).malloc_trim(0))
    except (AttributeError, OSError):
        return False
