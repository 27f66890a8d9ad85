"""The broker's users: one file for each, with its password in it."""

import hmac
import os
import secrets
from collections.abc import Iterable
from pathlib import Path


class UsersError(Exception):
    """A password file that cannot be used; the text names it."""


class Users:
    """``folder`` holds a file for each of ``names`` and ``watchers``, made if absent (mode 0600) with a random
    password.

    Passwords are compared as they are, not by a slow hash: a slow hash makes up for short passwords, which these are
    not (43 characters of randomness), and amqtt's would stop the whole event loop for 150 ms at every connect.
    Raises UsersError for a file that others can read, is empty or cannot be read or made.
    """

    def __init__(self, folder: Path, names: Iterable[str], watchers: Iterable[str] = ()) -> None:
        self._passwords: dict[str, bytes] = {}
        self._watchers = tuple(watchers)
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            for name in dict.fromkeys((*names, *self._watchers)):
                self._passwords[name] = _password(folder / name)
        except OSError as error:
            raise UsersError(f"{error.filename}: {error.strerror}") from None

    def check(self, name: str | None, password: str | None) -> bool:
        """Is it this user's password? Takes the same time for a user that does not exist."""
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
        """A user that has no file; returns its password."""
        password = secrets.token_urlsafe(32)
        self._passwords[name] = password.encode()
        return password

    def remove(self, name: str) -> None:
        del self._passwords[name]


def _password(path: Path) -> bytes:
    if not path.exists():
        fresh = path.with_name(f".{path.name}.{os.getpid()}")
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(secrets.token_urlsafe(32) + "\n")
        try:
            os.link(fresh, path)  # whole or not at all, and never over one that is there
        except FileExistsError:
            pass
        finally:
            fresh.unlink()
    if path.stat().st_mode & 0o007:
        raise UsersError(f"{path}: a password that others can read; chmod 600 it")
    password = path.read_bytes().removesuffix(b"\n").removesuffix(b"\r")
    if not password:
        raise UsersError(f"{path}: empty; delete it, and a new password is made")
    return password
