"""What a driver reads on the screens: labels that are large enough, forms that cannot be mixed up, which way to go."""

import re
from dataclasses import replace
from typing import get_args

import pytest

from terminal.screen import fonts
from terminal.screen.fonts import CAPITAL
from terminal.screen.layouts import LAYOUTS, Layout
from terminal.screen.pictograms import picture
from terminal.screen.renderer import Renderer
from terminal.screen.sample_views import SITE, views
from terminal.screen.texts import LANGUAGES, TABLE
from terminal.screen.view import Digits, Hint, View, stay
from terminal.screen.wifi_page import wifi
from tests.support.pay_screens import PAY, PITCH_MM, SHAPES, check, named, words

pytestmark = pytest.mark.skipif(not fonts.raqm_available(), reason=f"Arabic cannot be shaped here: {fonts.INSTALL}")


@pytest.mark.parametrize("due", ["9.00", "150.00"])
@pytest.mark.parametrize("kind", ["latin", "arabic"])
@pytest.mark.parametrize("name", ["ili9486", "ili9488"])
def test_the_recommended_panel_has_no_label_under_two_millimetres(name: str, kind: Digits, due: str) -> None:
    """The height of a capital, by the millimetres that a pixel of the 3.5 inch glass has."""
    view = replace(PAY, amount=due, minutes=1439)
    placed = Renderer(LAYOUTS[name], replace(SITE, digits=kind)).frame(view).placed
    labels = {TABLE.say(key, lang) for key in ("aed", "stay", "ticket", "left") for lang in LANGUAGES}
    labels |= set(TABLE.say("pay.with", "en").split()) | set(TABLE.say("pay.with", "ar").split())
    sizes = {one.text: one.em * CAPITAL * PITCH_MM[name] for one in placed if one.text}
    assert labels <= sizes.keys()
    assert {text: size for text, size in sizes.items() if size < 2} == {}


@pytest.mark.parametrize("kind", ["latin", "arabic"])
@pytest.mark.parametrize("name", ["ili9486", "ili9488", "framebuffer-800x480", "framebuffer-1024x600"])
def test_nothing_on_any_screen_of_a_recommended_panel_is_under_two_millimetres(name: str, kind: Digits) -> None:
    """Every text of every state, reason, hint and page, in both languages."""
    shown = views() | {f"pay-beside-{hint}": replace(PAY, hint=hint) for hint in get_args(Hint)}
    shown["pay-wifi"] = replace(PAY, page="wifi", left=None)
    renderer = Renderer(LAYOUTS[name], replace(SITE, digits=kind, wifi=wifi("Marina Guest", "welcome 2026")))
    least = 2 / CAPITAL / PITCH_MM[name]
    placed = {what: renderer.frame(view).placed for what, view in shown.items()}
    small = {what: {one.text: one.em for one in found if one.text and one.em < least} for what, found in placed.items()}
    small = {what: texts for what, texts in small.items() if texts}
    assert small == {}


@pytest.mark.parametrize("layout", SHAPES, ids=named)
def test_the_stay_and_the_time_left_cannot_be_taken_for_each_other(layout: Layout) -> None:
    """Of the same figures: one has hours' unit, the other says that it is left."""
    for minutes, left in ((65, 65), (107, 107), (599, 599)):
        frame = Renderer(layout, SITE).frame(replace(PAY, page="words", minutes=minutes, left=left))
        texts = [one.text for one in frame.placed]
        assert not any(re.fullmatch(r"\d+:\d\d", text) for text in texts)  # but for the countdown, which is no text
        assert {TABLE.say("left", lang) for lang in LANGUAGES} <= set(texts)
        (count,) = [one for one in frame.placed if one.kind == "countdown"]
        (label,) = [one for one in frame.placed if one.text == TABLE.say("left", "en")]
        assert 0 <= label.box[1] - count.box[3] <= layout.height // 8
        if (layout.width, layout.height) != (240, 320):  # which has no room for the stay
            assert stay(minutes) in texts


@pytest.mark.parametrize("layout", SHAPES, ids=named)
def test_the_idle_screen_names_the_apps_that_are_taken(layout: Layout) -> None:
    shown = words(Renderer(layout, SITE).frame(View("idle")))
    assert {"PayBy", "BOTIM"} <= shown
    for lang in LANGUAGES:
        assert set(TABLE.say("idle.then", lang).split()) <= shown


@pytest.mark.parametrize("layout", SHAPES, ids=named)
def test_who_has_paid_is_told_to_go_as_who_pays_nothing_is(layout: Layout) -> None:
    renderer = Renderer(layout, SITE)
    pictures = [one for one in renderer.frame(View("paid", amount="25.00")).placed if one.kind == "picture"]
    assert len(pictures) == 2  # that it is paid, and the way ahead
    ahead = renderer.frame(View("paid", amount="25.00")).image.crop(pictures[1].box)
    drawn = (picture("free", side) for side in range(ahead.height, 2 * ahead.height))
    assert ahead in list(drawn)
    if layout.style != "square":
        assert {TABLE.say("free.then", lang) for lang in LANGUAGES} <= {
            one.text for one in renderer.frame(View("paid", amount="25.00")).placed
        }


@pytest.mark.parametrize("layout", SHAPES, ids=named)
def test_every_help_screen_has_the_lane_s_name(layout: Layout) -> None:
    for lane in ("exit-1", "p2-north-exit-12"):
        renderer = Renderer(layout, replace(SITE, lane=lane))
        for name, view in views().items():
            if name.startswith("help"):
                frame = renderer.frame(view)
                check(frame, layout)
                assert lane in {one.text for one in frame.placed}, name
