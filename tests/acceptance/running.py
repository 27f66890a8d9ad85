"""A case run to its end, whatever becomes of it."""

import asyncio
import traceback
from pathlib import Path

from tests.acceptance.cases import CASES, Case
from tests.acceptance.measured import Seen
from tests.acceptance.station import station

REFUSALS = ("unsigned", "signed")
"""Whether the refusals of PayBy's gateway are signed."""


async def run_case(case: Case, folder: Path, scale: float, refusals: str = REFUSALS[0]) -> Seen:
    seen = Seen(case.number, case.title if refusals == REFUSALS[0] else f"{case.title} ({refusals})")
    try:
        name = f"case-{case.number}-{refusals}"
        async with station(folder / name, scale=scale, notify=case.notify) as terminal:
            terminal.sandbox.unsigned_errors = None if refusals == REFUSALS[0] else False
            await case.run(terminal, seen)
            seen.holds(not terminal.running["run"].ended, "the terminal ended")
    except (AssertionError, TimeoutError, KeyError) as error:
        last = traceback.extract_tb(error.__traceback__)
        where = next((f"{f.name}:{f.lineno}" for f in reversed(last) if "acceptance" in f.filename), "")
        seen.problems.append(f"{type(error).__name__} in {where}: {error}")
    return seen


def run_alone(number: int, refusals: str, folder: Path, scale: float) -> Seen:
    """One case in a process of its own: PayBy's record of times is not to suffer from what another case does."""
    case = next(case for case in CASES if case.number == number)
    return asyncio.run(run_case(case, folder, scale, refusals))
