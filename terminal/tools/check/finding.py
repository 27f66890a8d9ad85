"""What a check finds, and what it may touch of the machine."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from terminal.config.schema import key_in

FindingOutcome = Literal["proved", "failed", "unproven", "warning"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One line: ``advice`` says what to do where it is not ``ok``. ``but``: of one that is ok, that it could not be
    proven here, or that somebody should look at it all the same. ``about``: the key, where no words of it name one."""

    name: str
    ok: bool
    text: str
    advice: str = ""
    but: Literal["", "unproven", "warning"] = ""
    about: str = ""

    @property
    def outcome(self) -> FindingOutcome:
        return "failed" if not self.ok else self.but or "proved"

    @property
    def key(self) -> str:
        """The key of the configuration that it is about; empty where it is about none."""
        named, told = key_in(self.name), key_in(self.text)
        closer = told if told.startswith(f"{named}.") else named  # lift.trusted.console, of lift.trusted
        return self.about or closer or told or key_in(self.advice)

    def __str__(self) -> str:
        return f"{'ok  ' if self.ok else 'FAIL'}  {self.name}: {self.text}" + (
            f" -> {self.advice}" if self.advice else ""
        )


class Pins(Protocol):
    """An opened GPIO chip."""

    def close(self) -> object: ...


@dataclass(frozen=True, slots=True)
class Machine:
    """What has a cable, and this machine's state; `app` passes in the real ones.

    ``open_pins`` opens the GPIO chip (``auto``) or mock pins, and raises an exception that says why it cannot.
    ``ntp`` tells whether the clock is kept by the network; None where nobody knows.
    ``datasheet_hz`` tells the fastest write clock that a panel's controller promises.
    ``check_offset`` raises ValueError where a panel's glass cannot begin there, right and down, in its memory.
    ``spi_bytes`` is the kernel's file with how many bytes it takes in one transfer.
    ``claim`` takes one line of the opened chip and gives it back, and raises an exception that says why it cannot.
    ``serves`` tells whether the service is at work on this machine: its lines are then its own.
    ``connected_to`` tells whether a process of ours has a connection to that host and port, ``listens`` whether one
    listens on that port, ``locked`` whose process holds the lock of that file.
    ``user``: as whom it is looked at; empty where that is not to be told. ``to_come``: roles of a later version.
    """

    open_pins: Callable[[str], Pins]
    ntp: Callable[[], bool | None]
    datasheet_hz: Callable[[str], int]
    check_offset: Callable[[str, int, int], None]
    dev: Path = Path("/dev")
    spi_bytes: Path = Path("/sys/module/spidev/parameters/bufsiz")
    claim: Callable[[Pins, int], object] = lambda chip, number: None
    serves: Callable[[], bool] = lambda: False
    connected_to: Callable[[str, int], bool] = lambda host, port: False
    listens: Callable[[int], bool] = lambda port: False
    locked: Callable[[Path], Literal["", "ours", "another's"]] = lambda path: ""
    user: str = ""
    to_come: tuple[str, ...] = ()
