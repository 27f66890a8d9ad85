"""No secret is said: after each test its secrets are looked for in all that it has put out.

A test's secrets are what stands in its folders of secrets and its files of private keys, and what is ``registered``.
Put out is what was printed, logged, said on a broker or answered by a command, and every journal and log. Whatever
looks like a private key is one. Each process of xdist does this by itself.
"""

import base64
import contextlib
import re
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

PLACES = {"secrets", "users", "credentials"}
"""Folders of secrets; what stands in one is a secret, and belongs there."""
KEYS = (".pem", ".key")
RECORDS = re.compile(r"\.(db|db-wal|db-shm|archive|log|head|csv|jsonl?)$|\.db\.")
"""Journals, what lies beside them, logs and tables."""
PRIVATE_KEY = re.compile(rb"-----BEGIN [A-Z ]*PRIVATE KEY-----\s+[A-Za-z0-9+/]")
SHORTEST = 8
"""A shorter password is a word that may stand anywhere."""
LONGEST_ED25519 = 300
"""bytes, as PEM. OpenSSL takes 50 ms to prove an RSA key, and nothing here shows one."""
MOST_BYTES = 16 * 1024 * 1024
MOST_SAID = 64 * 1024 * 1024
_registered: dict[bytes, str] = {}


def register(secret: str, what: str) -> str:
    """A secret that stands in no file of a test; returns it."""
    _registered[secret.encode()] = what
    return secret


@dataclass
class Said:
    """What this process has put out since the last look, but for files."""

    parts: list[bytes] = field(default_factory=list)
    is_kept: bool = False
    """Only where tests look at it: a week of a garage would fill it for nobody."""
    _size: int = 0

    def add(self, *texts: str | bytes | None) -> None:
        """Keep what was put out, up to MOST_SAID."""
        for text in texts:
            if text and self.is_kept and self._size < MOST_SAID:
                self.parts.append(text.encode(errors="replace") if isinstance(text, str) else bytes(text))
                self._size += len(text)

    def clear(self) -> None:
        """Forget it, for the next test."""
        self.parts, self._size = [], 0


SAID = Said()


def secrets_in(data: bytes) -> Iterator[bytes]:
    """The texts by which a secret file's content is known again. None for what is public."""
    if b"PRIVATE KEY" in data:
        lines = [line.strip() for line in data.splitlines() if line.strip() and not line.startswith(b"-----")]
        whole = [line for line in lines if len(line) == 64 and b":" not in line]
        yield from whole[-1:] or lines[-1:]  # an RSA key begins with what is public, and ends with what is not
        if len(data) > LONGEST_ED25519:
            return
        try:
            key = serialization.load_pem_private_key(data, None)
        except (ValueError, TypeError):
            return
        if isinstance(key, Ed25519PrivateKey):
            raw = key.private_bytes_raw()
            yield from (base64.b64encode(raw), raw.hex().encode())
    elif b"-----BEGIN" not in data and len(data) < 4096:
        text = data.strip()
        if len(text) >= SHORTEST and b"\n" not in text and text.isascii():
            yield text


def is_secret(path: Path, root: Path) -> bool:
    """Does this file hold a secret of the test's?"""
    own = path.relative_to(root)
    return path.suffix in KEYS or (not PLACES.isdisjoint(own.parts) and not path.name.startswith("."))


def files_in(root: Path) -> Iterator[Path]:
    for path in root.rglob("*"):
        with contextlib.suppress(OSError):  # gone meanwhile
            if path.is_file() and not path.is_symlink() and path.stat().st_size <= MOST_BYTES:
                yield path


def leaks(root: Path | None, said: list[bytes]) -> list[str]:
    """Where a secret shows, and which; never the secret itself."""
    known, outputs = dict(_registered), [("what was said", part) for part in said]
    for path in files_in(root) if root else ():
        name = str(path.relative_to(root))
        try:
            if RECORDS.search(path.name):
                outputs.append((name, path.read_bytes()))
            elif is_secret(path, root):
                known |= dict.fromkeys(secrets_in(path.read_bytes()), name)
        except OSError:
            continue  # gone meanwhile, or closed even to us
    found = [f"{where}: a private key" for where, data in outputs if PRIVATE_KEY.search(data)]
    if known and outputs:
        any_of = re.compile(b"|".join(map(re.escape, sorted(known, key=len, reverse=True))))
        shown = ((where, any_of.search(data)) for where, data in outputs)
        found += [f"{where}: the secret of {known[match[0]]}" for where, match in shown if match]
    return sorted(set(found))


# -- as a plugin -----------------------------------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def nothing_secret_is_said(request: pytest.FixtureRequest) -> Iterator[None]:
    """Around every test, outside its own fixtures, so that what they have started has ended."""
    root = request.getfixturevalue("tmp_path") if "tmp_path" in request.fixturenames else None
    SAID.clear()
    yield
    SAID.add(*(text for _, _, text in request.node._report_sections))
    found = leaks(root, SAID.parts)
    SAID.clear()
    assert not found, f"a secret is said: {'; '.join(found)}"


def heard(communicate: Callable[..., Any]) -> Callable[..., Any]:
    """subprocess's communicate(), which keeps what the command has put out."""

    def communicates(*args: Any, **more: Any) -> Any:
        out = communicate(*args, **more)
        SAID.add(*(text for text in out if isinstance(text, str | bytes)))
        return out

    return communicates


def listen() -> None:
    """Hear from now on what commands put out."""
    if SAID.is_kept:
        return
    SAID.is_kept = True
    subprocess.Popen.communicate = heard(subprocess.Popen.communicate)  # type: ignore[method-assign]


def _kept(capture: pytest.CaptureFixture[str]) -> pytest.CaptureFixture[str]:
    read = capture.readouterr

    def readouterr() -> Any:
        out = read()
        SAID.add(out.out, out.err)
        return out

    capture.readouterr = readouterr  # type: ignore[method-assign]
    return capture


@pytest.fixture
def capsys(capsys: pytest.CaptureFixture[str]) -> pytest.CaptureFixture[str]:
    """pytest's own; what a test reads of it is looked through too."""
    return _kept(capsys)


@pytest.fixture
def capfd(capfd: pytest.CaptureFixture[str]) -> pytest.CaptureFixture[str]:
    """… and the same with this one."""
    return _kept(capfd)
