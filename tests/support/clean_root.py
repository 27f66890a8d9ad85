"""A clean root of a Debian release, as `deploy/debian/build` makes it, and the package that was built for it."""

import os
import shutil
import subprocess
from pathlib import Path

TREE = Path(__file__).parents[2]
RELEASE = os.environ.get("RELEASE", "bookworm")
NUMBER = {"bookworm": "12", "trixie": "13"}[RELEASE]
FOLDER = "/var/lib/exit-terminal"


def built(ending: str) -> Path:
    (path,) = (TREE / "dist").glob(f"exit-terminal_*+deb{NUMBER}_*{ending}")
    return path


class Root:
    """A clean root of the release, in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        archive = TREE / "build/roots" / f"{RELEASE}.tar"
        subprocess.run(["tar", "-xf", archive, "-C", folder], check=True)
        for name in ("/etc/resolv.conf", "/etc/hosts"):
            if Path(name).exists():
                shutil.copyfile(name, folder / name[1:])

    def path(self, name: str) -> Path:
        return self.folder / name[1:]

    def run(self, command: str, *, network: bool = True, status: int = 0) -> str:
        """What a shell's command says on both outputs; it must end with that status."""
        apart = ["unshare", "--mount", "--pid", "--fork", "--kill-child", *([] if network else ["--net"])]
        clean = "env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 DEBIAN_FRONTEND=noninteractive"
        inner = f'mount -t proc proc "$0/proc" && exec chroot "$0" {clean} sh -euc "$1"'
        ended = subprocess.run(
            [*apart, "sh", "-c", inner, self.folder, command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, timeout=500, check=False,
        )  # fmt: skip
        assert ended.returncode == status, f"{command}: {ended.returncode}\n{ended.stdout[-3000:]}"
        return ended.stdout
