"""The loops role: is a vehicle waiting, which one, and is one under the boom. Said on change, after a connect and
every 5 s.

A car gets its id as it drives onto the waiting loop and keeps it until that loop clears, also across a restart of
this role: a driver who has just paid must not become another car because a process died.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable
from typing import NoReturn, Protocol

from terminal.clock import new_id
from terminal.contract.alerts import AlertCode
from terminal.contract.messages import Vehicle, moment
from terminal.mqtt.endpoint import Endpoint
from terminal.mqtt.errors import SubscriptionRefused
from terminal.mqtt.heartbeat import SAID_AGAIN_S

EVERY_S = 5.0
RECALL_S = 1.0
"""How long the broker may take, once it has granted the subscription, to hand out our own retained message."""
RECALL_AGE_MS = 60_000
"""How old that message may be. A Raspberry Pi is back 45 s after a power cut; later it may well be another car."""
STUCK_MS = 30 * 60_000
"""A loop covered for so long needs a look: a car has broken down, or the loop has."""


class LoopsDriver(Protocol):
    """What drivers/loops.py is to this role."""

    @property
    def waiting(self) -> bool:
        """Does metal cover the loop before the boom?"""

    @property
    def under_boom(self) -> bool:
        """The same for the loop under the boom."""

    @property
    def trouble(self) -> str | None:
        """What is wrong with a loop, in one line; None when nothing is."""

    def on_change(self, callback: Callable[[], None]) -> None:
        """Call ``callback``, in the event loop's thread, after each change of any of the three."""


class LoopsRole:
    """Publishes ``vehicle`` for the endpoint's lane from a pair of loops until cancelled."""

    def __init__(
        self, endpoint: Endpoint, loops: LoopsDriver, *, every_s: float = EVERY_S, recall_s: float = RECALL_S
    ) -> None:
        self._endpoint = endpoint
        self._loops = loops
        self._every_s = every_s
        self._recall_s = recall_s
        self._seen: deque[tuple[bool, bool]] = deque()
        """What the loops showed and is not said yet: a car that leaves while another drives up is two cars."""
        self._news = asyncio.Event()
        self._again: asyncio.TimerHandle | None = None
        self._began_ms = 0
        self._waiting = False
        self._car: str | None = None
        self._since_ms: dict[str, int] = {}
        """Since when, by the steady clock, each loop is covered."""

    async def run(self) -> None:
        """Say what the loops show until cancelled; raises what ends the connection for good (BusError)."""
        undo = self._endpoint.mqtt_client.on_change(self._connection)
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._endpoint.run_heartbeat(), name="loops health")
                tasks.create_task(self._serve(), name="loops")
        finally:
            undo()
            self._connection(False)

    def _connection(self, connected: bool) -> None:
        """Who lost the broker as well waits for our word, to know which car a lift is for: it comes at once, and again
        after the heartbeat that is said again, without which it is not believed."""
        if self._again:
            self._again.cancel()
        if connected:
            self._remind()
            self._again = asyncio.get_running_loop().call_later(SAID_AGAIN_S + 0.05, self._remind)

    def _remind(self) -> None:
        if not self._seen:
            self._note()

    async def _serve(self) -> NoReturn:
        self._loops.on_change(self._note)
        self._began_ms = self._endpoint.clock.wall_ms()
        self._note()
        if self._loops.waiting and (car := await self._recall()):
            self._waiting, self._car = True, car
        while True:
            self._news.clear()
            while self._seen:
                await self._say(*self._seen.popleft())
            await self._report()
            try:
                async with asyncio.timeout(self._every_s):
                    await self._news.wait()
            except TimeoutError:
                self._note()

    def _note(self) -> None:
        self._seen.append((self._loops.waiting, self._loops.under_boom))
        self._news.set()

    async def _recall(self) -> str | None:
        """The id of the car that waited when this role was last there, if that was just now.

        It is asked of the broker as soon as there is one: until then nobody hears of this car by another id. A broker
        that does not let us read our own words costs a waiting car its id, and nothing else.
        """
        with self._endpoint.subscribe("vehicle") as stream, contextlib.suppress(TimeoutError, SubscriptionRefused):
            await stream.granted()
            async with asyncio.timeout(self._recall_s):
                async for received in stream:
                    received.ack()
                    match received.message:
                        case Vehicle(waiting=True, car=car, at=at):
                            return car if abs(self._began_ms - moment(at)) <= RECALL_AGE_MS else None
                    return None
        return None

    async def _say(self, waiting: bool, under_boom: bool) -> None:
        if waiting and not self._waiting:
            self._car = new_id(self._endpoint.clock)
        self._waiting = waiting
        now = self._endpoint.clock.steady_ms()
        for name, covered in (("waiting", waiting), ("boom", under_boom)):
            if covered:
                self._since_ms.setdefault(name, now)
            else:
                self._since_ms.pop(name, None)
        car = self._car if waiting else None
        await self._endpoint.publish(Vehicle(**self._endpoint.head(), waiting=waiting, car=car, under_boom=under_boom))

    async def _report(self) -> None:
        """Health and alerts: a loop that cannot be right says so, and goes on being reported as it is."""
        now = self._endpoint.clock.steady_ms()
        stuck = [name for name, since in self._since_ms.items() if now - since > STUCK_MS]
        text = f"the {' and the '.join(stuck)} loop shows a vehicle since more than 30 minutes" if stuck else None
        troubles: dict[AlertCode, str | None] = {"loop-bouncing": self._loops.trouble, "loop-stuck": text}
        for code, trouble in troubles.items():
            if trouble:
                await self._endpoint.alert(code, trouble)
            else:
                await self._endpoint.clear(code, "the loops are as they should be")
        if reasons := [r for r in (self._loops.trouble, text) if r]:
            self._endpoint.degraded("; ".join(reasons))
        else:
            self._endpoint.healthy()
