"""What the journal's thread brings to a coroutine."""

import asyncio
import threading
from collections.abc import Callable

import pytest

from terminal.journal.loop_future import LoopFuture


def elsewhere(work: Callable[[], None]) -> None:
    """In another thread, to its end."""
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()


async def test_a_result_from_another_thread_comes_in_one_turn_of_the_loop() -> None:
    future = LoopFuture[int]()
    assert future.set_running_or_notify_cancel()
    found: list[int] = []

    async def waits() -> None:
        found.append(await future)

    task = asyncio.create_task(waits())
    await asyncio.sleep(0)
    elsewhere(lambda: future.set_result(7))
    await asyncio.sleep(0)  # the turn in which it is settled
    await asyncio.sleep(0)  # and its waiter's own
    assert found == [7]
    await task


async def test_an_error_is_raised_where_it_is_awaited() -> None:
    future = LoopFuture[int]()
    elsewhere(lambda: future.set_exception(OSError("the disk is gone")))
    with pytest.raises(OSError, match="the disk is gone"):
        await future


async def test_what_comes_for_a_cancelled_caller_disturbs_nobody() -> None:
    future = LoopFuture[int]()

    async def waits() -> int:
        return await future

    task = asyncio.create_task(waits())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    elsewhere(lambda: future.set_exception(OSError("too late to be heard")))
    await asyncio.sleep(0)


def test_what_comes_after_the_loops_end_is_dropped() -> None:
    async def made() -> LoopFuture[int]:
        return LoopFuture[int]()

    future = asyncio.run(made())
    elsewhere(lambda: future.set_result(7))
