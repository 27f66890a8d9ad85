"""A case run to its end, whatever becomes of it."""

import asyncio
import traceback
from pathlib import Path

from tests.acceptance.cases import CASES, Case
from tests.acceptance.measured import Seen
from tests.acceptance.station import station


async def run_case(case: Case, folder: Path, scale: float) -> Seen:
    seen = Seen(case.number, case.title)
    try:
        async with station(folder / f"case-{case.number}", scale=scale, notify=case.notify) as terminal:
            await case.run(terminal, seen)
            seen.holds(not terminal.running["run"].ended, "the terminal ended")
    except (AssertionError, TimeoutError, KeyError) as error:
        last = traceback.extract_tb(error.__traceback__)
        where = next((f"{f.name}:{f.lineno}" for f in reversed(last) if "acceptance" in f.filename), "")
        seen.problems.append(f"{type(error).__name__} in {where}: {error}")
    return seen


def run_alone(number: int, folder: Path, scale: float) -> Seen:
    """One case in a process of its own: PayBy's record of times is not to suffer from what another case does."""
    case = next(case for case in CASES if case.number == number)
    return asyncio.run(run_case(case, folder, scale))
