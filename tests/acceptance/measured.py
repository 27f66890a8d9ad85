"""What PayBy wrote down of a case, and whether it is as the case asks. Times are seconds since the order was placed."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from terminal.payby.sandbox.api import Call

QUERY_S = (2.0, 6.0)
"""Between two getOrder."""
CANCEL_S = (3.0, 10.0)
"""Between two cancelOrder."""
FIRST_CANCEL_S = (20.0, 120.0)
"""From placeOrder to the first cancelOrder."""


@dataclass
class Seen:
    """What a case saw, in the order of its table's columns, and all that was not as it should be."""

    number: int
    title: str
    queries: str = ""
    cancels: str = ""
    outcome: str = ""
    problems: list[str] = field(default_factory=list)

    def holds(self, is_so: bool, problem: str) -> None:
        """Note ``problem`` unless it ``is_so``."""
        if not is_so:
            self.problems.append(problem)

    def within(self, what: str, value: float, limits: tuple[float, float]) -> None:
        self.holds(limits[0] <= value <= limits[1], f"{what}: {value:.2f} s, not {limits[0]:g} to {limits[1]:g} s")


@dataclass(frozen=True)
class Calls:
    """The calls about one order, from PayBy's own record; ``at`` gives a call's seconds since the order was placed."""

    all: Sequence[Call]
    zero_ms: int

    @classmethod
    def about(cls, calls: Sequence[Call], order_no: str) -> "Calls":
        mine = [call for call in calls if call.biz.get("merchantOrderNo") == order_no]
        return cls(mine, mine[0].steady_ms if mine else 0)

    def times(self, name: str, fits: Callable[[Call], bool] = lambda call: True) -> list[float]:
        """When the calls of this name that fit came."""
        return [(call.steady_ms - self.zero_ms) / 1000 for call in self.all if call.name == name and fits(call)]

    def failed(self, name: str) -> list[float]:
        """When those came that were answered with an error, or not at all."""
        return self.times(name, lambda call: call.code != "0")


def gaps(times: Sequence[float]) -> list[float]:
    return [later - earlier for earlier, later in pairwise(times)]


def check_queries(seen: Seen, calls: Calls, *, since: float = 0.0, at_least: int = 1) -> None:
    """getOrder came ``at_least`` so often, always 2 to 6 s after the one before; the first so long after ``since``:
    when the order was placed, or was known to have no answer."""
    times = calls.times("getOrder")
    seen.holds(len(times) >= at_least, f"{len(times)} getOrder, not {at_least} or more")
    apart = gaps([since, *times])
    for gap in apart:
        seen.within("between two getOrder", gap, QUERY_S)
    seen.queries = f"{len(times)}, {spread(apart)}"


def check_cancels(seen: Seen, calls: Calls, *, at_least: int = 1) -> None:
    """cancelOrder came first 20 to 120 s after the order was placed, then 3 to 10 s apart."""
    times = calls.times("cancelOrder")
    seen.holds(len(times) >= at_least, f"{len(times)} cancelOrder, not {at_least} or more")
    for time in times[:1]:
        seen.within("placeOrder to cancelOrder", time, FIRST_CANCEL_S)
    for gap in gaps(times):
        seen.within("between two cancelOrder", gap, CANCEL_S)
    first = f"at {times[0]:.1f}" if times else "none"
    seen.cancels = f"{len(times)}, {first}" + (f", {spread(gaps(times))}" if len(times) > 1 else "")


def spread(values: Sequence[float]) -> str:
    return f"{min(values):.2f} to {max(values):.2f} apart" if values else "none"


def table(rows: Sequence[Seen]) -> str:
    """All cases; a line each, and one for each thing that was wrong."""
    head = Seen(0, "case", "getOrder, s", "cancelOrder, s", "outcome")
    title, queries, cancels = (
        max(len(getattr(row, name)) for row in (head, *rows)) for name in ("title", "queries", "cancels")
    )
    lines = []
    for row in (head, *rows):
        number = str(row.number) if row.number else " "
        verdict = "    " if row is head else "FAIL" if row.problems else "pass"
        lines.append(
            f"{number} {verdict} {row.title:{title}}  {row.queries:{queries}}  {row.cancels:{cancels}}  {row.outcome}"
        )
        lines += [f"       ! {problem}" for problem in row.problems]
    return "\n".join(line.rstrip() for line in lines)
