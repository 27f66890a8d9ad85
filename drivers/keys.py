"""What a scanner types when it plays a keyboard: Linux input events -> bytes, US layout.

The events are read as the kernel writes them (linux/input.h, struct input_event), with no package in between.
"""

import struct

_EVENT = struct.Struct("@llHHi")  # the time as two native longs, type, code, value
EVENT_SIZE = _EVENT.size
_SYN, _KEY = 0, 1
_SYN_DROPPED = 3
_PRESSED, _RELEASED = 1, 0
_SHIFTS = {42, 54}
_SILENT = {29, 56, 58, 69, 70, 97, 100, 125, 126, 127}  # ctrl, alt, the locks, meta, menu
_UNKNOWN = "\x1a"

_ROWS = (
    (2, "1234567890-=", "!@#$%^&*()_+"),
    (16, "qwertyuiop[]", "QWERTYUIOP{}"),
    (28, "\r", "\r"),
    (30, "asdfghjkl;'`", 'ASDFGHJKL:"~'),
    (43, "\\zxcvbnm,./", "|ZXCVBNM<>?"),
    (55, "*", "*"),
    (57, " ", " "),
    (71, "789-456+1230.", "789-456+1230."),
    (96, "\r", "\r"),
    (98, "/", "/"),
)
"""First key code (linux/input-event-codes.h), what it and the codes after it type, and what they type with shift."""

_TYPED = {first + i: (plain[i], shifted[i]) for first, plain, shifted in _ROWS for i in range(len(plain))}


class EventsLost(Exception):
    """The kernel's buffer ran over: keys are missing from what was typed."""


class Keyboard:
    """Turns input events into what they type. A key that repeats because it is held types once."""

    def __init__(self) -> None:
        self._rest = b""
        self._shifts: set[int] = set()

    def feed(self, data: bytes) -> bytes:
        """What ``data``, whole events or parts of them, types; a key that types nothing printable gives 0x1A.

        Raises EventsLost, after which it may be fed again.
        """
        data = self._rest + data
        whole = len(data) - len(data) % EVENT_SIZE
        self._rest = data[whole:]
        typed = []
        for _, _, kind, code, value in _EVENT.iter_unpack(data[:whole]):
            if kind == _SYN and code == _SYN_DROPPED:
                self._shifts.clear()
                raise EventsLost("the kernel lost key presses")
            if kind == _KEY and code in _SHIFTS:
                (self._shifts.discard if value == _RELEASED else self._shifts.add)(code)
            elif kind == _KEY and value == _PRESSED and code not in _SILENT:
                typed.append(_TYPED.get(code, (_UNKNOWN, _UNKNOWN))[bool(self._shifts)])
        return "".join(typed).encode("ascii")
