"""Standard output on a terminal or in a pipe that takes less than Unicode."""

import codecs
from typing import TextIO

_SAID = {"→": "->", "…": "...", "·": "|", "–": "-", "—": "-"}
_HANDLER = "exit-terminal-plain"


def make_plain(stream: TextIO) -> None:
    """What the encoding of ``stream`` does not have is said in ASCII from now on, and fails no command."""
    codecs.register_error(_HANDLER, _plainly)
    if callable(reconfigure := getattr(stream, "reconfigure", None)):
        reconfigure(errors=_HANDLER)


def takes(stream: TextIO, text: str) -> bool:
    """Does ``stream`` show ``text`` as it is?"""
    try:
        text.encode(stream.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def _plainly(error: UnicodeError) -> tuple[str, int]:
    """Signs of ours in ASCII, all else as JSON and TOML escape it, so that what was one of these still is."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(_SAID.get(char) or _escaped(char) for char in error.object[error.start : error.end]), error.end


def _escaped(char: str) -> str:
    units = char.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[i : i + 2].hex()}" for i in range(0, len(units), 2))
