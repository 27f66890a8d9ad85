"""The journals: can this user write them, and is there room?"""

import os
from collections.abc import AsyncIterator
from pathlib import Path

from terminal.config.schema import Settings
from terminal.journal.reading import refuse_strangers
from terminal.journal.rows import JournalForeign
from terminal.tools.check.finding import Finding, Machine

ENOUGH_DISK = 200 * 1024 * 1024
_BESIDE = ("", "-wal", "-shm", ".head", ".ballast")
"""What a journal consists of."""


async def disk(settings: Settings, machine: Machine) -> AsyncIterator[Finding]:
    """Can both journals be written, are they the right role's, does nobody else write them, and is there room
    (ENOUGH_DISK bytes)?"""
    for key, role, path in (
        ("journal.path", "worker", settings.journal and settings.journal.path),
        ("barrier.journal", "barrier", settings.barrier and settings.barrier.journal),
    ):
        if path:
            yield _journal(key, role, path, machine)


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
        return Finding(name, False, str(error), f"correct {key}")
    if holder := machine.locked(path.with_name(path.name + ".head")):
        if holder == "ours":
            return Finding(name, True, f"{path} is the running service's", but="unproven")
        advice = "stop the program that has it, or correct the path: exactly one process writes a journal"
        return Finding(name, False, f"{path}: another process writes this journal", advice)
    system = os.statvfs(folder)
    free = system.f_bavail * system.f_frsize
    enough = free >= ENOUGH_DISK
    advice = "" if enough else "make room; new tickets are refused before it is full"
    return Finding(name, enough, f"{free // (1024 * 1024)} MiB free at {folder}", advice)
