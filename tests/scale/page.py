"""Writes the tables of deploy/cluster/scale.md from the run that deploy/cluster/scale.json keeps.

python -m tests.scale.page
"""

import re
from pathlib import Path

import msgspec

from tests.scale import tables
from tests.scale.figures import Run
from tests.scale.reckoning import reckoned

CLUSTER = Path(__file__).resolve().parents[2] / "deploy/cluster"
PAGE, RUN = CLUSTER / "scale.md", CLUSTER / "scale.json"


def run() -> Run:
    """The run that the page tells of."""
    return msgspec.json.decode(RUN.read_bytes(), type=Run)


def blocks(found: Run) -> dict[str, str]:
    """What stands on the page under each mark."""
    engines = "\n".join(f"- `{setup}`: {engine}" for setup, engine in found.engines.items())
    return {
        "run": f"Measured on {found.at}, on {found.cores} shared cores and {found.memory_gib} GiB.\n\n{engines}",
        "steps": tables.steps(found),
        "costs": tables.costs(found),
        "memory": tables.memory(found),
        "breaks": "\n".join(f"- {line}" for line in tables.broken(found).splitlines()),
        "outages": tables.outages(found),
        "ledgers": tables.ledgers(found),
        "reckoned": reckoned(found),
    }


def written(text: str, found: Run) -> str:
    """The page with the tables of that run. Raises KeyError for a mark that it does not know."""
    made = blocks(found)
    return re.sub(
        r"(<!-- (\w+) -->\n).*?(?=<!-- / -->)",
        lambda mark: f"{mark[1]}\n{made[mark[2]]}\n\n",
        text,
        flags=re.DOTALL,
    )


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text(encoding="utf-8"), run()), encoding="utf-8")
