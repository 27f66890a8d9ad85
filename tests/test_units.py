"""Scripts and systemd's units: do they parse, start what is there, and wait for the clock?"""

import configparser
import os
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from terminal.__main__ import parser
from terminal.contract.topics import SILENT_MS

TREE = Path(__file__).parents[1]
PACKAGE_SCRIPTS = [f"deploy/debian/{name}" for name in ("exit-terminal", "postinst", "prerm", "postrm")]


@pytest.mark.parametrize("script", [".ci/run", "deploy/packages", "deploy/debian/build", *PACKAGE_SCRIPTS])
def test_a_script_can_be_run_and_parses(script: str) -> None:
    path = TREE / script
    assert os.access(path, os.X_OK)
    shell = path.read_text(encoding="utf-8").partition("\n")[0].rpartition("/")[2].rpartition(" ")[2]
    assert subprocess.run([shell, "-n", path], capture_output=True, check=False).stderr == b""


def test_ci_runs_what_the_readme_says() -> None:
    assert "\nmake test\n" in (TREE / ".ci/run").read_text(encoding="utf-8")


UNITS = {"exit-terminal.service": "run", "exit-terminal-server.service": "run", "exit-terminal@.service": "worker"}


@pytest.mark.parametrize(("unit", "command"), UNITS.items())
def test_a_service_starts_a_command_that_is_there(unit: str, command: str) -> None:
    file = configparser.RawConfigParser(strict=False)
    file.optionxform = str  # type: ignore[assignment,method-assign]
    file.read_string((TREE / "deploy/systemd" / unit).read_text(encoding="utf-8"))
    program, *words = file["Service"]["ExecStart"].replace("%i", command).split()
    assert program == "/opt/exit-terminal/.venv/bin/exit-terminal"
    arguments = parser().parse_args(words)
    assert arguments.command == command
    assert arguments.config.parent == Path(file["Service"]["WorkingDirectory"])
    assert file["Service"]["NoNewPrivileges"] == "yes"
    assert file["Service"]["RestartPreventExitStatus"] == "2", "what must be set right first is not tried for ever"
    assert ("SupplementaryGroups" in file["Service"]) == ("server" not in unit), "a server has no gpio and spi"
    assert file["Service"]["Type"] == "notify", "ready is what the program calls ready"
    assert float(file["Service"]["WatchdogSec"]) >= 4 * SILENT_MS / 1000, "a broker that is started again ends nothing"
    assert file["Service"]["EnvironmentFile"] == "-/etc/default/exit-terminal"
    assert file["Service"]["LoadCredential"] == f"secrets:{file['Service']['WorkingDirectory']}/secrets"
    assert {"MemoryHigh", "MemoryMax", "TasksMax"} <= set(file["Service"])


@pytest.mark.parametrize("unit", ["exit-terminal.service", "exit-terminal@.service"])
def test_a_lane_s_service_may_dim_a_screen_s_backlight(unit: str) -> None:
    """The file is in sysfs, whose devices the unit opens, and udev's rule gives it to a group of the service."""
    lines = (TREE / "deploy/systemd" / unit).read_text(encoding="utf-8").splitlines()
    assert "ReadWritePaths=-/sys/devices" in lines and "DeviceAllow=char-fb rw" in lines
    (groups,) = (line.partition("=")[2].split() for line in lines if line.startswith("SupplementaryGroups="))
    (rule,) = (
        line
        for line in (TREE / "deploy/systemd/60-exit-terminal.rules").read_text(encoding="utf-8").splitlines()
        if line.startswith('SUBSYSTEM=="backlight"')
    )
    for does in ("/bin/chgrp video /sys%p/brightness", "/bin/chmod g+w /sys%p/brightness"):
        assert f'RUN+="{does}"' in rule
    assert "video" in groups


needs_systemd = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="apt-get install systemd")


@needs_systemd
@pytest.mark.parametrize("unit", UNITS)
def test_systemd_takes_a_unit_and_finds_it_closed(unit: str, tmp_path: Path) -> None:
    """Offline: no unit is loaded or started. The program's place is one that is there, and 2.0 the most exposure."""
    there = tmp_path / unit.replace("@", "@worker")
    for name, path in ((unit, there), ("exit-terminal-clock.service", tmp_path / "exit-terminal-clock.service")):
        text = (TREE / "deploy/systemd" / name).read_text(encoding="utf-8")
        path.write_text(text.replace("/opt/exit-terminal/.venv/bin/exit-terminal", "/bin/true"), encoding="utf-8")
    verified = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", there], capture_output=True, text=True, check=False
    )
    assert there.name not in verified.stderr, verified.stderr
    judged = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--threshold=20", "--no-pager", there],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert judged.returncode == 0, judged.stdout[-300:]


@needs_systemd
def test_a_misspelt_line_of_a_unit_would_be_found(tmp_path: Path) -> None:
    text = (TREE / "deploy/systemd/exit-terminal-server.service").read_text(encoding="utf-8")
    wrong = tmp_path / "exit-terminal-server.service"
    wrong.write_text(text.replace("WatchdogSec=", "WatchdogSecs="), encoding="utf-8")
    said = subprocess.run(["systemd-analyze", "verify", "--man=no", wrong], capture_output=True, text=True, check=False)
    assert "WatchdogSecs" in said.stderr


@pytest.mark.skipif(shutil.which("systemd-sysusers") is None, reason="apt-get install systemd")
@pytest.mark.skipif(os.geteuid() != 0, reason="only root makes users, in a folder of its own too")
def test_the_service_s_user_and_every_group_that_a_unit_names_are_made_where_they_are_absent(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    conf = TREE / "deploy/systemd/exit-terminal.sysusers.conf"
    subprocess.run(["systemd-sysusers", f"--root={tmp_path}", "--inline", *_lines(conf)], check=True)
    groups = {line.split(":")[0] for line in (tmp_path / "etc/group").read_text().splitlines()}
    named = (TREE / "deploy/systemd/exit-terminal.service").read_text().partition("SupplementaryGroups=")[2]
    assert {"exit-terminal", *named.partition("\n")[0].split()} <= groups
    assert "exit-terminal:x:" in (tmp_path / "etc/passwd").read_text()


def _lines(path: Path) -> list[str]:
    return [line for line in path.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")]


@pytest.mark.parametrize("unit", UNITS)
def test_a_service_waits_for_the_clock_and_may_ask_the_kernel_for_it(unit: str) -> None:
    text = (TREE / "deploy/systemd" / unit).read_text(encoding="utf-8")
    for key in ("After", "Wants"):
        (line,) = [line for line in text.splitlines() if line.startswith(f"{key}=")]
        assert "exit-terminal-clock.service" in line
    assert "SystemCallFilter=adjtimex clock_adjtime" in text
    assert "ProtectClock=yes" not in text, "it would forbid the question as well"


@pytest.mark.parametrize(("answer", "status"), [("yes", 0), ("no", 124)])
def test_the_wait_for_the_clock_ends_with_its_synchronisation_or_at_its_limit(
    answer: str, status: int, tmp_path: Path
) -> None:
    (tmp_path / "timedatectl").write_text(f"#!/bin/sh\necho {answer}\n")
    (tmp_path / "timedatectl").chmod(0o755)
    text = (TREE / "deploy/systemd/exit-terminal-clock.service").read_text(encoding="utf-8")
    assert "SuccessExitStatus=124" in text, "a garage without network time starts all the same"
    command = text.partition("ExecStart=")[2].partition("\n")[0].replace("$$", "$")
    assert command.startswith("/usr/bin/timeout 45 ")
    words = shlex.split(command.replace(" 45 ", " 0.3 "))
    path = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    assert subprocess.run(words, env=path, check=False, timeout=10).returncode == status
