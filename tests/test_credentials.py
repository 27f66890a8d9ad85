"""Secrets that systemd hands to the service (LoadCredential): the configuration finds them, and `check --user` too."""

import json
import os
import pwd
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from terminal.config.load import load
from terminal.tools.check.credentials import lend

ROOT = Path(__file__).parents[1]
TEXT = """
[garage]
id = "marina"
[mqtt]
url = "mqtt://127.0.0.1:1"
username = "lane"
password_file = "secrets/mqtt/lane"
[lift]
private_key = "/elsewhere/worker.pem"
trusted = { worker = "secrets/worker.pub.pem" }
"""


def test_a_relative_path_leads_to_the_credential_of_its_name_if_there_is_one(tmp_path: Path) -> None:
    (tmp_path / "c.toml").write_text(TEXT)
    lent = tmp_path / "credentials"
    lent.mkdir()
    (lent / "secrets_mqtt_lane").write_text("word\n")
    (lent / "_elsewhere_worker.pem").write_text("never\n")
    for environ, password in (
        ({"CREDENTIALS_DIRECTORY": str(lent)}, lent / "secrets_mqtt_lane"),
        ({}, tmp_path / "secrets/mqtt/lane"),
        ({"CREDENTIALS_DIRECTORY": ""}, tmp_path / "secrets/mqtt/lane"),
    ):
        settings = load(tmp_path / "c.toml", environ)
        assert settings.mqtt and settings.lift
        assert settings.mqtt.password_file == password
        assert settings.lift.private_key == Path("/elsewhere/worker.pem")
        assert settings.lift.trusted == {"worker": tmp_path / "secrets/worker.pub.pem"}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root lends")
@pytest.mark.parametrize("loaded", [True, False])
def test_a_check_as_the_service_s_user_gets_what_its_unit_loads(loaded: bool) -> None:
    with tempfile.TemporaryDirectory() as name:  # pytest's own folders are closed to others, again and again
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "c.toml").write_text(TEXT)
        (folder / "secrets/mqtt").mkdir(parents=True)
        (folder / "secrets/mqtt/lane").write_text("word\n")
        (folder / "secrets").chmod(0o700)
        (folder / "units").mkdir()
        line = f"LoadCredential=secrets:{folder}/secrets\n" if loaded else "User=exit-terminal\n"
        (folder / "units/exit-terminal.service").write_text(f"[Service]\n{line}")
        environ: dict[str, str] = {}
        lend(folder / "c.toml", "nobody", environ, folder / "units")
        assert bool(environ) == loaded
        for place in map(Path, environ.values()):
            found = place / "secrets_mqtt_lane"
            assert found.read_text() == "word\n"
            assert (found.stat().st_mode & 0o777, found.stat().st_uid) == (0o400, pwd.getpwnam("nobody").pw_uid)


def test_check_without_another_user_lends_nothing(tmp_path: Path) -> None:
    (tmp_path / "c.toml").write_text(TEXT)
    words = [sys.executable, "-m", "terminal", "--config", str(tmp_path / "c.toml"), "check", "--json"]
    ended = subprocess.run(words, capture_output=True, text=True, cwd=ROOT, timeout=60, check=False)
    found = {said["name"]: said["message"] for said in json.loads(ended.stdout)["checks"]}
    assert f"cannot read {tmp_path}/secrets/mqtt/lane" in found["password mqtt.password_file"]
