"""deploy/cluster: what its pages say to type works, and its configurations are taken by their own programs.

HAProxy's are tried in test_haproxy.py, the bridge in test_bridge.py; Patroni, etcd, keepalived and RabbitMQ in
tests/cluster."""

import re
import subprocess
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from terminal.config.load import parse
from terminal.contract.bridge import bridge, centre_acl
from tests.support.page_blocks import CLUSTER, block_with, blocks, run

GARAGE, HOSTED, OVERVIEW = (CLUSTER / f"{name}.md" for name in ("garage", "hosted", "overview"))
TREE = CLUSTER.parents[1]


def certificate(file: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(file.read_bytes())


def test_the_databases_certificates_are_of_their_authority_for_name_and_address(tmp_path: Path) -> None:
    run(block_with(GARAGE, "sh", "subjectAltName"), tmp_path)
    made, authority = certificate(tmp_path / "a.crt"), certificate(tmp_path / "db-ca.crt")
    made.verify_directly_issued_by(authority)
    names = made.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["db.garage.example"]
    assert [str(address) for address in names.get_values_for_type(x509.IPAddress)] == ["192.0.2.11"]
    assert isinstance(made.public_key(), ec.EllipticCurvePublicKey)


@pytest.mark.parametrize("page", [GARAGE, HOSTED, OVERVIEW])
def test_the_files_that_a_page_names_are_there(page: Path) -> None:
    named = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
    assert named and [name for name in named if not (CLUSTER / name).is_file()] == []


def test_every_file_of_the_folder_is_named_by_a_page() -> None:
    text = "".join(page.read_text(encoding="utf-8") for page in CLUSTER.glob("*.md"))
    assert [file.name for file in CLUSTER.iterdir() if file.suffix != ".md" and f"]({file.name})" not in text] == []
    first = "".join((TREE / "deploy" / name).read_text() for name in ("install.md", "postgresql.md"))
    assert [page.name for page in CLUSTER.glob("*.md") if f"cluster/{page.name}" not in first] == []


def test_the_configuration_of_the_two_servers_is_taken_and_finds_the_primary_by_haproxy(tmp_path: Path) -> None:
    (text,) = blocks(GARAGE, "toml")
    settings = parse(text, tmp_path / "exit-terminal.toml")
    assert settings.journal and settings.journal.url and settings.listener and settings.mqtt
    proxy = (CLUSTER / "haproxy-garage.cfg").read_text(encoding="utf-8")
    assert ":5000/" in settings.journal.url and "bind 127.0.0.1:5000\n" in proxy
    assert "bind 192.0.2.10:8883\n" in proxy and settings.mqtt.url.endswith(":8883")
    assert f"server a {settings.listener.host}:{settings.listener.port}\n" in proxy
    patroni = (CLUSTER / "patroni.yml").read_text(encoding="utf-8")
    assert settings.journal.patroni[0].removeprefix("https://") in patroni


def test_a_hosted_garages_address_leads_to_its_backend(tmp_path: Path) -> None:
    (text,) = blocks(HOSTED, "toml")
    found = re.search(r'notify_url = "https://pay\.example\.com/([a-z0-9]+)/payby/notify"', text)
    assert found
    places = dict(line.split() for line in (CLUSTER / "garages.map").read_text().splitlines() if line[0] != "#")
    proxy = (CLUSTER / "haproxy-hosted.cfg").read_text(encoding="utf-8")
    assert found[1] in places
    assert set(places.values()) <= set(re.findall(r"^backend (\w+) from listeners", proxy, re.MULTILINE))


def test_the_feed_of_the_page_is_made_by_its_commands(tmp_path: Path) -> None:
    run(block_with(OVERVIEW, "sh", "/CN=overview"), tmp_path)
    feed = certificate(tmp_path / "feed.marina.crt")
    feed.verify_directly_issued_by(certificate(tmp_path / "ca.crt"))
    assert feed.subject.rfc4514_string() == "CN=feed.marina"
    there = tmp_path / "etc"
    there.mkdir()
    (there / "mosquitto.conf").write_text("listener 8883\n")
    run(block_with(OVERVIEW, "sh", "--centre"), tmp_path)
    run(block_with(OVERVIEW, "sh", "--to"), tmp_path, {"/etc/mosquitto": str(there)})
    assert (tmp_path / "acl").read_text() == centre_acl(["marina", "creek"])
    made = (there / "bridges/bridge.conf").read_text()
    assert made == bridge("marina", "overview.example:8883")
    assert {"overview-ca.crt", "feed.marina.crt"} <= set(re.findall(r"[\w.-]+\.crt", made))
    assert (there / "mosquitto.conf").read_text().endswith(f"\ninclude_dir {there}/bridges\n")


def test_prometheus_takes_the_overview_s_files_by_the_page_s_commands_and_their_story_holds(tmp_path: Path) -> None:
    (tmp_path / "deploy").symlink_to(TREE / "deploy")
    there = tmp_path / "prometheus"
    there.mkdir()
    said = run(block_with(OVERVIEW, "sh", "promtool"), tmp_path, {"/etc/prometheus": str(there)})
    assert "4 rules found" in said
    subprocess.run(
        ["promtool", "test", "rules", "federation_rules_test.yml"], check=True, cwd=TREE / "tests", timeout=60
    )
    (labels,) = blocks(OVERVIEW, "yaml")
    (tmp_path / "site.yml").write_text(labels)
    run("promtool check config --syntax-only site.yml", tmp_path)


def test_watch_takes_the_words_of_the_page() -> None:
    from terminal.__main__ import parser

    [line] = [line for line in block_with(OVERVIEW, "sh", "watch").splitlines() if line]
    asked = parser().parse_args(line.split()[1:])
    assert (asked.garage, asked.url) == (["marina", "creek"], "mqtt://127.0.0.1:1884")
