"""A garage server's folder, as `init` makes it, and the bundles of its lanes."""

import tarfile
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from terminal.tools.init.command import Request, Surroundings, run, utc_now

PAYBY = rsa.generate_private_key(65537, 2048)


def init(folder: Path, *lanes: str, shape: str | None = None, **more: object) -> str:
    """What `init` says in that folder."""
    said: list[str] = []
    given = more.pop("given", {})
    request = Request(
        folder / "exit-terminal.toml", given, shape, lanes, **more,  # type: ignore[arg-type]  # of any option
    )  # fmt: skip
    assert run(request, Surroundings({}, utc_now(), "server", say=said.append)) == 0
    return "\n".join(said)


def payby(folder: Path) -> None:
    """PayBy's public key, as from its portal."""
    pem = PAYBY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    (folder / "secrets/payby.pub.pem").write_bytes(pem)


def bundle(folder: Path, lane: str = "exit-2") -> dict[str, bytes]:
    """The files in a lane's bundle."""
    with tarfile.open(folder / f"lanes/{lane}.tar", "r:") as tar:
        opened = {entry.name: tar.extractfile(entry) for entry in tar}
        return {name: file.read() for name, file in opened.items() if file}
