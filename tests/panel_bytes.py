"""How many bytes each step between screens takes on each panel's wire, as tests/panel_bytes.txt has it on record.

    python -m tests.panel_bytes [--write]

prints what the steps take now, or records it. The counts depend on the code, Pillow and the fonts alone, so they are
the same on every machine; test_panel_steps.py fails for one that grew.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from drivers.panel_kinds import KINDS
from terminal.screen.view import Digits
from tests.support.panel_steps import STEPS, counted, screens

RECORD = Path(__file__).with_suffix(".txt")
BOTH: tuple[Digits, ...] = ("latin", "arabic")

Counts = dict[tuple[str, str, str], int]
"""Bytes by step, digits and panel."""


def measured(kind: str, digits: Digits) -> Counts:
    """What the steps take now on one panel."""
    shown, (show, _) = screens(kind, digits), counted(kind)
    counts = {}
    for before, after in STEPS:
        show(shown[before])
        counts[f"{before} -> {after}", digits, kind] = show(shown[after])[0]
    return counts


def recorded() -> Counts:
    """What is on record."""
    title, *lines = (line.split("  ") for line in RECORD.read_text().splitlines())
    cells = [[cell.strip() for cell in line if cell.strip()] for line in lines]
    kinds = [cell.strip() for cell in title if cell.strip()][2:]
    return {
        (step, digits, kind): int(count.replace(",", ""))
        for step, digits, *counts in cells
        for kind, count in zip(kinds, counts, strict=True)
    }


def table(counts: Counts) -> str:
    """The record's text."""
    lines = [f"{'step':<32}{'digits':<8}" + "".join(f"{kind:>13}" for kind in KINDS)]
    for step, digits in dict.fromkeys((step, digits) for step, digits, _ in counts):
        lines.append(f"{step:<32}{digits:<8}" + "".join(f"{counts[step, digits, kind]:>13,}" for kind in KINDS))
    return "\n".join(lines) + "\n"


def main() -> None:
    """Print or write the record."""
    by_kind = [measured(kind, digits) for digits in BOTH for kind in KINDS]
    text = table({key: count for counts in by_kind for key, count in counts.items()})
    if "--write" in sys.argv[1:]:
        RECORD.write_text(text)
    else:
        print(text, end="")


if __name__ == "__main__":
    main()
