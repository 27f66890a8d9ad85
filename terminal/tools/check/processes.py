"""Which of our commands are running on this machine, and whether one of them is connected to an address. A check must
not take from them what they hold. This reads the kernel's /proc and changes nothing."""

import os
import socket
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

COMMANDS = frozenset(
    {"run", "reader", "worker", "listener", "barrier", "lcd", "loops", "console", "alerts", "discovery", "broker"}
)
WITH_PINS = frozenset({"run", "barrier", "loops", "lcd"})
"""Commands that hold GPIO lines."""
_SETTLED_S = 10.0
_ESTABLISHED, _LISTENS = "01", "0A"
"""As the kernel numbers a socket's states."""
PROC = Path("/proc")


@dataclass(frozen=True, slots=True)
class Running:
    """A process of ours: its command, its folder in /proc, and for how many seconds it has run. ``plain``: it was
    started as a service starts it."""

    command: str
    folder: Path
    for_s: float
    plain: bool


def running(proc: Path = PROC) -> Iterator[Running]:
    """Each process of ours that this user may see, except this one, which is a `check`."""
    for folder in proc.glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes().decode(errors="replace").split("\0")
            began_s = int((folder / "stat").read_text().rpartition(")")[2].split()[19]) / os.sysconf("SC_CLK_TCK")
            up_s = float((proc / "uptime").read_text().split()[0])
        except (OSError, ValueError, IndexError):
            continue  # it has ended meanwhile, or we may not look at it
        named = any(Path(word).name == "exit-terminal" for word in words[:2])
        as_module = ["-m", "terminal"] in [words[at : at + 2] for at in range(1, len(words))]
        if (named or as_module) and (command := next((word for word in words[1:] if word in COMMANDS), "")):
            yield Running(command, folder, up_s - began_s, named or words[1:3] == ["-m", "terminal"])


def service_runs(proc: Path = PROC) -> bool:
    """Is a role with pins running on this machine? A role that started a few seconds ago does not count: it may be
    about to end because it cannot get its pins."""
    return any(found.plain and found.command in WITH_PINS and found.for_s > _SETTLED_S for found in running(proc))


def connected_to(host: str, port: int, proc: Path = PROC) -> bool:
    """Has one of our processes an open connection to that address? If this user may not look into a process, it
    counts as connected."""
    try:
        there = {str(info[4][0]) for info in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)}
    except OSError:
        return False
    remote = {f"{_hex(address)}:{port:04X}" for address in there} - {f":{port:04X}"}
    remote |= {f"0000000000000000FFFF0000{part}" for part in remote if len(part) == 13}
    return _have(_sockets(proc, _ESTABLISHED, lambda _, far: far in remote), proc)


def listens(port: int, proc: Path = PROC) -> bool:
    """Does one of our processes listen on that port?"""
    return _have(_sockets(proc, _LISTENS, lambda near, _: near.endswith(f":{port:04X}")), proc)


def locked(path: Path, proc: Path = PROC) -> Literal["", "ours", "another's"]:
    """Whose process holds a lock on that file; empty if none does."""
    try:
        number = path.stat().st_ino
        lines = (proc / "locks").read_text().splitlines()
    except OSError:
        return ""
    for fields in map(str.split, lines):
        if len(fields) > 5 and fields[1] == "FLOCK" and fields[5].endswith(f":{number}"):
            return "ours" if fields[4] in {found.folder.name for found in running(proc)} else "another's"
    return ""


def _have(sockets: set[str], proc: Path) -> bool:
    """Does one of our processes hold one of these sockets?"""
    for found in running(proc) if sockets else ():
        try:
            if sockets & {str(file.readlink()) for file in (found.folder / "fd").iterdir()}:
                return True
        except FileNotFoundError:
            continue  # it has ended meanwhile
        except OSError:
            return True
    return False


def _sockets(proc: Path, state: str, fits: Callable[[str, str], bool]) -> set[str]:
    """Those of this machine in that state whose near and far end fit: as /proc/PID/fd calls them."""
    found = set()
    for name in ("tcp", "tcp6"):
        try:
            lines = (proc / "net" / name).read_text().splitlines()[1:]
        except OSError:
            continue
        for fields in map(str.split, lines):
            if len(fields) > 9 and fields[3] == state and fits(fields[1], fields[2]):
                found.add(f"socket:[{fields[9]}]")
    return found


def _hex(address: str) -> str:
    """As the kernel writes it there: words of four bytes, each in this machine's order."""
    kind = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        packed = socket.inet_pton(kind, address.partition("%")[0])
    except OSError:
        return ""
    words = (packed[at : at + 4] for at in range(0, len(packed), 4))
    return "".join((word[::-1] if sys.byteorder == "little" else word).hex().upper() for word in words)
