"""terminal/contract/signatures.py: screens and commands that were altered, and keys that will not do."""

import base64
import hashlib
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from terminal.contract import signatures
from terminal.contract.messages import Command, Qr, Screen, decode, encode, stamp
from terminal.contract.signatures import (
    BadKeyFile,
    TrustedKeys,
    check_command,
    check_screen,
    load_signing_key,
    load_trusted,
    sign_command,
    sign_screen,
)
from tests.support.lift_values import OTHER, VALUES, amounts, uuids, words
from tests.support.lifts import GARAGE, LANE, NOW, NUMBER, SESSION, payby_key, private_key, trusted

# Screens

BITS = base64.b64encode(bytes(range(105)) + b"\x80").decode()  # 29 x 29 = 841 modules: 105 bytes and one bit


def screen(**changes: Any) -> Screen:
    fields: dict[str, Any] = {
        "id": OTHER,
        "at": stamp(NOW),
        "state": "pay",
        "session": SESSION,
        "amount": "20.00",
        "currency": "AED",
        "expires": stamp(NOW + 110_000),
        "remaining": 110,
        "qr": Qr(29, BITS),
    }
    key = changes.pop("key", "worker")
    return sign_screen(private_key(key), GARAGE, LANE, key=key, **{**fields, **changes})


def test_a_screen_that_a_worker_signed_may_be_shown() -> None:
    text = f"screen|marina|exit-1|{OTHER}|{SESSION}|20.00|{stamp(NOW + 110_000)}|"
    text += f"{hashlib.sha256(base64.b64decode(BITS)).hexdigest()}|worker"
    assert signatures.screen_text(screen(), GARAGE, LANE) == text.encode()
    assert check_screen(decode(Screen, encode(screen())), GARAGE, LANE, trusted()) is None


@pytest.mark.fault("forged-screen")
@pytest.mark.parametrize(
    "changes",
    [
        {"id": SESSION},
        {"session": OTHER},
        {"amount": "2.00"},
        {"expires": stamp(NOW)},
        {"qr": Qr(29, base64.b64encode(bytes(105) + b"\x80").decode())},
        {"qr": Qr(25, BITS)},
        {"qr": Qr(28, BITS)},
        {"qr": Qr(29, BITS + "\n")},
        {"qr": Qr(29, "%")},
        {"qr": Qr(29, "é")},
        {"qr": Qr(29, base64.b64encode(bytes(range(106)) + b"\x80").decode())},
        {"key": "worker-2"},
        {"key": "console"},
        {"sign": ""},
    ],
)
def test_an_altered_screen_is_not_shown(changes: dict[str, Any]) -> None:
    altered = msgspec.structs.replace(screen(), **changes)
    assert check_screen(altered, GARAGE, LANE, trusted()) == "signature"


def test_a_screen_of_another_lane_or_key_is_not_shown() -> None:
    assert check_screen(screen(), GARAGE, "exit-2", trusted()) == "signature"
    assert check_screen(screen(key="console"), GARAGE, LANE, trusted()) == "signature"
    assert check_screen(screen(key="stranger"), GARAGE, LANE, trusted()) == "signature"
    idle = Screen(id=OTHER, at=stamp(NOW), state="idle")
    assert check_screen(idle, GARAGE, LANE, trusted()) == "signature"


# Commands


def command(**changes: Any) -> Command:
    fields: dict[str, Any] = {
        "id": OTHER,
        "at": stamp(NOW),
        "command": "refund",
        "by": "Amal",
        "session": SESSION,
        "not_after": stamp(NOW + 60_000),
        "order_no": NUMBER,
        "amount": "5.00",
        "reason": "the gate stayed shut",
    }
    key = changes.pop("key", "console")
    return sign_command(private_key(key), GARAGE, LANE, key=key, **{**fields, **changes})


def test_a_command_that_a_console_signed_counts() -> None:
    text = f"command|marina|exit-1|{OTHER}|refund|Amal|{SESSION}|{stamp(NOW + 60_000)}|{NUMBER}|5.00|"
    assert signatures.command_text(command(), GARAGE, LANE) == (text + "the gate stayed shut|console").encode()
    assert check_command(decode(Command, encode(command())), GARAGE, LANE, trusted(), NOW) is None


COMMAND_VALUES = {
    "id": uuids,
    "command": st.sampled_from(["cancel", "refund"]),
    "by": words,
    "session": st.none() | uuids,
    "not_after": st.integers(NOW, NOW + 60_000).map(stamp),
    "order_no": st.from_regex(r"[A-Za-z0-9_-]{1,64}", fullmatch=True),
    "amount": st.none() | amounts,
    "reason": st.none() | words,
    "key": st.sampled_from(["worker", "worker-2", "stranger", ""]),
    "sign": VALUES["sign"],
}


def test_every_field_of_a_command_is_signed() -> None:
    assert set(COMMAND_VALUES) | {"at"} == set(Command.__struct_fields__)


@pytest.mark.fault("operator-replayed")
@pytest.mark.parametrize("field", COMMAND_VALUES)
@settings(max_examples=15, deadline=None)
@given(data=st.data())
def test_a_command_that_was_altered_in_any_field_is_refused(field: str, data: st.DataObject) -> None:
    value = data.draw(COMMAND_VALUES[field])
    good = command()
    assume((value or None) != getattr(good, field))
    altered = msgspec.structs.replace(good, **{field: value})
    assert check_command(altered, GARAGE, LANE, trusted(), NOW) == "signature"


@pytest.mark.fault("operator-replayed")
@pytest.mark.parametrize(
    ("ahead_ms", "why"), [(-1, "expired"), (0, "expired"), (1, None), (60_000, None), (60_001, "too-far")]
)
def test_a_command_recorded_and_sent_again_later_is_refused(ahead_ms: int, why: str | None) -> None:
    late = command(not_after=stamp(NOW + ahead_ms))
    assert check_command(late, GARAGE, LANE, trusted(), NOW) == why


@pytest.mark.parametrize("key", ["worker", "stranger"])
def test_only_a_console_commands(key: str) -> None:
    assert check_command(command(key=key), GARAGE, LANE, trusted(), NOW) == "signature"
    assert check_command(command(), GARAGE, "exit-2", trusted(), NOW) == "signature"


# Keys


@pytest.mark.fault("forged-lift")
def test_no_key_has_two_names() -> None:
    key = private_key("worker").public_key()
    with pytest.raises(BadKeyFile, match="'worker' and 'console' are the same key"):
        TrustedKeys({"worker": key, "console": key})


@pytest.mark.parametrize("name", ["", "barrier", "aworker", "worker|x", "worker\n", "Worker"])
def test_a_key_is_a_workers_or_a_consoles(name: str) -> None:
    with pytest.raises(BadKeyFile, match="must begin with worker, console or station"):
        TrustedKeys({name: private_key("worker").public_key()})


def test_a_signer_finds_the_name_that_it_is_trusted_by() -> None:
    assert trusted().name_of(private_key("worker-2")) == "worker-2"
    assert trusted().name_of(private_key("stranger")) is None


def test_keys_are_read_from_their_files(tmp_path: Path) -> None:
    private = tmp_path / "worker.pem"
    private.write_bytes(pem(private_key("worker")))
    private.chmod(0o640)
    public = tmp_path / "worker.pub.pem"
    public.write_bytes(private_key("worker").public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    assert load_trusted({"worker-7": public}).name_of(load_signing_key(private)) == "worker-7"


def pem(key: Ed25519PrivateKey | rsa.RSAPrivateKey, password: bytes | None = None) -> bytes:
    return key.private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(password) if password else NoEncryption()
    )


@pytest.mark.parametrize(
    ("content", "mode", "words"),
    [
        (None, 0o600, "No such file"),
        (b"", 0o600, "not a private key in PEM"),
        (b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", 0o600, "not a private key in PEM"),
        (pem(private_key("worker"), b"secret"), 0o600, "without a password"),
        (pem(payby_key("payby")), 0o600, "not an Ed25519 key"),
        (pem(private_key("worker")), 0o604, "others may read it"),
    ],
)
def test_a_private_key_that_cannot_be_used_is_named(
    tmp_path: Path, content: bytes | None, mode: int, words: str
) -> None:
    path = tmp_path / "worker.pem"
    if content is not None:
        path.write_bytes(content)
        path.chmod(mode)
    with pytest.raises(BadKeyFile, match=words) as caught:
        load_signing_key(path)
    assert "worker.pem" in str(caught.value)
    assert caught.value.__cause__ is None  # whose words may be of the key


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "No such file"),
        (b"no key", "not a public key in PEM"),
        (pem(private_key("worker")), "not a public key in PEM"),
        (
            payby_key("payby").public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
            "not an Ed25519 key",
        ),
    ],
)
def test_a_public_key_that_cannot_be_used_is_named(tmp_path: Path, content: bytes | None, words: str) -> None:
    path = tmp_path / "worker.pub.pem"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(BadKeyFile, match=words):
        load_trusted({"worker": path})
