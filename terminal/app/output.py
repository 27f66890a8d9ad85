"""Standard output on a terminal or pipe that does not take all of Unicode."""

import codecs
from typing import TextIO

_SAID = {"→": "->", "…": "...", "·": "|", "–": "-", "—": "-"}
_HANDLER = "exit-terminal-plain"


def make_plain(stream: TextIO) -> None:
    """From now on write in ASCII what the encoding of ``stream`` lacks, so that no command fails over it."""
    codecs.register_error(_HANDLER, _plainly)
    if callable(reconfigure := getattr(stream, "reconfigure", None)):
        reconfigure(errors=_HANDLER)


def takes(stream: TextIO, text: str) -> bool:
    """Can ``stream`` show ``text`` unchanged?"""
    try:
        text.encode(stream.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def _plainly(error: UnicodeError) -> tuple[str, int]:
    """Our own signs in ASCII; everything else escaped as in JSON and TOML, so that such a document stays valid."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(_SAID.get(char) or _escaped(char) for char in error.object[error.start : error.end]), error.end


def _escaped(char: str) -> str:
    units = char.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[i : i + 2].hex()}" for i in range(0, len(units), 2))
