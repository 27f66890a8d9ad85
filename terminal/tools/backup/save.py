"""``exit-terminal backup FILE``: all that a machine's installation consists of, in one file, while it is running.

Journals are copied by SQLite's own backup and checked row by row; `cp` would lose the latest rows.
"""

import os
import tarfile
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import msgspec

from terminal import __version__, build
from terminal.config.schema import ConfigError, Settings
from terminal.contract.messages import stamp
from terminal.journal.archive import archive_of
from terminal.journal.reading import backup
from terminal.tools.backup import contents
from terminal.tools.backup.contents import FILES, JOURNALS, MANIFEST, JournalCopy, Manifest


def run(
    settings: Settings,
    target: Path,
    *,
    secrets: bool,
    now_ms: int,
    locked: Callable[[Path], Literal["", "ours", "another's"]],
    say: Callable[[str], None] = print,
) -> int:
    """Write the file, mode 0600, replaced at once; returns 0. ``secrets`` False leaves keys and passwords out.
    ``locked`` tells whose process writes a journal, by the file that is locked.

    Raises ConfigError, JournalError, OSError.
    """
    if settings.file is None or settings.garage is None:
        raise ConfigError("backup: the configuration is no file with a [garage]; give --config FILE")
    root = settings.file.absolute().parent
    fresh = target.with_name(target.name + ".new")
    with tempfile.TemporaryDirectory(dir=target.absolute().parent, prefix=".backup-") as name:
        copies, found = Path(name), []
        for role, _, path in contents.journals_of(settings):
            if path.exists():
                in_use = locked(path.with_name(path.name + ".head")) != ""
                found.append(JournalCopy(role, backup(path, copies / role), in_use))
                if archive_of(path).exists():
                    backup(archive_of(path), copies / f"{role}.archive")
        if settings.journal and settings.journal.url:
            found.append(_dumped(settings, copies / contents.DUMP))
        manifest = Manifest(
            1, __version__, stamp(now_ms), settings.garage.id, settings.lane.id if settings.lane else "",
            settings.file.name, secrets, found,
        )  # fmt: skip
        own, elsewhere = contents.files_of(settings, root, secrets=secrets)
        with os.fdopen(os.open(fresh, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600), "wb") as file:
            with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as tar:
                contents.add(tar, MANIFEST, msgspec.json.format(msgspec.json.encode(manifest)), now_ms // 1000)
                for path in own:
                    place = f"{FILES}/{path.relative_to(root).as_posix()}"
                    contents.add(tar, place, path.read_bytes(), now_ms // 1000)
                for path in sorted(copies.iterdir()):
                    tar.add(path, f"{JOURNALS}/{path.name}", recursive=False)
            file.flush()
            os.fsync(file.fileno())
    fresh.replace(target)
    rows = ", ".join(f"{copy.role} {copy.rows} rows" for copy in found) or "none"
    say(f"{target}: the configuration and {len(own) - 1} files; journals: {rows}")
    if elsewhere:
        say(f"Not in it, since they lie elsewhere: {', '.join(map(str, elsewhere))}")
    if secrets:
        say("It holds every key and password of this machine: keep it as you keep them.")
    return 0


def _dumped(settings: Settings, target: Path) -> JournalCopy:
    """The worker's journal that is in a database, as pg_dump writes it. Raises ConfigError, JournalError, OSError."""
    address = build.journal_database(settings)
    from terminal.journal.postgres.dump import dump
    from terminal.journal.postgres.reading import DatabaseHistory

    state = DatabaseHistory(address).lease()
    dump(address, target)
    return JournalCopy("worker", state.seq if state else 0, bool(state and state.holder))
