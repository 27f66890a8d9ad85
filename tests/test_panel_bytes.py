"""How many bytes each step of a visit costs on the wire, on pages whose layout is a fixed yardstick."""

import pytest
from PIL import Image

from drivers.panel import SpiPanel
from drivers.panel_kinds import KINDS
from tests.models.glass import model_of
from tests.models.pages import pages
from tests.support.panel_cost import MOST
from tests.support.panel_rig import set_up_bytes


@pytest.mark.parametrize("kind", list(KINDS))
def test_no_step_of_a_visit_sends_more_than_its_changed_boxes(kind: str) -> None:
    model = model_of(kind)
    panel = SpiPanel(kind, lambda: model, pause=model.pause, clock=lambda: 0)
    page = pages(*panel.size)

    def step(image: Image.Image) -> int:
        before = model.sent
        panel.show(image)
        return model.sent - before

    first, pay, minute, second = (step(image) for image in (page.idle, page.pay_300, page.pay_259, page.pay_258))
    first -= set_up_bytes(kind)
    sent = {"first frame": first, "idle -> pay": pay, "2:59 -> 2:58": second, "3:00 -> 2:59": minute}
    assert {name: count for (name, count), most in zip(sent.items(), MOST[kind], strict=True) if count > most} == {}
