from collections.abc import Callable
from dataclasses import replace

import pytest
from PIL import Image, ImageChops

from terminal.core.model import ScreenState
from terminal.screen import fonts, qr
from terminal.screen.dimming import PLACES, darker
from terminal.screen.fonts import CAPITAL
from terminal.screen.layouts import LAYOUTS, Layout, layout_for
from terminal.screen.renderer import Renderer
from terminal.screen.sample_views import SITE, URL, views
from terminal.screen.sheet import Placed
from terminal.screen.texts import LANGUAGES, TABLE, TEXTS
from terminal.screen.view import Digits, Site, View, Wifi, amount, countdown, digits, stay
from terminal.screen.wifi_page import wifi
from tests.support.pay_screens import (
    EXTREME,
    LONG_SITE,
    PAY,
    PITCH_MM,
    SHAPES,
    apart,
    check,
    cleared,
    inside,
    named,
    words,
)
from tests.support.qr_readers import SHORT, by_opencv, by_zbar, by_zxing

pytestmark = pytest.mark.skipif(not fonts.raqm_available(), reason=f"Arabic cannot be shaped here: {fonts.INSTALL}")


@pytest.mark.parametrize("digits", ["latin", "arabic"])
@pytest.mark.parametrize("layout", SHAPES, ids=named)
def test_no_text_is_cut_and_none_overlaps_on_any_screen(layout: Layout, digits: Digits) -> None:
    site = replace(SITE, digits=digits)
    renderer = Renderer(layout, site)
    for view in views().values():
        check(renderer.frame(view), layout)


@pytest.mark.parametrize("layout", SHAPES, ids=named)
def test_where_there_is_another_lane_its_drivers_are_sent_there_and_the_words_fit(layout: Layout) -> None:
    renderer = Renderer(layout, replace(SITE, lanes=2))
    for name in ("closed-operator", "out-of-order-broker"):
        frame = renderer.frame(views()[name])
        check(frame, layout)
        assert "lane" in " ".join(one.text for one in frame.placed).split()


@pytest.mark.parametrize("site", [LONG_SITE, Site("", "", "")], ids=["long", "empty"])
@pytest.mark.parametrize("layout", SHAPES, ids=named)
def test_nothing_that_a_message_or_the_configuration_may_say_breaks_a_screen(layout: Layout, site: Site) -> None:
    renderer = Renderer(layout, site)
    for view in EXTREME.values():
        check(renderer.frame(view), layout)
        check(renderer.frame(replace(view, page="words", hint="signal")), layout)


@pytest.mark.parametrize("phone", ["999", "800 4444"])
@pytest.mark.parametrize("layout", SHAPES, ids=named)
def test_a_telephone_of_few_figures_is_no_larger_than_the_words_leave_room_for(layout: Layout, phone: str) -> None:
    """It has the width to be large, and would take the height of the rest."""
    renderer = Renderer(layout, replace(SITE, help_phone=phone))
    for name, view in views().items():
        if name.startswith(("help", "closed", "out-of-order", "pay-signal")):
            check(renderer.frame(view), layout)


@pytest.mark.parametrize("layout", SHAPES, ids=named)
@pytest.mark.parametrize("site", [SITE, LONG_SITE, Site("", "", "")], ids=["usual", "long", "empty"])
def test_what_stands_for_a_screen_that_does_not_fit_always_fits(layout: Layout, site: Site) -> None:
    renderer = Renderer(layout, site)
    for view in (PAY, EXTREME["a long code"]):
        frame = renderer.bare(view)
        check(frame, layout)
        assert qr.decode(frame.image) is None
        shown = {one.text for one in frame.placed}
        assert site is LONG_SITE or {site.help_phone, view.help_code} - {""} <= shown


@pytest.mark.parametrize("name", LAYOUTS)
def test_amount_and_what_to_do_have_capitals_of_three_millimetres(name: str) -> None:
    frame = Renderer(LAYOUTS[name], SITE).frame(replace(PAY, page="words"))
    for text in ("25.00", TABLE.say("pay", "en"), TABLE.say("pay", "ar")):
        (placed,) = [one for one in frame.placed if one.text == text]
        assert placed.em * CAPITAL * PITCH_MM[name] >= 2.97, placed
    for state in ("idle", "wait", "free"):
        frame = Renderer(LAYOUTS[name], SITE).frame(View(state))
        assert max(one.em for one in frame.placed) * CAPITAL * PITCH_MM[name] >= 2.97


@pytest.mark.parametrize("kind", ["latin", "arabic"])
@pytest.mark.parametrize("due", ["9.00", "25.00", "100.00", "150.00"])
@pytest.mark.parametrize("name", LAYOUTS)
def test_the_amount_is_the_largest_text_of_the_pay_screen(name: str, due: str, kind: Digits) -> None:
    frame = Renderer(LAYOUTS[name], replace(SITE, digits=kind)).frame(replace(PAY, page="words", amount=due))
    sizes = {one.text: one.em for one in frame.placed if one.kind in ("text", "countdown")}
    assert sizes.pop(digits(due, kind)) > max(sizes.values())


@pytest.mark.parametrize("name", LAYOUTS)
def test_both_languages_stand_in_one_size(name: str) -> None:
    renderer = Renderer(LAYOUTS[name], SITE)
    rows = [set(texts) for texts in TEXTS.values()]
    for key, view in views().items():
        sizes = {one.text: one.em for one in renderer.frame(replace(view, page="words")).placed}
        pairs = [row for row in rows if row <= sizes.keys()]
        assert pairs, key
        assert all(len({sizes[text] for text in row}) == 1 for row in pairs)


@pytest.mark.parametrize("layout", SHAPES, ids=named)
def test_code_and_quiet_zone_fill_the_shorter_side_and_no_text_enters_them(layout: Layout) -> None:
    side = min(layout.width, layout.height)
    frame = Renderer(layout, SITE).frame(PAY)
    (code,) = [one for one in frame.placed if one.kind == "code"]
    assert (code.box[2] - code.box[0], code.box[1], code.box[3]) == (side, 0, side)
    assert PAY.symbol is not None
    assert frame.image.crop(code.box).convert("L").tobytes() == qr.draw(PAY.symbol, side).tobytes()
    assert qr.decode(frame.image) == URL


@pytest.mark.parametrize("name", LAYOUTS)
def test_every_reason_looks_different(name: str) -> None:
    renderer = Renderer(LAYOUTS[name], SITE)
    troubles = [view for view in views().values() if view.reason]
    assert len(troubles) == 25
    assert len({renderer.compose(view).tobytes() for view in troubles}) == 25


BYTES = {
    "st7789-320": (2, 479, 1_739),
    "ili9341": (2, 479, 1_739),
    "ili9486": (3, 1_811, 5_692),
    "ili9488": (3, 1_811, 5_692),
}
"""Bytes a pixel, and what a second and a minute of the countdown may cost on the wire (figures of luma.lcd)."""


@pytest.mark.parametrize("name", BYTES)
@pytest.mark.parametrize(("before", "after", "which"), [(179, 178, 1), (107, 106, 1), (180, 179, 2)])
def test_a_second_of_countdown_changes_its_digits_alone(name: str, before: int, after: int, which: int) -> None:
    renderer = Renderer(LAYOUTS[name], SITE)
    old, new = (renderer.frame(replace(PAY, left=left)) for left in (before, after))
    changed = ImageChops.difference(old.image, new.image).getbbox()
    (box,) = [one.box for one in old.placed if one.kind == "countdown"]
    assert changed is not None
    assert inside(changed, box)
    width, height = changed[2] - changed[0], changed[3] - changed[1]
    assert width * height * BYTES[name][0] + 11 <= BYTES[name][which]


def test_the_digits_of_the_countdown_keep_their_places() -> None:
    renderer = Renderer(LAYOUTS["ili9488"], SITE)
    for left in (111, 100, 59, 0):
        frame = renderer.frame(replace(PAY, left=left))
        (box,) = [one.box for one in frame.placed if one.kind == "countdown"]
        cell = (box[2] - box[0]) // 4
        assert ImageChops.invert(frame.image.convert("L")).crop((box[2] - cell, box[1], box[2], box[3])).getbbox()
        clear = frame.image.copy()
        clear.paste("white", box)
        assert clear == cleared(renderer.frame(replace(PAY, left=88)))


@pytest.mark.parametrize("name", ["st7789-320", "ili9341", "ili9488"])
def test_a_hint_changes_nothing_but_its_own_room(name: str) -> None:
    renderer = Renderer(LAYOUTS[name], SITE)
    plain, hinted = (renderer.frame(replace(PAY, hint=hint)) for hint in ("", "second"))
    changed = ImageChops.difference(plain.image, hinted.image).getbbox()
    stays = {one for one in plain.placed if one in hinted.placed}
    assert changed is not None
    assert {"25.00", "4F2A", TABLE.say("pay", "en"), TABLE.say("pay", "ar")} <= {one.text for one in stays}
    assert all(apart(Placed("", "", changed), one) for one in stays)


@pytest.mark.parametrize("layout", SHAPES, ids=named)
def test_every_shape_names_the_apps_and_after_a_while_another_phone_and_whom_to_call(layout: Layout) -> None:
    renderer = Renderer(layout, SITE)
    page = replace(PAY, page="words")
    assert {"PayBy", "BOTIM"} <= words(renderer.frame(page))
    for lang in LANGUAGES:
        second = words(renderer.frame(replace(page, hint="second")))
        called = TABLE.say("pay", lang) in second  # where the call makes room for it, it is a sentence of its own
        assert called == ((layout.width, layout.height) != (240, 320))
        assert set(TABLE.say("pay.second" if called else "pay.second.alone", lang).split()) <= second
        assert set(TABLE.say("pay.signal", lang).split()) <= words(renderer.frame(replace(page, hint="signal")))
    assert set(SITE.help_phone.split()) <= words(renderer.frame(replace(page, hint="signal")))


@pytest.mark.parametrize("layout", SHAPES, ids=named)
def test_every_shape_says_in_both_languages_that_a_phone_has_read_the_code_and_moves_nothing_else(
    layout: Layout,
) -> None:
    renderer = Renderer(layout, SITE)
    before, after = (renderer.frame(replace(PAY, page="words", hint=hint)) for hint in ("", "scanned"))
    check(after, layout)
    for lang in LANGUAGES:
        said = " ".join(TABLE.say(key, lang) for key in ("pay.scanned", "pay.confirm"))
        assert {word.strip(".") for word in said.split()} <= {word.strip(".") for word in words(after)}
    called = {TABLE.say("pay", lang) for lang in LANGUAGES}
    assert not called & {one.text for one in after.placed}
    kept = [one for one in before.placed if one.text in ("25.00", "2 h 05", "4F2A") or one.kind == "code"]
    assert all(one in after.placed for one in kept)


@pytest.mark.parametrize("layout", [one for one in SHAPES if (one.width, one.height) != (240, 320)], ids=named)
def test_every_shape_but_the_smallest_upright_one_says_how_long_the_stay_was_and_for_which_ticket(
    layout: Layout,
) -> None:
    found = {one.text: one.em for one in Renderer(layout, SITE).frame(replace(PAY, page="words")).placed}
    assert {"2 h 05", "4F2A"} <= set(found)
    if layout.style == "square":
        assert min(found["2 h 05"], found["4F2A"]) >= 16 * layout.height // 240


@pytest.mark.parametrize("name", ["ili9486", "ili9488"])
def test_the_recommended_panel_names_the_apps_in_capitals_of_two_millimetres(name: str) -> None:
    found = {one.text: one.em for one in Renderer(LAYOUTS[name], SITE).frame(PAY).placed}
    assert min(found["PayBy"], found["BOTIM"]) * CAPITAL * PITCH_MM[name] >= 2.1


@pytest.mark.parametrize("name", ["st7789-320", "ili9341", "ili9486", "ili9488"])
def test_beside_the_code_the_telephone_is_no_smaller_than_the_labels(name: str) -> None:
    placed = Renderer(LAYOUTS[name], SITE).frame(replace(PAY, hint="signal")).placed
    number = [one for one in placed if one.text and set(one.text.split()) <= set(SITE.help_phone.split())]
    assert min(one.em for one in number) >= 14


def test_a_garage_without_a_telephone_names_the_apps_where_it_would_stand() -> None:
    for layout in SHAPES:
        renderer = Renderer(layout, replace(SITE, help_phone=""))
        assert renderer.compose(replace(PAY, hint="signal")) == renderer.compose(PAY), layout


@pytest.mark.parametrize("name", ["st7789-320", "ili9341", "ili9488"])
def test_what_waits_for_the_code_stands_already_where_the_pay_screen_has_it(name: str) -> None:
    renderer = Renderer(LAYOUTS[name], SITE)
    soon, then = renderer.frame(views()["wait"]), renderer.frame(PAY)
    kept = set(soon.placed) & set(then.placed)
    assert {"25.00", "4F2A"} <= {one.text for one in kept}
    assert any(one.kind == "picture" for one in kept)
    assert PAY.symbol is not None
    (code,) = [one.box for one in then.placed if one.kind == "code"]
    quiet = int(qr.module_px(PAY.symbol, code[2] - code[0]) * qr.QUIET)
    modules = (code[0] + quiet, code[1] + quiet, code[2] - quiet, code[3] - quiet)
    difference = ImageChops.difference(soon.image, then.image)
    for box in (modules, *(one.box for one in set(then.placed) - kept if one.kind != "code")):
        difference.paste("black", box)
    assert difference.getbbox() is None


@pytest.mark.parametrize("view", [replace(views()["wait"], amount=""), replace(views()["wait"], amount="0.00")])
def test_who_waits_for_no_payment_is_not_told_how_to_pay(view: View) -> None:
    texts = {one.text for one in Renderer(LAYOUTS["ili9488"], SITE).frame(view).placed}
    assert {TABLE.say("wait", "en"), TABLE.say("wait", "ar")} <= texts
    assert not any("PayBy" in text for text in texts)


@pytest.mark.parametrize("layout", SHAPES, ids=named)
def test_the_lanes_wifi_has_a_page_of_its_own_whose_code_joins_it(layout: Layout) -> None:
    for name, password, text in (
        ("Marina Guest", "welcome 2026", "WIFI:T:WPA;S:Marina Guest;P:welcome 2026;;"),
        ('a;b:c,d\\e"f', "", 'WIFI:T:nopass;S:a\\;b\\:c\\,d\\\\e\\"f;;'),
        ("W" * 32, "x" * 63, f"WIFI:T:WPA;S:{'W' * 32};P:{'x' * 63};;"),
    ):
        try:
            renderer = Renderer(layout, replace(SITE, wifi=wifi(name, password)))
        except qr.QrError as error:  # the longest names there are, on the smallest panels, found at the start
            assert len(name) == 32 and min(layout.width, layout.height) <= 240, error
            continue
        frame = renderer.frame(replace(PAY, page="wifi", left=None))
        check(frame, layout)
        assert qr.decode(frame.image) == text
        assert {TABLE.say("pay.signal", "en"), TABLE.say("pay.signal", "ar")} <= {one.text for one in frame.placed}


def test_a_wifi_whose_code_no_reader_finds_on_its_page_is_refused() -> None:
    nonsense = Wifi("Marina Guest", qr.Symbol(37, bytes(172)))
    with pytest.raises(qr.QrError, match="could not be read back from the page"):
        Renderer(LAYOUTS["ili9488"], replace(SITE, wifi=nonsense))


def test_the_operators_idle_picture_stands_in_the_idle_screens_place() -> None:
    own = Image.new("RGB", (480, 320), "teal")
    renderer = Renderer(LAYOUTS["ili9488"], SITE, idle=own)
    assert renderer.compose(View("idle")) == own
    assert renderer.compose(View("idle", moved=1)) == own
    assert renderer.compose(View("wait")) == Renderer(LAYOUTS["ili9488"], SITE).compose(View("wait"))


@pytest.mark.parametrize("name", LAYOUTS)
@pytest.mark.parametrize("state", ["idle", "closed", "out-of-order"])
def test_what_stands_there_for_long_is_moved_and_nothing_of_it_is_cut(name: str, state: ScreenState) -> None:
    renderer = Renderer(LAYOUTS[name], SITE)
    still = renderer.frame(View(state))
    for at, (x, y) in enumerate(PLACES):
        frame = renderer.frame(View(state, moved=at))
        check(frame, LAYOUTS[name])
        back = Image.new("RGB", frame.image.size, "white")
        back.paste(frame.image, (-x, -y))
        assert back == still.image


def test_a_dim_view_is_darker_and_reads_as_before() -> None:
    plain, dim = (Renderer(LAYOUTS["ili9488"], SITE, dim=0.4).compose(View("idle", dim=on)) for on in (False, True))
    assert dim == plain.point(darker(0.4))
    assert plain == Renderer(LAYOUTS["ili9488"], SITE).compose(View("idle", dim=True))


def test_a_frame_may_be_kept_while_the_next_one_is_drawn() -> None:
    renderer = Renderer(LAYOUTS["ili9341"], SITE)
    first = renderer.compose(PAY)
    kept = first.copy()
    renderer.compose(replace(PAY, left=1)).paste("black", (0, 0, 320, 240))
    assert first == kept
    assert renderer.compose(PAY) == kept


def test_numbers_stand_in_the_digits_of_the_setting_and_codes_do_not() -> None:
    def texts(view: View) -> set[str]:
        return {one.text for one in Renderer(LAYOUTS["ili9488"], replace(SITE, digits="arabic")).frame(view).placed}

    assert {"٢٥٫٠٠", "٢ س ٠٥", "4F2A"} <= texts(PAY)
    assert {"7K3QF", SITE.help_phone} <= texts(views()["help-qr"])


def test_without_raqm_arabic_is_left_out_rather_than_shown_in_pieces() -> None:
    arabic = {row[1] for row in TEXTS.values()} | {SITE.name_ar}
    for layout in LAYOUTS.values():
        renderer = Renderer(layout, SITE, arabic=False)
        for view in views().values():
            frame = renderer.frame(replace(view, page="words"))
            check(frame, layout)
            assert not arabic & {one.text for one in frame.placed}


def test_help_names_whom_to_call_and_what_to_tell() -> None:
    for layout in LAYOUTS.values():
        texts = {one.text for one in Renderer(layout, SITE).frame(views()["help-qr"]).placed}
        assert {SITE.help_phone, "7K3QF", TABLE.say("help.qr", "en"), TABLE.say("help.qr", "ar")} <= texts


def test_a_symbol_that_is_too_large_for_the_panel_is_refused_not_shrunk() -> None:
    large = replace(PAY, symbol=qr.encode("https://qr.payby.com?" + "x" * 230))
    with pytest.raises(qr.QrError, match="240 pixels hold at most 52"):
        Renderer(LAYOUTS["ili9341"], SITE).compose(large)
    assert Renderer(LAYOUTS["ili9488"], SITE).compose(large).size == (480, 320)


def test_a_square_panel_has_two_sides_and_the_others_have_one() -> None:
    sides = {name: Renderer(layout, SITE).turns for name, layout in LAYOUTS.items()}
    assert {name for name, turns in sides.items() if turns} == {"st7789-240"}
    for name, turns in sides.items():
        renderer = Renderer(LAYOUTS[name], SITE)
        assert (renderer.compose(PAY) != renderer.compose(replace(PAY, page="words"))) == turns


def test_a_panel_of_the_wrong_size_is_named() -> None:
    with pytest.raises(ValueError, match=r"lcd\.panel 'ili9341' has 320x240 px, not 480x320"):
        layout_for("ili9341", 480, 320)
    with pytest.raises(ValueError, match="200x100 px are too few"):
        layout_for("png", 200, 100)
    assert layout_for("ili9341", 240, 320).style == "tall"
    assert layout_for("png", 480, 320) is LAYOUTS["ili9486"]


def test_numbers_for_the_eye() -> None:
    assert [amount(text) for text in ("0.50", "25.00", "9999.99", "12345.60")] == [
        "0.50",
        "25.00",
        "9999.99",
        "12,345.60",
    ]
    assert [stay(minutes) for minutes in (0, 59, 125, 6_000, 10**9)] == [
        "0 h 00",
        "0 h 59",
        "2 h 05",
        "100 h 00",
        "9999 h 59",
    ]
    assert [countdown(left) for left in (-5, 0, 9, 107, 10**6)] == ["0:00", "0:00", "0:09", "1:47", "9:59"]


@pytest.mark.parametrize("read", [by_zxing, by_zbar, by_opencv])
@pytest.mark.parametrize("layout", SHAPES, ids=named)
def test_three_independent_readers_find_the_link_in_every_pay_screen(
    layout: Layout, read: Callable[[Image.Image], str | None]
) -> None:
    renderer = Renderer(layout, SITE)
    for url in (URL, SHORT):
        for hint in ("", "second", "signal"):
            assert read(renderer.compose(replace(PAY, symbol=qr.encode(url), hint=hint))) == url
