import pytest
from PIL import Image

from drivers.panel import PanelError
from drivers.panel_memory import MemoryPanel


def test_a_panel_in_memory_keeps_the_picture_and_hands_out_copies() -> None:
    panel = MemoryPanel((4, 3))
    seen: list[Image.Image] = []
    panel.watch(seen.append)
    picture = Image.new("RGB", (4, 3), "red")
    panel.show(picture)
    picture.paste("blue", (0, 0, 4, 3))
    assert panel.image == seen[0] == Image.new("RGB", (4, 3), "red")
    assert panel.image is not seen[0]


def test_a_broken_panel_in_memory_fails_as_a_real_one_does() -> None:
    panel = MemoryPanel((4, 3))
    panel.broken = "the bus is gone"
    with pytest.raises(PanelError, match="the bus is gone"):
        panel.show(Image.new("RGB", (4, 3)))
    panel.broken = None
    with pytest.raises(ValueError, match="RGB pictures of 4x3"):
        panel.show(Image.new("L", (4, 3)))
