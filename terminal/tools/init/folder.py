"""The folder of an installation. Files are written whole, closed to others, given to the service's user, and never
overwritten."""

import errno
import grp
import os
import pwd
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from terminal.config.schema import ConfigError


@dataclass(frozen=True, slots=True)
class Owner:
    """The user that the files are for; if ``uid`` is None, they stay with the user who makes them."""

    name: str
    uid: int | None = None
    gid: int | None = None


SERVICE_USER = "exit-terminal"
"""As the units in deploy/systemd have it."""


def owner_of(asked: str | None, uid: int, me: str) -> Owner:
    """The user of --user (``asked``). Without it, root makes files for the service's user, if there is one, and other
    users for themselves. Raises ConfigError."""
    name = asked or (SERVICE_USER if uid == 0 and _known(SERVICE_USER) else me)
    if name == me:
        return Owner(name)
    if not _known(name):
        raise ConfigError(f"init: --user: got {name[:40]!r}, takes a user of this machine: useradd --system makes one")
    if uid != 0:
        raise ConfigError(f"init: --user: got {name!r}, takes only {me!r}: only root makes files for others (sudo)")
    entry = pwd.getpwnam(name)
    return Owner(name, entry.pw_uid, entry.pw_gid)


def _known(name: str) -> bool:
    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True


@dataclass
class Folder:
    """Makes files below ``root``; names are relative to it. ``made`` and ``kept`` have the names so far. The methods
    raise ConfigError if the disk or its rights do not allow it."""

    root: Path
    owner: Owner
    made: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)

    def has(self, name: str) -> bool:
        """Is that file there?"""
        return (self.root / name).exists()

    def read(self, name: str) -> bytes:
        """The content of that file."""
        try:
            return (self.root / name).read_bytes()
        except OSError as error:
            raise _refused(self.root / name, error) from None

    def write(self, name: str, content: bytes, mode: int = 0o600, *, group: str = "", replace: bool = False) -> bool:
        """Make a file, unless it is there; returns whether it was made. ``group`` may read it, if root makes it and
        there is such a group. ``replace``: an existing file is replaced, because it is made from others."""
        path = self.root / name
        try:
            if not replace and path.exists():
                self.kept.append(name)
                return False
            self._make_folder(path.parent)
            fresh = path.with_name(f".{path.name}.new")
            fresh.unlink(missing_ok=True)
            with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(content)
                self._give(file.fileno(), mode, group)
                file.flush()
                os.fsync(file.fileno())
            if replace:
                fresh.replace(path)
            else:
                try:
                    os.link(fresh, path)  # whole or not at all, and never over one that came meanwhile
                finally:
                    fresh.unlink()
        except OSError as error:
            raise _refused(path, error) from None
        self.made.append(name)
        return True

    def set_aside(self, name: str) -> None:
        """Rename a file that is about to be made anew to ``<name>.old``; an older one of that name is replaced."""
        path = self.root / name
        try:
            path.replace(path.with_name(f"{path.name}.old"))
        except OSError as error:
            raise _refused(path, error) from None

    def _make_folder(self, path: Path) -> None:
        if path.is_dir():
            return
        if path.exists():
            raise NotADirectoryError(errno.ENOTDIR, "not a folder")
        self._make_folder(path.parent)
        path.mkdir(mode=0o755 if path.name in _OPEN else 0o700)
        if path == self.root:
            path.chmod(0o750)
        if self.owner.uid is not None and path.is_relative_to(self.root):
            os.chown(path, self.owner.uid, self.owner.gid or 0)

    def _give(self, file: int, mode: int, group: str) -> None:
        gid = self.owner.gid
        if group and os.getuid() == 0:
            with suppress(KeyError):
                gid, mode = grp.getgrnam(group).gr_gid, mode | 0o040
        os.fchmod(file, mode)
        if os.getuid() == 0 and (self.owner.uid is not None or gid is not None):
            os.fchown(file, 0 if self.owner.uid is None else self.owner.uid, 0 if gid is None else gid)


_OPEN = frozenset({"upload", "certs", "requests"})
"""Folders that hold nothing secret."""


def _refused(path: Path, error: OSError) -> ConfigError:
    reason = (error.strerror or type(error).__name__).lower()
    return ConfigError(f"init: {path} cannot be made or read: {reason}; choose another folder, or use sudo")
