"""The processes of a garage as the chaos starts them: each witnessed, forked off, and by a configuration of its own."""

import secrets
import subprocess
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from terminal.contract.access import USERS, WATCHERS, mosquitto_acl
from terminal.contract.messages import MESSAGES
from terminal.contract.topics import GARAGE_WIDE
from terminal.mqtt.client import MqttClient
from terminal.mqtt.takeover import TAKEN_OVER
from tests.chaos.bell import Bell
from tests.chaos.handouts import lay
from tests.chaos.kerb import Kerb
from tests.chaos.witness import SEATED
from tests.support.garage import Garage, Heard, Process
from tests.support.mother import Mother

OF_DRIVERS = ("credit", "receipt", "enquiry", "invoice")
"""Said in the garage's place, and heard by who looks at the first lane: its drivers bring it about."""
LOOPS = "[loops]\nwaiting_pin = 5\nboom_pin = 6"


class Ears(Heard):
    """Hears for each lane, writes it down, and rings."""

    def __init__(self, kerbs: list[Kerb], bell: Bell, log: Path) -> None:
        super().__init__()
        self.beats: list[tuple[str, str, str]] = []
        """Lane, role and state of each live heartbeat; whose line was cut three times in a minute says so for another
        minute, and is there all the same."""
        self._states: dict[tuple[str, str], tuple[str, str]] = {}
        """By lane and role: what a role said last of its state, and its instance."""
        self.alerts: list[dict[str, Any]] = []
        self.workers: dict[str, int] = {}
        """The instance of each worker that was there, and the ms at which it was first heard."""
        self._kerbs, self._bell, self._log = {kerb.name: kerb for kerb in kerbs}, bell, log

    async def follow(self, bus: MqttClient) -> None:
        with self._log.open("a", encoding="utf-8") as log:
            async for delivery in bus.subscribe(*self._filters()):
                delivery.ack()
                _, _, lane, what = delivery.topic.split("/", 3)
                log.write(f"{time.time_ns() // 1_000_000} {delivery.retained:d} {lane} {what} {delivery.payload!r}\n")
                async with self._news:
                    self.all.append((what, self.fields(delivery.payload)))
                    self._news.notify_all()
                if what.startswith("health/") and not delivery.retained:
                    health = self.all[-1][1]
                    state = "online" if health.get("reason") == TAKEN_OVER else health.get("state", "")
                    role, instance = what.removeprefix("health/"), health.get("instance", "")
                    self._states[lane, role] = state, instance
                    self.beats.append((lane, role, state))
                    if role == "worker" and state != "offline":
                        self.workers.setdefault(instance, time.time_ns() // 1_000_000)
                    if role == "run" and state != "offline":  # one beat for all roles of its process
                        self.beats += [(*at, last[0]) for at, last in self._states.items() if last[1] == instance]
                if what == "alert":
                    self.alerts.append(self.all[-1][1])
                if kerb := self._kerbs.get(lane):
                    kerb.said.append(self.all[-1])
                elif what in OF_DRIVERS:
                    next(iter(self._kerbs.values())).said.append(self.all[-1])
                self._bell.ring()

    def _filters(self) -> Iterator[str]:
        """All but the other lanes' fees, which may be a flood."""
        first, *others = self._kerbs
        yield from (f"parking/marina/{place}/#" for place in (GARAGE_WIDE, first))
        kinds = [*(what for what in MESSAGES if what not in ("fee", "health")), "health/+", "alerts/+"]
        yield from (f"parking/marina/{lane}/{what}" for lane in others for what in kinds)


class Witnessed(Garage):
    """Commands run under tests/chaos/witness.py; another lane's name is the command that runs it, and ``worker.a`` is
    a worker with a configuration of its own."""

    kerbs: list[Kerb]
    mother: Mother

    async def spawn(self, command: str, *, env: dict[str, str] | None = None) -> Process:
        log = self.folder / f"{command}.log"
        self.running[command] = Process(await self.mother.bear(log, self.words(command)), log)
        return self.running[command]

    def words(self, command: str) -> list[str]:
        kerb = next((kerb for kerb in self.kerbs if kerb.name == command), None)
        file = kerb.folder / "exit-terminal.toml" if kerb else self.file
        kerb, name = (kerb, "run") if kerb else (self.kerbs[0], command)
        if name.startswith(SEATED):
            file = self.folder / f"{name}.toml"
        return [str(kerb.port), str(kerb.folder), name, name.partition(".")[0], "--config", str(file)]


def passwords(folder: Path, names: Iterable[str] = (*USERS, *WATCHERS)) -> dict[str, str]:
    """Of the broker's users, each in a file of its own as well."""
    users = folder / "users"
    users.mkdir(mode=0o700)
    made = {name: secrets.token_urlsafe(24) for name in names}
    for name, password in made.items():
        (users / name).touch(mode=0o600)
        (users / name).write_text(password + "\n")
    return made


def guard(folder: Path, known: Mapping[str, str], lanes: list[str]) -> str:
    """Mosquitto's configuration for users with these passwords and the rights of the product's access list."""
    (folder / "acl").write_text(mosquitto_acl("marina", lanes))
    (folder / "passwords").write_text("".join(f"{name}:{password}\n" for name, password in known.items()))
    for name in ("acl", "passwords"):
        (folder / name).chmod(0o600)
    subprocess.run(["mosquitto_passwd", "-U", str(folder / "passwords")], check=True, capture_output=True)
    return f"allow_anonymous false\npassword_file {folder}/passwords\nacl_file {folder}/acl"


def configure(garage: Witnessed, broker: str, *, guarded: bool) -> None:
    """The first lane's scanner and a console's key; and the other lanes, which have no worker of their own."""
    folder, file, kerbs = garage.folder, garage.file, garage.kerbs
    key = Ed25519PrivateKey.generate()
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    for name, data in (("console.pem", private), ("console.pub.pem", public)):
        (folder / "secrets" / name).touch(mode=0o600)
        (folder / "secrets" / name).write_bytes(data)
    lay(folder)
    text = file.read_text(encoding="utf-8")
    text = _set(text, "trusted", '{ worker = "secrets/worker.pub.pem", console = "secrets/console.pub.pem" }')
    file.write_text(_set(text, "device", f'"{kerbs[0].scanner}"'), encoding="utf-8")
    for kerb in kerbs[1:]:
        user = ("lane", '"../users/lane"') if broker else (kerb.name, '"../secrets/password"')
        user = (f"lane.{kerb.name}", f'"../users/lane.{kerb.name}"') if guarded else user
        own = text.replace("secrets/", "../secrets/").replace('private_key = "../secrets/merchant.pem"\n', "")
        own = own.replace(broker, "").replace(f"{LOOPS}\n", "").replace('[journal]\npath = "journal.db"\n', "")
        own = own.replace("[listener]\n", "").replace('id = "exit-1"', f'id = "{kerb.name}"')
        own = "\n".join(line for line in own.splitlines() if not line.startswith(("port = ", "notify_url")))
        own = _set(_set(own, "device", f'"{kerb.scanner}"'), "username", f'"{user[0]}"')
        (kerb.folder / "glass").mkdir()
        (kerb.folder / "exit-terminal.toml").write_text(_set(own, "password_file", user[1]), encoding="utf-8")


def broker_file(broker: str) -> str:
    """What the broker needs of the configuration, before there is the rest of it."""
    garage = '[garage]\nid = "marina"\nname = "Marina"\nname_ar = "مارينا"\nhelp_phone = "1"\n[lane]\nid = "exit-1"\n'
    return garage + broker


def _set(text: str, key: str, value: str) -> str:
    """The configuration with another value for a key."""
    lines = [f"{key} = {value}" if line.startswith(f"{key} = ") else line for line in text.splitlines()]
    return "\n".join(lines) + "\n"
