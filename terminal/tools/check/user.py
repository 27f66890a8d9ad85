"""The user that the check runs as. Root may do what the service's user may not, so `--user` names the latter."""

import grp
import os
import pwd
from collections.abc import AsyncIterator

from terminal.config.schema import ConfigError, Settings
from terminal.tools.check.finding import Finding, Machine

SERVICE_GROUPS = ("gpio", "spi", "dialout", "input")
"""The groups that the units in deploy/systemd add to the user's own."""


def known(name: str) -> pwd.struct_passwd:
    """The entry of that user; raises ConfigError if this machine has none."""
    try:
        return pwd.getpwnam(name)
    except (KeyError, ValueError):
        raise ConfigError(f"check: --user: got {name[:40]!r}, takes a user of this machine") from None


def become(name: str) -> None:
    """Make this process run as that user, for good, in the groups that the service has. Raises ConfigError."""
    entry = known(name)
    if os.getuid() == entry.pw_uid:
        return
    if os.getuid() != 0:
        raise ConfigError(f"check: --user: got {name!r}, takes another user only from root: sudo exit-terminal check")
    groups = set(os.getgrouplist(name, entry.pw_gid))
    groups |= {group.gr_gid for group in grp.getgrall() if group.gr_name in SERVICE_GROUPS}
    os.setgroups(sorted(groups))
    os.setgid(entry.pw_gid)
    os.setuid(entry.pw_uid)


def me() -> str:
    """The name of the user that this process runs as; the number if it has no name."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())


async def user(_: Settings, machine: Machine) -> AsyncIterator[Finding]:
    """As which user does the check run? A warning for root, who may do what the service's user may not."""
    name = machine.user
    if name == "root":
        text = "looked at as root, who may read and write what the service's user may not"
        yield Finding("user", True, text, "give the service's user: check --user exit-terminal", but="warning")
    elif name:
        yield Finding("user", True, f"looked at as {name}: `run` must be the same user's")
