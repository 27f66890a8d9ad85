"""A run as tables, in the text of a terminal and of a page alike (Markdown)."""

from collections.abc import Sequence

from tests.scale.figures import BESIDE, FULL, PARTS, REACHED, Ledger, Outage, Run, Step


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Aligned, so that it can be read as it is."""
    widths = [max(len(row[at]) for row in (head, *rows)) for at in range(len(head))]

    def line(cells: Sequence[str]) -> str:
        first, *rest = zip(cells, widths, strict=True)
        return "| " + " | ".join([first[0].ljust(first[1]), *(cell.rjust(width) for cell, width in rest)]) + " |"

    return "\n".join([line(head), "|" + "|".join("-" * (width + 2) for width in widths) + "|", *map(line, rows)])


def steps(run: Run) -> str:
    """How long drivers waited, and how much came through."""
    head = ["set-up", "N × M", "visits/s", "asked", "code p50", "p95", "p99", "lift p50", "p95", "p99", "messages/s",
            "commits/s", "busy", "machine"]  # fmt: skip
    return table(head, [_waits(step, run) for step in run.steps])


def _waits(step: Step, run: Run) -> list[str]:
    spreads = [f"{value:.0f}" for of in (step.code, step.lift) for value in (of.p50, of.p95, of.p99)]
    commits = step.commits_per_s
    if commits is None:
        each = next((one.commits_a_visit for one in run.ledgers if one.setup == step.setup), 0.0)
        commits = step.visits_per_s * each
    return [
        step.setup, f"{step.garages} × {step.lanes}", f"{step.visits_per_s:.1f}",
        f"{step.all_lanes / step.every_s:.1f}", *spreads, f"{step.messages_per_s:.0f}", f"{commits:.0f}",
        f"{step.busy:.0%}", f"{step.machine:.0%}",
    ]  # fmt: skip


def costs(run: Run) -> str:
    """CPU by part: of a visit, and in a second without cars."""
    head = [
        "set-up",
        "N × M",
        *(f"{part}, ms a visit" for part in (*PARTS, *BESIDE)),
        *(f"{part}, idle" for part in PARTS),
    ]
    rows = []
    for step in run.steps:
        visit = [f"{max(0.0, step.visit_cpu_ms[part]):.1f}" for part in (*PARTS, *BESIDE)]
        idle = [f"{step.idle_cpu_ms[part]:.0f}" for part in PARTS]
        rows.append([step.setup, f"{step.garages} × {step.lanes}", *visit, *idle])
    return table(head, rows)


def memory(run: Run) -> str:
    """MiB: of each worker and listener on average, of the broker's and of the database's processes together."""
    head = ["set-up", "N × M", "a worker", "a listener", "broker", "database", "the cell"]
    rows = []
    for step in run.steps:
        worker, listener, *servers = [step.memory_mib[part] for part in PARTS]
        mib = (worker / step.garages, listener / step.garages, *servers, worker + listener + sum(servers))
        rows.append([step.setup, f"{step.garages} × {step.lanes}", *(f"{value:.0f}" for value in mib)])
    return table(head, rows)


def outages(run: Run) -> str:
    head = ["set-up", "killed", "N × M", "stopped, s", "middle garage", "before", "longest wait of a driver", "may"]
    return table(head, [_stop(one) for one in run.outages])


def _stop(one: Outage) -> list[str]:
    times = (one.stopped_s, one.median_s, one.before_s, one.waited_s)
    return [one.setup, one.killed, f"{one.garages} × {one.lanes}", *(f"{s:.2f}" for s in times), f"{one.limit_s:g}"]


def ledgers(run: Run) -> str:
    head = ["set-up", "paid", "lifted once", "answers acknowledged", "in the journal", "lifts asked again", "rows",
            "gapless", "commits a visit", "rows a visit", "bytes a visit",
            "on the disk"]  # fmt: skip
    return table(head, [_account(one) for one in run.ledgers])


def _account(one: Ledger) -> list[str]:
    counts = (one.paid, one.lifted_once, one.answers, one.journaled, one.asked_again, one.rows)
    each = f"{one.commits_a_visit:.1f}", f"{one.rows_a_visit:.1f}"
    size = f"{one.bytes_a_visit:.0f}", f"{one.disk_a_visit:.0f}"
    return [one.setup, *(f"{count}" for count in counts), "yes" if one.gapless else "NO", *each, *size]


def first_to_break(steps: Sequence[Step]) -> str:
    """In words: at which size a set-up's steps became too much, and for what; the parts by their CPU."""
    last = steps[-1]
    size = f"{last.garages} × {last.lanes}"
    if not last.too_much:
        return f"{last.setup}: nothing, up to {size} lanes at {last.visits_per_s:.1f} visits a second"
    spent = {part: max(0.0, last.visit_cpu_ms[part]) for part in (*PARTS, *BESIDE)}
    whole = sum(spent.values()) or 1.0
    parts = ", ".join(f"{part} {ms / whole:.0%}" for part, ms in sorted(spent.items(), key=lambda one: -one[1]) if ms)
    ours = f"{last.busy:.0%} of them"
    what = (
        f"all cores are busy, {ours} for this run" if last.machine >= FULL else f"{ours} are busy, and something waits"
    )
    return f"{last.setup}: at {size} lanes {last.reached:.0%} of the visits came through: {what} ({parts})"


def broken(run: Run) -> str:
    """What breaks first, a line for each set-up."""
    return "\n".join(first_to_break([s for s in run.steps if s.setup == setup]) for setup in run.engines)


def told(run: Run) -> str:
    """All that a terminal shows at the end."""
    parts = [
        f"{run.at}, {run.cores} cores, {run.memory_gib} GiB",
        "\n".join(f"{setup}: {engine}" for setup, engine in run.engines.items()),
        f"Times in ms: from the ticket to the code on the screen, from the payment to the lift\n{steps(run)}",
        f"CPU in ms: of a visit, and in a second without cars (idle)\n{costs(run)}",
        f"Memory in MiB\n{memory(run)}",
        f"What broke first (fewer than {REACHED:.0%} of the visits asked)\n{broken(run)}",
        *([f"Killed while cars came: for how long no decision\n{outages(run)}"] if run.outages else []),
        f"Nothing may be lost\n{ledgers(run)}",
    ]
    for one in run.ledgers:
        if one.said_again or one.stuck:
            parts.append(f"{one.setup}: tickets held out again: {one.said_again}; did not leave: {one.stuck}")
    return "\n\n".join(parts) + f"\n\n{'all well' if run.well else 'NOT WELL'}"
