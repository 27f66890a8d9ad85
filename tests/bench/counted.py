"""``python -m tests.bench.counted LOG COMMAND ...``: exit-terminal with somebody counting, who changes nothing of it.

LOG gets a line ``<ns, monotonic> <what> <of what>`` for each signature that is made (``sign``) or checked (``verify``),
for each key file that is parsed (``load``), and for each level that an output takes (``pin``).
"""

import os
import sys
import threading
import time
from types import FrameType
from typing import Any

from gpiozero.pins.mock import MockPin

CALLS = {
    "sign": "sign",
    "verify": "verify",
    "load_pem_private_key": "load",
    "load_pem_public_key": "load",
    "from_private_bytes": "load",
    "from_public_bytes": "load",
}
"""Of cryptography's compiled part: its function, and what it counts as."""


class CallLog:
    """Writes a line at once, so that it is whole whatever becomes of the process."""

    def __init__(self, path: str) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._change = MockPin._change_state

    def note(self, what: str, of: str) -> None:
        os.write(self._file, f"{time.monotonic_ns()} {what} {of}\n".encode())

    def profile(self, _frame: FrameType, event: str, called: Any) -> None:
        if event == "c_call" and (what := CALLS.get(called.__name__)):
            self.note(what, type(called.__self__).__name__)

    def watch(self) -> None:
        note, plain = self.note, self._change

        def change(pin: MockPin, value: bool) -> bool:
            changed = bool(plain(pin, value))
            if changed and pin.function == "output":
                note("pin", f"{pin.info.name} {int(value)}")
            return changed

        MockPin._change_state = change
        threading.setprofile(self.profile)
        sys.setprofile(self.profile)


def main() -> int:
    log, *sys.argv[1:] = sys.argv[1:]
    from terminal.__main__ import main as run

    CallLog(log).watch()
    return int(run() or 0)


if __name__ == "__main__":
    sys.exit(main())
