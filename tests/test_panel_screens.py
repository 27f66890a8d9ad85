"""The product's own screens on the panels' models: what a driver sees in a visit, however the panel is turned."""

from dataclasses import replace

import pytest

from drivers.panel_kinds import KINDS
from terminal.screen import fonts
from terminal.screen.layouts import layout_for
from terminal.screen.renderer import Renderer
from terminal.screen.sample_views import SITE, views
from tests.models.glass import rounded
from tests.support.panel_rig import BITS, Rig

pytestmark = pytest.mark.skipif(not fonts.raqm_available(), reason=f"Arabic cannot be shaped here: {fonts.INSTALL}")
VIEWS = views()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("rotate", range(4))
def test_every_step_of_a_visit_ends_on_the_glass_as_it_was_drawn(kind: str, rotate: int) -> None:
    rig = Rig(kind, rotate)
    renderer = Renderer(layout_for(kind, *rig.panel.size), SITE, dim=0.4)
    pay = VIEWS["pay"]
    for view in (
        VIEWS["idle"],
        replace(VIEWS["idle"], moved=3, dim=True),
        VIEWS["wait"],
        pay,
        replace(pay, left=59),
        replace(pay, hint="second", page="words"),
        VIEWS["paid"],
        VIEWS["help-qr"],
    ):
        picture = renderer.compose(view)
        rig.show(picture)
        assert rig.seen() == rounded(picture, BITS[kind]), view.state
