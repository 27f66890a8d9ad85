"""The diagrams of CONTRIBUTING.md are what the rules do."""

import pytest

from tests.said import SAID
from tests.states import BEGIN, END, PAGE, drawn, explore
from tests.support.moves import ELSEWHERE, tabled

pytestmark = pytest.mark.timeout(600)  # every fact in every situation: half a minute of a whole processor
WORDS = SAID.read_text().splitlines()


def test_people_are_told_in_these_words() -> None:
    """Every alert, its severity and what it names; every answer to a command or a notification."""
    assert explore(frozenset(WORDS)).lines == WORDS, "python -m tests.states --write, and read what changed"


def test_the_page_shows_what_the_rules_do() -> None:
    shown = PAGE.read_text().partition(BEGIN)[2].partition(END)[0]
    assert shown == drawn(frozenset(WORDS)), "python -m tests.states --write"


def test_every_move_of_the_table_is_made() -> None:
    """That no other is made, each story holds (support/story.py), those that lead here among them."""
    assert explore(frozenset(WORDS)).moved == tabled() - ELSEWHERE


def test_money_goes_no_way_that_the_rules_forbid() -> None:
    payments = explore(frozenset(WORDS)).arrows["payment"].keys()
    assert {b for a, b in payments if a == "refund"} == {"refunded", "person"}
    assert not {b for a, b in payments if a == "refunded"}
