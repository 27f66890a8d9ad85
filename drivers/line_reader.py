"""A scanner's bytes -> readings. Pure; what a ticket's text means is nobody's business here."""

import re
from dataclasses import dataclass

LONGEST = 512
"""Bytes of one ticket, without what is dropped around it."""
SHOWN = 64
"""How much of a bad reading is kept, for a person to look at."""
PAUSE_S = 0.5
"""A line that was begun ends after so long without a byte, for there are scanners that send no line end."""

_ENDS = re.compile(rb"[\r\n\t\x03\x00]")  # TAB and ETX are suffixes too; NUL is what a break on the line reads as
_FRAMES = b" \x01\x02\x04\x0b\x0c\x11\x13\x17\x1c\x1d\x1e\x1f"
"""What stands around a text and is none of it: blanks, SOH, STX, EOT, ETB, XON, XOFF, and GS (FNC1) with its kin."""
_BOM = b"\xef\xbb\xbf"
_LEADING = re.compile(b"(?:[%b]|%b)*" % (_FRAMES, _BOM))
_AIM = re.compile(rb"\][A-Za-z][0-9A-Za-z](?=.)", re.DOTALL)
"""Which symbology it was, by ISO/IEC 15424: `]Q1`, or `]C1` and `]Q3` for GS1."""
_ROOM = LONGEST + 64
"""Bytes that are kept of a line: a ticket, and what may stand around it."""
_UNREADABLE = re.compile(rb"[^\x20-\x7e]")
_TOO_LONG = f"longer than {LONGEST} bytes"


@dataclass(frozen=True)
class Reading:
    """One ticket: its ``text`` as scanned; or, with ``why``, what could be read of something that is no ticket."""

    text: str
    why: str | None = None


@dataclass(frozen=True)
class Unreadable:
    """In what a device delivers, a place where something is missing or is no character; ``why``."""

    why: str


class LineReader:
    """Puts lines together. A line ends with CR, LF or both, with TAB, ETX or NUL, or with a pause, which only the
    caller can know of; what stands around a text is dropped, and where nothing else is, there is no reading.

    Another byte that is not printable ASCII, or one beyond LONGEST, makes the line a bad reading at once; what
    follows up to the line's end is thrown away, so few bytes more than LONGEST are ever kept.
    """

    def __init__(self) -> None:
        self._kept = b""
        self._discarding = False

    @property
    def begun(self) -> bool:
        """Is there a line that PAUSE_S without a byte would end?"""
        return bool(self._kept) or self._discarding

    def feed(self, data: bytes) -> list[Reading]:
        """The readings that ``data`` completes, in their order."""
        readings = []
        for i, part in enumerate(_ENDS.split(data)):
            if i:  # a line end came before this part
                readings += self.end()
            if not self._discarding and (bad := self._take(part)):
                readings.append(bad)
        return readings

    def end(self) -> list[Reading]:
        """The line ends here, whatever ends it: a pause, or that nothing more can come."""
        text, discarded = _bare(self._kept), self._discarding
        self.reset()
        return [] if discarded or not text else [Reading(_readable(text), _fault(text))]

    def reset(self) -> None:
        """Forget the line that has begun."""
        self._kept = b""
        self._discarding = False

    def spoil(self, why: str) -> list[Reading]:
        """There is something Unreadable: the line that has begun is bad."""
        return [] if self._discarding else [self._bad(why)]

    def _take(self, part: bytes) -> Reading | None:
        line = _after(_LEADING, self._kept + part)  # marks alone never fill it
        self._kept = line[:_ROOM]
        text = _bare(self._kept)
        if _BOM.startswith(text):  # nothing yet, or half a byte order mark
            return None
        why = _fault(text) or (_TOO_LONG if len(line) > _ROOM else None)
        return self._bad(why) if why else None

    def _bad(self, why: str) -> Reading:
        text = _readable(self._kept[:SHOWN])
        self._kept = b""
        self._discarding = True
        return Reading(text, why)


def _bare(line: bytes) -> bytes:
    """The text of a line, without what stands around it."""
    line = _after(_LEADING, line.rstrip(_FRAMES))
    return _after(_LEADING, _after(_AIM, line))


def _after(mark: re.Pattern[bytes], line: bytes) -> bytes:
    found = mark.match(line)
    return line[found.end() :] if found else line


def _fault(text: bytes) -> str | None:
    """Why ``text`` is no ticket's, by what comes first in it."""
    unreadable = _UNREADABLE.search(text)
    if unreadable and unreadable.start() <= LONGEST:
        return f"not printable ASCII (byte 0x{unreadable[0][0]:02x})"
    return _TOO_LONG if len(text) > LONGEST else None


def _readable(text: bytes) -> str:
    return _UNREADABLE.sub(b"?", text).decode("ascii")
