"""The demo keeps nothing: its folder goes with it."""

import contextlib
import itertools
import threading
import time
from pathlib import Path

from terminal.app.demo import _folder

WRITES_S = 0.3


def test_the_folder_goes_although_something_is_still_being_written_in_it() -> None:
    """As the thread does that was opening a journal when the demo was told to end."""

    def write(folder: Path) -> None:
        until = time.monotonic() + WRITES_S
        for number in itertools.count():
            with contextlib.suppress(OSError):
                (folder / str(number)).touch()
            if time.monotonic() > until:
                return

    with _folder() as folder:
        writer = threading.Thread(target=write, args=[folder])
        writer.start()
        (folder / "secrets").mkdir()
    assert not folder.exists()
    writer.join()
    assert not folder.exists()
