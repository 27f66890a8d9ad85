"""The lcd role: `screen` messages and the worker's heartbeats become pictures on a panel.

It shows no code that a trusted worker has not signed and no frame that cannot be read back. It counts down by its own
steady clock, and asks for help when nobody is there to take the payment (``screen/presenter.py`` has these rules).
Drawing and the panel's bus are the work of a thread of its own, so a panel that hangs or fails harms nothing else. What
may follow a code is drawn while the driver pays, so that nothing is drawn while the boom is about to rise.
"""

import asyncio
import contextlib
import math
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Protocol

from PIL import Image

from terminal.allocator import give_back
from terminal.contract.messages import Health, Screen
from terminal.contract.signatures import TrustedKeys, check_screen
from terminal.core.model import ScreenState
from terminal.mqtt.endpoint import Endpoint
from terminal.mqtt.presence import Presence
from terminal.mqtt.throttle import Throttle
from terminal.screen import fonts, qr
from terminal.screen.dimming import QUIET, Dimming, place
from terminal.screen.fonts import DoesNotFit
from terminal.screen.layouts import layout_for
from terminal.screen.presenter import ScreenPresenter, without_code
from terminal.screen.qr import QrError, Symbol
from terminal.screen.renderer import Renderer
from terminal.screen.view import Site, View
from terminal.threads import OneThread

LOOK_EVERY_MS = 5_000
"""How often an unchanging view is computed again, to notice that the worker or the broker has gone."""
WHOLE_EVERY_MS = 60_000 - LOOK_EVERY_MS
"""The panel gets a frame at the first look after this time, so every minute: SPI does not tell when a panel was
unplugged or lost its power."""
BURST, DRAW_EVERY_MS = 8, 125
"""How many frames go out at once, and then the time for each further one: a visit's screens come without delay."""
AHEAD: tuple[ScreenState, ...] = ("paid", "free")
"""What may follow a code, and is drawn while it stands."""
RETRY_MS = 2_000
"""The pause after a failed frame."""
WAIT_AFTER_S = 0.15
"""How long another picture than a code stands on before the one that asks to wait: PayBy mostly answers by then, and
the code goes out at once, instead of behind a frame that nobody has time to read."""
NEVER = Dimming()
NO_WORKER = View("help", "no-answer")
"""States in which nobody can be served and no visit has begun: one may stand for a weekend."""
PATIENCE_S = 5.0
"""A panel that takes longer than this for a frame hangs."""


class PanelDriver(Protocol):
    """What drivers/panel.py is to this role."""

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in px, as the driver sees the panel."""

    def show(self, image: Image.Image) -> None:
        """Bring an RGB image of that size to the glass; may block. Raises OSError if it cannot."""

    @property
    def light(self) -> Callable[[float], None] | None:
        """Sets the backlight, 0 (dark) to 1; may block, and raises OSError if it cannot. None: there is none."""

    def close(self) -> None:
        """Darken the glass and release it; may be called twice. May block; called by whoever opened the panel."""


class LcdRole:
    """Shows the endpoint's lane on ``panel``, whose configured name is ``name``, until cancelled.

    ``trusted``: the keys of `[lift] trusted`. ``idle``: the operator's own idle picture; ``no_idle`` says why it cannot
    be shown. ``light`` sets the panel's backlight, in a thread, and may raise OSError; without one the picture itself
    is dimmed. ``told`` hears of every view that has reached the glass. Raises ValueError for a panel or a picture of
    the wrong size.
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
        told: Callable[[View], None] | None = None,
        patience_s: float = PATIENCE_S,
        wait_after_s: float = WAIT_AFTER_S,
    ) -> None:
        if endpoint.lane is None:
            raise ValueError("an LCD needs a lane")
        self._endpoint, self._lane = endpoint, endpoint.lane
        self._clock = endpoint.clock
        self._panel, self._name = panel, name
        self._trusted = trusted
        self._patience_s, self._wait_after_s = patience_s, wait_after_s
        if idle and idle.size != panel.size:
            raise ValueError(f"an idle picture of {idle.size} px for a panel of {panel.size}")
        self._no_idle = no_idle
        self._dimming, self._light, self._told = dimming, light, told
        self._lit = 1.0
        self._renderer = Renderer(layout_for(name, *panel.size), site, idle=idle, dim=1 if light else dimming.share)
        self._presenter = ScreenPresenter(turns=self._renderer.turns, wifi=site.wifi is not None)
        self._quiet: tuple[str, str, int] | None = None
        """State and reason while nobody is served, and since when (ms)."""
        self._presence = Presence(self._clock)
        self._session: str | None = None
        """Whose code was taken last."""
        self._news = asyncio.Event()
        self._connected_ms: int | None = None
        self._lost_ms = self._clock.steady_ms()
        self._shown: tuple[View, int] | None = None
        """The last view that reached the glass, and when."""
        self._proven: frozenset[View] = frozenset()
        """Views of one symbol whose frames could be read back, whatever their seconds."""
        self._frames = Throttle(DRAW_EVERY_MS, burst=BURST)
        self._thread = OneThread("lcd")
        self._waits_since_s: float | None = None
        """Since when to ask to wait, by the event loop's clock; None: something else is to be shown."""
        self.drawn_ahead: Symbol | None = None
        """The code for which what may follow it is drawn."""
        self._troubles: dict[str, str] = {}

    async def run(self) -> None:
        """Show screens until cancelled; raises what ends the connection for good (MqttError)."""
        self._connection(self._endpoint.mqtt_client.connected)
        undo = self._endpoint.mqtt_client.on_change(self._connection)
        if not fonts.raqm_available():
            self._trouble("arabic", f"Arabic cannot be shown; run: {fonts.INSTALL}")
        if self._no_idle:  # our own idle screen stands in for it
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
            self._thread.close()

    # What is heard

    def _connection(self, connected: bool) -> None:
        now = self._clock.steady_ms()
        if connected:
            self._connected_ms = now
        elif self._connected_ms is not None:
            self._connected_ms, self._lost_ms = None, now
        self._news.set()

    async def _listen_health(self) -> None:
        # The worker's own health, or the one will of a process with several roles, which may be on any lane's topic.
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
        """Take in a message; a live ``pay`` only if a trusted worker signed it for this lane, any other then without
        its code."""
        if (screen.state == "pay" or screen.qr) and not retained:
            if check_screen(screen, self._endpoint.garage, self._lane, self._trusted):
                text = "a QR code was not shown, because no trusted worker signed it for this lane"
                await self._endpoint.alert("forged-screen", text)
                if screen.state == "pay":
                    return
                screen = without_code(screen)
            else:
                await self._endpoint.clear("forged-screen", "a signed QR code arrived")
                self._session = screen.session
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
        # While the broker was away no heartbeat could arrive, so their absence proves nothing.
        silent_ms = min(self._presence.silent_ms("worker"), now - self._connected_ms)
        return self._presenter.view(now, silent_ms=silent_ms)

    async def _draw(self) -> None:
        with contextlib.suppress(OSError, DoesNotFit, QrError):  # the first frame meets the same error, and alerts
            await self._thread.run(self._renderer.warm)
        while True:
            self._news.clear()
            wait_ms = await self._step()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait_ms / 1000):
                    await self._news.wait()

    async def _step(self) -> int:
        """Show the view of this moment, if it is not there yet; returns in how many ms to look again."""
        view, now = self._view(), self._clock.steady_ms()
        if hold_ms := self._hold_ms(view):
            return hold_ms
        if self._shown is None or self._shown[0] != view or now - self._shown[1] >= WHOLE_EVERY_MS:
            if not self._frames.take(now):
                return DRAW_EVERY_MS
            if not await self._show(view):
                return RETRY_MS
            self._shown = view, now
            if self._told:
                self._told(view)
            if view.state not in ("wait", "pay"):  # nobody waits for the next picture, which needs its memory anew
                await self._thread.run(partial(self._rest, view))
        if view.state == "pay":
            await self._draw_ahead(view)
        change_ms = self._presenter.next_ms(self._clock.steady_ms()) if view.state == "pay" else None
        if change_ms is not None:
            return change_ms + 2  # timers may end a little early
        return LOOK_EVERY_MS

    def _rest(self, view: View) -> None:
        """Hold no more memory than ``view`` needs."""
        self._renderer.forget(view)
        give_back()

    def _hold_ms(self, view: View) -> int:
        """How long the picture before the one that asks to wait stands on. A code goes off at once."""
        if view.state != "wait" or self._shown is None or self._shown[0].state in ("wait", "pay"):
            self._waits_since_s = None
            return 0
        now_s = asyncio.get_running_loop().time()
        self._waits_since_s = self._waits_since_s or now_s
        return max(0, math.ceil((self._waits_since_s + self._wait_after_s - now_s) * 1000))

    async def _draw_ahead(self, view: View) -> None:
        """Draw what may follow this code, each in its turn: what is to be shown meanwhile waits for one at most."""
        if self.drawn_ahead == view.symbol:
            return
        for state in AHEAD:
            if self._news.is_set():
                return
            with contextlib.suppress(OSError, DoesNotFit):  # whoever shows it alerts
                await self._thread.run(partial(self._renderer.prepare, replace(view, state=state, symbol=None)))
        self.drawn_ahead = view.symbol

    async def _show(self, view: View) -> bool:
        """Draw, read back and push one frame in a thread; False if nothing reached the glass."""
        work = asyncio.create_task(self._thread.run(partial(self._push, view)), name="lcd frame")
        try:
            if not (await asyncio.wait({work}, timeout=self._patience_s))[0]:
                await self._alert_panel(f"the panel has not taken a frame for {self._patience_s} s")
            await work
        except QrError as error:
            await self._refuse(view, str(error))
            return True
        except DoesNotFit as error:  # a screen that always fits stands there until the next view
            screen, advice = f"{view.state} {view.reason}".strip(), "shorten garage.help_phone or the garage's name"
            text = f"the screen {screen!r} does not fit on the {self._name}: {error}; {advice}, or take a larger panel"
            await self._alert_panel(text)
            return True
        except OSError as error:
            await self._alert_panel(f"the panel shows no frame: {error}")
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
        except DoesNotFit:  # the alert comes once the old picture, perhaps a payment's code, is gone
            self._bring(view, self._renderer.bare(view).image)
            raise
        frame = replace(view, left=None)  # the hints stand beside the code too
        if view.state in ("pay", "paid") and view.page == "code" and view.symbol and frame not in self._proven:
            if not qr.shows(image, view.symbol):
                raise QrError("the QR code could not be read back from the frame")
            self._proven = frozenset({frame, *(one for one in self._proven if one.symbol == view.symbol)})
        self._bring(view, image)

    def _bring(self, view: View, image: Image.Image) -> None:
        """Bring image and light to the glass."""
        share = self._dimming.share if view.dim else 1.0
        if self._light and share != self._lit:
            self._light(share)
            self._lit = share
        self._panel.show(image)

    async def _refuse(self, view: View, why: str) -> None:
        """Show help in place of this code, and alert."""
        if view.symbol:
            self._presenter.refuse(view.symbol, why)
        self._news.set()
        if view.state == "paid":
            await self._endpoint.alert("receipt-unreadable", why)
            return
        code = view.help_code or None
        await self._endpoint.alert("qr-unreadable", why, session=self._session, help_code=code)

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
