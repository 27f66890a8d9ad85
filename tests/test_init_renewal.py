"""``init --renew``: what is made anew, and that what is in use stays as it is."""

from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key

from terminal.config.schema import ConfigError
from terminal.tools.init.broker import hosts_of
from tests.support.server_folder import init, payby

GIVEN = {"garage": "marina", "mqtt_url": "mqtts://broker.garage"}
FORMS = ("pem", "pkcs1.pem", "base64", "der")


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def server(tmp_path: Path) -> Path:
    init(tmp_path, shape="server", given=GIVEN)
    payby(tmp_path)
    init(tmp_path, "exit-2")
    return tmp_path


@pytest.mark.parametrize(
    ("what", "made"),
    [
        ("merchant", {"secrets/merchant-{}.pem", *(f"upload/merchant-{{}}.pub.{form}" for form in FORMS)}),
        ("worker", {"secrets/worker-{}.pem", "secrets/worker-{}.pub.pem"}),
        ("console", {"secrets/console-{}.pem", "secrets/console-{}.pub.pem"}),
        ("ticket", {"secrets/ticket-k{}"}),
    ],
)  # fmt: skip
def test_a_key_gets_another_beside_it_under_the_next_number(server: Path, what: str, made: set[str]) -> None:
    before = contents(server)
    for number in (2, 3):
        said = init(server, renew=(what,))
        after = contents(server)
        fresh = {name.format(number) for name in made}
        assert set(after) - set(before) == fresh
        assert {name: after[name] for name in before} == before
        assert "deploy/keys.md" in said and all(name in said for name in fresh)
        before = after
    for name in made:
        path = server / name.format(2)
        assert path.read_bytes() != (server / name.format(3)).read_bytes()
        assert (path.stat().st_mode & 0o077 == 0) != (".pub." in path.name)
        if path.name.endswith(".pub.pem"):
            private = server / "secrets" / path.name.replace(".pub", "")
            assert (
                load_pem_public_key(path.read_bytes()) == load_pem_private_key(private.read_bytes(), None).public_key()
            )


@pytest.mark.parametrize("user", ["lane", "worker-of-none", "lane.exit-2"])
def test_a_user_of_the_broker_gets_a_password_and_a_certificate_and_the_old_ones_are_kept(
    server: Path, user: str
) -> None:
    before = contents(server)
    if user == "worker-of-none":
        with pytest.raises(ConfigError, match="--renew: got 'worker-of-none', takes merchant, worker"):
            init(server, renew=(user,))
        assert contents(server) == before
        return
    init(server, renew=(user,))
    after = contents(server)
    files = {f"secrets/mqtt/{user}", f"secrets/mqtt/{user}.key", f"certs/{user}.crt"}
    assert {name for name in before if before[name] != after[name]} - {"mosquitto/acl"} == files | {
        "mosquitto/passwords"
    }
    assert all(after[f"{name}.old"] == before[name] for name in files)
    shown = x509.load_pem_x509_certificate(after[f"certs/{user}.crt"])
    shown.verify_directly_issued_by(x509.load_pem_x509_certificate(after["certs/ca.crt"]))
    key = load_pem_private_key(after[f"secrets/mqtt/{user}.key"], None)
    assert key.public_key() == shown.public_key()
    lines = [tree["mosquitto/passwords"].splitlines() for tree in (before, after)]
    changed = {new for old, new in zip(*lines, strict=True) if old != new}
    assert any(line.startswith(f"{user}:".encode()) for line in changed)
    assert {name for name in after if name.startswith("secrets/mqtt/lane.") and name.endswith(".old")} <= {
        f"{name}.old" for name in files
    }


def test_the_broker_s_certificate_keeps_its_names(server: Path) -> None:
    before = contents(server)
    init(server, renew=("server",))
    after = contents(server)
    name = "mosquitto/certs/server.crt"
    assert before[name] != after[name]
    assert hosts_of(before[name]) == hosts_of(after[name]) == ["broker.garage", "localhost", "127.0.0.1", "::1"]


def test_a_new_authority_stands_before_the_old_one(server: Path) -> None:
    old = (server / "certs/ca.crt").read_bytes()
    init(server, renew=("ca",))
    both = (server / "certs/ca.crt").read_bytes()
    assert both.endswith(old) and (server / "certs/ca.crt.old").read_bytes() == old
    assert (server / "mosquitto/certs/ca.crt").read_bytes() == both
    new, last = x509.load_pem_x509_certificates(both)
    assert new.public_key() != last.public_key()
    init(server, renew=("lane",))
    x509.load_pem_x509_certificate((server / "certs/lane.crt").read_bytes()).verify_directly_issued_by(new)


def test_where_there_is_nothing_to_renew_that_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"--renew: .*exit-terminal\.toml is absent"):
        init(tmp_path / "none", renew=("worker",))
    init(tmp_path / "box", shape="single", given={"garage": "marina"})
    for what in ("ca", "server"):
        with pytest.raises(ConfigError, match=f"--renew {what}: .* is absent"):
            init(tmp_path / "box", renew=(what,))


def test_a_second_listener_gets_what_a_user_needs_and_its_place_among_the_broker_s(server: Path) -> None:
    init(server, renew=("listener.b",))
    made = contents(server)
    shown = x509.load_pem_x509_certificate(made["certs/listener.b.crt"])
    assert shown.subject.rfc4514_string() == "CN=listener.b"
    assert {"secrets/mqtt/listener.b", "secrets/mqtt/listener.b.key"} <= made.keys()
    assert b"user listener.b\n" in made["mosquitto/acl"]
    assert b"\nlistener.b:$7$" in made["mosquitto/passwords"]
    init(server, renew=("lane",))
    assert b"user listener.b\n" in contents(server)["mosquitto/acl"]
