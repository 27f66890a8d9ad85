"""The lcd role: `screen` messages and the worker's heartbeats become pictures on a panel.

It shows no code that a trusted worker has not signed and no frame that could not be read back, counts down by its own
steady clock, and says so when nobody is there to take the payment (Showing has these rules). Drawing and the panel's
wire are a thread's work; a panel that hangs or fails harms nobody else.
"""

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Protocol

from PIL import Image

from terminal.contract.messages import Health, Screen
from terminal.contract.signatures import TrustedKeys, check_screen
from terminal.mqtt.endpoint import Endpoint
from terminal.mqtt.presence import Presence
from terminal.mqtt.throttle import Throttle
from terminal.screen import fonts, qr
from terminal.screen.dimming import QUIET, Dimming, place
from terminal.screen.fonts import DoesNotFit
from terminal.screen.layouts import layout_for
from terminal.screen.presenter import ScreenPresenter
from terminal.screen.qr import QrError
from terminal.screen.renderer import Renderer
from terminal.screen.view import Site, View
from terminal.threads import aside

LOOK_EVERY_MS = 5_000
"""A view that does not change by itself is looked at again this often: has somebody gone?"""
WHOLE_EVERY_MS = 60_000 - LOOK_EVERY_MS
"""The panel gets a frame at the first look after so long, and thus each minute: SPI does not tell that one was
unplugged or lost its power."""
BURST, DRAW_EVERY_MS = 8, 125
"""Frames at once, then one in so much time: a visit's screens come without delay, a flood of messages does not."""
RETRY_MS = 2_000
"""After a failed frame."""
NEVER = Dimming()
NO_WORKER = View("help", "no-answer")
"""Nobody can be served, and no visit had begun: it may stand for a weekend."""
PATIENCE_S = 5.0
"""A frame that takes longer: the panel hangs."""


class PanelDriver(Protocol):
    """What drivers/panel.py is to this role."""

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in px, as the driver sees the panel."""

    def show(self, image: Image.Image) -> None:
        """Bring an RGB image of that size to the glass; may block. Raises OSError where it cannot."""

    @property
    def light(self) -> Callable[[float], None] | None:
        """Sets the backlight, 0 for dark to 1; may block and raises OSError where it cannot. None: there is none."""

    def close(self) -> None:
        """Darken the glass and give it back; twice is harmless. May block; whoever opened the panel calls it."""


class LcdRole:
    """Shows the endpoint's lane on ``panel`` (its configuration's name in ``name``), until cancelled.

    ``trusted``: the keys of `[lift] trusted`. ``idle``: the operator's own idle picture; ``no_idle`` says why there is
    none although one is wanted. ``light`` sets the panel's backlight, in a thread, and may raise OSError; where there
    is none the picture itself is dimmed. Raises ValueError for a panel or a picture of the wrong size.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        panel: PanelDriver,
        *,
        name: str,
        site: Site,
        trusted: TrustedKeys,
        idle: Image.Image | None = None,
        no_idle: str = "",
        dimming: Dimming = NEVER,
        light: Callable[[float], None] | None = None,
        patience_s: float = PATIENCE_S,
    ) -> None:
        if endpoint.lane is None:
            raise ValueError("an LCD needs a lane")
        self._endpoint, self._lane = endpoint, endpoint.lane
        self._clock = endpoint.clock
        self._panel, self._name = panel, name
        self._trusted = trusted
        self._patience_s = patience_s
        if idle and idle.size != panel.size:
            raise ValueError(f"an idle picture of {idle.size} px for a panel of {panel.size}")
        self._no_idle = no_idle
        self._dimming, self._light = dimming, light
        self._lit = 1.0
        self._renderer = Renderer(layout_for(name, *panel.size), site, idle=idle, dim=1 if light else dimming.share)
        self._presenter = ScreenPresenter(turns=self._renderer.turns, wifi=site.wifi is not None)
        self._quiet: tuple[str, str, int] | None = None
        """State and reason while nobody is served, and since when."""
        self._presence = Presence(self._clock)
        self._news = asyncio.Event()
        self._connected_ms: int | None = None
        self._lost_ms = self._clock.steady_ms()
        self._shown: tuple[View, int] | None = None
        """The last view that reached the glass, and when."""
        self._proven: frozenset[View] = frozenset()
        """Views of one symbol whose frames could be read back; their seconds do not count."""
        self._frames = Throttle(DRAW_EVERY_MS, burst=BURST)
        self._troubles: dict[str, str] = {}

    async def run(self) -> None:
        """Show screens until cancelled; raises what ends the connection for good (BusError)."""
        self._connection(self._endpoint.mqtt_client.connected)
        undo = self._endpoint.mqtt_client.on_change(self._connection)
        if not fonts.raqm_available():
            self._trouble("arabic", f"Arabic cannot be shown; {fonts.INSTALL}")
        if self._no_idle:  # the screen of our own says the same as it should
            self._trouble("idle", self._no_idle)
            await self._endpoint.alert("idle-picture", self._no_idle)
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._endpoint.run_heartbeat(), name="lcd health")
                tasks.create_task(self._listen_health(), name="lcd worker's health")
                tasks.create_task(self._listen_screens(), name="lcd screens")
                tasks.create_task(self._draw(), name="lcd panel")
        finally:
            undo()

    # What is heard

    def _connection(self, connected: bool) -> None:
        now = self._clock.steady_ms()
        if connected:
            self._connected_ms = now
        elif self._connected_ms is not None:
            self._connected_ms, self._lost_ms = None, now
        self._news.set()

    async def _listen_health(self) -> None:
        # The worker's own, or the one will of a process with several roles; it may stand at any lane.
        with self._endpoint.subscribe("health/worker", "health/run", lane="+") as stream:
            async for received in stream:
                received.ack()
                if isinstance(received.message, Health):
                    self._presence.take(received.topic, received.message, retained=received.retained)
                    self._news.set()

    async def _listen_screens(self) -> None:
        with self._endpoint.subscribe("screen") as stream:
            async for received in stream:
                received.ack()
                if isinstance(received.message, Screen):
                    await self._take(received.message, retained=received.retained)
                    self._news.set()

    async def _take(self, screen: Screen, *, retained: bool) -> None:
        """Take a message in; of a live ``pay`` only what a trusted worker signed for this lane."""
        if screen.state == "pay" and not retained:
            if check_screen(screen, self._endpoint.garage, self._lane, self._trusted):
                text = "a QR code that no trusted worker signed for this lane was not shown"
                await self._endpoint.alert("forged-screen", text)
                return
            await self._endpoint.clear("forged-screen", "a signed QR code came")
        self._presenter.take(screen, self._clock.steady_ms(), retained=retained)

    # What is shown

    def _view(self) -> View:
        now = self._clock.steady_ms()
        view = self._believed()
        if view.state not in QUIET and view != NO_WORKER:
            self._quiet = None
            return view
        if self._quiet is None or self._quiet[:2] != (view.state, view.reason):
            self._quiet = view.state, view.reason, now
        quiet_ms = now - self._quiet[2]
        return replace(view, dim=self._dimming.dims(self._clock.wall_ms(), quiet_ms), moved=place(quiet_ms))

    def _believed(self) -> View:
        now = self._clock.steady_ms()
        if self._connected_ms is None:
            return self._presenter.view(now, away_ms=now - self._lost_ms)
        # Heartbeats could not be heard while the broker was away: their absence then proves nothing.
        silent_ms = min(self._presence.silent_ms("worker"), now - self._connected_ms)
        return self._presenter.view(now, silent_ms=silent_ms)

    async def _draw(self) -> None:
        with contextlib.suppress(OSError, DoesNotFit, QrError):  # the first frame meets it again, and tells
            await asyncio.to_thread(self._renderer.warm)
        while True:
            self._news.clear()
            wait_ms = await self._step()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait_ms / 1000):
                    await self._news.wait()

    async def _step(self) -> int:
        """Show what is to be seen now, if it is not there yet; returns when to look again, in ms."""
        view, now = self._view(), self._clock.steady_ms()
        if self._shown is None or self._shown[0] != view or now - self._shown[1] >= WHOLE_EVERY_MS:
            if not self._frames.take(now):
                return DRAW_EVERY_MS
            if not await self._show(view):
                return RETRY_MS
            self._shown = view, now
        change_ms = self._presenter.next_ms(self._clock.steady_ms()) if view.state == "pay" else None
        if change_ms is not None:
            return change_ms + 2  # timers may end a little early
        return LOOK_EVERY_MS

    async def _show(self, view: View) -> bool:
        """Draw, prove and push one frame in a thread; False where nothing reached the glass."""
        work = asyncio.create_task(aside(partial(self._push, view), "lcd frame"), name="lcd frame")
        try:
            if not (await asyncio.wait({work}, timeout=self._patience_s))[0]:
                await self._alert_panel(f"the panel has not taken a frame for {self._patience_s} s")
            await work
        except QrError as error:
            await self._refuse(view, str(error))
            return True
        except DoesNotFit as error:  # what can always be drawn stands there until the next view
            screen, mend = f"{view.state} {view.reason}".strip(), "shorten garage.help_phone or the garage's name"
            text = f"the screen {screen!r} does not fit on the {self._name}: {error}; {mend}, or take a larger panel"
            await self._alert_panel(text)
            return True
        except OSError as error:
            await self._alert_panel(f"no frame can be shown: {error}")
            return False
        finally:
            work.cancel()
        if self._troubles.pop("panel", None):
            self._report()
            await self._endpoint.clear("lcd-panel", "frames are shown again")
        if view.symbol:
            await self._endpoint.clear("qr-unreadable", "a QR code is shown")
        return True

    def _push(self, view: View) -> None:
        try:
            image = self._renderer.compose(view)
        except DoesNotFit:  # told once the glass no longer bears what stood there, a payment's code perhaps
            self._bring(view, self._renderer.bare(view).image)
            raise
        frame = replace(view, left=None)  # the hints stand beside the code too
        if view.state == "pay" and view.page == "code" and view.symbol and frame not in self._proven:
            if not qr.shows(image, view.symbol):
                raise QrError("the QR code could not be read back from the frame")
            self._proven = frozenset({frame, *(one for one in self._proven if one.symbol == view.symbol)})
        self._bring(view, image)

    def _bring(self, view: View, image: Image.Image) -> None:
        """Image and light to the glass."""
        share = self._dimming.share if view.dim else 1.0
        if self._light and share != self._lit:
            self._light(share)
            self._lit = share
        self._panel.show(image)

    async def _refuse(self, view: View, why: str) -> None:
        """Show help in place of this code, and tell."""
        if view.symbol:
            self._presenter.refuse(view.symbol, why)
        self._news.set()
        await self._endpoint.alert("qr-unreadable", why, help_code=view.help_code or None)

    # Health

    async def _alert_panel(self, text: str) -> None:
        self._trouble("panel", text)
        await self._endpoint.alert("lcd-panel", text)

    def _trouble(self, what: str, text: str) -> None:
        self._troubles[what] = text
        self._report()

    def _report(self) -> None:
        if self._troubles:
            self._endpoint.degraded("; ".join(self._troubles.values()))
        else:
            self._endpoint.healthy()
