"""What a panel's frames cost: bytes on the wire, CPU, and the patience of other threads, beside stock luma.lcd.

    python -m tests.bench.lcd [--rounds N] [--no-bus]

Every job of a group takes its turn in each round, so that whatever else the machine does falls on all of them; the
figures are CPU time, and their ratios are what counts. numpy is the yardstick of the conversion where it is
installed. The part about the bus needs gcc and the package spidev: it runs the real spidev module on /dev/null, as
slow as a 32 MHz bus. Exit status 1 if a target is missed.
"""

import argparse
import gc
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import segno
from luma.core.framebuffer import full_frame
from luma.lcd import device as luma
from PIL import Image, ImageChops

sys.path.insert(0, str(Path(__file__).parents[2]))

from drivers.panel import WHOLE_EVERY_S, SpiPanel
from drivers.panel_frames import area, rgb565
from drivers.panel_kinds import KINDS, RAMWR
from drivers.panel_wire import SpiWire
from terminal.screen import qr
from terminal.screen.layouts import layout_for
from terminal.screen.renderer import Renderer
from terminal.screen.view import Site, View
from tests.models.pages import Pages, pages
from tests.support.panel_cost import MOST
from tests.support.panel_rig import set_up_bytes

STEPS = ("first frame", "idle -> pay", "2:59 -> 2:58", "3:00 -> 2:59")
TOKEN = "https://qr.payby.com?BIZ_TYPE=202&ft=7ac14d5d372a459fbe948e83fcaae0cb&t=1765054600668"
COUNTDOWN, LATE_MS, SYMBOL = 0.25, 0.2, 0.25
"""Targets: of luma's time for a second of countdown; how late another thread may wake; of segno's time for a symbol."""
CONVERSION, PLAIN = 1.4, 0.75
"""What is aimed at, of numpy's time for a whole frame; and the target, of the plain way by Pillow: split, point, add,
merge. The aim is printed alone. It came from a machine on which the plain way took 1.34 of numpy's time; where this was
written it takes 2.9 at 240x240, and ours 1.5 there, 1.3 at 320x240 and 1.1 at 480x320. Faster without numpy is only a
picture of 256 colours, which an operator's own is not; and the lane imports no numpy, to spare memory."""
AIMED = {"ili9488": 205_000}
"""What is aimed at for idle -> pay and cannot be reached in 18-bit colour: the yardstick's code alone is 260 x 259 px
of three bytes, which is 202,020. drivers/panel_kinds.py says why not in 3-bit colour."""

missed: list[str] = []


class Counter:
    """A wire and a luma serial interface in one, that counts bytes and windows."""

    def __init__(self) -> None:
        self.count = self.windows = 0

    def reset(self) -> None: ...
    def light(self, share: float) -> None: ...
    def close(self) -> None: ...
    def cleanup(self) -> None: ...

    def command(self, code: int, *parameters: int) -> None:
        self.count += 1 + len(parameters)
        self.windows += code == RAMWR

    def data(self, data: bytes) -> None:
        self.count += len(data)


def target(name: str, value: float, most: float) -> str:
    if value > most:
        missed.append(f"{name}: {value:.4g}, at most {most:g}")
    return "" if value <= most else f"  MISSED, at most {most:g}"


def interleaved(jobs: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """CPU microseconds of each job's least disturbed call; one call at a time, in turns.

    The machine is shared, and what others do to its caches only ever adds: the least is what a job costs. Never many
    calls of one job in a row: a terminal draws a picture a second, so nothing is warm for it.
    """
    took: dict[str, list[float]] = {name: [] for name in jobs}
    gc.disable()
    for _ in range(rounds):
        for name, job in jobs.items():
            start_ns = time.thread_time_ns()
            job()
            took[name].append((time.thread_time_ns() - start_ns) / 1000)
    gc.enable()
    return {name: min(values) for name, values in took.items()}


# Bytes


def count(show: Callable[[Image.Image], None], wire: Counter, *frames: Image.Image) -> list[int]:
    sent = []
    for frame in frames:
        before = wire.count
        show(frame)
        sent.append(wire.count - before)
    return sent


def ours(kind: str) -> tuple[SpiPanel, Counter, list[float]]:
    """A panel on a counter, and its clock."""
    wire, now_s = Counter(), [0.0]
    return SpiPanel(kind, lambda: wire, pause=lambda _: None, clock=lambda: now_s[0]), wire, now_s


def our_bytes(kind: str, page: Pages) -> list[int]:
    panel, wire, _ = ours(kind)
    first, pay, minute, second = count(panel.show, wire, page.idle, page.pay_300, page.pay_259, page.pay_258)
    return [first - set_up_bytes(kind), pay, second, minute]


def stock(kind: str, **options: Any) -> tuple[Any, Counter]:
    wire, built = Counter(), KINDS[kind].built
    turn = {"rotate": KINDS[kind].quarters}
    device = getattr(luma, KINDS[kind].luma)(
        wire, width=built[0], height=built[1], backlight=lambda on: None, **turn, **options
    )
    device.persist = True
    return device, wire


def luma_bytes(kind: str, page: Pages) -> list[int]:
    device, wire = stock(kind)
    if hasattr(device, "framebuffer"):
        device.framebuffer.prev_image = None
    first, pay, minute, second = count(device.display, wire, page.idle, page.pay_300, page.pay_259, page.pay_258)
    return [first, pay, second, minute]


def screens(kind: str) -> dict[str, tuple[Image.Image, Image.Image]]:
    """The same and further steps on the product's own screens: before and after."""
    size = SpiPanel(kind, Counter).size
    renderer = Renderer(layout_for(kind, *size), Site("Marina Garage", "مرآب المارينا", "+971 4 000 0000"))
    symbol = qr.encode(TOKEN)

    def screen(state: Any, left: int | None = None, **more: Any) -> Image.Image:
        return renderer.compose(View(state, amount="25.00", minutes=125, tail="8F3A", left=left, symbol=symbol, **more))

    page = "words" if renderer.turns else "code"  # the code of a square panel has no seconds beside it
    idle, wait, pay, paid = renderer.compose(View("idle")), screen("wait"), screen("pay", 180), screen("paid")
    seconds = [screen("pay", left, page=page) for left in (180, 179, 178)]
    return {  # a driver sees wait before pay; idle -> pay is for comparison
        "idle -> wait": (idle, wait),
        "wait -> pay": (wait, pay),
        "idle -> pay": (idle, pay),
        "a second": (seconds[1], seconds[2]),
        "a minute": (seconds[0], seconds[1]),
        "pay -> paid": (pay, paid),
    }


def step_bytes(kind: str, step: str, before: Image.Image, after: Image.Image) -> tuple[int, int, int, int]:
    """What one step costs us and luma, the most that it may: its changed box, and three windows, for the countdown
    beside a code no more than on the yardstick; and luma's windows."""
    panel, wire, _ = ours(kind)
    device, their_wire = stock(kind)
    mine = count(panel.show, wire, before, after)[1]
    device.display(before)
    their_wire.windows = 0
    (theirs,) = count(device.display, their_wire, after)
    box = ImageChops.difference(before, after).getbbox() or (0, 0, 0, 0)
    most = area(box) * KINDS[kind].pixel_bytes + 3 * KINDS[kind].window_bytes
    if kind != "st7789-240":  # its code stands alone, and its words have larger digits
        most = min(most, {"a second": MOST[kind][2], "a minute": MOST[kind][3]}.get(step, most))
    return mine, theirs, most, their_wire.windows


def bytes_table() -> None:
    print("Bytes on the wire, set-up not counted" + "".join(f"{step:>15}" for step in STEPS))
    for kind in KINDS:
        page = pages(*SpiPanel(kind, Counter).size)
        mine = our_bytes(kind, page)
        for name, values in ((f"{kind}: luma.lcd", luma_bytes(kind, page)), (f"{kind}: ours", mine)):
            print(f"{name:<37}" + "".join(f"{value:>15,}" for value in values))
        for step, value, most in zip(STEPS, mine, MOST[kind], strict=True):
            if verdict := target(f"{kind}, {step}, bytes", value, most):
                print(f"{kind}, {step}:{verdict}")
        if kind in AIMED:
            code = 260 * 259 * KINDS[kind].pixel_bytes
            print(f"{kind}: aimed at {AIMED[kind]:,} for idle -> pay, of which the code's own box takes {code:,}")


def screens_table() -> None:
    windows = 0
    for at, kind in enumerate(KINDS):
        steps = screens(kind)
        if not at:
            print("\nThe product's screens" + " " * 16 + "".join(f"{step:>15}" for step in steps))
        sent = {step: step_bytes(kind, step, *pair) for step, pair in steps.items()}
        print(f"{kind + ': luma.lcd':<37}" + "".join(f"{theirs:>15,}" for _, theirs, _, _ in sent.values()))
        print(f"{kind + ': ours':<37}" + "".join(f"{mine:>15,}" for mine, _, _, _ in sent.values()))
        flow = [sum(sent[step][who] for step in ("idle -> wait", "wait -> pay")) for who in (0, 1)]
        print(f"{kind}: from ticket to code, by way of wait, {flow[0]:,}; luma.lcd {flow[1]:,}")
        for step, (mine, _, most, _) in sent.items():
            if verdict := target(f"{kind}, {step}, bytes of the product's screens", mine, most):
                print(f"{kind}, {step}:{verdict}")
        windows = max(windows, *(sent[step][3] for step in sent))
    print(f"A step takes luma.lcd up to {windows} windows, ours at most 3; each costs a dozen calls of the kernel too.")


# CPU

_TABLES = [
    [value & 0xF8 for value in range(256)],
    [value >> 5 for value in range(256)],
    [(value & 0x1C) << 3 for value in range(256)],
    [value >> 3 for value in range(256)],
]


def one_by_one(show: Callable[[Image.Image], object], *images: Image.Image) -> None:
    for image in images:
        show(image)


def cpu_table(rounds: int) -> None:
    for kind in KINDS:
        page = pages(*SpiPanel(kind, Counter).size)
        panel, _, now_s = ours(kind)
        device, _ = stock(kind)
        panel.show(page.pay_259)

        def whole(panel: SpiPanel = panel, page: Pages = page, now_s: list[float] = now_s) -> None:
            now_s[0] += WHOLE_EVERY_S
            panel.show(page.pay_259)

        jobs: dict[str, Callable[[], object]] = {
            "countdown: luma": partial(one_by_one, device.display, page.pay_259, page.pay_258),
            "countdown: ours": partial(one_by_one, panel.show, page.pay_259, page.pay_258),
            "unchanged: luma": partial(device.display, page.pay_258),
            "unchanged: ours": partial(panel.show, page.pay_258),
            "idle <-> pay: luma": partial(one_by_one, device.display, page.idle, page.pay_258),
            "idle <-> pay: ours": partial(one_by_one, panel.show, page.idle, page.pay_258),
            "whole: ours": whole,
        }
        if kind != "st7789-240" and kind != "st7789-320":  # luma's st7789 sends whole frames in any case
            jobs["whole: luma"] = partial(stock(kind, framebuffer=full_frame())[0].display, page.pay_258)
        took = interleaved(jobs, rounds)
        print(f"\nCPU of a picture, {kind}")
        for step in ("countdown", "unchanged", "idle <-> pay", "whole"):
            mine, theirs = took[f"{step}: ours"], took.get(f"{step}: luma", took["unchanged: luma"])
            most = COUNTDOWN if step == "countdown" else float("inf")
            verdict = target(f"{kind}, CPU of {step} beside luma's", mine / theirs, most)
            per = 1 if step in ("unchanged", "whole") else 2
            print(f"  {step:<14}{mine / per:>9.0f} us, luma {theirs / per:>9.0f} us: x {mine / theirs:.3f}{verdict}")


def conversion_table(rounds: int) -> None:
    try:
        import numpy as np
    except ImportError:
        print("\nnumpy is not installed: the conversion has no yardstick")
        return

    def trick(image: Image.Image) -> bytes:
        x = np.frombuffer(image.tobytes("raw", "RGBX"), np.uint32)
        return (x & 0xF8 | x >> 13 & 7 | (x & 0x1C00) << 3 | x >> 11 & 0x1F00).astype(np.uint16).tobytes()

    def plain(image: Image.Image) -> bytes:
        red, green, blue = image.split()
        high = ImageChops.add(red.point(_TABLES[0]), green.point(_TABLES[1]))
        low = ImageChops.add(green.point(_TABLES[2]), blue.point(_TABLES[3]))
        return Image.merge("LA", (high, low)).tobytes()

    print("\nCPU of a whole frame -> RGB565")
    for width, height in ((240, 240), (320, 240), (480, 320)):
        frame = pages(width, height).pay_259
        assert trick(frame) == rgb565(frame) == plain(frame)
        ways = {"numpy": trick, "plain": plain, "ours": rgb565}
        took = interleaved({name: partial(way, frame) for name, way in ways.items()}, rounds)
        mine = took["ours"]
        verdict = target(f"{width}x{height} -> RGB565 beside Pillow's plain way", mine / took["plain"], PLAIN)
        print(
            f"  {width}x{height:<10}{mine:>9.0f} us, numpy {took['numpy']:>6.0f} us: x {mine / took['numpy']:.2f}, aim "
            f"{CONVERSION}; Pillow's plain way {took['plain']:>6.0f} us: x {mine / took['plain']:.2f}{verdict}"
        )


def symbol_table(rounds: int) -> None:
    def frame() -> None:
        rgb565(qr.draw(qr.encode(TOKEN), 240).convert("RGB"))

    took = interleaved({"segno": partial(segno.make, TOKEN, micro=False), "ours": frame}, max(10, rounds // 5))
    ratio = took["ours"] / took["segno"]
    verdict = target("CPU of URL -> frame bytes beside segno's default path", ratio, SYMBOL)
    print("\nCPU of URL -> frame bytes")
    mine, theirs = took["ours"], took["segno"]
    print(f"  symbol, picture and bytes {mine:.0f} us, segno's symbol alone {theirs:.0f} us: x {ratio:.2f}{verdict}")


# Other threads

SHIM = Path(__file__).with_name("slow_bus.c")


def bus_table() -> None:
    """Run this file again, with spidev on the shim."""
    try:
        import spidev  # noqa: F401
    except ImportError:
        print("\nspidev is not installed: nothing about the bus")
        return
    if shutil.which("gcc") is None:
        print("\ngcc is not installed: nothing about the bus")
        return
    with tempfile.TemporaryDirectory() as folder:
        library = Path(folder) / "bus.so"
        subprocess.run(["gcc", "-shared", "-fPIC", "-O2", "-o", library, SHIM], check=True)
        environment = {**os.environ, "LD_PRELOAD": str(library)}
        done = subprocess.run([sys.executable, __file__, "--bus-only"], env=environment, check=False)
        if done.returncode:
            missed.append("how late another thread wakes")


def other_threads() -> None:
    """How late a thread that sleeps 0.5 ms at a time wakes while frames go out."""
    import spidev
    from gpiozero import DigitalOutputDevice
    from gpiozero.pins.mock import MockFactory
    from luma.core.interface.serial import noop, spi

    frame, pins = os.urandom(240 * 240 * 2), MockFactory()
    wire = SpiWire(spidev.SpiDev(), dc=DigitalOutputDevice(24, pin_factory=pins), reset=None, light=None)
    wire._spi.open(0, 0)
    theirs = spi(spidev.SpiDev(), gpio=noop(), bus_speed_hz=32_000_000)
    print("\nHow late another thread wakes while frames go out at 32 MHz, ms")
    for name, send in (("luma.core's spi", theirs.data), ("ours", wire.data)):
        late: list[float] = []
        stop = threading.Event()

        def sleeper(late: list[float] = late, stop: threading.Event = stop) -> None:
            while not stop.is_set():
                before = time.perf_counter()
                time.sleep(0.0005)
                late.append((time.perf_counter() - before) * 1000 - 0.5)

        thread = threading.Thread(target=sleeper)
        thread.start()
        for _ in range(20):
            send(frame)
        stop.set()
        thread.join()
        late.sort()
        p50, p90 = late[len(late) // 2], late[len(late) * 9 // 10]
        verdict = target("how late another thread wakes, ms", p50, LATE_MS) if name == "ours" else ""
        print(f"  {name:<18}p50 {p50:.2f}, p90 {p90:.2f}{verdict}")


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=150)
    parser.add_argument("--no-bus", action="store_true")
    parser.add_argument("--bus-only", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.bus_only:
        other_threads()
        return int(bool(missed))
    bytes_table()
    screens_table()
    cpu_table(options.rounds)
    conversion_table(options.rounds)
    symbol_table(options.rounds)
    sys.stdout.flush()
    if not options.no_bus:
        bus_table()
    print("\n" + ("\n".join(f"MISSED {line}" for line in missed) or "every target is met"))
    return int(bool(missed))


if __name__ == "__main__":
    sys.exit(main())
