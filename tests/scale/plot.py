"""The picture of a run: what grows with the lanes, a curve for each set-up."""

from collections.abc import Callable

from PIL import Image

from tests.bench.plot import Curve, Plot, curves
from tests.scale.figures import PARTS, SETUPS, Run, Step

NAMES = {"mosquitto": "Mosquitto, SQLite", "rabbitmq": "3 RabbitMQ, SQLite", "patroni": "Mosquitto, Patroni"}


def picture(run: Run) -> Image.Image:
    """RGB. Four plots over the number of lanes, each of whose decades is as wide as the others."""

    def plot(title: str, value: Callable[[Step], float]) -> Plot:
        lines = []
        for setup in SETUPS:
            if points := [(step.all_lanes, value(step)) for step in run.steps if step.setup == setup]:
                lines.append(Curve(NAMES[setup], points))
        return Plot(title, "lanes in all", lines, logs=True)

    every_s = run.steps[0].every_s
    return curves(
        "How a cell grows with its lanes",
        f"{run.cores} cores for all of it, lanes and PayBy included; a car every {every_s:g} s at each lane; {run.at}",
        [
            plot("ticket to code on the screen, p99, ms", lambda step: step.code.p99),
            plot("payment to lift, p99, ms", lambda step: step.lift.p99),
            plot("CPU of a visit, ms, without lanes and PayBy", lambda step: sum(step.visit_cpu_ms[p] for p in PARTS)),
            plot("memory of the cell, MiB", lambda step: sum(step.memory_mib[p] for p in PARTS)),
        ],
    )
