"""Where the lines of `watch` go: a terminal with a header that stays, or a pipe with plain lines."""

import contextlib
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Protocol
from zoneinfo import ZoneInfo

from rich.console import Console
from rich.live import Live

from terminal.tools.watch.header import rich_of
from terminal.tools.watch.line import Line, Tone

LANE_WIDTH = 6
"""As wide as `exit-1`; wider once a longer name came."""


class Output(Protocol):
    """What command.py needs."""

    @property
    def has_header(self) -> bool:
        """Does a header stand there all the time?"""

    def opened(self) -> contextlib.AbstractContextManager[object]:
        """While lines come."""

    def write(self, line: Line) -> None:
        """A message."""

    def note(self, line: Line) -> None:
        """What `watch` itself has to say."""

    def write_json(self, text: str) -> None:
        """One line of JSON."""

    def show_header(self, rows: Sequence[tuple[str, Tone]]) -> None:
        """The header as it is now."""


class Days:
    """Says a day where lines go on to another one; of ``now_ms`` (ms since the epoch) it needs no saying."""

    def __init__(self, zone: ZoneInfo, now_ms: int) -> None:
        self._zone = zone
        self._day = self._of(now_ms)

    def news(self, at_ms: int) -> str:
        """The day of a line, where it is another one than that of the line before."""
        before, self._day = self._day, self._of(at_ms)
        return "" if self._day == before else self._day

    def _of(self, at_ms: int) -> str:
        return datetime.fromtimestamp(at_ms / 1000, self._zone).strftime("%A %Y-%m-%d")


class PlainOutput:
    """Lines for a pipe or a file: no colours, no folding, nothing that moves."""

    has_header = False

    def __init__(self, zone: ZoneInfo, *, now_ms: int) -> None:
        self._zone, self._days = zone, Days(zone, now_ms)
        self._lane_width = LANE_WIDTH

    def opened(self) -> contextlib.AbstractContextManager[object]:
        """Nothing is to be opened."""
        return contextlib.nullcontext()

    def write(self, line: Line) -> None:
        """Print a line, below its day if that is a new one."""
        self._lane_width = max(self._lane_width, len(line.lane))
        if day := self._days.news(line.at_ms):
            print(day)
        print(line.text(self._zone, self._lane_width), flush=True)

    note = write

    def write_json(self, text: str) -> None:
        """Print one line of JSON."""
        print(text, flush=True)

    def show_header(self, rows: Sequence[tuple[str, Tone]]) -> None:
        """A pipe hears of a change by a line (command.py)."""


class TerminalOutput:
    """Lines that scroll, folded to the width, and under them what is so now."""

    has_header = True

    def __init__(self, zone: ZoneInfo, console: Console | None = None, *, now_ms: int) -> None:
        self._zone, self._days = zone, Days(zone, now_ms)
        self._console = console or Console(highlight=False, markup=False, emoji=False, soft_wrap=False)
        self._lane_width = LANE_WIDTH
        self._live: Live | None = None

    @contextlib.contextmanager
    def opened(self) -> Iterator[object]:
        """Keep the header below the lines until the end."""
        with Live(
            console=self._console, auto_refresh=False, redirect_stdout=False, redirect_stderr=False
        ) as self._live:
            try:
                yield self
            finally:
                self._live = None

    def write(self, line: Line) -> None:
        """Print a line, below its day if that is a new one."""
        self._lane_width = max(self._lane_width, len(line.lane))
        if day := self._days.news(line.at_ms):
            self._console.print(day, style="bold")
        self._console.print(line.rich(self._zone, self._lane_width, self._console.width), no_wrap=True, crop=True)

    note = write

    def write_json(self, text: str) -> None:
        """Print one line of JSON."""
        self._console.print(text, soft_wrap=True)

    def show_header(self, rows: Sequence[tuple[str, Tone]]) -> None:
        """Draw the header anew."""
        if self._live:
            self._live.update(rich_of(rows, self._console.width), refresh=True)
