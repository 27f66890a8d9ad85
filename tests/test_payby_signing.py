"""PayBy's signature, one test per way to be wrong, and the key files."""

import base64
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization as ser
from cryptography.hazmat.primitives.asymmetric import ed25519, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA1, SHA256
from cryptography.hazmat.primitives.serialization import pkcs12
from hypothesis import given
from hypothesis import strategies as st

from terminal.payby.errors import BadKey, BadSignature
from terminal.payby.key_files import find_key
from terminal.payby.signing import load_private_key, load_public_keys, sign, verify
from tests.support.rsa_keys import rsa_key

BODY = '{"requestTime":1581404947666,"bizContent":{"subject":"موقف"}}'.encode()
KEY = rsa_key("merchant")
OTHER = rsa_key("stranger")
LONG = rsa.generate_private_key(65537, 3072)
PUBLIC = [KEY.public_key()]


def why(signature: str | None, body: bytes = BODY) -> str:
    with pytest.raises(BadSignature) as caught:
        verify(PUBLIC, body, signature)
    return caught.value.why


def test_a_signature_is_sha256_with_pkcs1_v15_over_the_raw_bytes() -> None:
    raw = base64.b64decode(sign(KEY, BODY))
    KEY.public_key().verify(raw, BODY, padding.PKCS1v15(), SHA256())


def test_what_was_signed_verifies() -> None:
    verify(PUBLIC, BODY, sign(KEY, BODY))


def test_no_signature_is_absent() -> None:
    assert why(None) == "absent"
    assert why("") == "absent"


def test_another_key_is_wrong() -> None:
    assert why(sign(OTHER, BODY)) == "wrong"


@pytest.mark.fault("forged-notification")
def test_every_changed_byte_is_wrong() -> None:
    signature = sign(KEY, BODY)
    for index in range(len(BODY)):
        changed = bytearray(BODY)
        changed[index] ^= 1
        assert why(signature, bytes(changed)) == "wrong"


def test_another_hash_is_wrong() -> None:
    assert why(base64.b64encode(KEY.sign(BODY, padding.PKCS1v15(), SHA1())).decode()) == "wrong"


def test_another_padding_is_wrong() -> None:
    pss = padding.PSS(padding.MGF1(SHA256()), padding.PSS.MAX_LENGTH)
    assert why(base64.b64encode(KEY.sign(BODY, pss, SHA256())).decode()) == "wrong"


@pytest.mark.fault("forged-notification")
@pytest.mark.parametrize(
    "spoil",
    [
        lambda s: s[:-4],
        lambda s: s + "AAAA",
        lambda s: s.rstrip("="),
        lambda s: s[:60] + "\n" + s[60:],
        lambda s: " " + s,
        lambda s: s + " ",
        lambda s: s.replace("+", "-").replace("/", "_").replace(s[0], "_", 1),
        lambda s: "é" + s[1:],
        lambda s: s[:-3] + chr(ord(s[-3]) + 1) + s[-2:],  # bits that no byte holds
        lambda s: base64.b64decode(s).hex(),
        lambda s: s + "," + s,
        lambda s: "x",
    ],
)
def test_base64_is_taken_strictly(spoil) -> None:  # type: ignore[no-untyped-def]
    good = sign(KEY, BODY)
    assert spoil(good) != good
    assert why(spoil(good)) in ("malformed", "wrong")


def test_stray_bits_in_the_last_character_are_malformed() -> None:
    good = sign(KEY, BODY)  # 256 bytes end in one quantum of 8 bits: "xx=="
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    stray = alphabet[alphabet.index(good[-3]) + 1]
    assert why(good[:-3] + stray + "==") == "malformed"


@pytest.mark.fault("keys-rotate")
def test_while_payby_rotates_either_key_verifies() -> None:
    both = [OTHER.public_key(), LONG.public_key(), KEY.public_key()]
    for key in (KEY, OTHER, LONG):
        verify(both, BODY, sign(key, BODY))


@pytest.mark.fault("keys-rotate")
def test_after_the_rotation_the_old_key_is_wrong() -> None:
    with pytest.raises(BadSignature, match="wrong"):
        verify([OTHER.public_key()], BODY, sign(KEY, BODY))


def test_a_signature_of_another_length_is_malformed() -> None:
    assert why(sign(LONG, BODY)) == "malformed"


def pem(path: Path, key: rsa.RSAPrivateKey, form: ser.PrivateFormat = ser.PrivateFormat.PKCS8) -> Path:
    path.write_bytes(key.private_bytes(ser.Encoding.PEM, form, ser.NoEncryption()))
    path.chmod(0o600)
    return path


def public_pem(path: Path, key: rsa.RSAPublicKey) -> Path:
    path.write_bytes(key.public_bytes(ser.Encoding.PEM, ser.PublicFormat.SubjectPublicKeyInfo))
    return path


@pytest.mark.parametrize("form", [ser.PrivateFormat.PKCS8, ser.PrivateFormat.TraditionalOpenSSL])
def test_private_keys_load_as_pkcs8_and_as_pkcs1(tmp_path: Path, form: ser.PrivateFormat) -> None:
    assert load_private_key(pem(tmp_path / "key.pem", KEY, form)).private_numbers() == KEY.private_numbers()


@pytest.mark.parametrize("mode", [0o604, 0o602, 0o644, 0o666])
def test_a_private_key_that_is_open_to_others_is_refused(tmp_path: Path, mode: int) -> None:
    path = pem(tmp_path / "merchant.pem", KEY)
    path.chmod(mode)
    with pytest.raises(BadKey, match=r"merchant\.pem: others may read it; close it to them: chmod o= "):
        load_private_key(path)


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o400])
def test_a_private_key_may_be_read_by_its_group(tmp_path: Path, mode: int) -> None:
    path = pem(tmp_path / "merchant.pem", KEY)
    path.chmod(mode)
    assert load_private_key(path).private_numbers() == KEY.private_numbers()


def certificate(key: Any = KEY) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "PayBy")])
    begins = datetime(2026, 1, 1, tzinfo=UTC)
    made = x509.CertificateBuilder(name, name, key.public_key(), 1, begins, begins + timedelta(days=1))
    return made.sign(key, None if isinstance(key, ed25519.Ed25519PrivateKey) else SHA256())


def request(key: rsa.RSAPrivateKey = KEY) -> bytes:
    made = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).sign(key, SHA256())
    return made.public_bytes(ser.Encoding.PEM)


def private(form: ser.PrivateFormat = ser.PrivateFormat.PKCS8, encoding: ser.Encoding = ser.Encoding.PEM) -> bytes:
    return KEY.private_bytes(encoding, form, ser.NoEncryption())


def public(form: ser.PublicFormat, encoding: ser.Encoding) -> bytes:
    return KEY.public_key().public_bytes(encoding, form)


PKCS1 = ser.PrivateFormat.TraditionalOpenSSL
PRIVATE_DER = (private(encoding=ser.Encoding.DER), private(PKCS1, ser.Encoding.DER))
PUBLIC_DER = (
    public(ser.PublicFormat.SubjectPublicKeyInfo, ser.Encoding.DER),
    public(ser.PublicFormat.PKCS1, ser.Encoding.DER),
    certificate().public_bytes(ser.Encoding.DER),
)


def written(der: bytes, pem: bytes) -> list[bytes]:
    """One key in every form that a portal, a tool or an editor gives it."""
    line = base64.b64encode(der)
    return [
        pem, pem.replace(b"\n", b"\r\n"), b"\xef\xbb\xbf" + pem, pem.decode().encode("utf-16"), pem.strip(),
        b"Bag Attributes\n    friendlyName: payby\n" + pem, pem.strip().replace(b"\n", rb"\n"),
        b" ".join(pem.split(b"\n")),
        der, line, line + b"\n", base64.encodebytes(der), base64.encodebytes(der).replace(b"\n", b"\r\n"),
        b"\xef\xbb\xbf" + line, line.decode().encode("utf-16"), b"  " + line + b"\n\n", line.rstrip(b"="),
    ]  # fmt: skip


@pytest.mark.parametrize("form", range(17))
@pytest.mark.parametrize("kind", [0, 1], ids=["PKCS#8", "PKCS#1"])
def test_a_private_key_loads_as_it_comes(tmp_path: Path, kind: int, form: int) -> None:
    pems = (private(), private(PKCS1))
    file = tmp_path / "merchant.key"
    file.write_bytes(written(PRIVATE_DER[kind], pems[kind])[form])
    file.chmod(0o600)
    assert load_private_key(file).private_numbers() == KEY.private_numbers()


@pytest.mark.parametrize("form", range(17))
@pytest.mark.parametrize("kind", [0, 1, 2], ids=["SubjectPublicKeyInfo", "PKCS#1", "X.509"])
def test_a_public_key_loads_as_it_comes(tmp_path: Path, kind: int, form: int) -> None:
    pems = (
        public(ser.PublicFormat.SubjectPublicKeyInfo, ser.Encoding.PEM),
        public(ser.PublicFormat.PKCS1, ser.Encoding.PEM),
        certificate().public_bytes(ser.Encoding.PEM),
    )
    file = tmp_path / "payby.key"
    file.write_bytes(written(PUBLIC_DER[kind], pems[kind])[form])
    assert load_public_keys([file])[0].public_numbers() == KEY.public_key().public_numbers()


LOCKED = KEY.private_bytes(ser.Encoding.PEM, ser.PrivateFormat.PKCS8, ser.BestAvailableEncryption(b"x"))
LOCKED_PKCS1 = KEY.private_bytes(ser.Encoding.PEM, PKCS1, ser.BestAvailableEncryption(b"x"))
LOCKED_DER = KEY.private_bytes(ser.Encoding.DER, ser.PrivateFormat.PKCS8, ser.BestAvailableEncryption(b"x"))
STORE = pkcs12.serialize_key_and_certificates(b"m", KEY, certificate(), None, ser.BestAvailableEncryption(b"x"))
NEITHER = [
    (b"", "an empty file"),
    (b" \r\n", "an empty file"),
    (b"\xef\xbb\xbf", "an empty file"),
    (request(), "PEM of a certificate request"),
    (base64.b64encode(x509.load_pem_x509_csr(request()).public_bytes(ser.Encoding.DER)), "Base64 of a certificate req"),
    (LOCKED, "PEM of a private key with a password"),
    (LOCKED_PKCS1, "PEM of a private key with a password"),
    (LOCKED_DER, "DER of a private key with a password"),
    (base64.b64encode(LOCKED_DER), "Base64 of a private key with a password"),
    (STORE, "DER of a PKCS#12 store"),
    (private()[:300], "PEM (private key) that is cut off"),
    (base64.b64encode(PRIVATE_DER[0])[:400], "Base64 of no key, or of one that is cut off"),
    (base64.b64encode(private()), "Base64 of a PEM file: decode it once"),
    (b"<html>not found</html>", "no key: neither PEM nor Base64 nor DER"),
    (b"MIIBIjANBgkqhkiG9w0BAQEF%%%", "no key: neither PEM nor Base64 nor DER"),
]


@pytest.mark.parametrize(("data", "found"), NEITHER, ids=[found for _, found in NEITHER])
def test_a_file_without_a_key_is_told_by_what_is_in_it(tmp_path: Path, data: bytes, found: str) -> None:
    file = tmp_path / "key"
    file.write_bytes(data)
    file.chmod(0o600)
    for load in (load_private_key, lambda path: load_public_keys([path])):
        with pytest.raises(BadKey) as caught:
            load(file)
        assert f"{file}: {found}" in str(caught.value)
        assert "\n" not in str(caught.value)
        assert caught.value.__cause__ is None


def test_one_half_of_a_pair_in_the_others_place_is_named(tmp_path: Path) -> None:
    file = tmp_path / "key"
    elliptic = ed25519.Ed25519PrivateKey.generate()
    lone = (ser.Encoding.DER, ser.PrivateFormat.PKCS8, ser.NoEncryption())
    for data, load, found in (
        (private(), lambda p: load_public_keys([p]), "PEM of a private key; PayBy's public key is needed"),
        (base64.b64encode(PRIVATE_DER[1]), lambda p: load_public_keys([p]), "Base64 of a private key; PayBy's public"),
        (base64.b64encode(PUBLIC_DER[0]), load_private_key, "Base64 of a public key; the merchant's private key"),
        (PUBLIC_DER[2], load_private_key, "DER of a certificate; the merchant's private key is needed"),
        (base64.b64encode(elliptic.private_bytes(*lone)), load_private_key, "not an RSA key, but Base64 of a private"),
        (
            certificate(elliptic).public_bytes(ser.Encoding.PEM),
            lambda p: load_public_keys([p]),
            "not an RSA key, but PEM of a certificate of another kind",
        ),
    ):
        file.write_bytes(data)
        file.chmod(0o600)
        with pytest.raises(BadKey) as caught:
            load(file)
        assert found in str(caught.value)


@given(st.binary(max_size=300))
def test_no_bytes_make_the_reader_of_keys_fail(data: bytes) -> None:
    assert find_key(data).what


def test_several_public_keys_load_in_order(tmp_path: Path) -> None:
    paths = [public_pem(tmp_path / "a", KEY.public_key()), public_pem(tmp_path / "b", OTHER.public_key())]
    assert [k.public_numbers() for k in load_public_keys(paths)] == [
        KEY.public_key().public_numbers(),
        OTHER.public_key().public_numbers(),
    ]


def test_a_key_file_that_cannot_be_used_is_named_and_not_shown(tmp_path: Path) -> None:
    secret = pem(tmp_path / "secret.pem", KEY).read_text()
    weak = rsa.generate_private_key(65537, 1024)
    elliptic = ed25519.Ed25519PrivateKey.generate()
    locked = KEY.private_bytes(ser.Encoding.PEM, ser.PrivateFormat.PKCS8, ser.BestAvailableEncryption(b"x"))
    (tmp_path / "broken.pem").write_text(secret[:300])
    (tmp_path / "locked.pem").write_bytes(locked)
    (tmp_path / "ed.pem").write_bytes(
        elliptic.private_bytes(ser.Encoding.PEM, ser.PrivateFormat.PKCS8, ser.NoEncryption())
    )
    (tmp_path / "large.pem").write_bytes(bytes(70_000))
    pem(tmp_path / "weak.pem", weak)
    for path in tmp_path.iterdir():
        path.chmod(0o600)
    for name in ("broken.pem", "locked.pem", "ed.pem", "weak.pem", "large.pem", "absent.pem"):
        with pytest.raises(BadKey) as caught:
            load_private_key(tmp_path / name)
        assert name in str(caught.value)
        assert secret.splitlines()[1] not in str(caught.value)
        assert caught.value.__cause__ is None


def test_a_private_key_in_place_of_paybys_public_one_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadKey, match="public key is needed"):
        load_public_keys([pem(tmp_path / "key.pem", KEY)])


def test_no_public_key_at_all_is_refused() -> None:
    with pytest.raises(BadKey, match="public key is missing"):
        load_public_keys([])
