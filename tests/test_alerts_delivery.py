"""Letters on their way: what ends a delivery while a try goes on."""

import asyncio
from contextlib import suppress
from typing import cast

import pytest

from terminal.clock import SystemClock
from terminal.roles.alerts.delivery import AlertDelivery
from terminal.roles.alerts.receivers import NotDelivered
from terminal.roles.alerts.wording import AlertLetter


class Deaf:
    """A receiver whose library takes the end of its task for something else: ``said`` or nothing comes of the try."""

    name = "email"

    def __init__(self, said: NotDelivered | None) -> None:
        self.asked = asyncio.Event()
        self._said = said

    async def send(self, letter: AlertLetter) -> None:
        self.asked.set()
        with suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        if self._said:
            raise self._said


@pytest.mark.parametrize("said", [NotDelivered("the server has gone"), None], ids=["a failure", "nothing"])
async def test_a_delivery_ends_even_where_a_library_swallows_that_it_shall(said: NotDelivered | None) -> None:
    receiver = Deaf(said)
    delivery = AlertDelivery(receiver, SystemClock(), lambda: None, pauses_s=(0.0,))
    task = asyncio.create_task(delivery.run())
    delivery.add(cast(AlertLetter, object()))
    await receiver.asked.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(task, 5)
    assert task.cancelled()
