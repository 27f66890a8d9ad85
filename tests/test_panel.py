"""What reaches the glass: every panel, turn and offset, against byte-level models of the controllers."""

import io
from collections.abc import Callable

import pytest
import segno
import zxingcpp
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from drivers.panel import WHOLE_EVERY_S, PanelError, PanelWire, SpiPanel
from drivers.panel_kinds import KINDS, datasheet_hz, panel_size
from tests.models.glass import Model, model_of, rounded
from tests.support.panel_rig import BITS, PANELS, Rig, drawing, set_up_bytes

TOKEN = "https://qr.payby.com?BIZ_TYPE=202&ft=7ac14d5d372a459fbe948e83fcaae0cb&t=1765054600668"


@pytest.mark.parametrize("kind", PANELS)
@pytest.mark.parametrize("rotate", range(4))
@pytest.mark.parametrize("bgr", [False, True])
def test_a_picture_is_seen_as_it_was_drawn(kind: str, rotate: int, bgr: bool) -> None:
    rig = Rig(kind, rotate, bgr=bgr)
    picture = drawing(rig.panel.size)
    rig.show(picture)
    assert rig.seen() == rounded(picture, BITS[kind])
    assert rig.model.lit


def test_a_glass_in_the_middle_of_the_memory_is_met_by_its_offset() -> None:
    for offset in (0, 1, 80):
        rig = Rig("st7789-240", x_offset=offset)
        picture = drawing((240, 240))
        rig.show(picture)
        assert rig.seen() == rounded(picture, (5, 6, 5))


boxes = st.tuples(st.integers(0, 479), st.integers(0, 479), st.integers(1, 120), st.integers(1, 120))
colours = st.sampled_from([(0, 0, 0), (255, 255, 255), (0, 255, 255)]) | st.tuples(*[st.integers(0, 255)] * 3)


@settings(max_examples=80)
@given(
    kind=st.sampled_from(PANELS),
    rotate=st.integers(0, 3),
    x_offset=st.sampled_from([0, 33, 80]),
    bgr=st.booleans(),
    pause_s=st.sampled_from([0.0, 1.0, WHOLE_EVERY_S / 2]),
    frames=st.lists(st.lists(st.tuples(boxes, colours), max_size=4), min_size=1, max_size=4),
)
def test_any_sequence_of_partial_frames_ends_in_the_same_glass_as_the_last_one_whole(
    kind: str,
    rotate: int,
    x_offset: int,
    bgr: bool,
    pause_s: float,
    frames: list[list[tuple[tuple[int, int, int, int], tuple[int, int, int]]]],
) -> None:
    rig = Rig(kind, rotate, x_offset if kind == "st7789-240" else 0, bgr=bgr)
    picture = rig.blank()
    rig.show(picture)
    for frame in frames:
        picture = picture.copy()
        for (x, y, width, height), colour in frame:
            x, y = x % picture.width, y % picture.height
            ImageDraw.Draw(picture).rectangle((x, y, x + width - 1, y + height - 1), colour)
        rig.now_s += pause_s
        rig.show(picture)
    assert rig.seen() == rounded(picture, BITS[kind])


@pytest.mark.parametrize("kind", PANELS)
def test_an_unchanged_picture_sends_nothing(kind: str) -> None:
    rig = Rig(kind)
    rig.show(rig.blank())
    assert rig.show(rig.blank()) == 0


@pytest.mark.parametrize("kind", PANELS)
def test_a_change_costs_its_box_and_a_window(kind: str) -> None:
    rig = Rig(kind)
    rig.show(rig.blank())
    picture = rig.blank()
    picture.paste("black", (40, 50, 47, 59))
    assert rig.show(picture) == 7 * 9 * (KINDS[kind].pixels.bits // 8) + KINDS[kind].window_bytes


@pytest.mark.parametrize(
    ("kind", "whole"),
    [
        ("st7789-240", 115_211),
        ("st7789-320", 153_611),
        ("ili9341", 153_611),
        ("ili9486", 307_219),
        ("ili9488", 460_811),
    ],
)
def test_a_whole_frame_has_two_bytes_a_pixel_where_the_controller_takes_them(kind: str, whole: int) -> None:
    rig = Rig(kind)
    assert rig.show(rig.blank()) == whole + set_up_bytes(kind)


@pytest.mark.fault("lcd-fails")
def test_the_whole_picture_goes_out_again_within_each_minute() -> None:
    rig = Rig("st7789-240")
    rig.show(rig.blank())
    sent = []
    for _ in range(120):
        rig.now_s += 1
        sent.append(rig.show(rig.blank()))
    assert [second for second, count in enumerate(sent, 1) if count] == [50, 100]
    assert set(sent) == {0, 115_211 + set_up_bytes("st7789-240")}


@pytest.mark.fault("lcd-fails")
@pytest.mark.parametrize("kind", PANELS)
def test_a_panel_that_lost_its_power_shows_the_picture_again_within_a_minute(kind: str) -> None:
    rig = Rig(kind)
    picture = drawing(rig.panel.size)
    rig.show(picture)
    rig.model.lose_power()
    assert rig.seen().getbbox() is None
    for _ in range(60):
        rig.now_s += 1
        rig.show(picture)
    assert rig.seen() == rounded(picture, BITS[kind])
    assert len(rig.opened) == 1  # and nobody had told that anything was wrong


@pytest.mark.parametrize("kind", PANELS)
def test_a_panel_that_kept_its_power_stays_on_and_is_not_reset_while_it_is_set_up_again(kind: str) -> None:
    rig = Rig(kind)
    picture = drawing(rig.panel.size)
    rig.show(picture)
    rig.now_s += WHOLE_EVERY_S
    seen: list[Image.Image] = []

    def watched(code: int, command: Callable[[int], None] = rig.model.command) -> None:
        seen.append(rig.seen())
        command(code)

    rig.model.command = watched  # type: ignore[method-assign]
    rig.show(picture)
    assert len(seen) > 10
    assert all(one == rounded(picture, BITS[kind]) for one in seen)
    assert rig.model.resets == 1


def test_the_display_is_switched_on_only_once_the_first_picture_is_there() -> None:
    rig = Rig("st7789-240")
    order: list[str] = []

    class Noted(Model):
        def command(self, code: int) -> None:
            order.append({0x2C: "pixels", 0x29: "on", 0x28: "off"}.get(code, ""))
            super().command(code)

        def light(self, share: float) -> None:
            order.append(f"light {share > 0}")
            super().light(share)

    def open_noted() -> PanelWire:
        model = model_of("st7789-240")
        rig.opened.append(Noted(model.chip, model.glass, model.view))
        return rig.opened[-1]

    panel = SpiPanel("st7789-240", open_noted, pause=lambda s: rig.model.pause(s))
    panel.show(rig.blank())
    panel.close()
    assert [word for word in order if word] == ["pixels", "on", "light True", "light False", "off"]


def test_the_light_is_set_at_once_and_kept_for_a_panel_that_is_opened_anew() -> None:
    rig = Rig("ili9341")
    rig.panel.light(0.5)
    assert rig.opened == []
    rig.show(rig.blank())
    assert rig.model.light_share == 0.5
    rig.panel.light(0.25)
    assert rig.model.light_share == 0.25
    rig.model.close()
    with pytest.raises(Exception, match="closed"):
        rig.show(rig.blank("red"))
    rig.show(rig.blank("red"))
    assert (len(rig.opened), rig.model.light_share) == (2, 0.25)


def test_a_light_that_cannot_be_set_is_said_and_the_panel_opened_anew() -> None:
    rig = Rig("ili9341")
    rig.show(rig.blank())

    def fail(share: float) -> None:
        raise OSError("GPIO 18 cannot be set")

    rig.model.light = fail  # type: ignore[method-assign]
    with pytest.raises(PanelError, match="the ili9341 cannot be reached: GPIO 18 cannot be set"):
        rig.panel.light(0.5)
    rig.show(rig.blank())
    assert len(rig.opened) == 2
    assert rig.seen() == rig.blank()


def test_closing_leaves_no_code_on_the_glass() -> None:
    rig = Rig("ili9341")
    rig.show(rig.blank())
    assert rig.seen().getbbox() is not None
    rig.panel.close()
    rig.panel.close()
    assert rig.model.closed and rig.seen().getbbox() is None
    with pytest.raises(PanelError, match="closed"):
        rig.panel.show(rig.blank())


@pytest.mark.parametrize("kind", PANELS)
@pytest.mark.parametrize("rotate", range(4))
def test_a_code_can_be_read_off_the_glass(kind: str, rotate: int) -> None:
    rig = Rig(kind, rotate)
    png = io.BytesIO()
    segno.make(TOKEN, error="l", micro=False).save(png, kind="png", scale=8, border=4)
    code = Image.open(png).convert("L")
    side = min(rig.panel.size)
    picture = rig.blank()
    rig.show(picture)
    picture.paste(code.resize((side, side), Image.Resampling.BOX).convert("RGB"), (0, 0))
    rig.show(picture)
    assert [found.text for found in zxingcpp.read_barcodes(rig.seen())] == [TOKEN]


# What is refused


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"kind": "st7735"}, "there is no panel 'st7735'; there are st7789-240"),
        ({"kind": "ili9341", "rotate": 4}, "rotate is 0 to 3 quarter turns, not 4"),
        ({"kind": "ili9341", "x_offset": 1}, "the ili9341 has no x_offset: its glass is the whole memory"),
        ({"kind": "st7789-240", "x_offset": 81}, "x_offset of the st7789-240 is 0 to 80, not 81"),
        (
            {"kind": "st7789-240", "y_offset": -1},
            "the st7789-240 has no y_offset: its glass is as high as the memory",
        ),
    ],
)
def test_what_does_not_exist_is_refused_in_plain_words(options: dict[str, object], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        SpiPanel(**options, open_wire=model_of)  # type: ignore[arg-type]


def test_eight_colours_go_in_three_bits_and_the_format_is_the_usual_one_between_pictures() -> None:
    rig = Rig("ili9488")
    rig.show(rig.blank())
    picture = rig.blank()
    picture.paste("black", (40, 40, 240, 240))
    assert rig.show(picture) == 200 * 200 // 2 + 11 + 2 * 2
    assert rig.seen() == picture
    assert [values for code, values in rig.model.writes if code == 0x3A][-2:] == [b"\x61", b"\x66"]


def test_a_panel_whose_three_bit_colour_is_switched_off_gets_every_pixel_in_its_usual_format() -> None:
    rig = Rig("ili9488", three_bit=False)
    rig.show(rig.blank())
    picture = rig.blank()
    picture.paste("black", (40, 40, 240, 240))
    assert rig.show(picture) == 200 * 200 * 3 + 11
    assert rig.seen() == picture


def test_a_window_says_only_what_the_last_one_did_not() -> None:
    rig = Rig("ili9341")
    picture = rig.blank()
    rig.show(picture)
    picture.paste((90, 0, 0), (40, 50, 48, 60))
    assert rig.show(picture) == 8 * 10 * 2 + 11
    picture.paste((0, 90, 0), (40, 50, 48, 60))
    assert rig.show(picture) == 8 * 10 * 2 + 1
    picture.paste((0, 90, 0), (80, 50, 88, 60))
    assert rig.show(picture) == 8 * 10 * 2 + 6
    rig.now_s += WHOLE_EVERY_S
    assert rig.show(picture) == 320 * 240 * 2 + 11 + set_up_bytes("ili9341")
    assert rig.seen() == rounded(picture, BITS["ili9341"])


def test_a_picture_of_another_size_or_mode_is_refused_before_a_byte_is_sent() -> None:
    rig = Rig("ili9341")
    with pytest.raises(ValueError, match="the panel is 320x240, the picture 240x320"):
        rig.panel.show(Image.new("RGB", (240, 320)))
    with pytest.raises(ValueError, match="mode RGB, not L"):
        rig.panel.show(Image.new("L", (320, 240)))
    assert rig.opened == []


def test_sizes_are_as_the_driver_sees_them() -> None:
    assert [panel_size(kind) for kind in PANELS] == [(240, 240), (320, 240), (320, 240), (480, 320), (480, 320)]
    assert [panel_size(kind, 1) for kind in PANELS] == [(240, 240), (240, 320), (240, 320), (320, 480), (320, 480)]


def test_the_clocks_that_data_sheets_allow_are_known() -> None:
    assert [datasheet_hz(kind) / 1e6 for kind in PANELS] == [62.5, 62.5, 10, 20, 20]
