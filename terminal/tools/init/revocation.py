"""``init FOLDER --revoke USER``: the broker lets in nobody by that user's certificates and password any more.

The list is Mosquitto's ``crlfile``. OpenSSL wants one of each authority whose certificates are shown, and takes none
that is out of date. So it has a list of each authority in ``ca.crt``, and they last as long as these.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key

from terminal.config.schema import ConfigError, Settings
from terminal.tools.init import broker, bundle, keys, layout
from terminal.tools.init.certificates import AUTHORITY, AUTHORITY_KEY
from terminal.tools.init.folder import Folder

LIST = f"{broker.BROKER}/certs/revoked.crl"
_CRL = re.compile(rb"-----BEGIN X509 CRL-----.*?-----END X509 CRL-----\n?", re.DOTALL)
_AuthorityKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


def revoke(user: str, folder: Folder, settings: Settings, now: datetime, say: Callable[[str], None]) -> None:
    """Put the certificate that the user has, and the one before it, on the list, and set them and the password aside.
    Raises ConfigError."""
    certificate, key = layout.certificate(user)
    names = (certificate, f"{certificate}.old") if re.fullmatch("(?!ca$)[a-z0-9.-]+", user) else ()
    there = [name for name in names if folder.has(name)]
    if not there:
        named = sorted(path.stem for path in (folder.root / "certs").glob("*.crt") if path.stem != "ca")
        raise ConfigError(
            f"init: --revoke: got {user[:40]!r}, takes a user of the broker who has a certificate here:"
            f" {', '.join(named) or 'there is none'}"
        )
    if not folder.has(AUTHORITY_KEY):
        raise ConfigError(
            f"init: --revoke: {folder.root / AUTHORITY_KEY} is absent; the garage's authority revokes"
            f" {certificate}, and its list is Mosquitto's crlfile"
        )
    write_list(folder, now, [x509.load_pem_x509_certificate(folder.read(name)) for name in there])
    of_its_bundle = [bundle.file_of(user.removeprefix("lane."))] if user.startswith("lane.") else []
    for name in (certificate, key, f"{layout.PASSWORDS}/{user}", *of_its_bundle):
        if folder.has(name):
            folder.set_aside(name)
    keys.password(folder, f"{layout.PASSWORDS}/{user}")
    if broker.is_ours(folder.root):
        broker.write_users(folder, settings.garage.id if settings.garage else "garage")
    say(
        f"{user} is revoked in {folder.root}; the broker must be told:\n"
        f"  {LIST}\nis Mosquitto's crlfile, and copied there it counts from its next restart: deploy/keys.md."
    )


def write_list(folder: Folder, now: datetime, revoked: Iterable[x509.Certificate] = ()) -> None:
    """Lists of all authorities in ``ca.crt``, with what they had and what is ``revoked`` now. Raises ConfigError."""
    before = _lists(folder)
    authorities = x509.load_pem_x509_certificates(folder.read(AUTHORITY))
    waiting, made = list(revoked), b""
    for authority in authorities:
        own = [shown for shown in waiting if _is_issued_by(shown, authority)]
        waiting = [shown for shown in waiting if shown not in own]
        signer = _key_of(folder, authority)
        old = before.get(_mark(authority))
        if signer is not None:
            made += _signed(authority, signer, old, own, now)
        elif own:
            raise ConfigError(f"init: --revoke: the key of the authority that issued {_name(own[0])} is not here")
        elif old is not None:
            made += old.public_bytes(Encoding.PEM)
    if waiting:
        raise ConfigError(
            f"init: --revoke: none of the authorities in {folder.root / AUTHORITY} has issued {_name(waiting[0])}"
        )
    folder.write(LIST, made, 0o644, replace=True)


def _signed(
    authority: x509.Certificate,
    signer: _AuthorityKey,
    old: x509.CertificateRevocationList | None,
    revoked: Iterable[x509.Certificate],
    now: datetime,
) -> bytes:
    entries = {entry.serial_number: entry for entry in old or ()}
    for shown in revoked:
        fresh = x509.RevokedCertificateBuilder().serial_number(shown.serial_number).revocation_date(now)
        entries.setdefault(shown.serial_number, fresh.build())
    number = 1 + (old.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number if old else 0)
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(authority.subject)
        .last_update(now)
        .next_update(authority.not_valid_after_utc)
        .add_extension(x509.CRLNumber(number), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
    )
    for entry in entries.values():
        builder = builder.add_revoked_certificate(entry)
    return builder.sign(signer, hashes.SHA256()).public_bytes(Encoding.PEM)


def _lists(folder: Folder) -> Mapping[bytes, x509.CertificateRevocationList]:
    """Those that there are, by whose they are."""
    if not folder.has(LIST):
        return {}
    try:
        found = [x509.load_pem_x509_crl(text) for text in _CRL.findall(folder.read(LIST))]
        return {_key_mark(one): one for one in found}
    except (ValueError, x509.ExtensionNotFound):
        raise ConfigError(f"init: --revoke: {folder.root / LIST} is no list of revocations; move it away") from None


def _key_mark(one: x509.CertificateRevocationList) -> bytes:
    found = one.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value.key_identifier
    return found or b""


def _mark(authority: x509.Certificate) -> bytes:
    """Authorities of one garage have the same name; what tells them apart is the key."""
    return x509.SubjectKeyIdentifier.from_public_key(authority.public_key()).digest


def _key_of(folder: Folder, authority: x509.Certificate) -> _AuthorityKey | None:
    for name in (AUTHORITY_KEY, f"{AUTHORITY_KEY}.old"):
        if folder.has(name):
            try:
                key = load_pem_private_key(folder.read(name), None)
            except (ValueError, TypeError):
                raise ConfigError(f"init: --revoke: {folder.root / name} is no key in PEM without a password") from None
            if isinstance(key, _AuthorityKey) and key.public_key() == authority.public_key():
                return key
    return None


def _is_issued_by(shown: x509.Certificate, authority: x509.Certificate) -> bool:
    try:
        shown.verify_directly_issued_by(authority)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def _name(shown: x509.Certificate) -> str:
    return shown.subject.rfc4514_string()
