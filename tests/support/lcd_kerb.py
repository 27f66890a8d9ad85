"""An LCD's role before a glass that remembers, and what it hears at its lane."""

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from PIL import Image

from terminal.clock import Clock, new_id
from terminal.contract.messages import Alert, Health, Screen, decode, stamp
from terminal.contract.signatures import TrustedKeys, sign_screen
from terminal.mqtt.endpoint import Endpoint
from terminal.roles.lcd import LcdRole
from terminal.screen import qr
from terminal.screen.layouts import LAYOUTS
from terminal.screen.renderer import Renderer
from terminal.screen.sample_views import SITE, URL
from terminal.screen.view import View
from tests.support.eventually import eventually
from tests.support.memory_bus import MemoryBus
from tests.support.turned_clock import TurnedClock

LANE = "parking/marina/exit-1/"
WORKER = "parking/marina/garage/health/worker"
SESSION = "01a1ec96-3c00-7000-8000-000000004f2a"
KEY, STRANGER = Ed25519PrivateKey.from_private_bytes(bytes(32)), Ed25519PrivateKey.from_private_bytes(b"x" * 32)
PAY: dict[str, Any] = {
    "state": "pay",
    "amount": "25.00",
    "minutes": 125,
    "tail": "4F2A",
    "help_code": "7K3QF",
    "symbol": qr.encode(URL),
}


class GlassPanel:
    """A panel that remembers all that was brought to it, and can fail or hang, which no simulated one does."""

    def __init__(self, size: tuple[int, int] = (480, 320)) -> None:
        self.size = size
        self.frames: list[Image.Image] = []
        self.threads: set[int] = set()
        self.error: OSError | None = None
        self.free = threading.Event()
        self.free.set()
        self._loop = asyncio.get_running_loop()
        self._news = asyncio.Event()

    def show(self, image: Image.Image) -> None:
        self.free.wait(10)
        self.threads.add(threading.get_ident())
        assert (image.mode, image.size) == ("RGB", self.size)
        if self.error:
            raise self.error
        self.frames.append(image.copy())
        self._loop.call_soon_threadsafe(self._news.set)

    async def until(self, count: int) -> Image.Image:
        """Wait until there are this many frames; returns the last one."""
        async with asyncio.timeout(5):
            while len(self.frames) < count:
                self._news.clear()
                await self._news.wait()
        assert len(self.frames) == count
        return self.frames[-1]


def pay(clock: Clock, url: str = URL, key: Ed25519PrivateKey = KEY, lane: str = "exit-1", **changes: Any) -> Screen:
    """A signed pay screen of this moment, with whatever is changed before it is signed."""
    now = clock.wall_ms()
    whole = {
        "id": new_id(clock),
        "at": stamp(now),
        "state": "pay",
        "session": SESSION,
        "amount": "25.00",
        "currency": "AED",
        "minutes": 125,
        "expires": stamp(now + 110_000),
        "remaining": 110,
        "help_code": "7K3QF",
        "qr": qr.to_wire(qr.encode(url)),
    }
    return sign_screen(key, "marina", lane, key="worker", **(whole | changes))


@dataclass
class Kerb:
    """A running lcd role: what it receives, what its panel shows, and what it publishes."""

    bus: MemoryBus
    panel: GlassPanel
    clock: TurnedClock
    role: LcdRole
    renderer: Renderer = field(default_factory=lambda: Renderer(LAYOUTS["ili9488"], SITE))

    def head(self) -> dict[str, Any]:
        return {"id": new_id(self.clock), "at": stamp(self.clock.wall_ms())}

    async def screen(self, state: str, **fields: Any) -> None:
        await self.bus.hears(LANE + "screen", Screen(**self.head(), state=state, **fields))  # type: ignore[arg-type]
        await self.settled()

    def pay(self, **changes: Any) -> Screen:
        return pay(self.clock, **changes)

    async def pays(self, message: Screen) -> None:
        await self.bus.hears(LANE + "screen", message)
        await self.settled()

    async def beat(self, state: str = "online", topic: str = WORKER, instance: str = "w") -> None:
        health = Health(**self.head(), state=state, version="1", instance=instance, since=stamp(0))  # type: ignore[arg-type]
        await self.bus.hears(topic, health)
        await self.settled()

    async def shown(self, url: str) -> list[Image.Image]:
        """Wait until the glass shows the code of a link; all frames so far."""
        await eventually(lambda: self.panel.frames and qr.decode(self.panel.frames[-1]) == url)
        return self.panel.frames

    async def settled(self) -> None:
        for _ in range(20):
            await asyncio.sleep(0)

    def view(self, image: Image.Image, **fields: Any) -> bool:
        """Is this the picture of that view?"""
        return image == self.renderer.compose(View(**fields))

    def alerts(self) -> list[tuple[str, str]]:
        return [(alert.code, alert.state) for alert in self.bus.of(Alert)]

    def health(self) -> Health:
        return decode(Health, self.bus.retained[LANE + "health/lcd"])


@asynccontextmanager
async def kerb(
    bus: MemoryBus | None = None, panel: GlassPanel | None = None, patience_s: float = 5.0, **options: Any
) -> AsyncIterator[Kerb]:
    bus, clock, panel = bus or MemoryBus(), TurnedClock(), panel or GlassPanel()
    endpoint = Endpoint(bus.as_bus(), garage="marina", lane="exit-1", role="lcd", version="1", clock=clock)
    name = {(480, 320): "ili9488", (240, 240): "st7789-240", (320, 240): "ili9341"}.get(panel.size, "png")
    trusted = TrustedKeys({"worker": KEY.public_key()})
    role = LcdRole(
        endpoint, panel, **({"name": name, "site": SITE, "trusted": trusted, "patience_s": patience_s} | options)
    )
    task = asyncio.create_task(role.run())
    made = Kerb(bus, panel, clock, role)
    try:
        if panel.free.is_set() and not panel.error:
            await panel.until(1)
        yield made
        assert not task.done(), task.exception()
        assert bus.unacknowledged == 0
    finally:
        panel.free.set()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
