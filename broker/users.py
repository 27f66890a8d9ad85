"""The broker's users: a file for each, with the password in it."""

import hmac
import os
import secrets
from collections.abc import Iterable
from pathlib import Path


class UsersError(Exception):
    """A password file cannot be used; the text names it."""


class Users:
    """``folder`` holds a file for each of ``names`` and ``watchers``, made if absent (mode 0600) with a random
    password.

    Passwords are compared as they are, not by a slow hash: a slow hash makes up for short passwords, which these are
    not (43 characters of randomness), and amqtt's would stop the whole event loop for 150 ms at every connect.
    Raises UsersError for a file that others can read, that is empty, or that cannot be read or made.
    """

    def __init__(self, folder: Path, names: Iterable[str], watchers: Iterable[str] = ()) -> None:
        self._passwords: dict[str, bytes] = {}
        self._watchers = tuple(watchers)
        if folder.exists() and not folder.is_dir():
            raise UsersError(f"{folder} is no folder")
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            for name in dict.fromkeys((*names, *self._watchers)):
                self._passwords[name] = _password(folder / name)
        except OSError as error:
            raise UsersError(f"cannot make or read {error.filename}: {(error.strerror or '').lower()}") from None

    def check(self, name: str | None, password: str | None) -> bool:
        """Is this the user's password? Takes the same time for a user that does not exist."""
        known = self._passwords.get(name or "", b"")
        return hmac.compare_digest(known, (password or "").encode()) and bool(known)

    def is_watcher(self, name: str) -> bool:
        """Does this user only look on?"""
        return name in self._watchers

    def may_have(self, name: str, client_id: str) -> bool:
        """Is this client id that user's? A user's name is; what begins with a watcher's name and a dash is that
        watcher's, the longest such name's where several fit, so that nobody can push another out."""
        if client_id in self._passwords:
            return client_id == name
        owners = [watcher for watcher in self._watchers if client_id.startswith(f"{watcher}-")]
        return bool(owners) and max(owners, key=len) == name

    def add(self, name: str) -> str:
        """Add a user without a file; returns its password."""
        password = secrets.token_urlsafe(32)
        self._passwords[name] = password.encode()
        return password

    def remove(self, name: str) -> None:
        """Forget a user that add() made; raises KeyError for an unknown name."""
        del self._passwords[name]


def _password(path: Path) -> bytes:
    if not path.exists():
        fresh = path.with_name(f".{path.name}.{os.getpid()}")
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(secrets.token_urlsafe(32) + "\n")
        try:
            os.link(fresh, path)  # whole or not at all, and never over an existing file
        except FileExistsError:
            pass
        finally:
            fresh.unlink()
    if path.stat().st_mode & 0o007:
        raise UsersError(f"others may read {path}; close it to them: chmod o= {path}")
    password = path.read_bytes().removesuffix(b"\n").removesuffix(b"\r")
    if not password:
        raise UsersError(f"{path} is empty; delete the file, and a new password is made")
    return password
