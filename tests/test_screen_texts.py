import re
from itertools import pairwise

import pytest

from terminal.core.model import REASONS
from terminal.screen import fonts
from terminal.screen.fonts import DoesNotFit, cut, fit, ink, lacking, priced, squeezed, wrapped
from terminal.screen.texts import LANGUAGES, TABLE, TEXTS

needs_raqm = pytest.mark.skipif(not fonts.raqm_available(), reason=f"Arabic cannot be shaped here: {fonts.INSTALL}")
ARABIC = re.compile(r"[\u0600-\u06FF]")


def columns(line: fonts.Ink) -> list[int]:
    """How much ink stands in each column."""
    return [sum(line.mask.crop((x, 0, x + 1, line.height)).tobytes()) for x in range(line.width)]


@pytest.mark.parametrize("key", TEXTS)
def test_a_row_has_a_text_in_every_language_and_the_font_has_its_letters(key: str) -> None:
    assert len(TEXTS[key]) == len(LANGUAGES)
    for lang in LANGUAGES:
        assert TABLE.say(key, lang).strip() == TABLE.say(key, lang) != ""
        assert lacking(TABLE.say(key, lang)) == ""
        assert bool(ARABIC.search(TABLE.say(key, lang))) == (lang == "ar")


def test_digits_and_marks_of_numbers_have_glyphs() -> None:
    assert lacking("0123456789.,:+()-#…٠١٢٣٤٥٦٧٨٩٫٬") == ""


def test_what_the_font_lacks_is_named() -> None:
    assert lacking("AED \u20c3 中") == "\u20c3中"


def test_every_reason_has_words_but_that_an_operator_closed_the_lane() -> None:
    assert {
        f"{state}.{reason}" for state in REASONS for reason in REASONS[state] if not TABLE.has(f"{state}.{reason}")
    } == {"closed.operator"}


@pytest.mark.parametrize(
    ("state", "reason", "lanes", "words"),
    [
        ("closed", "operator", 2, "Please use another lane"),
        ("closed", "operator", 1, "Please ask for help"),
        ("out-of-order", "broker", 2, "Please use another lane"),
        ("out-of-order", "broker", 1, "Please ask for help"),
        ("out-of-order", "payby", 2, "Please ask for help"),
    ],
)
def test_a_driver_is_sent_to_another_lane_only_where_there_is_one_that_helps(
    state: str, reason: str, lanes: int, words: str
) -> None:
    assert TABLE.say(TABLE.then(state, reason, lanes), "en") == words
    assert TABLE.then("help", "unpaid", lanes) == ""


@needs_raqm
def test_arabic_letters_are_joined() -> None:
    assert ink("سلام", "ar", 40).width < sum(ink(letter, "ar", 40).width for letter in "سلام")


@needs_raqm
def test_arabic_runs_from_right_to_left_and_the_latin_in_it_from_left_to_right() -> None:
    line, name = ink("بتطبيق PayBy", "ar", 30), ink("PayBy", "en", 30)
    drawn = line.mask.crop((0, line.above - name.above, name.width, line.above - name.above + name.height))
    assert drawn.tobytes() == name.mask.tobytes()


@needs_raqm
def test_words_between_latin_names_keep_their_distance() -> None:
    line = ink("PayBy أو BOTIM", "ar", 40)
    empty = "".join("x" if column else " " for column in columns(line))
    gaps = sorted((len(gap) for gap in re.findall(" +", empty)), reverse=True)
    space = fonts.font("SemiBold", 40).getlength(" ")
    assert all(0.5 * space <= gap <= 2 * space for gap in gaps[:2])


def test_a_blank_text_has_no_ink() -> None:
    assert (ink("", "en", 20).width, ink(" ", "en", 20).width) == (0, 0)


def test_ink_has_no_margins() -> None:
    line = ink("Scan", "en", 40)
    assert line.mask.getbbox() == (0, 0, line.width, line.height)
    assert line.above == pytest.approx(40 * fonts.CAPITAL, abs=1.5)


def test_a_line_is_set_as_large_as_its_room() -> None:
    for width in (60, 100, 160):
        line = fit("Please wait", "en", width, 60, 6)
        assert line.width <= width < ink("Please wait", "en", line.em + 1).width
    assert fit("Please wait", "en", 1000, 60, 6).em == 60


def test_a_line_is_squeezed_a_little_at_its_smallest_size_and_no_further() -> None:
    natural = ink("Please wait", "en", 30)
    line = fit("Please wait", "en", round(natural.width * 0.85), 30, 30)
    assert (line.em, line.height, line.above) == (30, natural.height, natural.above)
    assert line.squeeze == pytest.approx(0.85, abs=0.01)
    with pytest.raises(DoesNotFit, match="'Please wait' at 30 px is"):
        fit("Please wait", "en", round(natural.width * 0.75), 30, 30)


def test_a_line_with_room_is_not_squeezed() -> None:
    natural = ink("Scan", "en", 30)
    assert squeezed(natural, natural.width) is natural


def test_an_operators_text_that_is_too_long_ends_in_an_ellipsis() -> None:
    line = cut("The Marina Mall West Garage, Level 3", "en", 150, 20, 17)
    assert line.text.endswith("…")
    assert line.width <= 150
    assert line.text[:-1] == "The Marina Mall West Garage, Level 3"[: len(line.text) - 1]
    assert cut("Marina", "en", 150, 20, 17).text == "Marina"
    assert cut("Marina", "en", 2, 20, 17).width == 0


def test_the_fils_of_a_price_stand_smaller_on_the_same_baseline() -> None:
    whole, price = ink("25", "en", 40, "Bold"), priced("25.00", ".", 40)
    assert (price.above, price.text) == (whole.above, "25.00")
    assert price.mask.crop((0, 0, whole.width, whole.height)).tobytes() == whole.mask.tobytes()
    fils = price.mask.crop((whole.width, 0, price.width, price.height))
    _, top, _, bottom = fils.getbbox() or (0, 0, 0, 0)
    assert (round(top / price.height, 1), bottom) == (0.5, price.height)


def test_a_text_is_broken_into_lines_of_like_length() -> None:
    lines = wrapped("or a second phone", "en", 120, 20, 3)
    assert " ".join(line.text for line in lines) == "or a second phone"
    assert all(line.width <= 120 for line in lines)
    assert all(abs(a.width - b.width) < 60 for a, b in pairwise(lines))
    with pytest.raises(DoesNotFit, match="does not fit into 2 lines of 40 px"):
        wrapped("or a second phone", "en", 40, 20, 2)
