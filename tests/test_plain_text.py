"""Texts of others, before they stand in a log line, an alert or the journal."""

import io
import logging
import unicodedata

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from terminal.app.log_format import PlainFormatter
from terminal.payby.plain_text import plain


def test_what_shows_as_it_is_stays() -> None:
    for text in ("", "order not exist", "الطلب غير موجود", "café · 20.00 AED 🅿"):
        assert plain(text) == text


def test_what_would_begin_a_line_or_turn_one_around_is_replaced() -> None:
    assert plain("no\nWARNING forged\r\n\tor\x00not") == "no WARNING forged   or\ufffdnot"
    assert plain("a\u202eb\u2066c\u200bd\ud83de\x1b[31mf\u2028g") == "a\ufffdb\ufffdc\ufffdd\ufffde\ufffd[31mf g"


def test_what_is_too_long_is_cut_where_one_can_see_it() -> None:
    assert plain("x" * 200) == "x" * 200
    assert plain("x" * 20_000) == "x" * 199 + "…"
    assert plain("\n" * 300, 10) == " " * 9 + "…"


@given(st.text(alphabet=st.characters(exclude_categories=()), max_size=300))
def test_any_text_becomes_one_printable_line_that_can_be_encoded(text: str) -> None:
    found = plain(text)
    assert len(found) <= 200 and found.isprintable() and plain(found) == found
    assert not any(unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp") for c in found)
    msgspec.json.encode(found)


def test_no_record_forges_a_line_of_the_log_not_even_by_its_exception() -> None:
    out = io.StringIO()
    handler = logging.StreamHandler(out)
    handler.setFormatter(PlainFormatter("%(levelname)s %(name)s: %(message)s"))
    logger = logging.Logger("lane")
    logger.addHandler(handler)
    logger.warning("PayBy said: %s", "no\nWARNING lane: forged\u202e")
    try:
        raise ValueError("half\nWARNING lane: forged\x1b[2J")
    except ValueError:
        logger.exception("it failed")
    first, second, *trace = out.getvalue().splitlines()
    assert (first, second) == ("WARNING lane: PayBy said: no WARNING lane: forged\ufffd", "ERROR lane: it failed")
    assert all(line.startswith("    ") and line.isprintable() for line in trace)
