import asyncio
import subprocess
import sys
import threading
from functools import partial

import pytest

from terminal.threads import OneThread, aside


async def test_work_runs_in_another_thread_and_is_waited_for() -> None:
    threads: list[threading.Thread] = []
    await aside(lambda: threads.append(threading.current_thread()), "a name")
    assert [(thread.name, thread.daemon) for thread in threads] == [("a name", True)]
    assert threads[0] is not threading.current_thread()


async def test_what_it_raises_is_raised() -> None:
    def fail() -> None:
        raise OSError("the bus is gone")

    with pytest.raises(OSError, match="the bus is gone"):
        await aside(fail, "fails")


async def test_nobody_waits_for_work_that_was_cancelled_and_its_end_disturbs_nobody() -> None:
    begun, free, ended = threading.Event(), threading.Event(), threading.Event()

    def work() -> None:
        begun.set()
        free.wait(10)
        ended.set()
        raise OSError("too late to be heard")

    task = asyncio.create_task(aside(work, "hangs"))
    assert await asyncio.to_thread(begun.wait, 10)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    free.set()
    assert await asyncio.to_thread(ended.wait, 10)


def test_work_that_hangs_keeps_no_process_from_its_end() -> None:
    code = """
import asyncio, threading
from terminal.threads import OneThread, aside
async def main():
    task = asyncio.create_task(aside(threading.Event().wait, "hangs"))
    await asyncio.sleep(0)
    task.cancel()
asyncio.run(main())
"""
    assert subprocess.run([sys.executable, "-c", code], timeout=60, check=False).returncode == 0


async def test_one_thread_does_one_piece_of_work_after_the_other_until_it_is_closed() -> None:
    thread, did = OneThread("draws"), list[tuple[int, str]]()

    def work(number: int) -> int:
        did.append((number, threading.current_thread().name))
        return number * 2

    assert await asyncio.gather(*(thread.run(partial(work, number)) for number in range(3))) == [0, 2, 4]
    assert did == [(0, "draws"), (1, "draws"), (2, "draws")]
    (own,) = [one for one in threading.enumerate() if one.name == "draws"]
    thread.close()
    thread.close()
    await asyncio.to_thread(own.join, 10)
    assert not own.is_alive()


async def test_a_piece_of_work_that_fails_ends_neither_the_thread_nor_the_next_one() -> None:
    thread = OneThread("draws")

    def fail() -> None:
        raise OSError("the bus is gone")

    with pytest.raises(OSError, match="the bus is gone"):
        await thread.run(fail)
    assert await thread.run(lambda: 7) == 7
    thread.close()
