"""What a check finds, and the parts of the machine that it may use."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from terminal.clock import SystemClock
from terminal.config.schema import key_in

FindingOutcome = Literal["proved", "failed", "unproven", "warning"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One line. ``advice`` says what to do if it is not ``ok``. ``but``: although it is ok, it could not be proven
    here, or somebody should look at it. ``about``: the configuration key, if the text names none."""

    name: str
    ok: bool
    text: str
    advice: str = ""
    but: Literal["", "unproven", "warning"] = ""
    about: str = ""

    @property
    def outcome(self) -> FindingOutcome:
        """Its one word, for programs; ``but`` says which one where it is ok and not proven."""
        return "failed" if not self.ok else self.but or "proved"

    @property
    def key(self) -> str:
        """The configuration key that it is about; empty if there is none."""
        named, told = key_in(self.name), key_in(self.text)
        closer = told if told.startswith(f"{named}.") else named  # lift.trusted.console, of lift.trusted
        return self.about or closer or told or key_in(self.advice)

    def __str__(self) -> str:
        return f"{'ok  ' if self.ok else 'FAIL'}  {self.name}: {self.text}" + (
            f" -> {self.advice}" if self.advice else ""
        )


class Pins(Protocol):
    """An opened GPIO chip."""

    def close(self) -> object:
        """Let go of the chip and of every line that was claimed."""


@dataclass(frozen=True, slots=True)
class Machine:
    """The hardware and this machine's state; `app` passes in the real ones.

    ``open_pins`` opens the GPIO chip (``auto``) or mock pins, or raises an exception that says why it cannot.
    ``ntp`` tells whether the network keeps the clock; None: unknown.
    ``datasheet_hz`` tells the fastest write clock (Hz) in the data sheet of a panel's controller.
    ``check_offset`` raises ValueError if a panel's glass cannot begin at that offset, right and down, in its memory.
    ``framebuffer`` tells width, height and bits a pixel of a framebuffer, or raises OSError that
    says why it cannot be used.
    ``spi_bytes`` is the kernel's file that says how many bytes it takes in one transfer.
    ``claim`` takes one line of the opened chip and releases it, or raises an exception that says why it cannot.
    ``serves`` tells whether the service is running on this machine: then it holds its lines.
    ``connected_to`` tells whether one of our processes has a connection to that host and port, ``listens`` whether one
    listens on that port, ``locked`` whose process holds the lock of that file.
    ``now_ms`` is the wall clock. ``rabbitmq_reports``: the files that rabbitmqctl's JSON was put into.
    ``user`` is the user that the check runs as; empty if the lines need not name it.
    """

    open_pins: Callable[[str], Pins]
    ntp: Callable[[], bool | None]
    datasheet_hz: Callable[[str], int]
    check_offset: Callable[[str, int, int], None]
    dev: Path = Path("/dev")
    spi_bytes: Path = Path("/sys/module/spidev/parameters/bufsiz")
    framebuffer: Callable[[Path], tuple[int, int, int]] = lambda device: (0, 0, 0)
    claim: Callable[[Pins, int], object] = lambda chip, number: None
    serves: Callable[[], bool] = lambda: False
    connected_to: Callable[[str, int], bool] = lambda host, port: False
    listens: Callable[[int], bool] = lambda port: False
    locked: Callable[[Path], Literal["", "ours", "another's"]] = lambda path: ""
    now_ms: Callable[[], int] = SystemClock().wall_ms
    user: str = ""
    rabbitmq_reports: tuple[Path, ...] = ()
