"""Pay screens of every shape and with extreme words, and a look at where their texts stand."""

from dataclasses import replace
from itertools import combinations

from PIL import Image

from terminal.screen.fonts import NARROWEST
from terminal.screen.layouts import LAYOUTS, Layout, layout_for
from terminal.screen.renderer import ScreenImage
from terminal.screen.sample_views import views
from terminal.screen.sheet import Placed, SheetBox
from terminal.screen.view import Site, View

PITCH_MM = {"st7789-240": 0.0975, "st7789-320": 0.1275, "ili9341": 0.18, "ili9486": 0.153, "ili9488": 0.153,
            "framebuffer-800x480": 0.1926, "framebuffer-1024x600": 0.1506}  # fmt: skip
"""Millimetres a pixel; of the smaller of the two panels that st7789-320 serves."""
LONG_SITE = Site(
    "The Marina Mall West Garage, Levels 3 to 5",
    "موقف مول المارينا الغربي، الطوابق من الثالث إلى الخامس",
    "+971 (4) 000 0000-00-000",
)
PAY = views()["pay"]
SHAPES = [
    *(layout for name, layout in LAYOUTS.items() if name != "ili9486"),  # which is the ili9488's
    *(LAYOUTS[name].upright() for name in ("st7789-320", "ili9341", "ili9488")),
    *(layout_for("png", *size) for size in ((800, 480), (480, 272), (480, 480), (600, 1024))),
]
EXTREME = {
    "nothing but the state": replace(PAY, amount="0.00", minutes=None, tail=""),
    "three figures": replace(PAY, amount="150.00", minutes=1439),
    "a month": replace(PAY, amount="3,100.00".replace(",", ""), minutes=44_640, left=600),
    "the largest": replace(PAY, amount="999999999999.99", minutes=10**9, left=10**6),
    "a long code": View("help", "no-answer", help_code="WWWWWW"),
    "an unknown reason": View("help", "something-new", help_code="7K3QF"),
    "no code": View("help", "ticket-unknown"),
    "a bare state": View("out-of-order"),
}


def named(layout: Layout) -> str:
    return f"{layout.name}-{layout.width}x{layout.height}"


def inside(inner: SheetBox, outer: SheetBox) -> bool:
    return outer[0] <= inner[0] < inner[2] <= outer[2] and outer[1] <= inner[1] < inner[3] <= outer[3]


def apart(one: Placed, other: Placed) -> bool:
    a, b = one.box, other.box
    return a[2] <= b[0] or b[2] <= a[0] or a[3] <= b[1] or b[3] <= a[1]


def check(frame: ScreenImage, layout: Layout) -> None:
    """Nothing is cut, nothing overlaps, and nothing stands where no box is."""
    assert (frame.image.mode, frame.image.size) == ("RGB", (layout.width, layout.height))
    for placed in frame.placed:
        assert inside(placed.box, (0, 0, layout.width, layout.height)), placed
        assert placed.kind != "text" or placed.squeeze >= NARROWEST - 0.01 or placed.em == 6, placed
    for one, other in combinations(frame.placed, 2):
        assert apart(one, other), (one, other)
    rest = frame.image.copy()
    for placed in frame.placed:
        rest.paste("white", placed.box)
    assert rest.getcolors() == [(layout.width * layout.height, (255, 255, 255))]


def cleared(frame: ScreenImage) -> Image.Image:
    image = frame.image.copy()
    for placed in frame.placed:
        if placed.kind == "countdown":
            image.paste("white", placed.box)
    return image


def words(frame: ScreenImage) -> set[str]:
    return set(" ".join(one.text for one in frame.placed).split())
