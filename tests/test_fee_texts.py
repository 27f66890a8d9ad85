import re
import typing
from string import Formatter

import pytest

from terminal.core.tariff.fee import FeeLine, FeeLineKind
from terminal.screen import fonts
from terminal.screen.fee_texts import FEE_TEXTS, length_words, line_words
from tests.support.tariffs import DUBAI, moment

KINDS = typing.get_args(FeeLineKind)
LINE = FeeLine(
    "blocks", 2000, 2, 1000, 5_400_000, moment("2026-11-30 09:00"), moment("2026-11-30 12:00"), "Day", "النهار"
)


@pytest.mark.parametrize("kind", KINDS)
def test_each_line_of_a_fee_has_words_in_both_languages(kind: str) -> None:
    english, arabic = FEE_TEXTS[kind]
    fields = [{name for _, name, _, _ in Formatter().parse(text) if name} for text in (english, arabic)]
    assert fields[0] == fields[1] <= {"count", "length", "each", "begin"}
    assert not re.search(r"[؀-ۿ]", english)
    assert re.search(r"[؀-ۿ]", arabic)


def test_no_character_of_the_texts_lacks_a_glyph() -> None:
    assert fonts.lacking("".join(text for row in FEE_TEXTS.values() for text in row)) == ""


def test_a_line_says_its_rate_its_time_and_how_it_came_about() -> None:
    assert line_words(LINE, "en", DUBAI) == "Day, 2026-11-30 09:00 – 12:00: 2 × 1 h 30 min at 10.00"
    assert line_words(LINE, "ar", DUBAI) == "النهار، 2026-11-30 09:00 – 12:00: 2 × 1 س 30 د بسعر 10.00"


def test_a_part_over_midnight_says_both_days() -> None:
    line = FeeLine("total-last", 0, begin_ms=moment("2026-11-30 23:00"), end_ms=moment("2026-12-01 01:00"))
    assert line_words(line, "en", DUBAI) == "2026-11-30 23:00 – 2026-12-01 01:00: Fixed price"


def test_a_rate_with_one_name_has_it_in_both_languages() -> None:
    one = FeeLine("total-last", 0, rate="Night")
    other = FeeLine("total-last", 0, rate_ar="الليل")
    assert [line_words(line, lang, DUBAI).partition(":")[0] for line in (one, other) for lang in ("en", "ar")] == [
        "Night",
        "Night",
        "الليل",
        "الليل",
    ]


def test_a_night_and_a_first_stay_say_when_they_began() -> None:
    night = FeeLine("overnight", 2500, begin_ms=moment("2026-12-01 03:00"))
    assert line_words(night, "en", DUBAI) == "Night of 2026-12-01"
    first = FeeLine("first-stay", 0, begin_ms=moment("2026-12-01 03:00"))
    assert line_words(first, "en", DUBAI) == "Goes on with the stay since 2026-12-01 03:00"


def test_lengths_are_said_in_the_units_of_each_language() -> None:
    length = 2 * 86_400_000 + 3_600_000 + 61_000
    assert length_words(length, "en") == "2 d 1 h 1 min 1 s"
    assert length_words(length, "ar") == "2 يوم 1 س 1 د 1 ث"
