"""The diagrams of CONTRIBUTING.md are what the rules do."""

from tests.states import BEGIN, END, PAGE, drawn, explore


def test_the_page_shows_what_the_rules_do() -> None:
    shown = PAGE.read_text().partition(BEGIN)[2].partition(END)[0]
    assert shown == drawn(), "python -m tests.states --write"


def test_money_goes_no_way_that_the_rules_forbid() -> None:
    payments = explore()["payment"].keys()
    assert {b for a, b in payments if a == "refund"} == {"refunded", "person"}
    assert not {b for a, b in payments if a == "refunded"}
