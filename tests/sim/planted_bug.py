"""A planted bug, and where most of them are."""

from dataclasses import dataclass

RULES, GATE, GRANT = "terminal.core.rules.", "terminal.roles.barrier.controller", "terminal.contract.lift_rules"


@dataclass(frozen=True, slots=True)
class Bug:
    """``before`` stands once in ``module``; with ``after`` in its place, ``breaks`` says what goes wrong."""

    name: str
    module: str
    before: str
    after: str
    breaks: str
    climate: str = ""
    """What its worlds are full of (report.Options)."""
    only: str = ""
    """What counts as noticed begins so; empty for all that is wrong."""
    world: int = 0
    """The number of the first world to try: one that caught it when this was written."""
