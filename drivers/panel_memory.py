"""A panel that keeps its picture in memory, for the demo and for tests."""

from collections.abc import Callable
from typing import Self

from PIL import Image

from drivers.panel import PanelError


class MemoryPanel:
    """A panel whose glass is ``image``: the last picture shown, None before the first."""

    light: None = None
    """A picture has no backlight."""

    def __init__(self, size: tuple[int, int] = (480, 320)) -> None:
        self.size = size
        self.image: Image.Image | None = None
        self.frames = 0
        self.broken: str | None = None
        """Set it to make show() fail with this text."""
        self._watchers: list[Callable[[Image.Image], None]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def watch(self, told: Callable[[Image.Image], None]) -> None:
        """Call ``told`` with every picture that reaches the glass, RGB and its own, in the thread that shows it."""
        self._watchers.append(told)

    def show(self, image: Image.Image) -> None:
        """Put ``image``, RGB, on the glass. Raises ValueError for another mode or size, PanelError while broken."""
        if image.mode != "RGB" or image.size != self.size:
            (width, height), (w, h) = self.size, image.size
            raise ValueError(f"the panel takes RGB pictures of {width}x{height}, not {image.mode} of {w}x{h}")
        if self.broken is not None:
            raise PanelError(self.broken)
        self.image = image.copy()
        self.frames += 1
        for told in self._watchers:
            told(image.copy())

    def close(self) -> None:
        """The glass keeps its picture, so that a test can look at it."""
