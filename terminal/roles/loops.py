"""The loops role: publishes whether a vehicle waits, which one, and whether one is under the boom. It does so on each
change, after each connect and every 5 s.

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
"""How long the broker may take to deliver our own retained message once it has granted the subscription."""
RECALL_AGE_MS = 60_000
"""The greatest age of that message. A Raspberry Pi is back 45 s after a power cut; later it may be another car."""
SEEN = 64
"""How many changes wait to be published; of bouncing loops that nobody could be told of, the oldest are forgotten."""
STUCK_MS = 30 * 60_000
"""A loop that is covered for longer than this needs a look: the car or the loop has broken down."""


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
        """What is wrong with a loop, in one line; None if nothing is."""

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
        self._seen: deque[tuple[bool, bool]] = deque(maxlen=SEEN)
        """What the loops showed and is not published yet: a car that leaves as another drives up makes two messages."""
        self._news = asyncio.Event()
        self._again: asyncio.TimerHandle | None = None
        self._began_ms = 0
        self._waiting = False
        self._car: str | None = None
        self._since_ms: dict[str, int] = {}
        """When each loop was covered, by the steady clock (ms)."""

    async def run(self) -> None:
        """Publish what the loops show until cancelled; raises MqttError when the connection ends for good."""
        undo = self._endpoint.mqtt_client.on_change(self._connection)
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._endpoint.run_heartbeat(), name="loops health")
                tasks.create_task(self._serve(), name="loops")
        finally:
            undo()
            self._connection(False)

    def _connection(self, connected: bool) -> None:
        """A barrier that also lost the broker waits for our message to know which car a lift is for. So it is published
        at once, and again after the repeated heartbeat, without which it is not believed."""
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

        The broker is asked as soon as there is a connection: until then nobody hears of this car by another id. If the
        broker does not let us read our own messages, a waiting car loses its id, and nothing else.
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
        """Set health and alerts. A loop that cannot be right raises an alert, and is still reported as it is."""
        now = self._endpoint.clock.steady_ms()
        stuck = [name for name, since in self._since_ms.items() if now - since > STUCK_MS]
        text = f"the {' and the '.join(stuck)} loop has shown a vehicle for more than 30 minutes" if stuck else None
        troubles: dict[AlertCode, str | None] = {"loop-bouncing": self._loops.trouble, "loop-stuck": text}
        for code, trouble in troubles.items():
            if trouble:
                await self._endpoint.alert(code, trouble)
            else:
                await self._endpoint.clear(code, "the loops work as they should")
        if reasons := [r for r in (self._loops.trouble, text) if r]:
            self._endpoint.degraded("; ".join(reasons))
        else:
            self._endpoint.healthy()
