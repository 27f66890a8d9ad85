"""The refund command at a broker, its configuration and keys, and a worker that answers it."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from broker.embedded import EmbeddedBroker
from terminal.clock import SystemClock
from terminal.config.load import load
from terminal.config.schema import Settings
from terminal.contract.messages import Command, Receipt, Refund
from terminal.core.ids import refund_no
from terminal.mqtt.endpoint import Endpoint
from terminal.tools.refund import command as refund
from terminal.tools.refund.command import ConsoleSigner, give_back, read_wish
from terminal.tools.refund.follow_up import FollowUpLimits
from tests.conftest import embedded_bus
from tests.support.garage import Garage

QUICK = FollowUpLimits(answer_s=1.0, end_s=1.0, repeat_s=0.05)
"""For tests in which a limit is reached."""
PATIENT = FollowUpLimits(answer_s=20.0, end_s=20.0, repeat_s=0.05)
ORDER = "marina-exit-1-0190d3f07c1e7a529d2f0123456789ab"
SESSION = "0190d3f0-7c1e-7a52-9d2f-0123456789ab"
CONFIGURATION = """\
[garage]
id = "marina"
[mqtt]
url = "{url}"
username = "{user}"
password_file = "password"
[lift]
trusted = {{ worker = "worker.pub.pem", console = "console.pub.pem" }}
[console]
lift_private_key = "{key}.pem"
[journal]
path = "journal.db"
"""


def write_pair(folder: Path, name: str) -> None:
    key = Ed25519PrivateKey.generate()
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / f"{name}.pem").touch(mode=0o600)
    (folder / f"{name}.pem").write_bytes(private)
    (folder / f"{name}.pub.pem").write_bytes(
        key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )


def configured(
    folder: Path, url: str = "mqtt://127.0.0.1:1", *, user: str = "console", key: str = "console", more: str = ""
) -> Settings:
    """A console's configuration, with keys."""
    for name in ("worker", "console", "stranger"):
        if not (folder / f"{name}.pem").exists():
            write_pair(folder, name)
    (folder / "password").touch(mode=0o600)
    (folder / "password").write_text("unused\n")
    (folder / "console.toml").write_text(CONFIGURATION.format(url=url, user=user, key=key) + more)
    return load(folder / "console.toml", {})


def on(broker: EmbeddedBroker, folder: Path) -> Settings:
    """The configuration of the machine that the embedded broker runs on."""
    users = broker.password_file("console").parent
    return configured(folder, broker.url, user="lane", more=f'[broker]\nport = {broker.port}\nusers = "{users}"\n')


def with_console(lane: Garage, more: str = "") -> Settings:
    """The garage's configuration with a console, as it is from now on; ``more``: of its section."""
    write_pair(lane.folder / "secrets", "console")
    text = lane.file.read_text(encoding="utf-8").replace(
        'worker = "secrets/worker.pub.pem"',
        'worker = "secrets/worker.pub.pem", console = "secrets/console.pub.pem"',
    )
    lane.file.write_text(text + '[console]\nlift_private_key = "secrets/console.pem"\n' + more, encoding="utf-8")
    return load(lane.file, {})


@dataclass
class Spoken:
    """What the command said to a person."""

    said: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    async def give_back(
        self, settings: Settings, limits: FollowUpLimits = PATIENT, amount: str | None = None, order: str = ORDER
    ) -> int:
        wish = read_wish(settings, order, amount, "overcharged")
        return await give_back(
            settings,
            wish,
            ConsoleSigner.load(settings),
            say=self.said.append,
            complain=self.complaints.append,
            limits=limits,
        )

    def run(self, settings: Settings, order: str = ORDER, **more: Any) -> int:
        return refund.run(settings, order, say=self.said.append, complain=self.complaints.append, **more)


@dataclass
class Worker:
    """Answers commands: ``answers`` gives the answer to the n-th one."""

    endpoint: Endpoint
    answers: Callable[["Worker", Command, int], list[Receipt | Refund]]
    commands: list[Command] = field(default_factory=list)

    async def run(self) -> None:
        with self.endpoint.subscribe("command") as hearing:
            async for heard in hearing:
                heard.ack()
                command = heard.message
                assert isinstance(command, Command)
                self.commands.append(command)
                for message in self.answers(self, command, len(self.commands)):
                    await self.endpoint.publish(message)

    def receipt(self, command: Command, outcome: str = "done", why: str | None = None, **more: Any) -> Receipt:
        return Receipt(**self.endpoint.head(), **{"command": command.id, "outcome": outcome, "why": why} | more)

    def refund(self, command: Command, status: str, **more: Any) -> Refund:
        fields = {"order_no": command.order_no, "refund_no": refund_no(command.id), "status": status} | more
        return Refund(**self.endpoint.head(), **fields)


async def at_work(
    broker: EmbeddedBroker, answers: Callable[[Worker, Command, int], list[Receipt | Refund]], work: Any
) -> tuple[Any, Worker]:
    """What ``work`` comes to while such a worker is there."""
    async with embedded_bus(broker, "worker") as bus:
        endpoint = Endpoint(bus, garage="marina", lane="exit-1", role="worker", version="1", clock=SystemClock())
        worker = Worker(endpoint, answers)
        task = asyncio.create_task(worker.run())
        try:
            return await asyncio.wait_for(work, 25), worker
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
