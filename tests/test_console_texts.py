"""The desk's words: each in both languages, none missing and none left over."""

import re
import string
from importlib import resources
from pathlib import Path

import pytest

from terminal.contract.alerts import ALERTS
from terminal.core.model import REASONS as SCREEN_REASONS
from terminal.monitor.opened import Opened
from terminal.roles.console.actions import REASONS
from terminal.roles.console.alert_words import ARABIC
from terminal.roles.console.text_table import ROWS
from terminal.roles.console.texts import WORDS

ROOM = Path(str(resources.files("terminal.roles.console")))
SOURCES = "".join(
    path.read_text(encoding="utf-8")
    for path in [*ROOM.glob("*.py"), *ROOM.glob("templates/*.html")]
    if path.name != "text_table.py"
)
BUILT = (
    *("role.", "reason.", "action.", "ask.", "do.", "stage.", "severity.", "kind.", "boom.", "state.", "order."),
    *("opened.", "sign.did.", "unit.", "day."),
)  # fmt: skip
"""Begin the keys that are put together from what is said on the wire."""


def fields(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


@pytest.mark.parametrize("key", ROWS)
def test_a_row_says_the_same_in_both_languages(key: str) -> None:
    english, arabic = ROWS[key]
    assert fields(english) == fields(arabic)
    assert english.strip() and arabic.strip()
    if key != "language.other":
        assert not re.search("[\u0600-\u06ff]", english)


def test_every_word_that_a_page_uses_is_there() -> None:
    used = set(re.findall(r"""\bt\("([a-z.-]+)"[,)]""", SOURCES)) | set(re.findall(r'words\(\s*"([a-z. -]+)"', SOURCES))
    assert len(used) > 80
    assert used - set(ROWS) == {"key"}  # of a docstring


def test_no_row_is_left_over() -> None:
    quoted = set(re.findall(r'"([a-z]+(?:[. -][a-z-]+)*)"', SOURCES))
    assert {key for key in ROWS if key not in quoted and not key.startswith(BUILT)} == set()


def test_each_action_has_its_words_and_its_reasons() -> None:
    for kind, reasons in REASONS.items():
        for begins in ("action", "ask", "do"):
            assert f"{begins}.{kind}" in ROWS
        assert {f"reason.{reason}" for reason in reasons} <= set(ROWS)


@pytest.mark.parametrize("lang", WORDS)
def test_every_screen_has_words(lang: str) -> None:
    words = WORDS[lang]
    for state, reasons in SCREEN_REASONS.items():
        for reason in ("", *reasons):
            assert words.screen(state, reason) not in ("", state)


def test_what_a_newer_version_says_is_shown_as_it_is() -> None:
    words = WORDS["en"]
    assert words.screen("dancing", "music") == "dancing"
    assert words.boom("sideways") == "sideways"
    assert words.stage("elsewhere") == "elsewhere"
    assert words.known("reason.new", "new") == "new"


def test_who_opened_the_boom_is_said_in_a_few_words() -> None:
    words = WORDS["en"]
    assert words.opened(Opened(0, "operator", who="amal", note="lost-ticket")) == "by amal: lost-ticket"
    assert words.opened(Opened(0, "paid", amount="20.00")) == "by a payment of AED 20.00"
    assert words.opened(Opened(0, "by hand")) == "by hand"


@pytest.mark.parametrize("code", ALERTS)
def test_each_alert_says_in_arabic_what_it_means_and_what_to_do(code: str) -> None:
    meaning, remedy = WORDS["ar"].advice(code)
    assert meaning and remedy
    words = "".join(part for part, fixed in [*meaning, *remedy] if not fixed)
    assert not re.search("[A-Za-z]", words), "what is Latin has a direction of its own"
    english = next(kind.meaning + kind.remedy for name, kind in ALERTS.items() if name == code)
    names = {part for part, fixed in [*meaning, *remedy] if fixed and ("_" in part or "." in part)}
    assert {name for name in names if name not in english} == set()


def test_an_alert_in_english_says_itself_what_happened_and_one_of_a_newer_version_says_no_more() -> None:
    assert WORDS["en"].advice("disk") == ([], [("Free some space.", False)])
    assert WORDS["en"].advice("of-tomorrow") == WORDS["ar"].advice("of-tomorrow") == ([], [])
    assert set(ARABIC) == set(ALERTS)
