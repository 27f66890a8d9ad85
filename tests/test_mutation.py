"""Mutants: what is changed, how each is named, and that those which may survive are still there."""

import ast
from pathlib import Path

import pytest

from tests.mutation.accepted import PATH, Name, name_of, read, written
from tests.mutation.mutants import CORE, mutants, source
from tests.mutation.trial import Plugin

ACCEPTED = dict(read(PATH.read_text().splitlines()))
SMALL = '''\
"""A file."""

from dataclasses import dataclass
from typing import Literal

Stage = Literal["open", "closed"]
LIMIT = 3


@dataclass(frozen=True)
class Noun:
    """It."""

    at: int = 1

    def late(self, now: int | None) -> bool:
        assert now is not None, "there is a time"
        if now >= LIMIT:
            return True
        return now >= LIMIT
'''


def small(tmp_path: Path, text: str = SMALL) -> list[Name]:
    path = tmp_path / "small.py"
    path.write_text(text)
    return [name_of(mutant) for mutant in mutants(path)]


def test_limits_defaults_and_decorators_are_changed_types_and_annotations_are_not(tmp_path: Path) -> None:
    made = {(name.within, name.after) for name in small(tmp_path)}
    assert {("LIMIT", "LIMIT = 4"), ("Noun", "at: int = 2"), ("Noun", "@dataclass(frozen=False)")} <= made
    assert {("Noun.late", "if now > LIMIT:"), ("Noun.late", "return now > LIMIT")} <= made
    assert not [after for _, after in made if "Stage" in after or "&" in after]


def test_of_an_assertion_what_it_holds_is_changed_and_what_it_says_is_not(tmp_path: Path) -> None:
    made = [name.after for name in small(tmp_path) if name.before.startswith("assert")]
    assert made == ['assert now is None, "there is a time"']


def test_a_mutant_keeps_its_name_when_its_line_moves(tmp_path: Path) -> None:
    assert small(tmp_path) == small(
        tmp_path, SMALL.replace("LIMIT = 3", "# why\nLIMIT = 3").replace("        a", "\n        a")
    )


def test_the_same_change_of_equal_lines_has_a_number(tmp_path: Path) -> None:
    twice = SMALL.replace("        return now >= LIMIT\n", "        return now >= LIMIT\n" * 2)
    names = small(tmp_path, twice)
    assert [name.which for name in names if name.after == "return now > LIMIT"] == [1, 2]
    assert len(set(names)) == len(names)


def test_a_mutant_is_the_file_but_for_its_change() -> None:
    text = (CORE / "tariff.py").read_text()
    for mutant in mutants(CORE / "tariff.py"):
        if mutant.before.startswith("return Fils(0)"):
            assert source(mutant) in {text.replace("Fils(0)", new) for new in ("Fils(1)", "Fils(None)")}


def test_a_mutant_that_no_test_reaches_survives_instead_of_breaking_the_run() -> None:
    Plugin().run([], lambda item: pytest.fail(f"{item} was not asked for"))


def test_the_list_is_read_as_it_is_written() -> None:
    names = [Name("quote.py", "_end", 2, "if a - b:", ""), Name("rules/draft.py", "Draft.put", 1, "x = 1", "x = 2")]
    text = "# Why,\n# in two lines.\n\n" + "\n".join(map(written, names))
    assert list(read(text.splitlines())) == [(name, "Why, in two lines.") for name in names]
    with pytest.raises(ValueError, match="no reason"):
        list(read(written(names[0]).splitlines()))


def test_the_accepted_list_speaks_of_lines_that_are_there() -> None:
    """`make mutation` tells more, in minutes."""
    gone = [name for name in ACCEPTED if name.before not in " ".join(_text(name).split())]
    assert not gone, "\n".join(map(written, gone))


def _text(name: Name) -> str:
    """The source of the function or class, or of the line of the module, that a mutant is in."""
    text = (CORE / name.file).read_text()
    nodes = ast.parse(text).body
    nodes += [inner for node in nodes if isinstance(node, ast.If) for inner in node.orelse]  # what types do not see
    *around, last = name.within.split(".")
    for part in around:
        nodes = next(node.body for node in nodes if isinstance(node, ast.ClassDef) and node.name == part)
    found = [node for node in nodes if getattr(node, "name", None) == last or last in _assigned(node)]
    lines = text.splitlines()
    first = min([found[0].lineno, *(d.lineno for d in getattr(found[0], "decorator_list", []))])
    return "\n".join(lines[first - 1 : found[0].end_lineno])


def _assigned(node: ast.stmt) -> list[str]:
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    return [target.id for target in targets if isinstance(target, ast.Name)]
