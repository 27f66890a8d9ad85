"""What every step between the product's screens costs on each panel's wire: no more than on record, nor than luma."""

from dataclasses import replace
from itertools import cycle, pairwise, product

import pytest
from luma.lcd import device as luma
from PIL import Image

from drivers.panel_kinds import KINDS
from terminal.screen import fonts, qr
from terminal.screen.sample_views import URL
from terminal.screen.view import Digits, PayPage, View
from terminal.tools import screens as screens_tool
from tests.models.glass import rounded
from tests.panel_bytes import BOTH, RECORD, measured, recorded, table
from tests.support.panel_rig import BITS, Rig
from tests.support.panel_steps import STEPS, Counter, counted, luma_bytes, renderer_for, screens, walk

pytestmark = pytest.mark.skipif(not fonts.raqm_available(), reason=f"Arabic cannot be shaped here: {fonts.INSTALL}")
GREW = "more bytes than on record; if that must be, write it down by: python -m tests.panel_bytes --write"
AT_MOST = {"ili9486": 350_000, "ili9488": 350_000}
"""From idle by way of wait to the code: what a driver waits for, PayBy's answer aside."""


@pytest.mark.parametrize("digits", BOTH)
@pytest.mark.parametrize("kind", KINDS)
def test_no_step_takes_more_bytes_than_on_record(kind: str, digits: Digits) -> None:
    record = recorded()
    now = measured(kind, digits)
    grown = {step: (count, record[step]) for step, count in now.items() if count > record[step]}
    assert grown == {}, GREW


def test_the_record_has_every_step_of_every_panel_and_no_other() -> None:
    steps = [f"{before} -> {after}" for before, after in STEPS]
    assert set(recorded()) == set(product(steps, BOTH, KINDS))
    assert table(recorded()) == RECORD.read_text()


@pytest.mark.parametrize("kind", KINDS)
def test_the_count_for_luma_is_what_its_own_driver_sends(kind: str) -> None:
    wire, shown = Counter(), screens(kind)
    device = getattr(luma, KINDS[kind].luma)(
        wire,
        width=KINDS[kind].built[0],
        height=KINDS[kind].built[1],
        rotate=KINDS[kind].quarters,
        backlight=lambda on: None,
    )
    device.persist = True
    device.display(shown["idle"])
    before = wire.count
    device.display(shown["pay"])
    assert wire.count - before == luma_bytes(kind, shown["idle"], shown["pay"])


@pytest.mark.parametrize(("kind", "digits"), list(zip(KINDS, cycle(BOTH), strict=False)))
def test_no_step_between_any_two_screens_takes_more_bytes_than_luma(kind: str, digits: Digits) -> None:
    shown, (show, _) = screens(kind, digits), counted(kind)
    before: Image.Image | None = None
    more = []
    for name in walk([name for name in shown if ":" not in name]):  # seconds have a test of their own
        after = shown[name]
        took, _ = show(after)
        if before and took > luma_bytes(kind, before, after):
            more.append((name, took))
        before = after
    assert more == []


@pytest.mark.parametrize("digits", BOTH)
@pytest.mark.parametrize("kind", KINDS)
def test_no_second_of_a_countdown_takes_more_bytes_than_luma(kind: str, digits: Digits) -> None:
    renderer, (show, _) = renderer_for(kind, digits), counted(kind)
    page: PayPage = "words" if renderer.turns else "code"
    view = View("pay", amount="25.00", minutes=125, tail="4F2A", symbol=qr.encode(URL), page=page)
    frames = [renderer.compose(replace(view, left=left)) for left in range(181, 0, -1)]
    show(frames[0])
    for before, after in pairwise(frames):
        assert show(after)[0] <= luma_bytes(kind, before, after)


@pytest.mark.parametrize("kind", AT_MOST)
def test_the_way_from_idle_to_the_code_stays_under_its_target(kind: str) -> None:
    record = recorded()
    for digits in BOTH:
        assert record["idle -> wait", digits, kind] + record["wait -> pay", digits, kind] <= AT_MOST[kind]


@pytest.mark.parametrize("kind", KINDS)
def test_every_screen_ends_on_the_glass_as_it_was_drawn_whatever_came_before(kind: str) -> None:
    rig, shown = Rig(kind), screens(kind)
    for name in walk([*shown][::3]):
        rig.show(shown[name])
        assert rig.seen() == rounded(shown[name], BITS[kind]), name


def test_the_test_card_after_white_shows_three_bit_colour_beside_the_usual_one() -> None:
    rig = Rig("ili9488")
    card = screens_tool.test_card(*rig.panel.size)
    rig.show(rig.blank())
    rig.show(card)
    assert rig.seen() == rounded(card, BITS["ili9488"])
    assert (0x3A, b"\x61") in rig.model.writes
