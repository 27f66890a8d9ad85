"""The product's screens, one after the other on a panel's wire, and what stock luma.lcd would send for the same."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from luma.core.framebuffer import diff_to_previous
from PIL import Image

from drivers.panel import SpiPanel
from drivers.panel_frames import area
from drivers.panel_kinds import KINDS, RAMWR
from terminal.screen.layouts import layout_for
from terminal.screen.renderer import Renderer
from terminal.screen.sample_views import SITE, views
from terminal.screen.view import Digits, View
from terminal.screen.wifi_page import wifi

STEPS = (
    ("idle", "wait"),
    ("wait", "pay"),
    ("idle", "pay"),
    ("pay-2:59", "pay-2:58"),
    ("pay-3:00", "pay-2:59"),
    ("pay-1:00", "pay-0:59"),
    ("pay", "pay-second"),
    ("pay-second", "pay-signal"),
    ("pay-signal", "pay"),
    ("pay", "pay-wifi"),
    ("pay-wifi", "pay"),
    ("pay", "pay-scanned"),
    ("pay-scanned", "paid"),
    ("pay", "paid"),
    ("paid", "paid-invoice"),
    ("paid-invoice", "idle"),
    ("paid", "idle"),
    ("idle", "free"),
    ("free", "idle"),
    ("pay", "wait"),
    ("wait", "help-no-answer"),
    ("pay", "help-qr"),
    ("idle", "help-ticket-used"),
    ("help-ticket-used", "idle"),
    ("idle", "closed-operator"),
    ("closed-operator", "idle"),
    ("idle", "out-of-order-payby"),
    ("out-of-order-payby", "idle"),
    ("idle", "idle-moved"),
    ("idle", "wait-plain"),
    ("wait-plain", "wait"),
)
"""The steps of visits and of idle lanes, by the names that ``screens`` gives."""


class Counter:
    """A wire and a luma serial interface in one, that counts bytes and windows."""

    def __init__(self) -> None:
        self.count = self.windows = 0

    def reset(self) -> None:
        """No byte."""

    def light(self, share: float) -> None:
        """No byte."""

    def close(self) -> None:
        """No byte."""

    def cleanup(self) -> None:
        """No byte."""

    def command(self, code: int, *parameters: int) -> None:
        self.count += 1 + len(parameters)
        self.windows += code == RAMWR

    def data(self, data: bytes) -> None:
        self.count += len(data)


def counted(kind: str) -> tuple[Callable[[Image.Image], tuple[int, int]], SpiPanel]:
    """A panel that says of each picture how many bytes and windows it took; its clock stands still."""
    wire = Counter()
    panel = SpiPanel(kind, lambda: wire, pause=lambda _: None, clock=lambda: 0.0)

    def show(image: Image.Image) -> tuple[int, int]:
        before, windows = wire.count, wire.windows
        panel.show(image)
        return wire.count - before, wire.windows - windows

    return show, panel


def luma_bytes(kind: str, before: Image.Image, after: Image.Image) -> int:
    """How many bytes stock luma.lcd sends for this step; its st7789 always sends everything."""
    window = KINDS[kind].window_bytes
    if KINDS[kind].luma == "st7789":
        return after.width * after.height * 3 + window
    tiles = diff_to_previous(num_segments=25)
    tiles.prev_image = before
    return sum(area(box) * 3 + window for _, box in tiles.redraw(after))


def screens(kind: str, digits: Digits = "latin", *, renderer: Renderer | None = None) -> dict[str, Image.Image]:
    """Every screen that a step leads from or to, and a few more."""
    show = renderer or renderer_for(kind, digits)
    known = views()
    idle, wait, pay = known["idle"], known["wait"], known["pay"]
    counting = replace(pay, page="words" if show.turns else "code")  # a square code has no seconds beside it
    shown = {name: known[name] for names in STEPS for name in names if name in known}
    shown |= {f"pay-{left // 60}:{left % 60:02d}": replace(counting, left=left) for left in (180, 179, 178, 60, 59)}
    shown |= {
        "idle-moved": replace(idle, moved=1),
        "wait-plain": View("wait"),
        "pay-wifi": replace(pay, page="wifi", left=None),
        "pay": replace(pay, left=None if show.turns else 180),
        "wait": wait,
    }
    return {name: show.compose(view) for name, view in shown.items()}


def renderer_for(kind: str, digits: Digits = "latin") -> Renderer:
    """The renderer of a lane with that panel, with a Wi-Fi."""
    site = replace(SITE, digits=digits, wifi=wifi("Marina Guest", "welcome 2026"))
    return Renderer(layout_for(kind, *SpiPanel(kind, Counter).size), site)


def walk(names: Sequence[str]) -> Iterator[str]:
    """A way over these names that takes every step from one to another, in both directions."""
    for at, first in enumerate(names):
        yield first
        for second in names[at + 1 :]:
            yield second
            yield first
