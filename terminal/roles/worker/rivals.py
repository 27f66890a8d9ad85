"""Exactly one worker serves a garage: of two that hear each other's live heartbeats the later one stops."""

from terminal.contract.messages import Health, moment
from terminal.link import Link


class SecondWorker(Exception):
    """Another worker serves this garage and was there first."""


class Rivals:
    """The heartbeats of workers that began before this one; an instance's id, a UUIDv7, tells when it began."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._began = link.clock.wall_ms()
        self._heard: dict[str, tuple[str, int]] = {}

    async def hear(self, health: Health, *, retained: bool) -> None:
        """Raise SecondWorker at the second new heartbeat of an older one. One proves nothing: the broker may have kept
        the last one of the worker before us."""
        if retained or health.state == "offline" or health.instance >= self._link.bus.instance:
            return
        last, count = self._heard.get(health.instance, ("", 0))
        new = health.at != last and moment(health.at) > self._began
        self._heard[health.instance] = health.at, count + new
        if count + new >= 2:
            await self._link.alert("second-worker", "critical", "a second worker was started for this garage; it stops")
            raise SecondWorker("another worker already serves this garage; exactly one may")
