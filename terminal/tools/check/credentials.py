"""What the service gets by LoadCredential= is lent to a check as well: its user cannot read a folder of secrets that is
root's, and need not."""

import atexit
import os
import pwd
import re
import shutil
import tempfile
from collections.abc import MutableMapping
from pathlib import Path

from terminal.config.load import CREDENTIALS_VARIABLE

UNITS = Path("/etc/systemd/system")
_LOADED = re.compile(r"^LoadCredential=secrets:(\S+)$", re.MULTILINE)


def lend(config: Path | None, user: str, environ: MutableMapping[str, str], units: Path = UNITS) -> None:
    """Copy the secrets beside ``config`` to a folder of that user's for as long as this process lives, as systemd does,
    if an installed unit of ours loads them. Only for root; call it before becoming that user."""
    if config is None or os.geteuid() != 0 or environ.get(CREDENTIALS_VARIABLE):
        return
    secrets = Path(os.path.abspath(config)).parent / "secrets"
    if not secrets.is_dir() or str(secrets) not in _loaded(units):
        return
    entry = pwd.getpwnam(user)
    folder = Path(tempfile.mkdtemp(prefix="exit-terminal-check-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    for path in secrets.rglob("*"):
        if path.is_file():
            copy = folder / "_".join(("secrets", *path.relative_to(secrets).parts))
            shutil.copyfile(path, copy)
            copy.chmod(0o400)
            os.chown(copy, entry.pw_uid, entry.pw_gid)
    os.chown(folder, entry.pw_uid, entry.pw_gid)
    environ[CREDENTIALS_VARIABLE] = str(folder)


def _loaded(units: Path) -> set[str]:
    """The folders that our installed units load."""
    found: set[str] = set()
    for unit in units.glob("exit-terminal*.service"):
        found |= set(_LOADED.findall(unit.read_text(encoding="utf-8")))
    return found
