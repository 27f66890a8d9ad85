"""What `check` and `run` say of a Mosquitto that knows its users by certificates: what it does not deliver, whom it
does not know, and what was revoked."""

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from terminal.config.load import load
from terminal.config.schema import Settings
from terminal.contract.access import mosquitto_acl
from terminal.mqtt.client import MqttClient
from terminal.tools.check.broker import broker
from terminal.tools.check.finding import Finding, Machine
from tests.support.authority import Authority
from tests.support.eventually import eventually
from tests.support.shipped_mosquitto import ShippedMosquitto

MACHINE = Machine(lambda _: pytest.fail("no pins here"), lambda: True, lambda _: 0, lambda *_: None)

pytestmark = pytest.mark.skipif(
    shutil.which("mosquitto") is None, reason="no mosquitto here: apt-get install mosquitto"
)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ShippedMosquitto]:
    made = ShippedMosquitto(tmp_path, Authority(tmp_path))
    yield made
    made.stop()


def lane(server: ShippedMosquitto, *, user: str = "lane.exit-2", days: int = 1, ca: Path | None = None) -> Settings:
    """A lane's machine, with a certificate of that user, good for so many days."""
    certificate, key = server.authority.issue(user, days=days)
    key.chmod(0o600)
    password = server.folder / "password"
    password.write_text("unused\n")
    password.chmod(0o600)
    given = {
        "garage_id": "marina", "lane_id": "exit-2", "loops_waiting_pin": "5", "loops_boom_pin": "6",
        "mqtt_url": server.url, "mqtt_username": "lane.exit-2", "mqtt_password_file": password,
        "mqtt_ca_file": ca or server.authority.file, "mqtt_cert_file": certificate, "mqtt_key_file": key,
    }  # fmt: skip
    return load(None, {f"EXIT_TERMINAL_{key.upper()}": str(value) for key, value in given.items()})


async def found(of: Settings) -> Finding:
    (finding,) = [finding async for finding in broker(of, MACHINE)]
    return finding


async def said_by_run(of: Settings) -> str:
    """What keeps `run` from the broker."""
    mqtt = of.mqtt
    assert mqtt
    async with MqttClient(
        mqtt.url, username=mqtt.username, ca_file=mqtt.ca_file, cert_file=mqtt.cert_file, key_file=mqtt.key_file
    ) as client:
        await eventually(lambda: client.trouble != "not connected yet", limit_s=20)
        return client.trouble


async def test_a_lane_that_the_access_rules_know_is_served(server: ShippedMosquitto) -> None:
    server.start(mosquitto_acl("marina", ["exit-2"]))
    finding = await found(lane(server))
    assert (finding.outcome, finding.text) == ("proved", f"{server.url} accepts lane.exit-2")


@pytest.mark.parametrize(
    ("rules", "user"),
    [
        (mosquitto_acl("marina"), "lane.exit-2"),  # the lane is new, and the rules were not copied
        (mosquitto_acl("palm", ["exit-2"]), "lane.exit-2"),  # another garage's rules
        (mosquitto_acl("marina", ["exit-1", "exit-2"]), "lane.exit-1"),  # another lane's certificate
        (mosquitto_acl("marina", ["exit-2"]), "stranger"),
    ],
)
async def test_a_user_that_may_connect_and_not_publish_is_not_ready(
    server: ShippedMosquitto, rules: str, user: str
) -> None:
    server.start(rules)
    finding = await found(lane(server, user=user))
    assert (finding.ok, finding.key) == (False, "mqtt.username")
    assert "does not deliver what it publishes on parking/marina/exit-2/health/run" in finding.text
    assert "mqtt.cert_file" in finding.advice and "reload Mosquitto" in finding.advice


def revocation_list(authority: Authority, *names: str, days: int = 1) -> bytes:
    """The authority's list of those certificates, good for so many days."""
    now = datetime.now(UTC)
    made = x509.CertificateRevocationListBuilder().issuer_name(authority.name)
    made = made.last_update(now - timedelta(days=9)).next_update(now + timedelta(days=days))
    for name in names:
        shown = x509.load_pem_x509_certificate((authority.folder / f"{name}.crt").read_bytes())
        entry = x509.RevokedCertificateBuilder().serial_number(shown.serial_number).revocation_date(now)
        made = made.add_revoked_certificate(entry.build())
    return made.sign(authority.key, hashes.SHA256()).public_bytes(Encoding.PEM)


@pytest.mark.fault("certificate")
@pytest.mark.parametrize("fault", ["expired", "revoked", "of another authority", "self-signed"])
async def test_a_client_s_certificate_that_the_broker_does_not_accept_is_told_alike(
    server: ShippedMosquitto, tmp_path: Path, fault: str
) -> None:
    of = lane(server, days=-1 if fault == "expired" else 1)
    assert of.mqtt and of.mqtt.cert_file and of.mqtt.key_file
    if fault == "revoked":
        (tmp_path / "crl.pem").write_bytes(revocation_list(server.authority, "lane.exit-2"))
        server.more = f"crlfile {tmp_path}/crl.pem\n"
    elif fault != "expired":
        (tmp_path / "foreign").mkdir()
        foreign = Authority(tmp_path / "foreign", "lane.exit-2" if fault == "self-signed" else "ca")
        shown, own = foreign.file.read_bytes(), foreign.private()
        if fault != "self-signed":
            shown, own = (path.read_bytes() for path in foreign.issue("lane.exit-2"))
        of.mqtt.cert_file.write_bytes(shown)
        of.mqtt.key_file.write_bytes(own)
    server.start(mosquitto_acl("marina", ["exit-2"]))
    word = {"expired": "our certificate has expired", "revoked": "our certificate was revoked"}.get(
        fault, "does not know the authority of our certificate"
    )
    finding = await found(of)
    assert (finding.ok, finding.key) == (False, "mqtt.cert_file"), finding
    assert word in finding.text and "mqtt.key_file" in finding.advice
    assert word in await said_by_run(of)


@pytest.mark.fault("certificate")
@pytest.mark.parametrize(
    ("revoked", "days", "word", "key"),
    [
        ("server", 1, "shows a certificate that was revoked", "mqtt.url"),
        ("other", -1, "the revocation list in", "mqtt.ca_file"),
        ("other", 1, "", "mqtt.url"),
    ],
)
async def test_a_revocation_list_behind_the_authority_s_certificate_counts(
    server: ShippedMosquitto, tmp_path: Path, revoked: str, days: int, word: str, key: str
) -> None:
    server.authority.issue("other")
    server.start(mosquitto_acl("marina", ["exit-2"]))
    ca = tmp_path / "with-list.crt"
    ca.write_bytes(server.authority.file.read_bytes() + revocation_list(server.authority, revoked, days=days))
    of = lane(server, ca=ca)
    finding = await found(of)
    assert (finding.ok, finding.key) == (not word, key)
    if word:
        assert word in finding.text
        assert word in await said_by_run(of)
