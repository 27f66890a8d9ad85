"""``init --revoke``: whose certificates the broker takes no more, and that all others still count."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509

from terminal.config.schema import ConfigError
from terminal.tools.init.broker import lanes_of
from terminal.tools.init.folder import Folder, Owner
from terminal.tools.init.revocation import LIST
from tests.support.server_folder import bundle, init, payby

GIVEN = {"garage": "marina", "mqtt_url": "mqtts://broker.garage"}


@pytest.fixture
def server(tmp_path: Path) -> Path:
    init(tmp_path, shape="server", given=GIVEN)
    payby(tmp_path)
    init(tmp_path, "exit-2")
    return tmp_path


def shown(folder: Path, user: str) -> x509.Certificate:
    return x509.load_pem_x509_certificate((folder / f"certs/{user}.crt").read_bytes())


def lists(folder: Path) -> list[x509.CertificateRevocationList]:
    text = (folder / LIST).read_bytes().split(b"-----END X509 CRL-----\n")
    return [x509.load_pem_x509_crl(one + b"-----END X509 CRL-----\n") for one in text if one]


def revoked(folder: Path) -> list[set[int]]:
    return [{entry.serial_number for entry in one} for one in lists(folder)]


def authorities(folder: Path) -> list[x509.Certificate]:
    return x509.load_pem_x509_certificates((folder / "certs/ca.crt").read_bytes())


def test_the_user_s_certificates_are_on_the_authority_s_list_which_lasts_as_long_as_it(server: Path) -> None:
    first = shown(server, "lane.exit-2").serial_number
    init(server, renew=("lane.exit-2",))
    second = shown(server, "lane.exit-2").serial_number
    said = init(server, revoke=("lane.exit-2",))
    (authority,), (found,) = authorities(server), lists(server)
    assert revoked(server) == [{first, second}]
    assert found.is_signature_valid(authority.public_key())  # type: ignore[arg-type]  # its key is of a kind that signs
    assert found.issuer == authority.subject
    assert found.next_update_utc == authority.not_valid_after_utc, "a list that runs out would shut everybody out"
    assert LIST in said and "deploy/keys.md" in said
    assert (server / LIST).stat().st_mode & 0o777 == 0o644


def test_more_are_added_to_those_that_are_on_it(server: Path) -> None:
    init(server, "exit-3")
    serials = {shown(server, user).serial_number for user in ("lane.exit-2", "lane.exit-3")}
    init(server, revoke=("lane.exit-2",))
    init(server, revoke=("lane.exit-3",))
    assert revoked(server) == [serials]
    assert [one.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number for one in lists(server)] == [2]


def test_the_lane_keeps_its_rights_and_gets_another_password_certificate_and_bundle(server: Path) -> None:
    before, old = bundle(server), shown(server, "lane.exit-2").serial_number
    line = (server / "mosquitto/passwords").read_text()
    init(server, revoke=("lane.exit-2",))
    assert not (server / "certs/lane.exit-2.crt").exists() and not (server / "lanes/exit-2.tar").exists()
    assert lanes_of(Folder(server, Owner("me"))) == ["exit-2"]
    after = (server / "mosquitto/passwords").read_text()
    own = [text for text in after.splitlines() if text.startswith("lane.exit-2:")]
    assert len(own) == 1 and own[0] not in line
    init(server, "exit-2")
    fresh = bundle(server)
    for name in ("secrets/mqtt/lane.exit-2", "secrets/mqtt/lane.exit-2.key", "certs/lane.exit-2.crt"):
        assert fresh[name] != before[name]
    assert shown(server, "lane.exit-2").serial_number not in {old, *revoked(server)[0]}


def test_a_new_authority_gets_a_list_of_its_own_at_once_and_the_old_one_s_goes_on(server: Path) -> None:
    """OpenSSL takes no certificate whose authority has no list, once there is one for any."""
    first = shown(server, "lane.exit-2").serial_number
    init(server, revoke=("lane.exit-2",))
    init(server, renew=("ca",))
    assert revoked(server) == [set(), {first}]
    for found, authority in zip(lists(server), authorities(server), strict=True):
        assert found.is_signature_valid(authority.public_key())  # type: ignore[arg-type]  # its key is of a kind that signs
    other = shown(server, "lane").serial_number  # the old authority's
    init(server, "exit-2")
    newer = shown(server, "lane.exit-2").serial_number  # the new one's
    init(server, revoke=("lane", "lane.exit-2"))
    assert revoked(server) == [{newer}, {first, other}]


@pytest.mark.parametrize("user", ["exit-2", "lane.exit-9", "../lane", "ca", ""])
def test_who_has_no_certificate_here_is_named_with_those_who_have(server: Path, user: str) -> None:
    (server / "certs/ca.crt.old").unlink(missing_ok=True)
    with pytest.raises(ConfigError, match=r"--revoke: got '.*', takes a user of the broker") as refused:
        init(server, revoke=(user,))
    assert "lane.exit-2" in str(refused.value)
    assert not (server / LIST).exists()


def test_where_the_authority_s_key_stays_away_it_is_told_who_revokes(server: Path) -> None:
    (server / "authority/ca.key").unlink()
    with pytest.raises(ConfigError, match=r"ca\.key is absent; the garage's authority revokes certs/lane\.crt"):
        init(server, revoke=("lane",))
    assert not (server / LIST).exists() and (server / "certs/lane.crt").exists()


def test_a_list_that_is_none_is_named_and_kept(server: Path) -> None:
    (server / LIST).write_text("-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n")
    with pytest.raises(ConfigError, match=r"revoked\.crl is no list of revocations; move it away"):
        init(server, revoke=("lane",))
    assert "AAAA" in (server / LIST).read_text()


def test_a_folder_that_init_has_not_made_has_nobody_to_revoke(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"--revoke: .*exit-terminal\.toml is absent"):
        init(tmp_path, revoke=("lane",))


def test_the_day_of_the_revocation_is_today_s(server: Path) -> None:
    init(server, revoke=("lane",))
    (entry,) = lists(server)[0]
    assert abs(entry.revocation_date_utc - datetime.now(UTC)) < timedelta(minutes=5)
