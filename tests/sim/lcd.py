"""The LCD of a lane, as a machine: the last screen that it was told."""

from typing import TYPE_CHECKING

from terminal.contract.messages import Health, Screen
from terminal.contract.topics import GARAGE_WIDE
from tests.sim.net import Payload, SimBus, read

if TYPE_CHECKING:
    from tests.sim.world import World


class Lcd:
    """The glass as the driver sees it; a code goes off when the worker has been silent for 15 s."""

    def __init__(self, world: "World", lane: str) -> None:
        self._world = world
        self._lane = lane
        self._bus = SimBus(world.broker, f"lcd {lane}", world.ids(world.true_ms()))
        self._bus.hears(self._hear, f"parking/{world.garage}/{lane}/screen")
        self._bus.hears(self._hear_worker, f"parking/{world.garage}/{GARAGE_WIDE}/health/worker", fleeting=True)
        self._payload: Payload = b""
        self._live = False
        self._decoded: Screen | None = None
        self._worker_at = 0.0
        self.is_off = False
        """Its machine has no power."""

    def _hear(self, _: str, payload: Payload, retained: bool) -> None:
        if retained and self._live:
            return
        self._payload, self._live, self._decoded = payload, not retained, None

    def _hear_worker(self, _: str, payload: Payload, retained: bool) -> None:
        if not retained and read(Health, payload).state != "offline":
            self._worker_at = self._world.loop.now

    def look(self) -> Screen | None:
        """What is shown; None for a dark or confused screen."""
        if not self._payload or self.is_off:
            return None
        if self._decoded is None:
            self._decoded = read(Screen, self._payload)
        screen = self._decoded
        if screen.state == "pay" and (not self._live or self._world.loop.now - self._worker_at > 15):
            return None
        return screen

    def token(self) -> str | None:
        """What a phone reads off it."""
        screen = self.look()
        if screen is None or screen.state != "pay" or screen.qr is None:
            return None
        return self._world.token_of(screen.qr)
