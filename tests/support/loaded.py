"""Which modules a running command has imported: a garage whose processes write them down as they end."""

import re
import signal
import subprocess
import sys
from functools import cache
from pathlib import Path

from tests.support.eventually import eventually
from tests.support.garage import LIMIT_S, ROOT, Garage

SCRIPT = """\
import atexit, pathlib, sys
file = pathlib.Path(sys.argv.pop(1))
atexit.register(lambda: file.write_text("\\n".join(sys.modules)))
from terminal.__main__ import main
sys.exit(main())
"""
"""Runs a command as ``python -m terminal`` does, and imports nothing that each start of Python does not."""

EVERYWHERE = ("garage", "mqtt", "payby", "lift", "gpio")
SECTIONS = {
    "broker": ("broker",),
    "worker": ("journal", "ticket"),
    "listener": ("listener",),
    "barrier": ("lane", "barrier"),
    "loops": ("lane", "loops"),
    "lcd": ("lane", "lcd"),
    "reader": ("lane", "reader"),
}
"""What a role needs of the configuration beside EVERYWHERE."""


class LoadedGarage(Garage):
    """Its commands end with a list of what they have imported. ``machines``: for each name that ``spawn`` takes beside
    those of the commands, the roles of that machine's ``run``; its configuration has their sections alone."""

    def __init__(
        self, folder: Path, broker: str, *, machines: dict[str, tuple[str, ...]] | None = None, **more: str
    ) -> None:
        # What a garage takes besides; its own signature has the types.
        super().__init__(folder, broker, **more)  # type: ignore[arg-type]
        self.machines = machines or {}

    def words(self, command: str) -> list[str]:
        text = self.file.read_text(encoding="utf-8")
        if roles := self.machines.get(command):
            wanted = {*EVERYWHERE, *(section for role in roles for section in SECTIONS[role])}
            parts = re.split(r"(?m)^(?=\[)", text)
            text = "".join(part for part in parts if part.partition("]")[0].strip("[") in wanted)
        (file := self.folder / f"{command}.toml").write_text(text, encoding="utf-8")
        run = "run" if roles else command
        return ["-W", "error", "-c", SCRIPT, str(self.folder / f"{command}.modules"), run, "--config", str(file)]

    async def ready(self, command: str) -> None:
        """Until a ``run`` says so."""
        process = self.running[command]
        await eventually(lambda: " ready: " in process.said() or process.ended, limit_s=LIMIT_S, every_s=0.05)

    async def loaded(self, command: str) -> set[str]:
        """End it in order; the names of its modules, but for those of a bare Python."""
        process = self.running.pop(command)
        assert await process.kill(signal.SIGTERM) == 0, process.said()
        return set((self.folder / f"{command}.modules").read_text().split()) - bare()


@cache
def bare() -> frozenset[str]:
    """What this Python has imported before it does anything."""
    script = "import atexit, pathlib, sys; print(*sys.modules)"
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT)
    return frozenset(ended.stdout.split())


def strangers(modules: set[str]) -> set[str]:
    """The packages of others among modules, by their first names, without the parts that compilers make of them."""
    tops = {name.partition(".")[0] for name in modules if not name.startswith(("_", "cython_runtime"))}
    return tops - sys.stdlib_module_names - {"terminal", "broker", "drivers"}
