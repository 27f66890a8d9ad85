"""``exit-terminal user add|list|remove``: who may sign in at the operator's desk."""

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from terminal.config.load import read_secret
from terminal.config.schema import ConfigError, Settings
from terminal.config.users import FILE, ROLES, BadUsersFile, UserRole, UsersFile, folder_of

ACTIONS = ("add", "list", "remove")


@dataclass(frozen=True, slots=True)
class UserWish:
    """What was typed: ``action`` is one of ACTIONS; ``password_file`` None: the password is asked for."""

    action: str
    name: str = ""
    role: UserRole = "attendant"
    password_file: Path | None = None
    replace: bool = False
    as_json: bool = False


def run(
    settings: Settings,
    wish: UserWish,
    *,
    day: str,
    ask: Callable[[str], str] | None,
    say: Callable[[str], None] = print,
    complain: Callable[[str], None] = lambda text: print(f"exit-terminal: {text}", file=sys.stderr),
) -> int:
    """Do it; returns the exit status. ``ask`` reads a password that is not echoed; None: there is no terminal. ``day``:
    today, YYYY-MM-DD. Raises ConfigError for wrong use, and for a users file that cannot be used."""
    users = UsersFile(folder_of(settings) / FILE)
    if wish.action == "list" and wish.name:
        raise ConfigError("user list: takes no name")
    if wish.action != "list" and not wish.name:
        raise ConfigError(f"user {wish.action}: a name is missing, as in: user {wish.action} amal")
    try:
        match wish.action:
            case "add":
                password = _password(wish, ask)
                users.add(wish.name, wish.role, password, day=day, replace=wish.replace)
                say(f"{wish.name} may sign in as {wish.role}")
            case "remove":
                if not users.remove(wish.name):
                    complain(f"user: there is no {wish.name[:40]} in {users.path}")
                    return 1
                say(f"{wish.name} may no longer sign in")
            case _:
                _list(users, wish, say)
    except BadUsersFile as error:
        raise ConfigError(f"user: {error}") from None
    except OSError as error:
        raise ConfigError(f"user: {users.path} cannot be written: {(error.strerror or '').lower()}") from None
    return 0


def _list(users: UsersFile, wish: UserWish, say: Callable[[str], None]) -> None:
    found = sorted(users.users().values(), key=lambda user: (-ROLES.index(user.role), user.name))
    if wish.as_json:
        say(json.dumps([{"name": user.name, "role": user.role, "since": user.since} for user in found]))
        return
    if not found:
        say("nobody may sign in yet: exit-terminal user add NAME --role manager")
    for user in found:
        say(f"{user.name:<32} {user.role:<10} since {user.since}")


def _password(wish: UserWish, ask: Callable[[str], str] | None) -> str:
    if wish.password_file:
        try:
            return read_secret(wish.password_file.absolute(), "user --password-file").decode()
        except UnicodeDecodeError:
            raise ConfigError(f"user --password-file: {wish.password_file} is not UTF-8") from None
    if ask is None:
        raise ConfigError("user add: run it from a terminal, or with --password-file")
    try:
        password = ask(f"Password for {wish.name}: ")
        if password != ask("Once more: "):
            raise ConfigError("user add: the two passwords differ; nothing was changed")
    except EOFError:
        raise ConfigError("user add: no password was typed; nothing was changed") from None
    return password
