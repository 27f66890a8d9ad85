"""``exit-terminal restore FILE FOLDER``: puts a backup back. Nothing that is there is written over.

A journal that is put back lacks what was written after the backup. Its role begins in doubt, as after a damage: orders
are closed, nothing lifts or goes back by itself for what was lost, and a person decides (deploy/operations.md).
"""

import os
import pwd
import tarfile
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec

from terminal.config import load
from terminal.config.schema import ConfigError
from terminal.journal import put_back
from terminal.journal.archive import archive_of
from terminal.journal.rows import JournalForeign
from terminal.tools.backup import contents
from terminal.tools.backup.contents import FILES, JOURNALS, MANIFEST, Manifest

_OPEN = (".pub.pem", ".crt", ".csr")
"""Files that everybody may read."""


def run(archive: Path, folder: Path, *, complete: bool, user: str | None, say: Callable[[str], None] = print) -> int:
    """Put the backup into ``folder``; returns 0. ``complete``: the service was stopped before the backup was made and
    has not run since, so nothing is in doubt. ``user``: whose the files are to be, where root makes them.

    Raises ConfigError, JournalError, OSError, before anything is made where something is in the way.
    """
    owner = _owner(user)
    with tempfile.TemporaryDirectory(prefix="exit-terminal-restore-") as name:
        manifest, files, copies = _unpacked(archive, Path(name))
        text = files.get(manifest.configuration)
        if text is None:
            raise ConfigError(f"restore: {archive} has no {manifest.configuration}, takes a file that `backup` made")
        settings = load.parse(text.decode(), folder.absolute() / manifest.configuration)
        if complete and any(copy.in_use for copy in manifest.journals):
            raise ConfigError(
                f"restore: --complete: {archive} was made while the service ran, which may have gone on; leave it out"
            )
        places = {role: path for role, _, path in contents.journals_of(settings) if role in copies}
        for role, path in places.items():
            put_back.examine(copies[role], role)
            if there := put_back.in_place(path):
                raise JournalForeign(path, f"{there.name} is there already; no journal is written over: move it away")
        for place, content in files.items():
            if (there := folder / place).exists() and there.read_bytes() != content:
                raise ConfigError(f"restore: {there} is there already, and is another; move it away first")
        made = [path for place, content in sorted(files.items()) for path in _write(folder / place, content)]
        for role, path in places.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            made += put_back.put_back(copies[role], path, role, complete=complete)
            if f"{role}.archive" in copies and not archive_of(path).exists():
                archive_of(path).write_bytes(copies[f"{role}.archive"].read_bytes())
                archive_of(path).chmod(0o600)
                made.append(archive_of(path))
        dumped = settings.journal is not None and settings.journal.url is not None and contents.DUMP in copies
        if dumped:
            made += _write(folder / contents.DUMP, copies[contents.DUMP].read_bytes())
        if owner:
            folders = {parent for file in made for parent in file.parents if parent.is_relative_to(folder)}
            for place_made in {*made, *folders}:
                os.chown(place_made, owner.pw_uid, owner.pw_gid)
    say(f"{folder}: the backup of {manifest.made} (version {manifest.version}); {len(made)} files made")
    if not manifest.secrets:
        say("It was made without keys and passwords: put them back, then run check.")
    if places and not complete:
        say(
            "What happened after the backup is in doubt: the worker closes the orders that it knows and reads PayBy's"
            " list for others, a barrier raises for no lift for a minute, and alerts say what a person must decide:"
            ' deploy/operations.md, "A damaged journal"'
        )
    if dumped:
        assert settings.journal
        say(
            "The worker's journal is for a database, and is in doubt at its first start there. Make an empty one, then:"
            f" pg_restore --no-owner --exit-on-error --dbname='{settings.journal.url}' {folder / contents.DUMP}"
        )
    say(f"Next: exit-terminal --config {folder / manifest.configuration} check")
    return 0


def _unpacked(archive: Path, scratch: Path) -> tuple[Manifest, dict[str, bytes], Mapping[str, Path]]:
    """The manifest, the files by their place, and the journals' copies by their names, in ``scratch``."""
    manifest: Manifest | None = None
    files: dict[str, bytes] = {}
    copies: dict[str, Path] = {}
    try:
        with tarfile.open(archive, "r:") as tar:
            for entry, place in contents.members(tar, archive):
                content = tar.extractfile(entry)
                assert content
                if entry.name == MANIFEST:
                    manifest = msgspec.json.decode(content.read(contents.LARGEST), type=Manifest)
                elif place.parts[0] == FILES and entry.size <= contents.LARGEST:
                    files["/".join(place.parts[1:])] = content.read()
                elif place.parts[0] == JOURNALS and len(place.parts) == 2:
                    copies[place.name] = scratch / place.name
                    with copies[place.name].open("wb") as file:
                        while chunk := content.read(1 << 20):
                            file.write(chunk)
    except (tarfile.TarError, msgspec.DecodeError, UnicodeDecodeError, RecursionError, EOFError):
        manifest = None
    if manifest is None or manifest.v != 1:
        raise ConfigError(f"restore: {archive} cannot be read as a backup; take a whole file that `backup` made")
    return manifest, files, copies


def _write(path: Path, content: bytes) -> list[Path]:
    if path.exists():
        return []
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o750)
    mode = 0o644 if path.name.endswith(_OPEN) else 0o600
    with os.fdopen(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, mode), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    return [path]


def _owner(user: str | None) -> pwd.struct_passwd | None:
    """Whose the files are to be; None: whoever makes them."""
    name = user or ("exit-terminal" if os.geteuid() == 0 else None)
    if name is None:
        return None
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        if user is None:
            return None
        raise ConfigError(f"restore: --user: got {name[:40]!r}, takes a user of this machine") from None
    if entry.pw_uid != os.geteuid() and os.geteuid() != 0:
        raise ConfigError(f"restore: --user: got {name!r}, takes another user only from root (sudo)")
    return entry
