"""glibc's malloc as a role has it: asked in a process of its own, since nothing undoes it."""

import subprocess
import sys

from terminal import allocator

SCRIPT = """
import ctypes, threading
from terminal import allocator

class Sizes(ctypes.Structure):
    names = "arena ordblks smblks hblks hblkhd usmblks fsmblks uordblks fordblks keepcost"
    _fields_ = [(name, ctypes.c_size_t) for name in names.split()]

libc = ctypes.CDLL(None)
libc.malloc.restype = libc.mallinfo2.restype = ctypes.c_void_p
libc.mallinfo2.restype = Sizes
libc.free.argtypes = [ctypes.c_void_p]
assert not {whole} or allocator.keep_small()

def work():
    blocks = [libc.malloc(300_000) for _ in range(20)]
    barrier.wait()
    for block in blocks:
        libc.free(block)
    libc.free(libc.malloc(12 << 20))
    blocks = [libc.malloc(3 << 20) for _ in range(8)]
    mapped.append(libc.mallinfo2().hblks)
    for block in blocks:
        libc.free(block)

barrier, mapped = threading.Barrier(4), []
threads = [threading.Thread(target=work) for _ in range(4)]
for thread in threads: thread.start()
for thread in threads: thread.join()
libc.malloc_info.argtypes = [ctypes.c_int, ctypes.c_void_p]
libc.fdopen.restype = ctypes.c_void_p
libc.malloc_info(0, libc.fdopen(1, b"w"))
libc.fflush(None)
print()
print("mapped", max(mapped))
"""


def asked(*, whole: bool) -> tuple[int, int]:
    """How many heaps there are after four threads' work, and how many of their large blocks were mapped at once."""
    script = SCRIPT.replace("{whole}", str(whole))
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return ended.stdout.count("<heap nr="), int(ended.stdout.rpartition("mapped ")[2])


def test_threads_share_a_heap_and_large_blocks_go_back_to_the_kernel() -> None:
    heaps, mapped = asked(whole=True)
    assert heaps == allocator.ARENAS
    assert mapped >= 8
    heaps, mapped = asked(whole=False)
    assert heaps > 1, "what glibc does by itself"


HOLES = """
import ctypes, re
from pathlib import Path
from terminal import allocator

def resident():
    return int(re.search(r"VmRSS:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])

libc = ctypes.CDLL(None)
libc.malloc.restype, libc.free.argtypes = ctypes.c_void_p, [ctypes.c_void_p]
assert allocator.keep_small()
before = resident()
blocks = [libc.malloc(50_000) for _ in range(400)]
for block in blocks:
    ctypes.memset(block, 1, 50_000)
for block in blocks[::2]:
    libc.free(block)
full = resident()
assert allocator.give_back()
print(full - before, full - resident())
"""


def test_what_is_free_between_other_blocks_is_given_back() -> None:
    ended = subprocess.run([sys.executable, "-c", HOLES], capture_output=True, text=True, check=True)
    taken, given = map(int, ended.stdout.split())
    assert given > taken / 3, "half of it is free, in whole pages but for the ends of each block"
