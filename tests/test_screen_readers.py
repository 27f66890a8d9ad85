"""The finished pay screens, words and all, before three readers that have nothing in common with each other."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from PIL import Image

from terminal.screen import fonts
from terminal.screen.layouts import LAYOUTS
from terminal.screen.renderer import Renderer
from terminal.screen.sample_views import SITE, URL, views
from terminal.screen.view import Digits
from terminal.screen.wifi_page import wifi
from tests.support.qr_readers import SHORT, by_opencv, by_zbar, by_zxing

pytestmark = pytest.mark.skipif(not fonts.raqm_available(), reason=f"Arabic cannot be shaped here: {fonts.INSTALL}")
NETWORK = "WIFI:T:WPA;S:Marina Guest;P:welcome 2026;;"
readers = pytest.mark.parametrize("read", [by_zxing, by_zbar, by_opencv])
Reader = Callable[[Image.Image], str | None]


@pytest.mark.fault("qr-unreadable")
@readers
@pytest.mark.parametrize("url", [URL, SHORT], ids=["version 5", "version 4"])
@pytest.mark.parametrize("name", LAYOUTS)
def test_every_pay_screen_gives_its_link_to_three_independent_readers(name: str, url: str, read: Reader) -> None:
    digits: tuple[Digits, ...] = ("latin", "arabic")
    for kind in digits:
        renderer = Renderer(LAYOUTS[name], replace(SITE, digits=kind))
        for key, view in views(url).items():
            if view.state == "pay" and view.page == "code":
                assert read(renderer.compose(view)) == url, key
            if view.state == "pay" and not renderer.turns:  # the hints stand beside the code
                assert read(renderer.compose(replace(view, page="code"))) == url, key


@readers
@pytest.mark.parametrize("name", LAYOUTS)
def test_the_lanes_wifi_is_given_to_three_independent_readers(name: str, read: Reader) -> None:
    site = replace(SITE, wifi=wifi("Marina Guest", "welcome 2026"))
    view = replace(views()["pay"], page="wifi", left=None)
    assert read(Renderer(LAYOUTS[name], site).compose(view)) == NETWORK
