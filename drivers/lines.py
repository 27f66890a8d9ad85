"""A scanner's bytes -> readings. Pure; what a ticket's text means is nobody's business here."""

from dataclasses import dataclass

LONGEST = 512
"""Bytes of one ticket, its line end not counted."""
SHOWN = 64
"""How much of a bad reading is kept, for a person to look at."""
_PRINTABLE = bytes(range(0x20, 0x7F))
_READABLE = bytes(byte if byte in _PRINTABLE else ord("?") for byte in range(256))


@dataclass(frozen=True)
class Reading:
    """One ticket: its ``text`` as scanned; or, with ``why``, what could be read of something that is no ticket."""

    text: str
    why: str | None = None


class Lines:
    """Puts lines together. A line ends with CR, LF or both; an empty one is nothing.

    A byte that is not printable ASCII, or one beyond LONGEST, makes the line a bad reading at once; what follows up
    to the line end is thrown away, so at most LONGEST bytes are ever kept.
    """

    def __init__(self) -> None:
        self._kept = bytearray()
        self._discarding = False

    def feed(self, data: bytes) -> list[Reading]:
        """The readings that ``data`` completes, in their order."""
        readings = []
        for i, part in enumerate(data.replace(b"\n", b"\r").split(b"\r")):
            if i:  # a line end came before this part
                if self._kept:
                    readings.append(Reading(self._kept.decode("ascii")))
                self.reset()
            if not self._discarding and (bad := self._take(part)):
                readings.append(bad)
        return readings

    def reset(self) -> None:
        """Forget the line that has begun."""
        self._kept.clear()
        self._discarding = False

    def spoil(self, why: str) -> list[Reading]:
        """The device itself lost something: the line that has begun is bad."""
        return [] if self._discarding else [self._bad(why)]

    def _take(self, part: bytes) -> Reading | None:
        room = LONGEST - len(self._kept)
        unreadable = part[: room + 1].translate(None, _PRINTABLE)
        self._kept += part[: room + 1]
        if unreadable:
            return self._bad(f"not printable ASCII (byte 0x{unreadable[0]:02x})")
        if len(part) > room:
            return self._bad(f"longer than {LONGEST} bytes")
        return None

    def _bad(self, why: str) -> Reading:
        text = bytes(self._kept[:SHOWN]).translate(_READABLE).decode("ascii")
        self._kept.clear()
        self._discarding = True
        return Reading(text, why)
