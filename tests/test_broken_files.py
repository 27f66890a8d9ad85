"""The table of broken configurations, second half: every key that names a file or a folder, and what may lie there in
its place. `check` and `run` say the same word, but for what `run` waits for or does without."""

import errno
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, NoEncryption, PrivateFormat

from terminal.config.schema import SECTIONS, hints
from tests.support.broken_garage import SLOW, Told, apart, both, checked, installed, variable

NAMED = {
    "payby.payby_public_key": '["{}"]',
    "lift.trusted": '{{ worker = "{}" }}',
    "ticket.keys": '{{ k1 = "{}" }}',
    "coupon.keys": '{{ c1 = "{}" }}',
    "paystation.trusted": '{{ station-1 = "{}" }}',
}
"""How a key names a file where it has more than one."""
WITH: dict[str, dict[str, str]] = {
    "lcd.wifi_password_file": {"lcd.wifi": "guest"},
    "alerts.webhook_url_file": {"alerts.webhook_url": ""},
}
"""What else must be said for a key to count."""
TLS = ("mqtt.ca_file", "mqtt.cert_file", "mqtt.key_file")
NOTHING = ("absent", "folder", "below a file")
KEY = (*NOTHING, "empty", "binary", "of another kind")
KINDS: dict[str, tuple[str, ...]] = {
    "mqtt.password_file": (*NOTHING, "empty", "binary", "others read"),
    "mqtt.ca_file": KEY,
    "mqtt.cert_file": KEY,
    "mqtt.key_file": (*NOTHING, "empty", "binary", "with a pass phrase", "others read"),
    "payby.payby_public_key": (*KEY, "too large"),
    "payby.private_key": (*KEY, "with a pass phrase", "others read", "too large"),
    "lift.trusted": KEY,
    "lift.private_key": (*KEY, "with a pass phrase", "others read"),
    "console.lift_private_key": (*KEY, "with a pass phrase", "others read"),
    "ticket.keys": (*KEY, "others read"),
    "coupon.keys": (*KEY, "others read"),
    "paystation.trusted": KEY,
    "lookup.token_file": (*NOTHING, "empty", "binary", "others read"),
    "lookup.ca_file": KEY,
    "lcd.wifi_password_file": (*NOTHING, "empty", "binary", "others read"),
    "console.metrics_token_file": (*NOTHING, "empty", "binary", "others read"),
    "alerts.webhook_url_file": (*NOTHING, "empty", "binary", "others read"),
    "alerts.webhook_key_file": (*NOTHING, "empty", "others read"),
    "alerts.smtp_password_file": (*NOTHING, "empty", "binary", "others read"),
    "alerts.ca_file": KEY,
    "broker.users": ("empty", "binary"),
    "journal.path": ("folder", "binary"),
    "barrier.journal": ("folder", "binary"),
}
"""What ends `run`."""
WAITED_FOR: dict[str, tuple[str, ...]] = {
    "journal.path": ("below a file",),
    "barrier.journal": ("below a file",),
    "console.folder": ("empty", "binary", "below a file"),
    "lcd.folder": ("empty", "binary", "below a file"),
    "lcd.idle_picture": (*NOTHING, "empty", "binary"),
    "lcd.framebuffer": (*NOTHING, "empty"),
    "lcd.backlight": (*NOTHING, "empty"),
    "reader.device": ("absent", "below a file"),
}
"""What `run` tries again, or does without, with an alert; `check` alone calls it failed."""
ELSEWHERE = ("journal.passfile",)
"""Said by test_check_database.py, which has a database."""
FRAMEBUFFER = {"lcd.panel": "framebuffer", "lcd.size": "800x480", "lcd.folder": "screens"}


def test_every_key_that_names_a_file_is_in_the_table() -> None:
    types = {f"{name}.{key}": str(hint) for name, kind in SECTIONS.items() for key, hint in hints(kind).items()}
    paths = {key for key, hint in types.items() if "Path" in hint}
    assert paths == {*KINDS, *WAITED_FOR, *ELSEWHERE}


@pytest.fixture(scope="module")
def garage(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return installed(tmp_path_factory.mktemp("garage"))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A garage server, whose broker is another program and speaks TLS."""
    return installed(tmp_path_factory.mktemp("server"), shape="server", more="")


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """What may lie where a file is named."""
    folder = tmp_path_factory.mktemp("places")
    other = ec.generate_private_key(ec.SECP256R1())
    phrase = BestAvailableEncryption(b"word")
    locked = rsa.generate_private_key(65537, 2048).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, phrase)
    for name, content in (
        ("empty", b""),
        ("binary", bytes(range(256))),
        ("of another kind", other.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())),
        ("with a pass phrase", locked),
        ("too large", b"a" * 70_000),
        ("others read", b"s3cret\n"),
    ):
        (folder / name).write_bytes(content)
        (folder / name).chmod(0o644 if name == "others read" else 0o600)
    (folder / "folder").mkdir()
    names = [path.name for path in folder.iterdir()]
    return {name: folder / name for name in (*names, "absent")} | {"below a file": folder / "empty/below"}


def rows(table: dict[str, tuple[str, ...]]) -> list[tuple[str, str]]:
    return [(key, kind) for key, kinds in table.items() for kind in kinds]


def environ(key: str, path: Path) -> dict[str, str]:
    return {variable(name): value for name, value in WITH.get(key, {}).items()} | {
        variable(key): NAMED.get(key, "{}").format(path)
    }


def of_both(request: pytest.FixtureRequest, tmp_path: Path, key: str, place: Path) -> Told:
    given = apart(tmp_path)
    folder: Path = request.getfixturevalue("server" if key in TLS else "garage")
    if key in TLS:
        given = {"EXIT_TERMINAL_LISTENER_PORT": "0", "EXIT_TERMINAL_CONSOLE_PORT": "0"}
    part = "alert_receivers" if key.startswith("alerts") else ""
    return both(folder / "exit-terminal.toml", given | environ(key, place), without=SLOW - {part})


@pytest.mark.parametrize(("key", "kind"), rows(KINDS))
def test_a_file_that_cannot_be_used_is_the_same_word_of_both(
    request: pytest.FixtureRequest, tmp_path: Path, places: dict[str, Path], key: str, kind: str
) -> None:
    told = of_both(request, tmp_path, key, places[kind])
    told.is_one_word(key)
    assert "s3cret" not in told.run_line
    if kind == "others read":
        assert told.run_line.endswith(f"; close it to them: chmod o= {places[kind]}\n")


@pytest.mark.parametrize(("key", "kind"), rows(WAITED_FOR))
def test_what_run_waits_for_is_told_by_check(
    garage: Path, tmp_path: Path, places: dict[str, Path], key: str, kind: str
) -> None:
    given = apart(tmp_path) | environ(key, places[kind])
    if key == "reader.device":
        given["EXIT_TERMINAL_READER_DRIVER"] = "serial"
    if key in ("lcd.framebuffer", "lcd.backlight"):
        given |= {variable(name): value for name, value in FRAMEBUFFER.items()}
    found = [
        (about, text, advice) for about, text, advice in checked(garage / "exit-terminal.toml", given) if about == key
    ]
    ((_, text, advice),) = found
    assert advice and "[Errno" not in text, text


@pytest.mark.parametrize("key", [key for key, kinds in KINDS.items() if "absent" in kinds])
def test_a_file_that_the_service_s_user_may_not_read_is_to_be_given_to_it(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, places: dict[str, Path], key: str
) -> None:
    """The refusal is made here: these tests may run as root, who reads everything."""
    closed, really = places["of another kind"], Path.open

    def opened(path: Path, *words: Any, **more: Any) -> Any:
        if path == closed:
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return really(path, *words, **more)

    monkeypatch.setattr(Path, "open", opened)
    told = of_both(request, tmp_path, key, closed)
    told.is_one_word(key)
    assert told.run_line.endswith(
        f"cannot read {closed}: permission denied; give it to the service's user: sudo chown USER {closed}\n"
    )
