"""The people who may sign in at the operator's desk: names, roles and Argon2 hashes in one file of JSON.

The file is secret (``mode & 0o007`` must be 0) and is replaced as a whole, so that a reader never sees half of it.
Argon2id with argon2-cffi's own parameters (RFC 9106, section 4, the one for little memory: 64 MiB, 3 passes).
"""

import fcntl
import json
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Literal, get_args

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError

from terminal.config.schema import ConfigError, Settings

UserRole = Literal["view", "attendant", "manager"]
ROLES: tuple[UserRole, ...] = get_args(UserRole)
"""Each may do all that those before it may."""
FILE, JOURNAL = "users.json", "console.db"
FOLDER = "console"
"""Beside the configuration, where ``console.folder`` names no other."""
LEAST, MOST = 8, 256
"""How many characters a password has (NIST SP 800-63B, section 5.1.1.2, asks for 8 at least)."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,31}")
_LARGEST = 1024 * 1024
_HASHER = PasswordHasher()


class BadUsersFile(Exception):
    """The file cannot be used: the text says why and what to do, in one line, and has no hash in it."""


@dataclass(frozen=True, slots=True)
class DeskUser:
    """``password``: an Argon2id hash in PHC form. ``since``: the day of the last change, YYYY-MM-DD."""

    name: str
    role: UserRole
    password: str
    since: str

    def may(self, role: UserRole) -> bool:
        """Has this user the rights of ``role``?"""
        return ROLES.index(self.role) >= ROLES.index(role)


def folder_of(settings: Settings) -> Path:
    """The console's folder: ``console.folder``, else `console` beside the configuration."""
    if settings.console and settings.console.folder:
        return settings.console.folder
    return (settings.file.absolute().parent if settings.file else Path.cwd()) / FOLDER


class UsersFile:
    """The file at ``path``; it need not be there yet."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._seen: tuple[tuple[int, int, int, int], dict[str, DeskUser]] | None = None

    def users(self) -> dict[str, DeskUser]:
        """Everybody by name; empty where there is no file. Reads it anew only when it has changed. Raises
        BadUsersFile."""
        try:
            status = self.path.stat()
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise BadUsersFile(f"{self.path}: {(error.strerror or '').lower()}") from None
        mark = (status.st_ino, status.st_mtime_ns, status.st_size, status.st_mode)
        if self._seen is None or self._seen[0] != mark:
            self._seen = mark, _read(self.path)
        return self._seen[1]

    def add(self, name: str, role: UserRole, password: str, *, day: str, replace: bool = False) -> None:
        """Add a user, or with ``replace`` give one another role and password. Raises ConfigError for what no user may
        be, BadUsersFile."""
        if not _NAME.fullmatch(name):
            raise ConfigError(f"user: got {name[:40]!r}, takes 1 to 32 letters, digits, dots, _ and -")
        if not LEAST <= len(password) <= MOST or not password.isprintable():
            raise ConfigError(f"user: takes a password of {LEAST} to {MOST} characters on one line")
        hashed = _HASHER.hash(password)
        with self._locked():
            users = dict(self.users())
            if name in users and not replace:
                raise ConfigError(f"user: {name} is there already; --replace gives another role and password")
            users[name] = DeskUser(name, role, hashed, day)
            self._write(users.values())

    def remove(self, name: str) -> bool:
        """Remove a user; False if there is none of that name. Raises BadUsersFile."""
        with self._locked():
            users = dict(self.users())
            if users.pop(name, None) is None:
                return False
            self._write(users.values())
            return True

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Nobody else changes the file meanwhile."""
        make_folder(self.path.parent)
        with self.path.with_name(self.path.name + ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _write(self, users: Iterable[DeskUser]) -> None:
        new = self.path.with_name(self.path.name + ".new")
        new.unlink(missing_ok=True)
        owner = self.path.stat() if self.path.exists() else self.path.parent.stat()
        text = json.dumps({"v": 1, "users": [asdict(user) for user in users]}, indent=1) + "\n"
        with os.fdopen(os.open(new, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        if os.geteuid() == 0:  # root adds users to a file that the service must read
            os.chown(new, owner.st_uid, owner.st_gid)
        new.rename(self.path)
        self._seen = None


def make_folder(folder: Path) -> None:
    """Make the console's folder; root makes it for the service, whose the folder above it is. Raises OSError."""
    if not folder.is_dir():
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if os.geteuid() == 0:
            owner = folder.parent.stat()
            os.chown(folder, owner.st_uid, owner.st_gid)


def is_password_of(user: DeskUser | None, password: str) -> bool:
    """Is it that user's password? It takes as long where there is no such user. It computes for a tenth of a second and
    more in 64 MiB: call it in a thread, and not many times at once."""
    with suppress(Argon2Error, InvalidHashError):
        return _HASHER.verify(user.password if user else _nobodys(), password[:MOST]) and user is not None
    return False


@cache
def _nobodys() -> str:
    """A hash to check where there is no such user, so that an unknown name takes as long as a wrong password."""
    return _HASHER.hash("nobody has this password")


def _read(path: Path) -> dict[str, DeskUser]:
    mend = "put a copy back, or remove the file and add the users anew: exit-terminal user add"
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            if mode & 0o007:
                raise BadUsersFile(
                    f"{path}: others may read it (mode {mode & 0o777:o}); close it to them: chmod o= {path}"
                )
            raw = file.read(_LARGEST + 1)
        if len(raw) > _LARGEST:
            raise ValueError
        said = json.loads(raw)
        users = {
            one["name"]: DeskUser(one["name"], one["role"], one["password"], str(one["since"])[:10])
            for one in said["users"]
        }
    except OSError as error:
        raise BadUsersFile(f"{path}: {(error.strerror or '').lower()}") from None
    except (ValueError, KeyError, TypeError, RecursionError):
        raise BadUsersFile(f"{path}: damaged: {mend}") from None
    for user in users.values():
        fits = isinstance(user.name, str) and _NAME.fullmatch(user.name) and user.role in ROLES
        if not fits or not isinstance(user.password, str) or not user.password.startswith("$argon2id$"):
            raise BadUsersFile(f"{path}: damaged: {mend}")
    return users
