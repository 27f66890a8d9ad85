"""Every fault has a test, and every mark a fault; ``python -m tests.faults`` prints the table."""

from collections import Counter
from pathlib import Path

from tests.faults import KEYS, ROWS, Found, marks, marks_in, table

MATRIX = Path(__file__).resolve().parents[2] / "shared" / "faults.md"
LEAST = 72
"""When a fault is removed, the commit gives the reason and changes this number."""


def test_each_fault_has_a_test_that_bears_its_key() -> None:
    marked = Counter(key for _, _, key in marks())
    assert [row.key for row in ROWS if not marked[row.key]] == []


def test_each_mark_names_a_fault_that_there_is() -> None:
    assert [(path.name, test, key) for path, test, key in marks() if key not in KEYS] == []


def test_keys_and_titles_are_short_and_each_its_own() -> None:
    assert len(KEYS) == len({row.title for row in ROWS}) == len(ROWS)
    assert [row.key for row in ROWS if len(row.key) > 20 or len(row.title) > 100] == []


def test_no_fault_is_dropped_of_those_here_and_of_those_in_the_matrix_beside_the_project() -> None:
    assert len(ROWS) >= LEAST
    if MATRIX.exists():
        matrix = MATRIX.read_text(encoding="utf-8").partition("| fault |")[2].splitlines()[2:]
        assert len([line for line in matrix if line.startswith("|")]) <= len(ROWS)


def test_marks_are_read_from_tests_and_from_nothing_else() -> None:
    source = """
@pytest.mark.fault("a", "b")
@pytest.mark.parametrize("x", [1])
async def test_one(x): ...
@pytest.mark.fault("c")
def helper(): ...
@pytest.mark.slow
def test_two(): ...
"""
    assert list(marks_in(source)) == [("test_one", "a"), ("test_one", "b")]


def test_the_table_is_not_well_where_a_row_has_no_test_a_test_failed_or_a_mark_is_unknown() -> None:
    whole = {row.key: {"test_x.py::test_y": ["passed", "skipped"]} for row in ROWS}
    assert table(Found(whole), with_outcomes=True)[1]
    assert not table(Found({k: v for k, v in whole.items() if k != "tailgating"}), with_outcomes=False)[1]
    assert not table(Found(whole | {"no-such-row": {"t": ["passed"]}}), with_outcomes=True)[1]
    assert not table(Found(whole | {"tailgating": {"t": ["passed", "failed"]}}), with_outcomes=True)[1]
    assert not table(Found(whole | {"tailgating": {"t": ["skipped"]}}), with_outcomes=True)[1]
