"""The Debian package and the wheelhouse in clean roots of their release: installed, upgraded, removed, purged; and
installed without a network. `make package-test` builds both first.

No service manager runs in such a root. Its systemctl is a script that keeps what it is told.
"""

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.clean_root import FOLDER, TREE, Root, built

KEPT = "-o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold"
"""As unattended upgrades answer; by hand dpkg asks about a file that both sides changed, and proposes to keep it."""
SYSTEMCTL = """#!/bin/sh
echo "$*" >>/run/systemctl.log
[ "$1" != list-units ] || cat /run/active
"""
HARDWARE = {"pins", "clock", "scanner", "panel", "broker", "watch", "lcd.panel", "desk"}
"""What a root without devices and services cannot have."""


def changed(deb: Path, folder: Path, version: str) -> None:
    """The package as a later version has it: another file, and another example in /etc."""
    tree = folder / "later"
    subprocess.run(["dpkg-deb", "-R", deb, tree], check=True)
    control = tree / "DEBIAN/control"
    lines = [
        f"Version: {version}" if line.startswith("Version:") else line for line in control.read_text().splitlines()
    ]
    control.write_text("\n".join(lines) + "\n")
    (tree / "opt/exit-terminal/later").write_text("later\n")
    with (tree / "etc/default/exit-terminal").open("a") as file:
        file.write("#EXIT_TERMINAL_LATER='1'\n")
    subprocess.run(["dpkg-deb", "--root-owner-group", "-Znone", "-b", tree, folder / "later.deb"], check=True)
    shutil.rmtree(tree)


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Root]:
    """A root on which the package is installed by apt, with what it depends on and nothing that it does not."""
    root = Root(tmp_path_factory.mktemp("package") / "root")
    shutil.copyfile(built(".deb"), root.path("/first.deb"))
    root.run("apt-get update -qq && apt-get install -y -qq --no-install-recommends /first.deb")
    yield root
    shutil.rmtree(root.folder)


def test_the_installed_program_has_all_that_it_needs(machine: Root) -> None:
    """Hardware's libraries, Arabic's shaping, the fonts, the drawing; no compiler and no pip."""
    assert machine.run("exit-terminal --version").startswith("exit-terminal ")
    machine.run("/opt/exit-terminal/.venv/bin/python -c 'import lgpio, spidev, evdev, serial, luma.lcd, zxingcpp'")
    machine.run("exit-terminal screens --out /screens && test -s /screens/contact-sheet.png")
    assert json.loads(machine.run("exit-terminal contract"))["asyncapi"].startswith("3.")
    machine.run("! command -v gcc && ! test -e /opt/exit-terminal/.venv/bin/pip")
    later = machine.run("find /opt/exit-terminal -type f -newer /first.deb")
    assert later == "", "nothing is compiled or written there afterwards"
    assert machine.run("dpkg --verify exit-terminal") == ""


def test_the_service_s_user_and_groups_are_there_and_its_units_and_pages(machine: Root) -> None:
    machine.run("getent passwd exit-terminal && getent group gpio spi dialout input")
    assert machine.run(f"stat -c '%U %G %a' {FOLDER}") == "exit-terminal exit-terminal 750\n"
    for unit in (TREE / "deploy/systemd").glob("*.service"):
        assert machine.path(f"/usr/lib/systemd/system/{unit.name}").read_bytes() == unit.read_bytes()
        start = unit.read_text().partition("ExecStart=")[2].split()[0]
        assert machine.path(start).exists(), start
        page = unit.read_text().partition("Documentation=file://")[2].split()[0]
        assert machine.path(page).is_file(), page
    pages = {path.name for path in machine.path("/usr/share/man/man1").glob("exit-terminal*")}
    assert {"exit-terminal.1.gz", "exit-terminal-check.1.gz", "exit-terminal-run.1.gz"} <= pages


def test_a_configuration_is_made_and_checked_by_the_service_s_user(machine: Root) -> None:
    machine.run(
        f"exit-terminal init {FOLDER} --shape single --garage marina --payby sandbox"
        " --reader stdin --panel png --pins mock"
    )
    assert machine.run(f"find {FOLDER} ! -user exit-terminal") == "", "root's files would stop the service"
    sandbox = (
        f"runuser -u exit-terminal -- exit-terminal sandbox --folder {FOLDER}/sandbox"
        f" --merchant-key {FOLDER}/upload/merchant.pub.pem >/sandbox.log 2>&1 &"
        " until grep -q payby_public_key /sandbox.log; do sleep 0.1; done;"
    )
    said = machine.run(f"{sandbox} exit-terminal check --user exit-terminal --json || true")
    checks = json.loads(said[said.index("{") :])["checks"]
    assert [one for one in checks if one["outcome"] == "failed" and one["name"] not in HARDWARE] == []
    assert {"proved"} <= {one["outcome"] for one in checks}


def test_an_upgrade_keeps_what_is_the_operator_s_and_starts_again_what_ran(machine: Root, tmp_path: Path) -> None:
    version = machine.run("dpkg-query -W -f '${Version}' exit-terminal")
    changed(built(".deb"), tmp_path, version.replace("+deb", ".1+deb"))
    shutil.copyfile(tmp_path / "later.deb", machine.path("/later.deb"))
    machine.run("echo \"EXIT_TERMINAL_LANE_ID='exit-7'\" >>/etc/default/exit-terminal; mkdir -p /run/systemd/system")
    machine.path("/usr/bin/systemctl").write_text(SYSTEMCTL)
    machine.path("/usr/bin/systemctl").chmod(0o755)
    machine.path("/run/active").write_text(
        "exit-terminal.service loaded active running x\nexit-terminal-clock.service loaded active exited x\n"
        "exit-terminal@worker.service loaded active running x\n"
    )
    before = machine.run(f"cd {FOLDER} && find . -type f | sort | xargs sha256sum")
    machine.run(f"apt-get install -y -qq --no-install-recommends {KEPT} /later.deb")
    assert machine.path("/opt/exit-terminal/later").exists()
    assert machine.run(f"cd {FOLDER} && find . -type f | sort | xargs sha256sum") == before
    assert "exit-7" in machine.path("/etc/default/exit-terminal").read_text()
    assert machine.run("exit-terminal check --json || true").count('"lane": "exit-7"') == 1, (
        "the command has its values"
    )
    told = [line for line in machine.path("/run/systemctl.log").read_text().splitlines() if line.startswith("st")]
    assert told == [
        "stop exit-terminal.service exit-terminal@worker.service",
        "start exit-terminal.service exit-terminal@worker.service",
    ]
    assert not machine.path("/run/exit-terminal.stopped").exists()


def test_after_removal_the_program_is_gone_and_money_s_journals_and_keys_are_not(machine: Root) -> None:
    before = machine.run(f"cd {FOLDER} && find . -type f | sort | xargs sha256sum")
    assert "secrets/" in before
    machine.run("apt-get remove -y -qq exit-terminal")
    assert not machine.path("/opt/exit-terminal").exists()
    assert not machine.path("/usr/bin/exit-terminal").exists()
    assert "exit-7" in machine.path("/etc/default/exit-terminal").read_text()
    assert FOLDER in machine.run("apt-get purge -y -qq exit-terminal")
    assert not machine.path("/etc/default/exit-terminal").exists()
    assert machine.run(f"cd {FOLDER} && find . -type f | sort | xargs sha256sum") == before
    assert machine.run("dpkg-query -W exit-terminal 2>&1", status=1)


def test_lintian_finds_no_error(tmp_path: Path) -> None:
    """What it is told to pass over stands with its reason in deploy/debian/lintian-overrides."""
    root = Root(tmp_path / "root")
    root.run("apt-get update -qq && apt-get install -y -qq --no-install-recommends lintian")
    shutil.copyfile(built(".deb"), root.path("/exit-terminal.deb"))
    said = root.run("lintian --fail-on error,warning --tag-display-limit 0 /exit-terminal.deb")
    assert "E: " not in said and "W: " not in said, said
    shutil.rmtree(root.folder)


def test_the_wheelhouse_is_installed_without_a_network_and_without_a_compiler(tmp_path: Path) -> None:
    root = Root(tmp_path / "root")
    root.run("apt-get update -qq && apt-get install -y -qq --no-install-recommends python3-venv libfribidi0")
    subprocess.run(["tar", "-xf", built("-wheels.tar"), "-C", root.folder], check=True)
    page = (TREE / "deploy/install.md").read_text()
    block = page.partition("<!-- wheelhouse -->")[2].partition("```sh\n")[2].partition("```")[0]
    commands = [
        line.replace("sudo ", "") for line in block.splitlines() if "tar -x" not in line and "apt-get" not in line
    ]
    assert len(commands) == 3
    root.run("mkdir -p /opt/exit-terminal; cd /wheels; " + "; ".join(commands), network=False)
    assert root.run("/opt/exit-terminal/.venv/bin/exit-terminal --version", network=False)
    root.run("/opt/exit-terminal/.venv/bin/python -c 'import lgpio, spidev, evdev'", network=False)
    root.run("! command -v gcc", network=False)
    one = next(root.path("/wheels").glob("pillow*"))
    one.write_bytes(one.read_bytes()[:-1])
    root.run(f"cd /wheels; {commands[0]}", network=False, status=1)
