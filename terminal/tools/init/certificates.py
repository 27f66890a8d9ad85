"""A small certificate authority for the garage's broker: its own certificate, the server's, and one for each user.

A lane that nobody visits must not stop on a date: they last as long as the machines. ``check`` tells of one that ends
soon. A garage that has an authority of its own gives its certificate and key; if the key must not leave its place, only
keys and requests are made here, and the authority signs the requests.
"""

from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Protocol

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID

from terminal.config.load import read_file, read_secret
from terminal.config.schema import ConfigError
from terminal.tools.init import keys
from terminal.tools.init.folder import Folder

AUTHORITY, AUTHORITY_KEY, REQUESTS = "certs/ca.crt", "authority/ca.key", "requests"
YEARS = 20
_FIRST = datetime(2025, 1, 1, tzinfo=UTC)
_HOUR = timedelta(hours=1)


class Issuer(Protocol):
    """Makes the broker's certificate and those of its users, where they are absent. ``waits`` has those that somebody
    else must still issue. The methods raise ConfigError."""

    waits: list[str]

    def server(self, certificate: str, key: str, hosts: list[str]) -> None:
        """The broker's: for each of the names and addresses by which it is called. Its group may read the key."""

    def client(self, certificate: str, key: str, user: str, group: str = "") -> None:
        """A user's: the broker takes its common name for the user's. ``group`` may read the key."""


def issuer(folder: Folder, garage: str, now: datetime, ca: Path | None = None, ca_key: Path | None = None) -> Issuer:
    """The garage's own authority if ``ca`` names its certificate (PEM; behind it may stand those that issued it), else
    one that is made here. The folder remembers which. Raises ConfigError."""
    if now < _FIRST:
        raise ConfigError(f"init: this machine's clock says {now:%Y-%m-%d}; set it first: timedatectl set-ntp true")
    if ca is None:
        return Requests(folder) if folder.has(REQUESTS) else Authority(folder, garage, now)
    shown = read_file(ca, "init: --ca")
    try:
        x509.load_pem_x509_certificates(shown)
    except ValueError:
        raise ConfigError(f"init: --ca: {ca} has no certificate, takes one in PEM") from None
    if folder.has(AUTHORITY) and folder.read(AUTHORITY) != shown:
        raise ConfigError(f"init: --ca: {folder.root / AUTHORITY} is another authority's; move it away first")
    if ca_key:
        folder.write(AUTHORITY_KEY, read_secret(ca_key, "init: --ca-key") + b"\n")
    folder.write(AUTHORITY, shown, 0o644)
    return Authority(folder, garage, now) if ca_key else Requests(folder)


class Authority:
    """An authority whose key is in the folder; made where it is absent. Raises ConfigError."""

    def __init__(self, folder: Folder, garage: str, now: datetime) -> None:
        self._folder, self._now = folder, now
        self._until = now + timedelta(days=round(365.25 * YEARS))
        self.waits: list[str] = []
        if folder.has(AUTHORITY) and folder.has(AUTHORITY_KEY):
            folder.kept.extend((AUTHORITY, AUTHORITY_KEY))
            self._load()
            return
        if folder.has(AUTHORITY):
            raise ConfigError(
                f"init: {folder.root / AUTHORITY_KEY} is absent, so {folder.root / AUTHORITY} issues nothing; put the"
                " key back, or issue certificates elsewhere"
            )
        self._key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, f"{garage} parking exit")])
        usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
        self._certificate = (
            self._builder(name, self._key, name)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(usage, critical=True)
            .sign(self._key, hashes.SHA256())
        )
        folder.write(AUTHORITY_KEY, keys.pkcs8(self._key))
        folder.write(AUTHORITY, self._certificate.public_bytes(Encoding.PEM), 0o644)

    def _load(self) -> None:
        try:
            key = load_pem_private_key(self._folder.read(AUTHORITY_KEY), None)
            self._certificate = x509.load_pem_x509_certificates(self._folder.read(AUTHORITY))[0]
        except (ValueError, TypeError):
            raise ConfigError(
                f"init: {AUTHORITY} and {AUTHORITY_KEY} are no certificate and key in PEM without a password"
            ) from None
        if not isinstance(key, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) or (
            key.public_key() != self._certificate.public_key()
        ):
            raise ConfigError(f"init: {AUTHORITY_KEY} is not the key of {AUTHORITY}; put the right one back")
        self._key = key
        self._until = min(self._until, self._certificate.not_valid_after_utc)  # none outlives who issued it

    def server(self, certificate: str, key: str, hosts: list[str]) -> None:
        self._issue(certificate, key, hosts[0], ExtendedKeyUsageOID.SERVER_AUTH, hosts, group="mosquitto")

    def client(self, certificate: str, key: str, user: str, group: str = "") -> None:
        self._issue(certificate, key, user, ExtendedKeyUsageOID.CLIENT_AUTH, [], group)

    def _issue(
        self, certificate: str, key: str, name: str, use: x509.ObjectIdentifier, hosts: list[str], group: str = ""
    ) -> None:
        folder = self._folder
        if folder.has(certificate) and folder.has(key):
            folder.kept.extend((certificate, key))
            return
        for half in (certificate, key):
            if folder.has(half):
                raise ConfigError(f"init: {folder.root / half} has no other half; move it away, and both are made anew")
        fresh = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name[:64])])
        usage = x509.KeyUsage(True, False, False, False, False, False, False, False, False)
        builder = (
            self._builder(subject, fresh, self._certificate.subject)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(usage, critical=True)
            .add_extension(x509.ExtendedKeyUsage([use]), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False)
        )
        if hosts:
            builder = builder.add_extension(x509.SubjectAlternativeName([*map(_host, hosts)]), critical=False)
        folder.write(key, keys.pkcs8(fresh), group=group)
        folder.write(certificate, builder.sign(self._key, hashes.SHA256()).public_bytes(Encoding.PEM), 0o644)

    def _builder(
        self, subject: x509.Name, key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey, issuer: x509.Name
    ) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(self._now - _HOUR)
            .not_valid_after(self._until)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        )


class Requests:
    """Keys, and requests for their certificates, which an authority elsewhere signs."""

    def __init__(self, folder: Folder) -> None:
        self._folder = folder
        self.waits: list[str] = []

    def server(self, certificate: str, key: str, hosts: list[str]) -> None:
        names = x509.SubjectAlternativeName([*map(_host, hosts)])
        self._ask(certificate, key, hosts[0], names, group="mosquitto")

    def client(self, certificate: str, key: str, user: str, group: str = "") -> None:
        self._ask(certificate, key, user, None, group)

    def _ask(
        self, certificate: str, key: str, name: str, names: x509.SubjectAlternativeName | None, group: str = ""
    ) -> None:
        folder, request = self._folder, f"{REQUESTS}/{name}.csr"
        if folder.has(certificate) and folder.has(key):
            folder.kept.extend((certificate, key))
            return
        self.waits.append(certificate)
        if folder.has(key):
            folder.kept.extend((key, request))
            return
        fresh = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name[:64])])
        asked = x509.CertificateSigningRequestBuilder().subject_name(subject)
        if names:
            asked = asked.add_extension(names, critical=False)
        folder.write(key, keys.pkcs8(fresh), group=group)
        folder.write(request, asked.sign(fresh, hashes.SHA256()).public_bytes(Encoding.PEM), 0o644)


def _host(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(host))
    except ValueError:
        return x509.DNSName(host)
