"""The journals: can this user write them, and is there room?"""

import os
from collections.abc import AsyncIterator
from pathlib import Path

from terminal import build
from terminal.config.schema import Settings
from terminal.config.users import JOURNAL, folder_of
from terminal.journal.reading import refuse_strangers
from terminal.journal.rows import JournalForeign, JournalLocked
from terminal.journal.side_files import IN_USE
from terminal.tools.check.finding import Finding, Machine

ENOUGH_DISK = 200 * 1024 * 1024
_BESIDE = ("", "-wal", "-shm", ".head", ".ballast")
"""What a journal consists of."""


async def disk(settings: Settings, machine: Machine) -> AsyncIterator[Finding]:
    """Can the journals be written, are they the right role's, does nobody else write them, and is there room
    (ENOUGH_DISK bytes)? The desk makes the folder of its own."""
    for key, role, path in (
        ("journal.path", "worker", settings.journal and settings.journal.path),
        ("barrier.journal", "barrier", settings.barrier and settings.barrier.journal),
    ):
        if path:
            yield _journal(key, role, path, machine)
    if settings.console:
        folder = folder_of(settings)
        if folder.is_dir():
            yield _journal("console.folder", "console", folder / JOURNAL, machine)
        elif folder.exists() or not os.access(_there(folder), os.W_OK | os.X_OK):
            text = f"{folder} is no folder" if folder.exists() else f"{folder} cannot be made"
            yield Finding("disk console.folder", False, text, "correct console.folder, or let the service's user write")


def _journal(key: str, role: str, path: Path, machine: Machine) -> Finding:
    name, folder = f"disk {key}", path.parent
    if not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
        return Finding(name, False, f"{folder} cannot be written", "make the folder, and give it to the service's user")
    for file in (path.with_name(path.name + suffix) for suffix in _BESIDE):
        if file.is_file() and not os.access(file, os.R_OK | os.W_OK):
            advice = f"give it to the service's user: sudo chown USER {path}*"
            return Finding(name, False, f"{file} is another user's, and cannot be written", advice)
    try:
        refuse_strangers(path, role)
    except JournalForeign as error:
        refused = build.cannot_open(key, error)
        return Finding(name, False, refused.text, refused.advice)
    if holder := machine.locked(path.with_name(path.name + ".head")):
        if holder == "ours":
            return Finding(name, True, f"{path} is the running service's", but="unproven")
        refused = build.cannot_open(key, JournalLocked(path, IN_USE))
        return Finding(name, False, refused.text, refused.advice)
    system = os.statvfs(folder)
    free = system.f_bavail * system.f_frsize
    enough = free >= ENOUGH_DISK
    advice = "" if enough else "make room; new tickets are refused before it is full"
    return Finding(name, enough, f"{free // (1024 * 1024)} MiB free at {folder}", advice)


def _there(folder: Path) -> Path:
    """The lowest folder above that is there, or what lies in its place."""
    return next(above for above in folder.parents if above.exists())
