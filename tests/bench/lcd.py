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
from drivers.panel_frames import rgb565
from drivers.panel_kinds import KINDS
from drivers.panel_wire import SpiWire
from terminal.screen import qr
from tests.models.pages import Pages, pages
from tests.support.panel_cost import MOST
from tests.support.panel_rig import set_up_bytes
from tests.support.panel_steps import STEPS as PANEL_STEPS
from tests.support.panel_steps import Counter, counted, luma_bytes, screens

STEPS = ("first frame", "idle -> pay", "2:59 -> 2:58", "3:00 -> 2:59")
TOKEN = "https://qr.payby.com?BIZ_TYPE=202&ft=7ac14d5d372a459fbe948e83fcaae0cb&t=1765054600668"
COUNTDOWN, LATE_MS, SYMBOL = 0.25, 0.2, 0.25
"""Targets: of luma's time for a second of countdown; how late another thread may wake; of segno's time for a symbol."""
CONVERSION, PLAIN = 1.4, 0.75
"""What is aimed at, of numpy's time for a whole frame; and the target, of the plain way by Pillow: split, point, add,
merge. The aim is printed alone. It came from a machine on which the plain way took 1.34 of numpy's time; where this was
written it takes 2.9 at 240x240, and ours 1.5 there, 1.3 at 320x240 and 1.1 at 480x320. Faster without numpy is only a
picture of 256 colours, which an operator's own is not; and the lane imports no numpy, to spare memory."""
TO_CODE = {"ili9486": 350_000, "ili9488": 350_000}
"""The most bytes from idle by way of wait to the code; on other panels luma's."""

missed: list[str] = []


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


def stock_bytes(kind: str, page: Pages) -> list[int]:
    device, wire = stock(kind)
    if hasattr(device, "framebuffer"):
        device.framebuffer.prev_image = None
    first, pay, minute, second = count(device.display, wire, page.idle, page.pay_300, page.pay_259, page.pay_258)
    return [first, pay, second, minute]


def bytes_table() -> None:
    print("Bytes on the wire, set-up not counted" + "".join(f"{step:>15}" for step in STEPS))
    for kind in KINDS:
        page = pages(*SpiPanel(kind, Counter).size)
        mine = our_bytes(kind, page)
        for name, values in ((f"{kind}: luma.lcd", stock_bytes(kind, page)), (f"{kind}: ours", mine)):
            print(f"{name:<37}" + "".join(f"{value:>15,}" for value in values))
        for step, value, most in zip(STEPS, mine, MOST[kind], strict=True):
            if verdict := target(f"{kind}, {step}, bytes", value, most):
                print(f"{kind}, {step}:{verdict}")


def screens_table() -> None:
    """The product's own screens: our bytes, our windows, luma's bytes."""
    print("\nThe product's screens: bytes (windows), and luma.lcd's bytes, which are the most that ours may be")
    print(" " * 32 + "".join(f"{kind:>26}" for kind in KINDS))
    shown = {kind: screens(kind) for kind in KINDS}
    sent: dict[tuple[str, str, str], tuple[int, int]] = {}
    for before, after in PANEL_STEPS:
        cells = []
        for kind in KINDS:
            (show, _), images = counted(kind), shown[kind]
            show(images[before])
            mine, cuts = show(images[after])
            sent[before, after, kind] = mine, luma_bytes(kind, images[before], images[after])
            cells.append(f"{mine:,} ({cuts}) {sent[before, after, kind][1]:,}")
        print(f"{before + ' -> ' + after:<32}" + "".join(f"{cell:>26}" for cell in cells))
    for (before, after, kind), (mine, theirs) in sent.items():
        target(f"{kind}, {before} -> {after}, bytes", mine, theirs)
    for kind in KINDS:
        mine, theirs = (
            sum(sent[step][who] for step in (("idle", "wait", kind), ("wait", "pay", kind))) for who in (0, 1)
        )
        verdict = target(f"{kind}, from ticket to code, bytes", mine, TO_CODE.get(kind, theirs))
        print(f"{kind}: from ticket to code, by way of wait, {mine:,}; luma.lcd {theirs:,}{verdict}")


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
        assert trick(frame) == rgb565(frame).tobytes() == plain(frame)
        ways = {"numpy": trick, "plain": plain, "ours": lambda image: rgb565(image).tobytes()}
        took = interleaved({name: partial(way, frame) for name, way in ways.items()}, rounds)
        mine = took["ours"]
        verdict = target(f"{width}x{height} -> RGB565 beside Pillow's plain way", mine / took["plain"], PLAIN)
        print(
            f"  {width}x{height:<10}{mine:>9.0f} us, numpy {took['numpy']:>6.0f} us: x {mine / took['numpy']:.2f}, aim "
            f"{CONVERSION}; Pillow's plain way {took['plain']:>6.0f} us: x {mine / took['plain']:.2f}{verdict}"
        )


def symbol_table(rounds: int) -> None:
    def frame() -> None:
        rgb565(qr.draw(qr.encode(TOKEN), 240).convert("RGB")).tobytes()

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
