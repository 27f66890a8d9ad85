"""The Mosquitto that deploy/ ships, running on this machine: TLS, client certificates, access rules, persistence."""

import signal
import subprocess
from pathlib import Path

from terminal.contract.access import mosquitto_acl
from terminal.mqtt.client import MqttClient
from tests.support.authority import Authority
from tests.support.leash import LEASH, bring_down
from tests.support.ports import free_port, listens

DEPLOY = Path(__file__).parents[2] / "deploy" / "mosquitto"
PASSWORD_VARIANT = "require_certificate false\npassword_file {folder}/passwords\n"


TESTER = "tester"
"""A user who may do everything: another vendor's loops, an intruder, and who listens to them all."""


class ShippedMosquitto:
    """``deploy/mosquitto/mosquitto.conf`` with its paths moved into ``folder``; start() it and stop() it at will.

    ``more``: further lines of the configuration; ``tail``: at its end.
    """

    def __init__(self, folder: Path, authority: Authority, *, passwords: bool = False, days: int = 1) -> None:
        self.folder, self.authority = folder, authority
        self.host, self.port = "127.0.0.1", free_port()
        self.passwords = passwords
        self.more = self.tail = ""
        self.process: subprocess.Popen[bytes] | None = None
        authority.issue("server", "localhost", "127.0.0.1", days=days)

    @property
    def url(self) -> str:
        return f"mqtts://localhost:{self.port}"

    def start(self, rules: str | None = None) -> None:
        """``rules``: the access list, if not the one that is shipped."""
        acl = self.folder / "acl"
        if rules is not None or not acl.exists():
            own = f"user {TESTER}\ntopic readwrite parking/#\n"
            acl.write_text(f"{mosquitto_acl('marina')}\n{own}" if rules is None else rules)
            acl.chmod(0o600)
        text = (DEPLOY / "mosquitto.conf").read_text()
        if self.passwords:
            text = text.replace(
                "require_certificate true\nuse_identity_as_username true\n",
                PASSWORD_VARIANT.format(folder=self.folder),
            )
            assert "password_file" in text.split("#   require")[0]
        text = text.replace("listener 8883", f"listener {self.port} {self.host}\nuser root\n{self.more}")
        text = text.replace("/etc/mosquitto/certs", str(self.authority.folder))
        text = text.replace("/etc/mosquitto", str(self.folder)).replace("/var/lib/mosquitto/", f"{self.folder}/")
        (self.folder / "mosquitto.conf").write_text(text + self.tail)
        log = self.folder / "log"
        with log.open("ab") as file:
            words = [*LEASH, "mosquitto", "-c", str(self.folder / "mosquitto.conf")]
            self.process = subprocess.Popen(words, stdout=file, stderr=file)
        listens(self.process, self.port, log, host=self.host)

    def stop(self, how: int = signal.SIGTERM) -> None:
        if self.process:
            bring_down(self.process, how)
            self.process = None

    def bus(self, user: str, host: str = "localhost", **more: str) -> MqttClient:
        """A client with that user's certificate."""
        certificate, key = self.authority.issue(user)
        return MqttClient(
            f"mqtts://{host}:{self.port}",
            username=user,
            ca_file=self.authority.file,
            cert_file=certificate,
            key_file=key,
            **more,  # type: ignore[arg-type]  # for any argument
        )
