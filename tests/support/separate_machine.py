"""A machine of its own on this one: network, mounts and processes apart, so that the commands of a page run as they
stand there, on their real paths, and touch nothing of this machine. Needs root.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.support.eventually import soon
from tests.support.leash import LEASH

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = "/opt/exit-terminal/.venv/bin/exit-terminal"
FOLDER = "/var/lib/exit-terminal"
_SHIMS = {
    "sudo": '#!/bin/sh\n[ "$1" = -u ] && shift 2\nexec "$@"\n',
    "apt-get": "#!/bin/sh\n",
    "systemctl": """#!/bin/sh
case "$1 $2" in
"restart mosquitto")
    if [ -e /run/mosquitto.pid ]; then
        old=$(cat /run/mosquitto.pid); kill "$old"
        while [ -e "/proc/$old/exe" ]; do sleep 0.05; done
    fi
    setsid mosquitto -c /etc/mosquitto/mosquitto.conf >>/run/mosquitto.log 2>&1 & echo $! >/run/mosquitto.pid ;;
*" exit-terminal"*) ;;
"reload mosquitto") kill -HUP "$(cat /run/mosquitto.pid)" ;;
*) exit 1 ;;
esac
""",
}
"""What systemd and Debian's installer do on a real machine."""
_SET_UP = """
set -e
for folder in /opt /var/lib /etc/mosquitto /run; do mount -t tmpfs -o mode=755 tmpfs $folder; done
mkdir -p /opt/exit-terminal/.venv/bin /var/lib/mosquitto
chown mosquitto /var/lib/mosquitto
cp "$SHIMS"/python "$SHIMS"/exit-terminal /opt/exit-terminal/.venv/bin
mount --bind "$SHIMS"/hosts /etc/hosts
ip link set lo up
echo ready
exec sleep infinity
"""


def possible() -> bool:
    """May namespaces be made here?"""
    if os.geteuid() != 0 or any(shutil.which(name) is None for name in ("ip", "nsenter", "unshare", "mosquitto")):
        return False
    if not Path("/etc/mosquitto").is_dir() or ROOT.is_relative_to("/opt") or ROOT.is_relative_to("/var/lib"):
        return False
    words = ["unshare", "--mount", "--net", "--pid", "--fork", "true"]
    return subprocess.run(words, capture_output=True, check=False).returncode == 0


class SeparateMachine:
    """``with SeparateMachine(folder, hosts)``; ``folder`` is for its programs, ``hosts`` what /etc/hosts says."""

    def __init__(self, folder: Path, hosts: dict[str, str]) -> None:
        folder.mkdir()
        python = f'#!/bin/sh\ncd "${{PWD:-/}}" && PYTHONPATH={ROOT} exec {sys.executable} '
        for name, text in {
            **_SHIMS, "python": python + '"$@"\n', "exit-terminal": python + '-m terminal "$@"\n',
            "hosts": "127.0.0.1 localhost\n" + "".join(f"{address} {name}\n" for name, address in hosts.items()),
        }.items():  # fmt: skip
            (folder / name).write_text(text)
            (folder / name).chmod(0o755)
        self._shims = folder
        self._started: list[subprocess.Popen[str]] = []

    def __enter__(self) -> Self:
        words = ["unshare", "--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-c", _SET_UP]
        self._holder = subprocess.Popen(
            [*LEASH, *words], env={**os.environ, "SHIMS": str(self._shims)}, stdout=subprocess.PIPE, text=True
        )
        assert self._holder.stdout
        assert self._holder.stdout.readline() == "ready\n"
        outer = self._holder.pid
        self.pid = int(Path(f"/proc/{outer}/task/{outer}/children").read_text().split()[0])
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._holder.kill()
        for process in (self._holder, *self._started):
            process.wait()
            for pipe in (process.stdin, process.stdout):
                if pipe:
                    pipe.close()

    def path(self, name: str) -> Path:
        """A file of that machine, as this one sees it."""
        return Path(f"/proc/{self.pid}/root{name}")

    def _words(self, command: str) -> list[str]:
        here = f"export PATH={self._shims}:$PATH; cd /opt/exit-terminal; {command}"
        return ["nsenter", "-t", str(self.pid), "-m", "-n", "-p", "sh", "-c", here]

    def run(self, command: str, *, status: int = 0) -> str:
        """What a command says, which must end with that status."""
        ended = subprocess.run(self._words(command), capture_output=True, text=True, timeout=60, check=False)
        assert ended.returncode == status, f"{command}: {ended.returncode}\n{ended.stdout}{ended.stderr}"
        return ended.stdout

    def start(self, command: str, log: Path) -> "subprocess.Popen[str]":
        """A command that goes on until the machine ends; what it says goes to ``log``."""
        with log.open("w") as out:
            process = subprocess.Popen(
                self._words(f"exec {command}"), stdin=subprocess.PIPE, stdout=out, stderr=out, text=True
            )
        self._started.append(process)
        return process

    def checked(self) -> dict[str, tuple[str, str]]:
        """Outcome and message of each part, as `check` has it."""
        words = [*self._words(f"{PROGRAM} --config {FOLDER}/exit-terminal.toml check --json")]
        ended = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
        document: dict[str, Any] = json.loads(ended.stdout)
        return {said["name"]: (said["outcome"], said["message"]) for said in document["checks"]}

    def says(self, log: Path, text: str) -> None:
        """Wait until that is in the log."""
        soon(lambda: text in log.read_text())


def cable(one: SeparateMachine, other: SeparateMachine, addresses: tuple[str, str]) -> None:
    """Connect two machines, each with its address."""
    words = f"ip link add cable netns {one.pid} type veth peer name cable netns {other.pid}"
    subprocess.run(words.split(), check=True)
    for machine, address in zip((one, other), addresses, strict=True):
        machine.run(f"ip address add {address}/24 dev cable && ip link set cable up")
