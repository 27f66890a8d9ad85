"""What a backup holds: the manifest, the files of an installation, and copies of its journals.

It is one tar file. ``manifest.json`` is its first member; ``files/…`` has the configuration and what lies beside it;
``journals/…`` has the journals and what was moved out of them.
"""

import io
import tarfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

import msgspec

from terminal.config.schema import ConfigError, Settings
from terminal.config.users import FILE, folder_of

MANIFEST, FILES, JOURNALS = "manifest.json", "files", "journals"
FOLDERS = ("secrets", "certs", "authority", "mosquitto", "upload", "requests")
"""What `init` makes beside a configuration; a backup takes all that is in them."""
SECRET = ("secrets", "authority", "mosquitto")
"""Those of them that hold secrets."""
_PUBLIC = frozenset({"ca_file", "cert_file", "payby_public_key", "trusted", "idle_picture"})
"""Keys of the configuration whose files hold no secret."""
DUMP = "worker.pgdump"
"""The copy of a worker's journal that is in a database; pg_restore reads it."""
LARGEST = 1 << 20
"""Bytes of one file; a key or a configuration never has as many."""


class JournalCopy(msgspec.Struct, frozen=True):
    """A journal in a backup: its role, the number of its last row, and whether its role was writing it."""

    role: str
    rows: int
    in_use: bool


class Manifest(msgspec.Struct, frozen=True):
    """``v`` counts changes that a reader must know of. ``made``: RFC 3339. ``configuration``: the file's name."""

    v: int
    version: str
    made: str
    garage: str
    lane: str
    configuration: str
    secrets: bool
    journals: list[JournalCopy]


def journals_of(settings: Settings) -> Iterator[tuple[str, str, Path]]:
    """Each journal of a configuration that is in a file: its role, its key, its path."""
    if settings.journal and settings.journal.path:
        yield "worker", "journal.path", settings.journal.path
    if settings.barrier:
        yield "barrier", "barrier.journal", settings.barrier.journal


def files_of(settings: Settings, root: Path, *, secrets: bool) -> tuple[list[Path], list[Path]]:
    """The files that an installation consists of: those below ``root``, and those that lie elsewhere. Without
    ``secrets`` only what everybody may read."""
    folders = [name for name in FOLDERS if secrets or name not in SECRET]
    found = {path for name in folders for path in (root / name).rglob("*")}
    for section in (
        *(settings.mqtt, settings.payby, settings.lift, settings.ticket, settings.console, settings.lcd),
        *(settings.alerts, settings.coupon, settings.paystation),
    ):
        for key, value in msgspec.structs.asdict(section).items() if section else ():
            if key != "folder" and (secrets or key in _PUBLIC):
                found |= set(_paths(value))
    if secrets and settings.journal and settings.journal.passfile:
        found.add(settings.journal.passfile)
    if secrets and settings.broker:
        found |= set(settings.broker.users.glob("*"))
    if secrets and settings.console:
        found.add(folder_of(settings) / FILE)
    found = {path for path in found if path.is_file() and path.stat().st_size <= LARGEST}
    if settings.file:
        found.add(root / settings.file.name)
    own = {path for path in found if path.is_relative_to(root)}
    return sorted(own), sorted(found - own)


def _paths(value: Any) -> Iterator[Path]:
    match value:
        case Path():
            yield value
        case dict():
            for inner in value.values():
                yield from _paths(inner)
        case list() | tuple():
            for inner in value:
                yield from _paths(inner)


def add(tar: tarfile.TarFile, name: str, content: bytes, at_s: int) -> None:
    """Put a member with that content into the archive."""
    entry = tarfile.TarInfo(name)
    entry.size, entry.mtime, entry.mode = len(content), at_s, 0o600
    tar.addfile(entry, io.BytesIO(content))


def members(tar: tarfile.TarFile, where: Path) -> Iterator[tuple[tarfile.TarInfo, PurePosixPath]]:
    """Each file of an archive, and its place. Raises ConfigError for one that no backup has."""
    for entry in tar:
        place = PurePosixPath(entry.name)
        if not entry.isfile() or place.is_absolute() or ".." in place.parts:
            raise ConfigError(f"restore: {where} has {entry.name[:60]!r} in it, takes a file that `backup` made")
        yield entry, place
