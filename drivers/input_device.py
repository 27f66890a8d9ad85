"""Where a keyboard's events come from: the kernel's device, by evdev, or a file of events on a test bench."""

import os
import struct

from evdev import InputDevice, InputEvent, ecodes

CHUNK = 4096
_EVENT = struct.Struct("@llHHi")  # linux/input.h, struct input_event: the time as two longs, type, code, value


def open_keyboard(path: str) -> "InputDevice[str]":
    """The keyboard at ``path``, for us alone. Raises OSError, also for a device without letters, such as a mouse:
    nothing would ever come from it."""
    keyboard = InputDevice(path, readonly=True)
    try:
        if ecodes.KEY_A not in keyboard.capabilities().get(ecodes.EV_KEY, []):
            raise OSError("it is not a keyboard")
        keyboard.grab()
    except BaseException:
        keyboard.close()
        raise
    return keyboard


class EventFile:
    """Events from a pipe or a file. A pipe may hold half an event, which the kernel's device and evdev never do."""

    def __init__(self, path: str) -> None:
        self.fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        self._rest = b""

    def read(self) -> list[InputEvent]:
        """The waiting events; none at the end. Raises BlockingIOError if not even one whole event waits."""
        data = os.read(self.fd, CHUNK)
        waiting = self._rest + data
        whole = len(waiting) - len(waiting) % _EVENT.size
        self._rest = waiting[whole:]
        if data and not whole:
            raise BlockingIOError
        return [InputEvent(*fields) for fields in _EVENT.iter_unpack(waiting[:whole])]

    def close(self) -> None:
        """Close the file, once only: its number may be another file's afterwards."""
        os.close(self.fd)
