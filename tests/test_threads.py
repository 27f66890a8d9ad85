import asyncio
import subprocess
import sys
import threading

import pytest

from terminal.threads import aside


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
from terminal.threads import aside
async def main():
    task = asyncio.create_task(aside(threading.Event().wait, "hangs"))
    await asyncio.sleep(0)
    task.cancel()
asyncio.run(main())
"""
    assert subprocess.run([sys.executable, "-c", code], timeout=60, check=False).returncode == 0
