"""exit-terminal on a machine whose GPIO lines others hold:

    python -m tests.support.fakechip FOLDER HELD COMMAND ...

gpiozero works here as on a Raspberry Pi; under it lies, in lgpio's place, a chip in memory that refuses HELD (``17,5``)
in lgpio's words, and appends what is done with each other line to FOLDER/lines.log. FOLDER/gpiochip0 is its device. In
spidev's place lies a bus that takes everything, and notes its mode. The machines that test have no such chip, and
where there is one, nobody else holds its lines.
"""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

_OUT = 1 << 1


class error(Exception):
    def __init__(self, value: str) -> None:
        self.value = value

    def __str__(self) -> str:
        return repr(self.value)


class Chip:
    """What gpiozero asks of lgpio."""

    def __init__(self, log: Path, held: set[int]) -> None:
        self._log = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        self._held = held
        self._modes: dict[int, int] = {}
        self._levels: dict[int, int] = {}

    def note(self, *words: object) -> None:
        os.write(self._log, " ".join(map(str, words)).encode() + b"\n")

    def claim_input(self, _handle: int, line: int, _flags: int = 0) -> int:
        return self._claim(line, "input", 0)

    def claim_output(self, _handle: int, line: int, level: int = 0, _flags: int = 0) -> int:
        self._levels[line] = level
        return self._claim(line, "output", _OUT)

    def claim_alert(self, _handle: int, line: int, _edges: int, _flags: int = 0, _user: int = -1) -> int:
        return self._claim(line, "input", 0)

    def _claim(self, line: int, how: str, mode: int) -> int:
        if line in self._held:
            raise error("GPIO busy")
        self._modes[line] = mode
        self.note(line, how)
        return 0

    def write(self, _handle: int, line: int, level: int) -> int:
        self._levels[line] = level
        self.note(line, int(level))
        return 0

    def module(self) -> ModuleType:
        made = ModuleType("lgpio")
        made.__dict__.update(
            error=error,
            SET_PULL_NONE=128, SET_PULL_UP=32, SET_PULL_DOWN=64, RISING_EDGE=1, FALLING_EDGE=2, BOTH_EDGES=3,
            gpiochip_open=lambda chip: chip,
            gpiochip_close=lambda handle: self.note("closed"),
            gpio_claim_input=self.claim_input,
            gpio_claim_output=self.claim_output,
            gpio_claim_alert=self.claim_alert,
            gpio_free=lambda handle, line: 0,
            gpio_get_mode=lambda handle, line: self._modes[line],
            gpio_read=lambda handle, line: self._levels.get(line, 0),
            gpio_write=self.write,
            gpio_set_debounce_micros=lambda handle, line, us: 0,
            callback=lambda *_: SimpleNamespace(cancel=lambda: None),
        )  # fmt: skip
        return made


def bus(note: Callable[..., None]) -> ModuleType:
    """What the panels ask of spidev."""

    class SpiDev:
        max_speed_hz = 0

        def __setattr__(self, name: str, value: int) -> None:
            if name == "mode":
                note("spi mode", value)

        def open(self, *_: int) -> None: ...
        def writebytes2(self, _: memoryview) -> None: ...
        def close(self) -> None: ...

    made = ModuleType("spidev")
    made.__dict__["SpiDev"] = SpiDev
    return made


def main(words: list[str]) -> Any:
    folder, held, *sys.argv[1:] = words
    (Path(folder) / "gpiochip0").touch()
    chip = Chip(Path(folder) / "lines.log", {int(line) for line in held.split(",") if line})
    sys.modules["lgpio"], sys.modules["spidev"] = chip.module(), bus(chip.note)
    from gpiozero.pins.local import LocalPiFactory

    from drivers.pins import open_pins

    LocalPiFactory._get_revision = lambda self: 0xA02082  # a Raspberry Pi 3
    assert open_pins.__kwdefaults__ is not None
    open_pins.__kwdefaults__["dev"] = Path(folder)
    from terminal.__main__ import main as run

    return run()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
