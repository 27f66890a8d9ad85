"""RSA keys that tests share: making one takes 50 ms of CPU, and no test depends on its key being fresh."""

import tempfile
from functools import cache
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import rsa


@cache
def rsa_key(name: str) -> rsa.RSAPrivateKey:
    """The key of 2048 bits that this process has under that name."""
    return rsa.generate_private_key(65537, 2048)


@cache
def _made() -> dict[str, bytes]:
    from terminal.app.demo import make_keys  # imports every role, which few tests need

    with tempfile.TemporaryDirectory() as folder:
        make_keys(Path(folder))
        return {path.name: path.read_bytes() for path in (Path(folder) / "secrets").iterdir()}


def lay_keys(folder: Path) -> None:
    """What demo.make_keys does, with the keys that it made the first time."""
    (secrets := folder / "secrets").mkdir(mode=0o700)
    for name, content in _made().items():
        (path := secrets / name).touch(mode=0o600)
        path.write_bytes(content)
