"""Is a worker there to be asked? Its own health tells, and the beat of the process that it may be part of."""

import asyncio
import contextlib

from terminal.clock import Clock
from terminal.contract.messages import Health, moment
from terminal.contract.topics import SILENT_MS
from terminal.mqtt.endpoint import ReceivedMessage

WORKER, PROCESS = "worker", "run"


class WorkerSigns:
    """What the broker kept and what comes live, of one garage's worker. Feed it every ``health``.

    A worker under `run` repeats its own health once a minute; the process beats for it every 5 s, under the same
    ``instance``. What the broker kept counts while its own time is not older than a beat may be.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._worker: Health | None = None
        self._beats: dict[str, int] = {}
        """When each instance was last known to be alive, wall ms."""
        self._news = asyncio.Event()

    def take(self, heard: ReceivedMessage) -> None:
        """Note a ``health``; others change nothing."""
        health = heard.message
        if not isinstance(health, Health) or heard.topic.role not in (WORKER, PROCESS):
            return
        if heard.topic.role == WORKER:
            self._worker = health
        if health.state == "offline":
            self._beats.pop(health.instance, None)
        else:
            at_ms = moment(health.at) if heard.retained else self._clock.wall_ms()
            self._beats[health.instance] = max(at_ms, self._beats.get(health.instance, 0))
        self._news.set()

    async def told(self, within_s: float) -> None:
        """Return once it is heard that a worker is there, at the latest after ``within_s``: the broker may have kept
        its health and its process's in any order."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                while not self.is_there:
                    self._news.clear()
                    await self._news.wait()

    @property
    def is_unknown(self) -> bool:
        """Was nothing at all heard of a worker?"""
        return self._worker is None

    @property
    def is_there(self) -> bool:
        """Has a worker certainly been alive within the last beats?"""
        return self._worker is not None and self._worker.state != "offline" and self._silent_ms() <= SILENT_MS

    @property
    def absence(self) -> str:
        """What shows that there is none, in words; empty where nothing shows it."""
        if self._worker is None or self.is_there:
            return ""
        if self._worker.state == "offline":
            return f"it said at {self._worker.at} that it is offline"
        return f"it has been silent for {self._silent_ms() // 1000} s"

    def _silent_ms(self) -> int:
        assert self._worker
        return self._clock.wall_ms() - self._beats.get(self._worker.instance, moment(self._worker.at))
