"""Backups of a journal in a database, by PostgreSQL's own pg_dump."""

import os
import shutil
import subprocess
from pathlib import Path

from terminal.journal.postgres.connection import DatabaseAddress
from terminal.journal.rows import JournalFailed

LIMIT_S = 3600.0
INSTALL = "sudo apt-get install postgresql-client"


def dump(address: DatabaseAddress, target: Path) -> None:
    """Write the whole database, as pg_restore reads it, to ``target`` (mode 0600, replaced at once). Raises
    JournalFailed, OSError."""
    if shutil.which("pg_dump") is None:
        raise JournalFailed(address.name, f"pg_dump is not installed here; run: {INSTALL}")
    fresh = target.with_name(target.name + ".new")
    fresh.unlink(missing_ok=True)
    environ = {**os.environ, **({"PGPASSFILE": str(address.passfile)} if address.passfile else {})}
    command = ["pg_dump", "--format=custom", "--no-owner", "--no-password", "--lock-wait-timeout=5s"]
    with os.fdopen(os.open(fresh, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:
        try:
            done = subprocess.run(
                [*command, f"--dbname={address.url}"], env=environ, stdout=file, stderr=subprocess.PIPE, timeout=LIMIT_S
            )
        except subprocess.TimeoutExpired:
            fresh.unlink(missing_ok=True)
            raise JournalFailed(address.name, f"pg_dump did not end within {LIMIT_S:g} s") from None
        file.flush()
        os.fsync(file.fileno())
    if done.returncode:
        fresh.unlink(missing_ok=True)
        said = " ".join(done.stderr.decode(errors="replace").split())[:300]
        raise JournalFailed(address.name, f"pg_dump failed: {said}")
    fresh.replace(target)
