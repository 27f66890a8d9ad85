"""The package on a machine that boots: Debian's kernel and systemd, virtual, and the units as they are shipped.

What no root without a service manager can show: that systemd lends the service its secrets, hears READY, starts a
frozen program again, and leaves alone one that ends with status 2. `make package-test` builds the package first.
"""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.clean_root import Root, built

PROVE = Path(__file__).with_name("prove.sh")
UNIT = """\
[Unit]
After=multi-user.target
[Service]
Type=oneshot
TimeoutStartSec=infinity
ExecStart=/prove.sh
[Install]
WantedBy=default.target
"""
WAIT_S = 1800
"""For the whole: everything is emulated, for not every machine lends its processor's virtualisation."""


def image(folder: Path) -> tuple[Path, Path]:
    """The root with the package, a kernel and systemd; and the same as a disk."""
    root = Root(folder / "root")
    shutil.copyfile(built(".deb"), root.path("/exit-terminal.deb"))
    root.run(
        "apt-get update -qq && apt-get install -y -qq --no-install-recommends /exit-terminal.deb mosquitto systemd-sysv"
        " dbus initramfs-tools linux-image-cloud-$(dpkg --print-architecture) && systemctl enable systemd-networkd"
    )
    shutil.copyfile(PROVE, root.path("/prove.sh"))
    root.path("/prove.sh").chmod(0o755)
    root.path("/etc/systemd/system/prove.service").write_text(UNIT)
    root.run("systemctl enable prove.service; systemctl mask serial-getty@ttyS0.service; apt-get clean")
    root.path("/etc/hosts").write_text("127.0.0.1 localhost\n")
    disk = folder / "disk"
    subprocess.run(["mke2fs", "-q", "-t", "ext4", "-d", root.folder, disk, "4G"], check=True)
    return root.folder, disk


@pytest.fixture(scope="module")
def proved(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What the machine has found, by name."""
    folder = tmp_path_factory.mktemp("boot")
    root, disk = image(folder)
    (kernel,), (initrd,) = (list(root.glob(f"boot/{name}-*")) for name in ("vmlinuz", "initrd.img"))
    ended = subprocess.run(
        [
            "qemu-system-x86_64", "-accel", "tcg,thread=multi", "-cpu", "max", "-m", "1024", "-smp", "2",
            "-nographic", "-no-reboot", "-nic", "none", "-kernel", kernel, "-initrd", initrd,
            "-append", "root=/dev/vda rw console=ttyS0 quiet",
            "-drive", f"file={disk},if=virtio,format=raw",
        ],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=WAIT_S, check=False,
    )  # fmt: skip
    said = ended.stdout.decode(errors="replace")
    shutil.rmtree(folder)
    found = dict(re.findall(r"PROVED ([\w.-]+)=([^\r\n]*)", said))
    assert "end" in found, said[-6000:]
    return found


@pytest.mark.parametrize("unit", ["exit-terminal.service", "exit-terminal-server.service"])
def test_a_unit_serves_when_its_start_returns_and_has_its_secrets_from_systemd(
    proved: dict[str, str], unit: str
) -> None:
    assert (proved[f"{unit}.start"], proved[f"{unit}.active"]) == ("0", "active")
    assert proved[f"{unit}.status"], "systemctl status shows how it is"
    assert int(proved[f"{unit}.lent"]) >= 5


def test_a_server_s_secrets_are_root_s_alone_and_it_serves_all_the_same(proved: dict[str, str]) -> None:
    assert proved["readable"] == "0"
    assert proved["exit-terminal-server.service.stopped"] == "success"


def test_a_frozen_program_is_started_again(proved: dict[str, str]) -> None:
    assert (proved["thawed"], int(proved["restarts"]) > 0) == ("0", True)


def test_one_that_must_be_corrected_first_is_not_started_again(proved: dict[str, str]) -> None:
    assert (proved["wrong.active"], proved["wrong.status"]) == ("failed", "2")
    assert proved["wrong.start"] != "0"


def test_nothing_else_of_the_machine_has_failed(proved: dict[str, str]) -> None:
    assert proved["failed"] == ""
