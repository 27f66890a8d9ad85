"""The operator's table of alerts, drawn from the data; `python -m tests.alerts --write` puts it on its page."""

import argparse
import sys
from pathlib import Path

from terminal.contract.alerts import ALERTS

PAGE = Path(__file__).parents[1] / "deploy/operations.md"
BEGIN, END = "<!-- drawn by python -m tests.alerts --write -->\n", "<!-- end of what is drawn -->\n"


def drawn() -> str:
    """A row for each code, in Markdown."""
    rows = ["| code | severity | lasts | what happened | what to do |", "|---|---|---|---|---|"]
    rows += [
        f"| `{code}` | {kind.severity or 'the alert says'} | {kind.lasts} | {kind.meaning} | {kind.remedy} |"
        for code, kind in sorted(ALERTS.items())
    ]
    return "\n".join(rows) + "\n"


def main() -> int:
    ask = argparse.ArgumentParser(prog="python -m tests.alerts", description=__doc__)
    ask.add_argument("--write", action="store_true", help="put it into deploy/operations.md")
    if ask.parse_args().write:
        before, _, rest = PAGE.read_text().partition(BEGIN)
        PAGE.write_text(before + BEGIN + drawn() + END + rest.partition(END)[2])
    else:
        print(drawn(), end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
