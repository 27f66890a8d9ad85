"""What watches a worker's journal, run by a test."""

from typing import Any

from terminal.clock import SystemClock
from terminal.mqtt.endpoint import Endpoint
from terminal.payby.messages import OrderPage
from terminal.roles.worker.journal_keeper import JournalKeeper, WorkerJournal
from terminal.roles.worker.payby_health import WorkerTroubles
from tests.support.lifts import GARAGE
from tests.support.memory_bus import MemoryBus
from tests.support.story import T0

VISITS = 600
CLOCK = SystemClock()


class Nobody:
    """PayBy that gives no list, or fails in the ways that it is given; the sandbox always has one."""

    def __init__(self, *failures: Exception) -> None:
        self.failures = list(failures)

    async def query_order_page(self, start: Any, end: Any, *, number: int, size: int) -> OrderPage:
        if self.failures:
            raise self.failures.pop(0)
        return OrderPage(0, 0)


def a_keeper(store: WorkerJournal, event_store: Any, bus: MemoryBus, payby: Any = None, **more: Any) -> JournalKeeper:
    endpoint = Endpoint(bus.as_bus(), garage=GARAGE, lane=None, role="worker", version="test", clock=CLOCK)

    async def changed() -> None:
        pass

    given = {"now": lambda: T0 + VISITS * 45_000, "changed": changed, "post": lambda event: None, **more}
    return JournalKeeper(endpoint, store, event_store, payby or Nobody(), WorkerTroubles(endpoint), **given)
