"""The two forms of `[tariff]`: blocks, or rates."""

from pathlib import Path

import pytest

from terminal.config.load import load
from tests.support.config_files import file, read, said

__all__ = ["file"]

RATE = '[[tariff.rate]]\nsteps = [{ total = "5.00" }]\n'


def test_a_tariff_of_rates_has_no_free_minutes_and_no_cap_that_it_does_not_name(file: Path) -> None:
    tariff = read(file, RATE).tariff
    assert (tariff.free_minutes, tariff.day_cap, tariff.rate) == (0, "", ({"steps": [{"total": "5.00"}]},))
    named = read(file, '[tariff]\nfree_minutes = 5\nday_cap = "9.00"\n' + RATE).tariff
    assert (named.free_minutes, named.day_cap) == (5, "9.00")


@pytest.mark.parametrize("line", ['block_price = "5.00"', "block_minutes = 30"])
def test_a_tariff_is_of_blocks_or_of_rates(file: Path, line: str) -> None:
    key = line.partition(" ")[0]
    assert said(file, f"[tariff]\n{line}\n{RATE}") == (
        f"tariff.{key}: got it beside tariff.rate, takes one of the two forms"
    )


@pytest.mark.parametrize("key", ["day_cap", "calendar_cap", "minimum", "maximum", "round_to"])
def test_an_amount_of_a_tariff_is_above_nothing_or_none(file: Path, key: str) -> None:
    assert said(file, f'[tariff]\n{key} = "0.00"') == f"tariff.{key}: got '0.00', takes an amount above 0.00"
    assert getattr(read(file, f'[tariff]\n{key} = ""').tariff, key) == ""


def test_a_tariff_may_come_from_the_environment(file: Path) -> None:
    file.write_text("", encoding="utf-8")
    rates = load(file, {"EXIT_TERMINAL_TARIFF_RATE": '[{ steps = [{ total = "5.00" }] }]'}).tariff
    assert (rates.rate, rates.free_minutes, rates.day_cap) == (({"steps": [{"total": "5.00"}]},), 0, "")


def test_a_key_that_signs_a_class_has_an_id_of_letters_and_digits(file: Path) -> None:
    assert read(file, '[tariff]\nclasses = { k2 = "bus" }').tariff.classes == {"k2": "bus"}
    assert said(file, '[tariff]\nclasses = { k-2 = "bus" }') == (
        'tariff.classes: got a table of k-2, takes ids of [ticket] keys and classes, such as { k2 = "motorcycle" }'
    )
