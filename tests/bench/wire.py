"""The LCD's wire and its CPU, in the rows of the one table: `python -m tests.bench.lcd` has all steps and panels."""

from functools import partial

from PIL import Image

from drivers.panel_kinds import KINDS
from tests.bench.lcd import COUNTDOWN, TO_CODE, interleaved, one_by_one, ours, stock
from tests.bench.rows import Progress, Row
from tests.support.panel_steps import counted, luma_bytes, screens

ROUNDS = 40
FLOW = (("idle", "wait"), ("wait", "pay"))
SECOND = ("pay-2:59", "pay-2:58")


def measure(progress: Progress, rounds: int = ROUNDS) -> list[Row]:
    rows, peer = list[Row](), "luma.lcd"
    for kind in KINDS:
        progress(f"screens of {kind}")
        images = screens(kind)

        def bytes_of(
            before: str, after: str, kind: str = kind, images: dict[str, Image.Image] = images
        ) -> tuple[int, int]:
            show, _ = counted(kind)
            show(images[before])
            return show(images[after])[0], luma_bytes(kind, images[before], images[after])

        mine, theirs = (sum(sent) for sent in zip(*(bytes_of(*step) for step in FLOW), strict=True))
        most = TO_CODE.get(kind, theirs) / theirs
        rows.append(Row(f"ticket to code on SPI, {kind}", mine, peer, theirs, "B", most))
        second = bytes_of(*SECOND)
        rows.append(Row(f"a second of countdown, {kind}", second[0], peer, second[1], "B", 1.0))
    kind = "ili9488"
    progress(f"CPU of a countdown on {kind}")
    pair = [screens(kind)[name] for name in SECOND]
    device, panel = stock(kind)[0], ours(kind)[0]
    jobs = {"ours": partial(one_by_one, panel.show, *pair), "luma": partial(one_by_one, device.display, *pair)}
    took = interleaved(jobs, rounds)
    step = f"CPU of a countdown's second, {kind}"
    return [*rows, Row(step, took["ours"] / 2, peer, took["luma"] / 2, "us", COUNTDOWN)]
