"""The Mosquitto of an operator's overview, as deploy/cluster/overview.conf sets it up, and a garage's that feeds it."""

import signal
import subprocess
from pathlib import Path

from terminal.contract.bridge import bridge, centre_acl, feed_user
from tests.support.authority import Authority
from tests.support.leash import LEASH, bring_down
from tests.support.ports import free_port, listens
from tests.support.shipped_mosquitto import ShippedMosquitto

CONF = Path(__file__).parents[2] / "deploy/cluster/overview.conf"


class OverviewMosquitto:
    """In ``folder``, with an authority of its own; its watchers' password is `watch-password`."""

    def __init__(self, folder: Path, garages: tuple[str, ...]) -> None:
        folder.mkdir()
        self.folder, self.garages = folder, garages
        self.authority = Authority(folder)
        self.authority.issue("server", "localhost", "127.0.0.1")
        self.feeds, self.port = free_port(), free_port()
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"mqtt://127.0.0.1:{self.port}"

    def start(self) -> None:
        (self.folder / "acl").write_text(centre_acl(self.garages))
        words = ["mosquitto_passwd", "-b", "-c", str(self.folder / "watchers"), "watch", "watch-password"]
        subprocess.run(words, check=True, capture_output=True)
        for name in ("acl", "watchers"):
            (self.folder / name).chmod(0o600)
        text = CONF.read_text().replace("listener 8883", f"listener {self.feeds} 127.0.0.1\nuser root")
        text = text.replace("listener 1884", f"listener {self.port}").replace("/etc/mosquitto/certs", str(self.folder))
        (self.folder / "mosquitto.conf").write_text(text.replace("/etc/mosquitto", str(self.folder)))
        with (self.folder / "log").open("ab") as log:
            words = [*LEASH, "mosquitto", "-c", str(self.folder / "mosquitto.conf")]
            self.process = subprocess.Popen(words, stdout=log, stderr=log)
        listens(self.process, self.port, self.folder / "log")

    def stop(self) -> None:
        if self.process:
            bring_down(self.process, signal.SIGTERM)
            self.process = None

    def feed(self, site: ShippedMosquitto, garage: str = "marina") -> None:
        """Give the garage's broker, before it starts, a certificate of this authority and its bridge to here."""
        (site.folder / "overview-ca.crt").write_bytes(self.authority.file.read_bytes())
        for file in self.authority.issue(feed_user(garage)):
            (site.folder / file.name).write_bytes(file.read_bytes())
        bridges = site.folder / "bridges"
        bridges.mkdir()
        (bridges / "bridge.conf").write_text(bridge(garage, f"localhost:{self.feeds}", str(site.folder)))
        site.tail = f"\ninclude_dir {bridges}\n"
