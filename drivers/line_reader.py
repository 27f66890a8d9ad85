"""A scanner's bytes -> readings. Pure; nothing here knows what a ticket's text means."""

import re
from dataclasses import dataclass

LONGEST = 512
"""The most bytes of one ticket, without what is dropped around it."""
SHOWN = 64
"""How many bytes of a bad reading are kept, for a person to look at."""
PAUSE_S = 0.5
"""A line that has begun ends after this long without a byte (s), because some scanners send no line end."""

_ENDS = re.compile(rb"[\r\n\t\x03\x00]")  # TAB and ETX are suffixes too; a break on the line reads as NUL
_FRAMES = b" \x01\x02\x04\x0b\x0c\x11\x13\x17\x1c\x1d\x1e\x1f"
"""What may be around a text and is not part of it: blanks, SOH, STX, EOT, ETB, XON, XOFF, and GS (FNC1) with its
kin."""
_BOM = b"\xef\xbb\xbf"
_LEADING = re.compile(b"(?:[%b]|%b)*" % (_FRAMES, _BOM))
_AIM = re.compile(rb"\][A-Za-z][0-9A-Za-z](?=.)", re.DOTALL)
"""A symbology identifier of ISO/IEC 15424: `]Q1`, or `]C1` and `]Q3` for GS1."""
_ROOM = LONGEST + 64
"""How many bytes of a line are kept: a ticket, and what may be around it."""
_UNREADABLE = re.compile(rb"[^\x20-\x7e]")
_TOO_LONG = f"longer than {LONGEST} bytes"


@dataclass(frozen=True)
class Reading:
    """One ticket: its ``text`` as scanned; or, with ``why``, what could be read of something that is not a ticket."""

    text: str
    why: str | None = None


@dataclass(frozen=True)
class Unreadable:
    """A place in a device's data where something is missing or is not a character; ``why`` says which."""

    why: str


class LineReader:
    """Puts lines together. A line ends with CR, LF or both, with TAB, ETX or NUL, or with a pause, which only the
    caller can notice. What is around a text is dropped, and a line with nothing else gives no reading.

    Any other byte that is not printable ASCII, or one beyond LONGEST, makes the line a bad reading at once. What
    follows up to the line's end is thrown away, so little more than LONGEST bytes are ever kept.
    """

    def __init__(self) -> None:
        self._kept = b""
        self._discarding = False

    @property
    def begun(self) -> bool:
        """Has a line begun that PAUSE_S without a byte would end?"""
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
        """End the line here: after a pause, or because nothing more can come."""
        text, discarded = _bare(self._kept), self._discarding
        self.reset()
        return [] if discarded or not text else [Reading(_readable(text), _fault(text))]

    def reset(self) -> None:
        """Forget the line that has begun."""
        self._kept = b""
        self._discarding = False

    def spoil(self, why: str) -> list[Reading]:
        """Take something Unreadable: it makes the line that has begun bad."""
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
    """The text of a line, without what is around it."""
    line = _after(_LEADING, line.rstrip(_FRAMES))
    return _after(_LEADING, _after(_AIM, line))


def _after(mark: re.Pattern[bytes], line: bytes) -> bytes:
    found = mark.match(line)
    return line[found.end() :] if found else line


def _fault(text: bytes) -> str | None:
    """Why ``text`` cannot be a ticket's, by its first fault."""
    unreadable = _UNREADABLE.search(text)
    if unreadable and unreadable.start() <= LONGEST:
        return f"not printable ASCII (byte 0x{unreadable[0][0]:02x})"
    return _TOO_LONG if len(text) > LONGEST else None


def _readable(text: bytes) -> str:
    return _UNREADABLE.sub(b"?", text).decode("ascii")
