"""The threat model names a test for whatever is stopped, and each of them is there."""

import ast
import re
from dataclasses import fields
from pathlib import Path

import pytest

from terminal.config.schema import Settings

TREE = Path(__file__).parents[1]
PAGE = TREE / "deploy/security.md"
NAMED = re.compile(r"`(test_\w+\.py)::(test_\w+)`")
ROW = re.compile(r"(?<!\\)\|")
BY_SECTION = {
    "broker": "broker", "mqtt": "broker", "payby": "PayBy", "lookup": "look-up", "reader": "scanner", "lcd": "glass",
    "barrier": "loops and relay", "loops": "loops and relay", "gpio": "loops and relay", "listener": "notify",
    "console": "desk", "journal": "files", "plate": "broker", "lift": "files", "ticket": "files",
    "alerts": "receivers", "discovery": "broker", "paystation": "broker", "coupon": "scanner", "receipt": "notify",
}  # fmt: skip
NO_DOOR = {"garage", "lane", "log", "tariff"}
"""Sections that only say what is: nothing comes in by them."""


def rows(head: str) -> list[list[str]]:
    """The cells of the table whose first line begins with ``head``."""
    _, found, rest = PAGE.read_text(encoding="utf-8").partition(f"\n| {head}")
    assert found, head
    lines = (found + rest).strip().split("\n\n")[0].splitlines()
    return [[cell.strip() for cell in ROW.split(line)[1:-1]] for line in lines[2:]]


THREATS = rows("who | what |")
DOORS = [row[0] for row in rows("door |")]


def names_in(file: str) -> set[str]:
    body = ast.parse((TREE / "tests" / file).read_bytes()).body
    return {node.name for node in body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


@pytest.mark.parametrize("row", THREATS, ids=[f"{row[0]} {row[1]}"[:60] for row in THREATS])
def test_what_is_stopped_names_tests_that_are_there(row: list[str]) -> None:
    assert len(row) == 6 and all(row)
    named = NAMED.findall(row[5])
    assert named or row[3].startswith("nothing here"), "without a test it must say that nothing here stops it"
    assert NAMED.sub("", row[5]).strip(", ") in ("", "no test can")
    assert [f"{file}::{test}" for file, test in named if test not in names_in(file)] == []


def test_each_door_has_somebody_who_tries_it_and_no_other_is_tried() -> None:
    assert sorted({row[2] for row in THREATS}) == sorted(DOORS)


def test_no_section_of_the_configuration_opens_a_door_that_the_page_forgets() -> None:
    """A new section stands in one of the two tables above, and its door on the page."""
    named = {field.name for field in fields(Settings)}
    assert sorted({*BY_SECTION, *NO_DOOR}) == sorted(named - {"file", "absent"})
    assert set(BY_SECTION.values()) <= set(DOORS)


def test_a_name_that_is_wrong_is_noticed() -> None:
    with pytest.raises(AssertionError):
        test_what_is_stopped_names_tests_that_are_there(
            ["a", "b", "c", "d", "e", "`test_security_page.py::test_of_nothing`"]
        )


def test_no_fewer_threats_than_there_were() -> None:
    """When one is removed, the commit gives the reason and changes this number."""
    assert len(THREATS) >= 32
