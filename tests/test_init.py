"""``exit-terminal init``: a configuration with fresh keys, which the program takes, and which nobody overwrites."""

import base64
import io
import os
import stat
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_der_public_key,
    load_pem_public_key,
)

from terminal.__main__ import main, parser
from terminal.config.load import load, read_secret, read_ticket_keys
from terminal.config.schema import SECTIONS, ConfigError, Settings, hints
from terminal.contract.access import USERS
from terminal.contract.signatures import load_signing_key, load_trusted
from terminal.payby.signing import load_private_key
from terminal.tools.init.answers import questions
from terminal.tools.init.command import Request, Surroundings, run
from terminal.tools.init.configuration import LAYOUT, TO_SET
from terminal.tools.init.folder import owner_of

NOW = datetime(2026, 11, 30, 12, 0, tzinfo=UTC)
TOLD = {
    "garage": "marina",
    "name": 'The "Marina" \\ Garage',
    "name_ar": "مواقف المارينا",
    "help_phone": "+971 4 000 0000",
    "exit_lanes": "3",
    "partner_id": "200000000777",
}
SHAPES = ("single", "server", "lane")


def around(said: list[str], prompt: Callable[[str], str] | None = None, *, now: datetime = NOW) -> Surroundings:
    return Surroundings({}, now, "garage-server", prompt, said.append)


def made(folder: Path, shape: str = "single", **more: object) -> tuple[Settings, str]:
    """The settings of a folder that is made now, and what was said."""
    said: list[str] = []
    given = TOLD | more.pop("given", {})  # type: ignore[arg-type]
    assert run(Request(folder / "exit-terminal.toml", given, shape, **more), around(said)) == 0  # type: ignore[arg-type]
    return load(folder / "exit-terminal.toml", {}), "\n".join(said)


def contents(folder: Path) -> dict[str, tuple[bytes, int, int]]:
    """Each file below it, with its mode and the time of its last change."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {
        str(path.relative_to(folder)): (path.read_bytes(), path.stat().st_mode, path.stat().st_mtime_ns)
        for path in files
    }


def refused(request: Request, surroundings: Surroundings | None = None) -> str:
    with pytest.raises(ConfigError) as error:
        run(request, surroundings or around([]))
    assert "\n" not in str(error.value)
    return str(error.value)


# -- what is made --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shape", "roles"),
    [
        ("single", ("broker", "worker", "listener", "barrier", "loops", "lcd", "reader", "console")),
        ("server", ("worker", "listener", "console")),
        ("lane", ("barrier", "loops", "lcd", "reader")),
    ],
)
def test_each_shape_runs_its_roles_and_no_others(tmp_path: Path, shape: str, roles: tuple[str, ...]) -> None:
    settings, _ = made(tmp_path, shape)
    assert settings.roles() == roles
    settings.require(*roles)
    assert settings.absent == {}


def test_what_was_told_stands_in_the_configuration(tmp_path: Path) -> None:
    settings, said = made(tmp_path)
    garage, payby = settings.garage, settings.payby
    assert garage and payby
    assert (garage.id, garage.name, garage.name_ar, garage.help_phone) == tuple(TOLD.values())[:4]
    assert garage.lanes == 3
    assert (payby.partner_id, payby.payee_mid) == (TOLD["partner_id"],) * 2
    assert TO_SET not in (tmp_path / "exit-terminal.toml").read_text(encoding="utf-8")
    assert "only stands in" not in said


def test_the_keys_are_what_the_roles_take(tmp_path: Path) -> None:
    settings, _ = made(tmp_path)
    assert settings.lift and settings.payby and settings.ticket and settings.mqtt and settings.console
    assert settings.lift.private_key and settings.payby.private_key and settings.console.lift_private_key
    trusted = load_trusted(settings.lift.trusted)
    assert trusted.name_of(load_signing_key(settings.lift.private_key)) == "worker"
    assert trusted.name_of(load_signing_key(settings.console.lift_private_key)) == "console"
    assert load_private_key(settings.payby.private_key).key_size == 2048
    assert [len(key) for key in read_ticket_keys(settings.ticket).values()] == [32]
    passwords = {user: read_secret(tmp_path / "secrets/mqtt" / user) for user in USERS}
    assert len(set(passwords.values())) == len(USERS)
    assert all(len(password) == 43 for password in passwords.values())
    assert settings.mqtt.password_file == tmp_path / "secrets/mqtt/lane"


def test_the_public_half_for_paybys_portal_is_one_key_in_every_form(tmp_path: Path) -> None:
    settings, said = made(tmp_path)
    assert settings.payby and settings.payby.private_key
    public = load_private_key(settings.payby.private_key).public_key()
    upload = tmp_path / "upload"
    pem = (upload / "merchant.pub.pem").read_bytes()
    pkcs1 = (upload / "merchant.pub.pkcs1.pem").read_bytes()
    line = (upload / "merchant.pub.base64").read_bytes()
    assert pem.startswith(b"-----BEGIN PUBLIC KEY-----\n")
    assert pkcs1.startswith(b"-----BEGIN RSA PUBLIC KEY-----\n")
    assert line.count(b"\n") == 1
    der = (upload / "merchant.pub.der").read_bytes()
    assert base64.b64decode(line, validate=False) == der
    forms = [load_pem_public_key(pem), load_pem_public_key(pkcs1), load_der_public_key(der)]
    assert all(isinstance(form, RSAPublicKey) and form == public for form in forms)
    assert der == public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    assert sorted(path.name for path in upload.iterdir()) == sorted(
        name for name in ("merchant.pub.pem", "merchant.pub.pkcs1.pem", "merchant.pub.base64", "merchant.pub.der")
        if name in said
    )  # fmt: skip
    assert "deploy/payby.md" in said


@pytest.mark.parametrize("shape", SHAPES)
def test_what_is_secret_is_closed_to_others(tmp_path: Path, shape: str) -> None:
    before = os.umask(0)  # whatever the caller's mask is
    try:
        made(tmp_path / "new", shape, lanes=("exit-2",) if shape == "server" else ())
    finally:
        os.umask(before)
    for name, (content, mode, _) in contents(tmp_path / "new").items():
        public = name.endswith((".crt", "mosquitto.conf")) or ".pub." in name
        grouped = name == "exit-terminal.toml" or name.startswith("mosquitto/")  # its group reads, where there is one
        wanted = {0o644} if public else {0o640, 0o600} if grouped else {0o600}
        assert stat.S_IMODE(mode) in wanted, name
        if public:
            assert b"PRIVATE" not in content
    for folder in (tmp_path / "new").rglob("*"):
        if folder.is_dir() and folder.name not in ("upload", "certs"):
            assert stat.S_IMODE(folder.stat().st_mode) == 0o700, folder


def test_no_two_installations_have_a_key_in_common(tmp_path: Path) -> None:
    for name in ("a", "b"):
        made(tmp_path / name)
    a, b = contents(tmp_path / "a"), contents(tmp_path / "b")
    assert a.keys() == b.keys()
    assert [name for name in a if a[name][0] == b[name][0]] == ["exit-terminal.toml"]


def test_the_sandbox_takes_paybys_place(tmp_path: Path) -> None:
    settings, said = made(tmp_path, payby="sandbox")
    assert settings.payby
    assert settings.payby.base_url == "http://127.0.0.1:8090/sgs/api"
    assert settings.payby.payby_public_key == (tmp_path / "sandbox/payby.pub.pem",)
    assert (
        f"exit-terminal sandbox --folder {tmp_path}/sandbox --merchant-key {tmp_path}/upload/merchant.pub.pem" in said
    )


def test_a_lane_for_the_desk_has_no_loops_that_would_never_see_a_car(tmp_path: Path) -> None:
    settings, _ = made(tmp_path, given={"panel": "png", "reader": "stdin", "pins": "mock"})
    assert settings.loops is None
    assert settings.lcd and settings.lcd.pixels == (480, 320)
    assert settings.reader and (settings.reader.driver, settings.reader.device) == ("stdin", None)


def test_every_key_that_a_layout_has_is_one_of_the_configuration() -> None:
    for section, (_, keys) in LAYOUT.items():
        assert set(keys) <= set(hints(SECTIONS[section]))
    assert {*LAYOUT, "plate", "receipt", "paystation", "coupon", "alerts", "discovery", "log"} == set(SECTIONS), (
        "who has such things adds their section"
    )


# -- nothing is overwritten ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", SHAPES)
def test_a_second_run_changes_nothing(tmp_path: Path, shape: str) -> None:
    made(tmp_path, shape)
    before = contents(tmp_path)
    _, said = made(tmp_path, shape)
    assert contents(tmp_path) == before
    assert said.startswith(f"{tmp_path}/exit-terminal.toml is there already: nothing was changed.")
    assert "Next:" in said


def test_a_start_that_was_interrupted_goes_on_with_the_keys_that_are_there(tmp_path: Path) -> None:
    made(tmp_path)
    before = contents(tmp_path)
    for name in ("exit-terminal.toml", "secrets/worker.pub.pem", "secrets/mqtt/watch", "upload/merchant.pub.der"):
        (tmp_path / name).unlink()
    _, said = made(tmp_path)
    after = contents(tmp_path)
    changed = {name for name in before if before[name][0] != after[name][0]}
    assert changed == {"secrets/mqtt/watch"}
    assert "Kept as they were:" in said


def test_halves_that_do_not_belong_together_are_told_and_kept(tmp_path: Path) -> None:
    for name in ("a", "b"):
        made(tmp_path / name)
    (tmp_path / "a/exit-terminal.toml").unlink()
    (tmp_path / "b/secrets/worker.pub.pem").replace(tmp_path / "a/secrets/worker.pub.pem")
    before = contents(tmp_path)
    said = refused(Request(tmp_path / "a/exit-terminal.toml", TOLD))
    assert "secrets/worker.pub.pem is not the public half of" in said
    assert contents(tmp_path) == before


@pytest.mark.parametrize("content", [b"", b"no key", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"])
def test_a_key_file_that_is_none_is_told_and_kept(tmp_path: Path, content: bytes) -> None:
    key = tmp_path / "secrets/merchant.pem"
    key.parent.mkdir()
    key.write_bytes(content)
    assert "merchant.pem is no RSA key in PEM" in refused(Request(tmp_path / "exit-terminal.toml", TOLD))
    assert key.read_bytes() == content


def test_another_shape_than_the_folder_s_is_refused(tmp_path: Path) -> None:
    made(tmp_path, "server")
    assert "--shape: got lane, but" in refused(Request(tmp_path / "exit-terminal.toml", TOLD, "lane"))


def test_one_box_makes_no_bundles(tmp_path: Path) -> None:
    made(tmp_path)
    said = refused(Request(tmp_path / "exit-terminal.toml", {}, lanes=("exit-2",)))
    assert "bundles for lanes are made where a garage server's is" in said


# -- answers -------------------------------------------------------------------------------------------------------


def test_without_a_person_what_nobody_told_stands_in_and_is_said(tmp_path: Path) -> None:
    said: list[str] = []
    assert run(Request(tmp_path / "exit-terminal.toml", {}), around(said)) == 0
    text = (tmp_path / "exit-terminal.toml").read_text(encoding="utf-8")
    must = [question.key for question in questions("here") if question.must and not question.after]
    assert text.count(TO_SET) == len(must) == 5
    for key in must:
        assert any(f"  {key} = " in part for part in said), key
    load(tmp_path / "exit-terminal.toml", {}).require("worker", "lcd", "barrier", "reader", "listener", "broker")


def person(*answers: str) -> tuple[Callable[[str], str], list[str]]:
    left: Iterator[str] = iter(answers)
    asked: list[str] = []

    def prompt(text: str) -> str:
        asked.append(text)
        try:
            return next(left)
        except StopIteration:
            raise EOFError from None

    return prompt, asked


def test_a_person_is_asked_until_an_answer_fits_and_return_takes_the_default(tmp_path: Path) -> None:
    prompt, asked = person(
        "fridge", "single", "Marina Mall", "marina", "", "", "+971 4 1", "", "", "exit-9", "200000000777",
        "ftp://x", "", "", "", "", "stdin", "png", "mock",
    )  # fmt: skip
    said: list[str] = []
    assert run(Request(tmp_path / "exit-terminal.toml", {}), around(said, prompt)) == 0
    settings = load(tmp_path / "exit-terminal.toml", {})
    assert settings.garage and settings.lane and settings.payby and settings.reader
    assert (settings.garage.id, settings.garage.name, settings.lane.id) == ("marina", "Parking", "exit-9")
    assert settings.payby.notify_url is None
    assert settings.reader.driver == "stdin"
    assert "got 'fridge', takes single, server or lane" in said
    assert "garage.id: got 'Marina Mall', takes 1 to 12 characters of a-z and 0-9" in said
    assert sum("notify_url: got" in line for line in said) == 1
    assert len(asked) == 19
    assert not any("device" in question for question in asked)  # of standard input there is none


def test_a_person_who_leaves_has_made_nothing(tmp_path: Path) -> None:
    prompt, _ = person("single", "marina")
    said = refused(Request(tmp_path / "new/exit-terminal.toml", {}), around([], prompt))
    assert said == "init: garage.name: no answer; --name gives it as well"
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("given", "line"),
    [
        ({"garage": "Marina"}, "init: --garage: garage.id: got 'Marina', takes 1 to 12 characters of a-z and 0-9"),
        ({"timezone": "Mars/Olympus"}, "garage.timezone: got 'Mars/Olympus', takes a time zone"),
        ({"partner_id": "x" * 13}, "init: --partner-id: payby.partner_id: got"),
        ({"notify_url": "pay.example.com"}, "init: --notify-url: payby.notify_url: got a text of 15 characters"),
        ({"reader": "camera"}, "init: --reader: reader.driver: got 'camera', takes serial, hid or stdin"),
        ({"panel": "oled"}, "init: --panel: lcd.panel: got 'oled', takes st7789-240"),
        ({"trn": "123"}, "init: --trn: receipt.trn: got '123', takes 15 digits, in quotes"),
        ({"supplier": "Marina LLC"}, "init: --supplier: takes --trn beside it"),
        ({"coupons": "maybe"}, "init: --coupons: coupon.keys: got 'maybe', takes yes or no"),
        ({"paystation": "kiosk"}, "init: --paystation: paystation.trusted: got 'kiosk', takes a name that begins with"),
        ({"pins": "none"}, "init: --pins: gpio.pins: got 'none', takes auto or mock"),
        ({"mqtt_url": "mqtts://a"}, "init: --mqtt-url: got 'mqtts://a', takes no value for a single"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_a_wrong_option_is_named_with_its_key_and_nothing_is_made(
    tmp_path: Path, given: dict[str, str], line: str
) -> None:
    assert line in refused(Request(tmp_path / "new/exit-terminal.toml", given))
    assert not (tmp_path / "new").exists()


def test_lanes_are_checked_before_anything_is_made(tmp_path: Path) -> None:
    file = tmp_path / "new/exit-terminal.toml"
    assert "lane.id: got 'garage', takes" in refused(Request(file, TOLD, "server", lanes=("exit-1", "garage")))
    assert "takes one for a single" in refused(Request(file, TOLD, "single", lanes=("exit-1", "exit-2")))
    assert not file.parent.exists()


def test_a_clock_of_1970_issues_no_certificates(tmp_path: Path) -> None:
    said = refused(
        Request(tmp_path / "exit-terminal.toml", TOLD, "server"), around([], now=datetime(1970, 1, 1, tzinfo=UTC))
    )
    assert "this machine's clock says 1970-01-01; set it first" in said


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    said = refused(Request(tmp_path / "file/exit-terminal.toml", TOLD))
    assert said.startswith(f"init: {tmp_path}/file/secrets/merchant.pem cannot be made or read: not a folder; choose")


# -- owners --------------------------------------------------------------------------------------------------------


def test_root_makes_files_for_the_service_s_user_and_others_for_themselves() -> None:
    assert owner_of(None, 1000, "pi").uid is None
    assert owner_of("pi", 1000, "pi").name == "pi"
    nobody = owner_of("nobody", 0, "root")
    assert (nobody.name, nobody.uid) == ("nobody", 65534)
    with pytest.raises(ConfigError, match="--user: got 'nobody', takes only 'pi': only root makes files for others"):
        owner_of("nobody", 1000, "pi")
    with pytest.raises(ConfigError, match="--user: got 'no-such-user', takes a user of this machine"):
        owner_of("no-such-user", 0, "root")


@pytest.mark.skipif(os.getuid() != 0, reason="only root gives files away")
def test_what_root_makes_is_the_user_s(tmp_path: Path) -> None:
    made(tmp_path / "new", "server", user="nobody")
    for path in (tmp_path / "new", *(tmp_path / "new").rglob("*")):
        assert path.stat().st_uid == 65534, path


# -- the command line ----------------------------------------------------------------------------------------------


def test_the_command_line_makes_a_folder_and_a_second_one_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO())
    assert main(["init", str(tmp_path / "a"), "--garage", "marina"]) == 0
    assert main(["init", "--folder", str(tmp_path / "b")]) == 0
    assert main(["--config", str(tmp_path / "c/my.toml"), "init"]) == 0
    assert main(["init", str(tmp_path / "a"), "--garage", "Marina"]) == 0  # it is there already: nobody reads it
    for name in ("a/exit-terminal.toml", "b/exit-terminal.toml", "c/my.toml"):
        assert (tmp_path / name).exists()
    capsys.readouterr()
    assert main(["init", str(tmp_path / "d"), "--garage", "Marina"]) == 2
    assert capsys.readouterr() == (
        "", "exit-terminal: init: --garage: garage.id: got 'Marina', takes 1 to 12 characters of a-z and 0-9\n"
    )  # fmt: skip


def test_every_question_has_its_option() -> None:
    options = vars(parser().parse_args(["init"]))
    assert {question.option for question in questions("here")} <= set(options)
