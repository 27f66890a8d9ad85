"""terminal/core/allowance.py: what is left to pay."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from terminal.core.allowance import Allowance, AllowanceKind, due

NOW = 1_000_000


def one(kind: AllowanceKind, value: int = 0, until: int = NOW) -> Allowance:
    return Allowance(f"{kind}-{value}-{until}", kind, value, "station", until)


@pytest.mark.parametrize(
    ("allowances", "left"),
    [
        ([], 2000),
        ([one("amount", 500)], 1500),
        ([one("amount", 500), one("amount", 700)], 800),
        ([one("amount", 2001)], 0),
        ([one("percent", 2500)], 1500),
        ([one("percent", 5000), one("percent", 5000)], 500),
        ([one("percent", 10_000)], 0),
        ([one("percent", 1)], 1999),
        ([one("free")], 0),
        ([one("amount", 500, NOW - 1)], 2000),
        ([one("percent", 2500, NOW - 1), one("free", 0, NOW - 1)], 2000),
        ([one("paid", 100)], 0),
        ([one("paid", 1500, NOW - 1)], 500),
        ([one("paid", 1500, NOW - 1), one("paid", 400, NOW - 1)], 100),
        ([one("paid", 3000, NOW - 1)], 0),
        ([one("paid", 500, NOW - 1), one("percent", 5000)], 500),
    ],
)
def test_what_is_left(allowances: list[Allowance], left: int) -> None:
    assert due(2000, allowances, NOW) == left


ALLOWANCES = st.lists(
    st.builds(
        one,
        st.sampled_from(["paid", "amount", "percent", "free"]),
        st.integers(0, 10_000),
        st.integers(NOW - 5, NOW + 5),
    )
)


@given(st.integers(0, 100_000), ALLOWANCES, st.randoms(use_true_random=False))
def test_it_is_never_negative_never_more_and_the_same_in_any_order(
    amount: int, allowances: list[Allowance], chance: object
) -> None:
    left = due(amount, allowances, NOW)
    assert 0 <= left <= amount
    others = [a for a in allowances if a.kind != "percent"]
    chance.shuffle(others)  # type: ignore[attr-defined]
    assert due(amount, [*others, *(a for a in allowances if a.kind == "percent")], NOW) == left
    assert due(amount, [*allowances, one("amount", 7)], NOW) <= left
