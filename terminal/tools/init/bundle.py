"""What a lane's machine gets from its garage's server: one tar file to carry, with a configuration, public keys, and
the lane's own user of the broker. It holds no private key of worker, console or merchant, and no ticket key: a stolen
lane machine opens no other lane, and can neither make a ticket nor move money.
"""

import io
import tarfile
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from terminal.config.load import read_file
from terminal.config.schema import ConfigError, Settings
from terminal.payby.key_files import CERTIFICATE, PUBLIC, find_key
from terminal.tools.init import configuration, keys, layout
from terminal.tools.init.answers import LANE, Answers
from terminal.tools.init.certificates import AUTHORITY, Issuer
from terminal.tools.init.folder import SERVICE_USER, Folder

CONFIGURATION = "exit-terminal.toml"
_LARGEST = 1 << 20
_HEAD = """\
The exit lane {lane} of {garage}. Made by the garage's server; every key stands in deploy/exit-terminal.toml.
Any value may come from the environment as EXIT_TERMINAL_<SECTION>_<KEY>."""


def file_of(lane: str) -> str:
    """The name of a lane's file, below the server's folder."""
    return f"lanes/{lane}.tar"


def lane_files(
    folder: Folder, settings: Settings, answers: Answers, url: str, authority: Issuer | None
) -> tuple[dict[str, bytes], list[str]]:
    """The files that the lane gets, by their names there, and the names of those that are still absent here. Makes the
    lane's user.

    Raises ConfigError for a key file of the server's configuration that cannot be used.
    """
    assert settings.garage and settings.payby and settings.lift
    lane, absent = answers["lane.id"], []
    user = layout.user_of(LANE, lane)
    values = layout.bundle_values(settings, answers, url)
    head = _HEAD.format(lane=lane, garage=settings.garage.id)
    files = {CONFIGURATION: configuration.text(values, head=head).encode()}
    for key, path in settings.lift.trusted.items():
        files[f"secrets/{key}.pub.pem"] = _public(path, f"lift.trusted.{key}")
    for name, path in layout.payby_keys(settings):
        if path.exists():
            files[name] = _public(path, "payby.payby_public_key")
        else:
            absent.append(name)
    keys.password(folder, f"{layout.PASSWORDS}/{user}")
    files[f"{layout.PASSWORDS}/{user}"] = folder.read(f"{layout.PASSWORDS}/{user}")
    if authority:
        certificate, key = layout.certificate(user)
        authority.client(certificate, key, user)
        absent += authority.waits
        there = (name for name in (AUTHORITY, certificate, key) if name not in authority.waits)
        files |= {name: folder.read(name) for name in there}
    return files, absent


def _public(path: Path, key: str) -> bytes:
    """The file's public key as PEM, in whatever form it is there. Raises ConfigError for a private key, which must not
    get to a lane."""
    found = find_key(read_file(path, key))
    if found.kind not in (PUBLIC, CERTIFICATE):
        raise ConfigError(f"{key}: {path} has {found.what}, takes a public key")
    pem: bytes = found.key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return pem


def pack(files: Mapping[str, bytes], now_s: int) -> bytes:
    """The files as a tar file, dated ``now_s`` (seconds since 1970). If root unpacks it, they belong to the service's
    user."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, content in sorted(files.items()):
            entry = tarfile.TarInfo(name)
            entry.size, entry.mtime, entry.mode = len(content), now_s, _mode(name)
            entry.uname = entry.gname = SERVICE_USER
            tar.addfile(entry, io.BytesIO(content))
    return out.getvalue()


def unpack(path: Path) -> dict[str, bytes]:
    """The files that pack() put into it; raises ConfigError if it is not such a file."""
    try:
        with tarfile.open(path, "r:") as tar:
            entries = tar.getmembers()
            files: dict[str, bytes] = {}
            for entry in entries:
                place, content = PurePosixPath(entry.name), tar.extractfile(entry)
                if content is None or place.is_absolute() or ".." in place.parts or entry.size > _LARGEST:
                    raise ConfigError(f"init: --from: {path} has {entry.name[:60]!r} in it, takes a lane's bundle")
                files[str(place)] = content.read()
    except OSError as error:
        raise ConfigError(f"init: --from: cannot read {path}: {(error.strerror or 'no file').lower()}") from None
    except tarfile.TarError:
        raise ConfigError(f"init: --from: {path} is no tar file, takes a lane's bundle") from None
    if CONFIGURATION not in files:
        raise ConfigError(f"init: --from: {path} has no {CONFIGURATION}, takes a lane's bundle")
    return files


def _mode(name: str) -> int:
    return 0o644 if name.endswith((".pub.pem", ".crt")) else 0o600


def put(folder: Folder, files: Mapping[str, bytes]) -> None:
    """Write each file, the configuration last: if that is there, all of them are."""
    for name in sorted(files, key=lambda name: name == CONFIGURATION):
        folder.write(name, files[name], _mode(name))
