"""The look for secrets after each test finds what is planted, in every place that is put out, and nothing else."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa

from tests.support.leaks import SAID, leaks, secrets_in

TREE = Path(__file__).parents[1]
HEX = "3f9c" * 16
PLANTED = """
import logging, sqlite3, subprocess, sys
from contextlib import closing
from tests.support.leaks import SAID, listen

SECRET = "wrong-horse-battery"
listen()

def secret(tmp_path):
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "lane").write_text(SECRET + "\\n")
    return tmp_path

def test_clean(tmp_path):
    print("nothing", secret(tmp_path))

def test_printed(tmp_path, capfd):
    secret(tmp_path)
    with capfd.disabled():
        pass
    print(f"the password is {SECRET}.")

def test_printed_and_read(tmp_path, capsys):
    secret(tmp_path)
    print(SECRET)
    assert capsys.readouterr().out

def test_logged(tmp_path):
    secret(tmp_path)
    logging.getLogger("terminal").warning("cannot sign in with %s", SECRET)

def test_answered_by_a_command(tmp_path):
    secret(tmp_path)
    subprocess.run([sys.executable, "-c", "print('wrong-horse' + '-battery')"], capture_output=True, check=True)

def test_journaled(tmp_path):
    with closing(sqlite3.connect(secret(tmp_path) / "journal.db")) as db:
        db.execute("CREATE TABLE entry (data)")
        db.execute("INSERT INTO entry VALUES (?)", (SECRET,))
        db.commit()
    (tmp_path / "journal.db").chmod(0o600)

def test_said_on_a_broker(tmp_path):
    secret(tmp_path)
    SAID.add(f'{{"text": "{SECRET}"}}'.encode())

def test_a_private_key():
    print("-----BEGIN PRIVATE KEY-----\\nMC4CAQAwBQYDK2VwBCIEIA")
"""


@pytest.mark.parametrize("processes", [0, 2])
def test_a_planted_secret_is_found_wherever_it_leaks(tmp_path: Path, processes: int) -> None:
    """In a run of its own, whose output this test must not repeat: what it has planted has no meaning here."""
    folder = tmp_path / "planted"
    folder.mkdir()
    (folder / "test_planted.py").write_text(PLANTED)
    words = ["-p", "tests.support.leaks", "-p", "no:cacheprovider", "-q", "-rA", "-n", str(processes), "--no-header"]
    ended = subprocess.run(
        [sys.executable, "-m", "pytest", *words, "-c", str(TREE / "pyproject.toml"), "--rootdir", str(folder),
         "--confcutdir", str(folder), f"--basetemp={folder / 'tmp'}", str(folder / "test_planted.py")],
        cwd=TREE, capture_output=True, text=True, check=False,
    )  # fmt: skip
    shutil.rmtree(folder)
    SAID.clear()
    errors = {line.split("::")[1].split()[0] for line in ended.stdout.splitlines() if line.startswith("ERROR ")}
    tests = {line[4:].split("(")[0] for line in PLANTED.splitlines() if line.startswith("def test_")}
    assert errors == tests - {"test_clean"}, ended.stdout + ended.stderr
    said = [line for line in ended.stdout.splitlines() if "a secret is said:" in line]
    assert said and not [line for line in said if "wrong-horse-battery" in line], "the finding repeats the secret"


def test_each_kind_of_secret_is_known_by_what_is_private_of_it() -> None:
    pem = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    for key in (ed25519.Ed25519PrivateKey.generate(), rsa.generate_private_key(65537, 2048)):
        public = key.public_key().public_bytes(pem[0], serialization.PublicFormat.SubjectPublicKeyInfo)
        marks = list(secrets_in(key.private_bytes(*pem)))
        assert marks and not [mark for mark in marks if mark in public]
        assert list(secrets_in(public)) == []
    assert list(secrets_in(HEX.encode() + b"\n")) == [HEX.encode()]
    assert list(secrets_in(b"short\n")) == []


def test_every_secret_file_counts_and_every_journal_and_log_is_looked_through(tmp_path: Path) -> None:
    (tmp_path / "secrets/mqtt").mkdir(parents=True)
    (tmp_path / "secrets/mqtt/lane").write_text(f"{HEX}\n")
    (tmp_path / "exit-terminal.toml").write_text('[garage]\nid = "marina"')
    assert leaks(tmp_path, [b"nothing"]) == []
    assert leaks(tmp_path, [f"got {HEX}".encode()]) == ["what was said: the secret of secrets/mqtt/lane"]
    records = ["journal.db", "journal.db-wal", "journal.db.damaged-1", "run.log", "day.csv", "journal.archive"]
    for name in records:
        (tmp_path / name).write_text(HEX)
    assert leaks(tmp_path, []) == sorted(f"{name}: the secret of secrets/mqtt/lane" for name in records)
    for name in records:  # after this test too they are looked for
        (tmp_path / name).unlink()
