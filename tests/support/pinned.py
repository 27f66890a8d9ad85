"""exit-terminal whose mock outputs are written down: ``python -m tests.support.pinned FILE COMMAND ...`` appends
each level that an output takes to FILE, as ``<pin> <0 or 1>``.

What is replaced for that is gpiozero's mock pin, nothing of ours.
"""

import os
import sys
from pathlib import Path

from gpiozero.pins.mock import MockPin


def watch_outputs(file: Path) -> None:
    """Write down every level that an output takes from now on, its first one included."""
    fd = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    plain = MockPin._change_state

    def change(pin: MockPin, value: bool) -> bool:
        changed = bool(plain(pin, value))
        if changed and pin.function == "output":
            os.write(fd, f"{pin.info.name} {int(value)}\n".encode())
        return changed

    MockPin._change_state = change


if __name__ == "__main__":
    file, *sys.argv[1:] = sys.argv[1:]
    watch_outputs(Path(file))
    from terminal.__main__ import main

    sys.exit(main())
