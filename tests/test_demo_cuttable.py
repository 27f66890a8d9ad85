"""What can be taken away and put back."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from terminal.demo.cuttable import Cuttable


async def test_a_part_is_closed_by_a_cut_and_made_anew_after_it() -> None:
    told: list[str] = []

    @asynccontextmanager
    async def part() -> AsyncIterator[None]:
        told.append("open")
        yield
        told.append("closed")

    async with Cuttable(part) as cuttable:
        await cuttable.cut()
        await cuttable.cut()
        await cuttable.restore()
        await cuttable.restore()
        assert told == ["open", "closed", "open"]
    assert told == ["open", "closed", "open", "closed"]


async def test_one_that_does_not_open_raises_and_may_be_tried_again() -> None:
    broken = [True]

    @asynccontextmanager
    async def part() -> AsyncIterator[None]:
        if broken.pop() if broken else False:
            raise OSError("port in use")
        yield

    cuttable = Cuttable(part)
    with pytest.raises(OSError, match="port in use"):
        await cuttable.restore()
    await cuttable.restore()
    await cuttable.cut()
