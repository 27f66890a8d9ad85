"""accepted.txt: the mutants that may survive, and why.

A line that begins with ``#`` is a reason, for all up to the next one. A mutant is its file and function (and which, if
the function has the same change in more than one place), the lines that change, and what they become.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from tests.mutation.mutants import Mutant

PATH = Path(__file__).with_name("accepted.txt")


class Name(NamedTuple):
    """What stays the same of a mutant wherever its line moves to."""

    file: str
    within: str
    which: int
    before: str
    after: str


def name_of(mutant: Mutant) -> Name:
    return Name(mutant.file, mutant.within, mutant.which, mutant.before, mutant.after)


def written(name: Name) -> str:
    """As the file has it."""
    which = f" ({name.which})" if name.which > 1 else ""
    return f"{name.file} {name.within}{which}\n- {name.before}\n+ {name.after}\n".replace("+ \n", "+\n")


def read(lines: Iterable[str]) -> Iterator[tuple[Name, str]]:
    """Each accepted mutant with its reason; raises ValueError for a line that is neither."""
    reason, reading, head, before = "", False, "", ""
    for line in lines:
        kind, rest = line[:1], line[1:].strip()
        if kind == "#":
            reason = f"{reason} {rest}" if reading else rest
        elif kind == "-":
            before = rest
        elif kind == "+":
            file, within, *which = head.split()
            if not reason:
                raise ValueError(f"no reason: {head}: {before}")
            yield Name(file, within, int(which[0].strip("()")) if which else 1, before, rest), reason
        elif line.strip():
            head = line
        reading = kind == "#"
