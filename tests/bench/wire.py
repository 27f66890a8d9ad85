"""The LCD's wire and its CPU, in the rows of the one table: `python -m tests.bench.lcd` has all steps and panels."""

from functools import partial

from drivers.panel_kinds import KINDS
from tests.bench.lcd import COUNTDOWN, interleaved, one_by_one, ours, screens, step_bytes, stock
from tests.bench.rows import Progress, Row

ROUNDS = 40
FLOW = ("idle -> wait", "wait -> pay")
FLOWS = {"ili9488": 350_000 / 463_904}
"""At most luma's bytes on every panel; and where a pixel has three bytes, this part of them."""


def measure(progress: Progress, rounds: int = ROUNDS) -> list[Row]:
    rows = []
    for kind in KINDS:
        progress(f"screens of {kind}")
        steps = screens(kind)
        sent = {step: step_bytes(kind, step, *steps[step]) for step in (*FLOW, "a second")}
        flow = [sum(sent[step][who] for step in FLOW) for who in (0, 1)]
        rows.append(Row(f"ticket to code on SPI, {kind}", flow[0], "luma.lcd", flow[1], "B", FLOWS.get(kind, 1.0)))
        rows.append(
            Row(f"a second of countdown, {kind}", *sent["a second"][:1], "luma.lcd", sent["a second"][1], "B", 1.0)
        )
    kind = "ili9488"
    progress(f"CPU of a countdown on {kind}")
    pair = screens(kind)["a second"]
    device, panel = stock(kind)[0], ours(kind)[0]
    jobs = {"ours": partial(one_by_one, panel.show, *pair), "luma": partial(one_by_one, device.display, *pair)}
    took = interleaved(jobs, rounds)
    rows.append(
        Row(f"CPU of a countdown's second, {kind}", took["ours"] / 2, "luma.lcd", took["luma"] / 2, "us", COUNTDOWN)
    )
    return rows
