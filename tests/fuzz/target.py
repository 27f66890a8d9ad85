"""What is fuzzed: a decoder of bytes that others send, with what it may raise and what must hold of what it returns."""

import asyncio
import atexit
import contextlib
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

CORPUS = Path(__file__).parent / "corpus"
"""A folder for each target: inputs that once found something, or reach what the samples do not."""
T = TypeVar("T")


@dataclass(frozen=True)
class FuzzTarget:
    """``run`` decodes and asserts. It may raise ``may_raise``; anything else is a finding, as is a slow input.

    ``samples`` are made by the product's own encoders, so that they keep up with it.
    """

    name: str
    run: Callable[[bytes], object]
    may_raise: tuple[type[Exception], ...]
    samples: Callable[[], Iterable[bytes]]
    words: tuple[bytes, ...] = ()
    """What is worth putting into an input: separators, names, numbers at a limit."""

    def takes(self, data: bytes) -> None:
        """Raises whatever is a finding."""
        with contextlib.suppress(*self.may_raise):
            self.run(data)

    def kept(self) -> list[Path]:
        """The corpus's files, in their order."""
        return sorted(path for path in (CORPUS / self.name).glob("*") if path.is_file())


def is_plain_line(text: str) -> bool:
    """May it stand in a log or on a screen as it is?"""
    return text.isprintable() and "\n" not in text


@cache
def _loop() -> asyncio.AbstractEventLoop:
    loop = asyncio.new_event_loop()
    atexit.register(loop.close)
    return loop


def awaited(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run it to its end on a loop that stays for the process: a new one for each input would take most of the time."""
    return _loop().run_until_complete(coroutine)


@cache
def scratch() -> Path:
    """A folder for decoders that want a file; gone with the process."""
    folder = TemporaryDirectory(prefix="fuzz-")
    atexit.register(folder.cleanup)
    return Path(folder.name)


def as_file(name: str, data: bytes) -> Path:
    """A file with these bytes that nobody else may read."""
    path = scratch() / name
    path.write_bytes(data)
    path.chmod(0o600)
    return path
