"""The picture on a lane's LCD, drawn from the same messages by the same code, so that an operator sees what the driver
sees. A code that no trusted worker has signed is not shown here either."""

import asyncio
import hashlib
import io
from collections import OrderedDict
from dataclasses import replace

from PIL import Image

from terminal.clock import Clock
from terminal.contract.messages import BadMessage, Screen, decode
from terminal.contract.signatures import TrustedKeys, check_screen
from terminal.core.model import ScreenState
from terminal.screen.fonts import DoesNotFit
from terminal.screen.layouts import layout_for
from terminal.screen.presenter import ScreenPresenter, without_code
from terminal.screen.qr import QrError
from terminal.screen.renderer import Renderer
from terminal.screen.view import Site, View

KEPT = 256
"""Pictures, about 10 kB each."""
_NAMES_ITS_LANE: frozenset[ScreenState] = frozenset({"help", "closed", "out-of-order"})
"""States whose screens look different at each lane."""


class Glasses:
    """The screens of all lanes. ``panel``, ``size`` (px): as the lanes' LCDs are. ``trusted`` None: no key is known
    here, so no code is shown."""

    def __init__(
        self, garage: str, clock: Clock, site: Site, trusted: TrustedKeys | None, panel: str, size: tuple[int, int]
    ) -> None:
        self._garage, self._clock, self._trusted = garage, clock, trusted
        self._layout, self._site = layout_for(panel, *size), site
        self._renderer = Renderer(self._layout, site)
        self._presenters: dict[str, ScreenPresenter] = {}
        self._pictures: OrderedDict[tuple[str, View], bytes] = OrderedDict()
        self._drawing = asyncio.Lock()
        self.size = size

    def take(self, lane: str, payload: bytes, *, retained: bool) -> None:
        """Note a ``screen``, as an LCD would."""
        try:
            screen = decode(Screen, payload)
        except BadMessage:
            return
        if (screen.state == "pay" or screen.qr) and not retained and not self._is_signed(screen, lane):
            if screen.state == "pay":
                return
            screen = without_code(screen)
        presenter = self._presenters.setdefault(lane, ScreenPresenter(turns=self._renderer.turns))
        presenter.take(screen, self._clock.steady_ms(), retained=retained)

    def view(self, lane: str, *, away_ms: int = 0, silent_ms: int = 0) -> View:
        """What that lane's glass shows now; ``away_ms`` and ``silent_ms`` as for an LCD."""
        presenter = self._presenters.get(lane)
        if presenter is None:
            return View("wait")
        return presenter.view(self._clock.steady_ms(), away_ms=away_ms, silent_ms=silent_ms)

    def mark(self, view: View) -> str:
        """Names a picture: views that look the same but for the countdown have the same."""
        still = replace(view, left=None, hint="")
        return hashlib.sha256(repr(still).encode()).hexdigest()[:12]

    async def picture(self, lane: str, view: View) -> bytes:
        """The picture of that lane's glass as PNG; it is drawn in a thread, one at a time. What looks the same at all
        lanes is drawn once."""
        key = lane if view.state in _NAMES_ITS_LANE else "", view
        async with self._drawing:
            if (data := self._pictures.get(key)) is None:
                data = self._pictures[key] = await asyncio.to_thread(self._draw, *key)
                if len(self._pictures) > KEPT:
                    self._pictures.popitem(last=False)
            self._pictures.move_to_end(key)
            return data

    def _is_signed(self, screen: Screen, lane: str) -> bool:
        return self._trusted is not None and check_screen(screen, self._garage, lane, self._trusted) is None

    def _draw(self, lane: str, view: View) -> bytes:
        renderer = Renderer(self._layout, replace(self._site, lane=lane)) if lane else self._renderer
        try:
            image = renderer.compose(view)
        except (DoesNotFit, QrError):
            image = renderer.bare(replace(view, symbol=None)).image
        out = io.BytesIO()
        image.quantize(64, method=Image.Quantize.FASTOCTREE).save(out, "PNG")
        return out.getvalue()
