"""`init` with the garage's own certificate authority: its key may be given, or stay where it is."""

from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from terminal.config.schema import ConfigError
from tests.support.authority import Authority
from tests.support.server_folder import bundle, init, payby


def verified(folder: Path, *names: str) -> None:
    """Each certificate was issued by the authority of that folder."""
    ca = x509.load_pem_x509_certificate((folder / "certs/ca.crt").read_bytes())
    for name in names:
        shown = x509.load_pem_x509_certificate((folder / name).read_bytes())
        shown.verify_directly_issued_by(ca)
        assert shown.not_valid_after_utc <= ca.not_valid_after_utc


@pytest.mark.parametrize("kind", ["EC", "RSA"])
def test_the_garage_s_own_authority_issues_what_init_makes(tmp_path: Path, kind: str) -> None:
    own = Authority(tmp_path, "garage", rsa.generate_private_key(65537, 2048) if kind == "RSA" else None)
    (tmp_path / "ca.key").write_bytes(own.private())
    (tmp_path / "ca.key").chmod(0o600)
    folder = tmp_path / "server"
    given = {"garage": "marina", "mqtt_url": "mqtts://localhost:8883"}
    init(folder, shape="server", given=given, ca=own.file, ca_key=tmp_path / "ca.key")
    payby(folder)
    init(folder, "exit-2")
    assert (folder / "certs/ca.crt").read_bytes() == own.file.read_bytes()
    verified(folder, "certs/lane.crt", "mosquitto/certs/server.crt", "certs/lane.exit-2.crt")


def test_where_the_authority_s_key_stays_away_its_signature_is_asked_for(tmp_path: Path) -> None:
    own = Authority(tmp_path, "garage")
    folder = tmp_path / "server"
    said = init(folder, shape="server", given={"garage": "marina", "mqtt_url": "mqtts://broker.garage"}, ca=own.file)
    assert "sign each request" in said and "certs/lane.crt" in said and "mosquitto/certs/server.crt" in said
    payby(folder)
    said = init(folder, "exit-2")
    assert "Not in it" in said and "certs/lane.exit-2.crt" in said
    wanted = {
        "broker.garage": "mosquitto/certs/server.crt", "watch": "mosquitto/certs/watch.crt",
        "refund": "certs/refund.crt",
        "lane": "certs/lane.crt", "lane.exit-2": "certs/lane.exit-2.crt",
    }  # fmt: skip
    assert {path.stem for path in (folder / "requests").iterdir()} == set(wanted)
    for name, place in wanted.items():
        request = x509.load_pem_x509_csr((folder / f"requests/{name}.csr").read_bytes())
        assert request.is_signature_valid
        (folder / place).write_bytes(own.sign(request))
        own_key = folder / place.replace("certs/lane", "secrets/mqtt/lane").replace(
            "certs/refund", "secrets/mqtt/refund"
        ).replace(".crt", ".key")
        key = load_pem_private_key(own_key.read_bytes(), None)
        assert key.public_key() == request.public_key()
    assert "Not in it" not in init(folder, "exit-2", replace=True)
    assert bundle(folder)["certs/lane.exit-2.crt"] == (folder / "certs/lane.exit-2.crt").read_bytes()
    verified(folder, *wanted.values())


def test_an_authority_that_is_none_or_not_for_this_machine_is_refused(tmp_path: Path) -> None:
    own = Authority(tmp_path, "garage")
    other = Authority(tmp_path, "other")
    (tmp_path / "key").write_bytes(other.private())
    (tmp_path / "key").chmod(0o600)
    given = {"garage": "marina", "mqtt_url": "mqtts://localhost:8883"}
    for line, shape, more in (
        ("--ca-key: got it alone", "server", {"ca_key": tmp_path / "key"}),
        ("--ca: got it for a lane", "lane", {"ca": own.file}),
        ("has no certificate, takes one in PEM", "server", {"ca": tmp_path / "key"}),
        ("is not the key of", "server", {"ca": own.file, "ca_key": tmp_path / "key"}),
    ):
        with pytest.raises(ConfigError, match=line):
            init(tmp_path / f"server-{len(line)}", shape=shape, given=given, **more)
