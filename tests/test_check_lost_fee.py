"""`check` tells who may save by losing a ticket."""

from pathlib import Path

import pytest

from terminal import build
from terminal.config.load import load
from terminal.tools.check.finding import Finding, Machine
from terminal.tools.check.lost_fee import dearest_day, lost_fee
from tests.support.config_files import WHOLE, file, read
from tests.support.tariffs import FOLDER, HOURLY, history

__all__ = ["file"]
MONDAY = 1_796_000_400_000  # 2026-11-30, 01:00 in Dubai


async def findings(file: Path, text: str) -> list[Finding]:
    machine = Machine(lambda _: None, lambda: None, lambda _: 0, lambda panel, x, y: None)
    return [finding async for finding in lost_fee(read(file, text), machine)]


async def test_a_lost_ticket_that_costs_less_is_a_warning_that_names_the_key(file: Path) -> None:
    (found,) = await findings(file, WHOLE.replace('lost_ticket = "150.00"', 'lost_ticket = "99.99"'))
    assert (found.outcome, found.key, found.ok) == ("warning", "tariff.lost_ticket", True)
    assert found.text == "AED 99.99 is less than a stay of 24 h may cost, AED 100.00"


@pytest.mark.parametrize("price", ["100.00", "150.00"])
async def test_as_much_as_a_day_is_enough_and_needs_no_line(file: Path, price: str) -> None:
    assert await findings(file, WHOLE.replace('lost_ticket = "150.00"', f'lost_ticket = "{price}"')) == []


async def test_a_price_that_rises_later_is_looked_at_too(file: Path) -> None:
    later = '[[tariff.next]]\nfrom = "2199-01-01"\nblock_price = "50.00"\nday_cap = "400.00"\n'
    (found,) = await findings(file, WHOLE.replace("next = []\n", "") + later)
    assert found.outcome == "warning"
    assert found.text.endswith("AED 400.00")


async def test_a_machine_without_reader_and_worker_is_not_asked(file: Path) -> None:
    assert await findings(file, '[garage]\nid = "marina"\n[loops]\nwaiting_pin = 5\nboom_pin = 6\n') == []


async def test_a_tariff_that_cannot_be_is_told_by_another_check(file: Path) -> None:
    broken = WHOLE.replace("rate = []\n", "rate = [{ nonsense = 1 }]\n")
    lines = [line for line in broken.splitlines() if not line.startswith("block_")]
    assert await findings(file, "\n".join(lines)) == []


def test_the_dearest_hour_and_class_of_a_week_count() -> None:
    weekend = {"class": "bus", "days": "sat-sun", "steps": [{"every": "1 h", "add": "20.00"}]}
    usual = {"class": "bus", "days": "mon-fri", "steps": [{"every": "1 h", "add": "5.00"}]}
    tariff = history(HOURLY, weekend, usual, classes={"b1": "bus"}, lost_ticket="300.00")
    assert dearest_day(tariff, MONDAY) == (20 * 24 * 100, 30_000)


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.toml")), ids=lambda path: path.stem)
def test_every_tariff_of_the_tree_can_be_asked(path: Path) -> None:
    day, lost = dearest_day(build.tariff(load(path, {})), MONDAY)
    assert day >= 0 and lost > 0
