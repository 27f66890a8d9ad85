"""What a scanner types when it acts as a keyboard: the kernel's input events -> bytes, US layout.

Scanners type a control character as Ctrl and a letter (GS as Ctrl+]), or any character by its number: Alt held, digits
on the keypad, Alt released. Keys that type no ASCII character are reported, because a missing or wrong character would
change a ticket's text.
"""

from collections.abc import Iterable, Iterator

from evdev import InputEvent, ecodes

from drivers.line_reader import Unreadable

_RELEASED, _PRESSED = 0, 1  # 2: it repeats, because it is held down
_SHIFTS = {ecodes.KEY_LEFTSHIFT, ecodes.KEY_RIGHTSHIFT}
_CTRLS = {ecodes.KEY_LEFTCTRL, ecodes.KEY_RIGHTCTRL}
_ALTS = {ecodes.KEY_LEFTALT, ecodes.KEY_RIGHTALT}
_METAS = {ecodes.KEY_LEFTMETA, ecodes.KEY_RIGHTMETA}
_HELD = _SHIFTS | _CTRLS | _ALTS | _METAS
_SILENT = {ecodes.KEY_NUMLOCK, ecodes.KEY_SCROLLLOCK}  # keypad digits are digits to us, with and without

_ROWS = (
    (ecodes.KEY_1, "1234567890-=", "!@#$%^&*()_+"),
    (ecodes.KEY_TAB, "\tqwertyuiop[]\r", "\tQWERTYUIOP{}\r"),
    (ecodes.KEY_A, "asdfghjkl;'`", 'ASDFGHJKL:"~'),
    (ecodes.KEY_BACKSLASH, "\\zxcvbnm,./", "|ZXCVBNM<>?"),
    (ecodes.KEY_SPACE, " ", " "),
    (ecodes.KEY_KPASTERISK, "*", "*"),
    (ecodes.KEY_KP7, "789-456+1230.", "789-456+1230."),
    (ecodes.KEY_KPENTER, "\r", "\r"),
    (ecodes.KEY_KPSLASH, "/", "/"),
    (ecodes.KEY_LINEFEED, "\n", "\n"),
    (ecodes.KEY_KPEQUAL, "=", "="),
    (ecodes.KEY_KPCOMMA, ",", ","),
)
"""A key, what it and the keys after it in the kernel's order type, and what they type with shift."""
_TYPED = {first + i: (plain[i], shifted[i]) for first, plain, shifted in _ROWS for i in range(len(plain))}
_KEYPAD = {getattr(ecodes, f"KEY_KP{digit}"): digit for digit in range(10)}
_ALSO = {"2": "@", "6": "^", "-": "_"}
"""What Ctrl takes even without shift."""
_MOST_DIGITS = 4
"""The most digits of a character's number: Alt+0065 is the longest."""


class Keyboard:
    """Turns input events into what they type. A key that repeats because it is held types once.

    Caps lock counts only if it is pressed here: the console's, which lights a lamp here too, does not change the text.
    """

    def __init__(self) -> None:
        self._forget()

    def _forget(self) -> None:
        self._held: set[int] = set()
        self._caps = False
        self._number = ""

    def feed(self, events: Iterable[InputEvent]) -> Iterator[bytes | Unreadable]:
        """What ``events`` type, in its order."""
        for event in events:
            if event.type == ecodes.EV_SYN and event.code == ecodes.SYN_DROPPED:
                self._forget()
                yield Unreadable("the kernel lost key presses")
            elif event.type != ecodes.EV_KEY:
                continue
            elif event.code in _HELD:
                yield from self._hold(event.code, event.value)
            elif event.value == _PRESSED and event.code not in _SILENT:
                yield from self._press(event.code)

    def _hold(self, code: int, value: int) -> Iterator[bytes | Unreadable]:
        if value != _RELEASED:
            self._held.add(code)
            return
        self._held.discard(code)
        if self._number and not self._held & _ALTS:
            number, self._number = self._number, ""
            if int(number) > 0x7F or len(number) > _MOST_DIGITS:
                yield Unreadable(f"not printable ASCII (Alt+{number[:_MOST_DIGITS]})")
            else:
                yield bytes([int(number)])

    def _press(self, code: int) -> Iterator[bytes | Unreadable]:
        if code == ecodes.KEY_CAPSLOCK:
            self._caps = not self._caps
            return
        if self._held & _ALTS and not self._held & (_CTRLS | _METAS) and code in _KEYPAD:
            self._number = f"{self._number}{_KEYPAD[code]}"[: _MOST_DIGITS + 1]
            return
        plain, shifted = _TYPED.get(code, ("", ""))
        with_shift = bool(self._held & _SHIFTS) != (self._caps and plain.isalpha())
        typed = shifted if with_shift else plain
        if self._held & _CTRLS:
            typed = _control(typed)
        if typed and not self._held & (_ALTS | _METAS):
            yield typed.encode("ascii")
        else:
            yield Unreadable(f"not printable ASCII (key {self._name(code)})")

    def _name(self, code: int) -> str:
        held = [name for name, keys in (("Ctrl", _CTRLS), ("Alt", _ALTS), ("Meta", _METAS)) if self._held & keys]
        names = ecodes.KEY.get(code, str(code))
        return "+".join([*held, (names if isinstance(names, str) else names[0]).removeprefix("KEY_")])


def _control(char: str) -> str:
    """What Ctrl makes of a character: Ctrl+M is CR, Ctrl+] is GS; of most, nothing."""
    char = _ALSO.get(char, char.upper())
    return chr(ord(char) & 0x1F) if len(char) == 1 and "@" <= char <= "_" else ""
