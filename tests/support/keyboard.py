"""The kernel's side of a keyboard: what its event device says while somebody, or a scanner, types."""

import struct

from evdev import ecodes

SHIFT, CTRL, ALT = ecodes.KEY_LEFTSHIFT, ecodes.KEY_LEFTCTRL, ecodes.KEY_LEFTALT
_ROWS = {
    ecodes.KEY_1: "1234567890-=",
    ecodes.KEY_Q: "qwertyuiop[]\r",
    ecodes.KEY_A: "asdfghjkl;'`",
    ecodes.KEY_BACKSLASH: "\\zxcvbnm,./",
    ecodes.KEY_SPACE: " ",
}
KEYS = {char: first + i for first, row in _ROWS.items() for i, char in enumerate(row)}
SHIFTED = dict(zip('!@#$%^&*()_+{}:"~|<>?', "1234567890-=[];'`\\,./", strict=True))
_REPORT = (ecodes.EV_SYN, ecodes.SYN_REPORT, 0)


def event(kind: int, code: int, value: int) -> bytes:
    """One struct input_event of linux/input.h."""
    return struct.pack("@llHHi", 1, 2, kind, code, value)


def key(code: int, value: int) -> bytes:
    """A key is pressed (1), repeats (2) or is let go (0): its scan code, the key itself, the end of the report."""
    return event(ecodes.EV_MSC, ecodes.MSC_SCAN, 0x70000 + code) + event(ecodes.EV_KEY, code, value) + event(*_REPORT)


def hit(code: int, *held: int) -> bytes:
    """A key is pressed and let go while ``held`` are."""
    down, up = (b"".join(key(one, value) for one in held) for value in (1, 0))
    return down + key(code, 1) + key(code, 0) + up


def typed(text: str) -> bytes:
    """``text`` as a scanner types it: control characters with Ctrl; a character that no key has is F1."""
    return b"".join(_typed(char) for char in text)


def _typed(char: str) -> bytes:
    if char < " " and char != "\r":
        plain = chr(ord(char) + 0x40)
        return hit(KEYS[SHIFTED.get(plain, plain.lower())], CTRL, *([SHIFT] if plain in SHIFTED else []))
    plain = SHIFTED.get(char, char.lower())
    return hit(KEYS.get(plain, ecodes.KEY_F1), *([SHIFT] if plain != char else []))
