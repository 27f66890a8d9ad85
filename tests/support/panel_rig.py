"""A panel's driver on a byte-level model of its controller."""

from dataclasses import dataclass, field

from PIL import Image, ImageDraw

from drivers.panel import PanelWire, SpiPanel
from drivers.panel_frames import turned
from drivers.panel_kinds import KINDS, set_up_steps
from tests.models.glass import Model, model_of

PANELS = list(KINDS)
BITS = {name: (6, 6, 6) if name == "ili9488" else (5, 6, 5) for name in PANELS}


@dataclass
class Rig:
    """A panel on a model, and a clock that stands still."""

    kind: str
    rotate: int = 0
    x_offset: int = 0
    bgr: bool = False
    three_bit: bool = True
    now_s: float = 0.0
    opened: list[Model] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.panel = SpiPanel(
            self.kind,
            self.open,
            rotate=self.rotate,
            x_offset=self.x_offset,
            bgr=self.bgr,
            three_bit=self.three_bit,
            pause=lambda seconds: self.opened[-1].pause(seconds),
            clock=lambda: self.now_s,
        )

    def open(self) -> PanelWire:
        filter_is_bgr = self.kind.startswith("ili") != self.bgr
        self.opened.append(model_of(self.kind, x_offset=self.x_offset, bgr=filter_is_bgr))
        return self.opened[-1]

    @property
    def model(self) -> Model:
        return self.opened[-1]

    def show(self, image: Image.Image) -> int:
        """Show it; the number of bytes that this took, set-up included."""
        before = self.model.sent if self.opened else 0
        self.panel.show(image)
        return self.model.sent - before

    def seen(self) -> Image.Image:
        return turned(self.model.seen(), -self.rotate % 4)

    def blank(self, colour: str = "white") -> Image.Image:
        return Image.new("RGB", self.panel.size, colour)


def set_up_bytes(kind: str) -> int:
    """What setting a panel up takes beside its picture, ``display on`` at its end included."""
    return sum(1 + len(data) for _, data in set_up_steps(KINDS[kind], bgr=False)) + 1


def drawing(size: tuple[int, int]) -> Image.Image:
    """A picture that looks different turned, mirrored, shifted, or with its colours changed."""
    image = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(image)
    draw.rectangle((10, 10, 30, 150), (200, 0, 0))
    draw.rectangle((10, 10, 100, 30), (0, 130, 0))
    draw.rectangle((10, 70, 70, 85), (0, 0, 250))
    draw.point([(0, 0), (size[0] - 1, 0), (size[0] - 1, size[1] - 1), (0, size[1] - 1)], (9, 99, 199))
    return image
