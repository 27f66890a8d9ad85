"""A whole installation on a disk, and what may be wrong with it, for the check command."""

from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519

from drivers.panel_kinds import check_offset, datasheet_hz
from terminal.config.load import load
from terminal.config.schema import Settings
from terminal.payby.sandbox.server import Sandbox
from terminal.payby.server_clock import LocalSystemClock
from terminal.tools.check.finding import Machine
from tests.support.rsa_keys import rsa_key

PRIVATE = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
PUBLIC = (serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
MERCHANT = rsa_key("merchant")
PAYBY = rsa_key("payby")
WORKER = ed25519.Ed25519PrivateKey.generate()
CONSOLE = ed25519.Ed25519PrivateKey.generate()


class LateClock(LocalSystemClock):
    """Two minutes behind."""

    def wall_ms(self) -> int:
        return super().wall_ms() - 120_000


def write(path: Path, content: bytes | str, mode: int = 0o600) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    path.chmod(mode)


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with Sandbox(merchant_keys=[MERCHANT.public_key()], private_key=PAYBY) as server:
        yield server


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with every key of a whole installation, and the devices of its machine."""
    write(tmp_path / "keys/merchant.pem", MERCHANT.private_bytes(*PRIVATE))
    write(tmp_path / "keys/merchant.pub.pem", MERCHANT.public_key().public_bytes(*PUBLIC))
    write(tmp_path / "keys/payby.pub.pem", PAYBY.public_key().public_bytes(*PUBLIC), 0o644)
    for name, key in (("worker", WORKER), ("console", CONSOLE)):
        write(tmp_path / f"keys/{name}.pem", key.private_bytes(*PRIVATE))
        write(tmp_path / f"keys/{name}.pub.pem", key.public_key().public_bytes(*PUBLIC), 0o644)
    write(tmp_path / "keys/ticket", "ab" * 32 + "\n")
    write(tmp_path / "keys/lane", "password\n")
    write(tmp_path / "dev/spidev0.0", "")
    write(tmp_path / "dev/ttyACM0", "")
    return tmp_path


def environment(base_url: str, mqtt_url: str, /, **changes: str) -> dict[str, str]:
    """The configuration of that folder; ``lcd_panel="png"`` changes a key."""
    values = {
        "garage_id": "marina", "garage_name": "Marina", "garage_name_ar": "مارينا", "garage_help_phone": "+971 4 0",
        "lane_id": "exit-1",
        "mqtt_url": mqtt_url, "mqtt_username": "lane", "mqtt_password_file": "users/lane",
        "payby_base_url": base_url, "payby_partner_id": "'200000000888'", "payby_timeout": "2.0",
        "payby_private_key": "keys/merchant.pem", "payby_payby_public_key": '["keys/payby.pub.pem"]',
        "lift_private_key": "keys/worker.pem",
        "lift_trusted": '{ worker = "keys/worker.pub.pem", console = "keys/console.pub.pem" }',
        "ticket_keys": '{ k1 = "keys/ticket" }',
        "reader_driver": "serial", "reader_device": "dev/ttyACM0",
        "lcd_panel": "ili9341", "lcd_speed_hz": "8000000",
        "barrier_raise_pin": "17", "barrier_journal": "barrier.db",
        "loops_waiting_pin": "5", "loops_boom_pin": "6",
        "console_lift_private_key": "keys/console.pem",
        "console_port": "0",
        "journal_path": "journal.db",
    } | changes  # fmt: skip
    return {f"EXIT_TERMINAL_{name.upper()}": value for name, value in values.items()}


def configured(place: Path, base_url: str, mqtt_url: str, /, **changes: str) -> Settings:
    """The settings of it."""
    file = place / "exit.toml"
    file.write_text("")
    return load(file, environment(base_url, mqtt_url, **changes))


def machine(place: Path, *, ntp: bool | None = True, no_gpio: str = "") -> Machine:
    def open_pins(kind: str) -> SimpleNamespace:
        if no_gpio:
            raise RuntimeError(no_gpio)
        return SimpleNamespace(close=lambda: None)

    return Machine(
        open_pins=open_pins,
        ntp=lambda: ntp,
        datasheet_hz=datasheet_hz,
        check_offset=check_offset,
        dev=place / "dev",
        spi_bytes=place / "dev/bufsiz",
    )


CHANGES = [
    ({"payby_payby_public_key": '["keys/merchant.pub.pem"]'}, "is the merchant's own public key"),
    ({"payby_payby_public_key": '["keys/absent"]'}, "FAIL  keys payby.payby_public_key: "),
    ({"payby_private_key": "keys/worker.pem"}, "worker.pem: not an RSA key"),
    ({"lift_private_key": "keys/console.pem"}, "lift.private_key: lift.trusted has no worker with its public half"),
    ({"lift_private_key": "keys/merchant.pem"}, "merchant.pem: not an Ed25519 key"),
    ({"console_lift_private_key": "keys/worker.pem"}, "lift.trusted has no console with its public half"),
    ({"lift_trusted": '{ worker = "keys/worker.pub.pem", worker2 = "keys/worker.pub.pem" }'}, "are the same key"),
    ({"ticket_keys": '{ k1 = "keys/lane" }'}, "ticket.keys.k1: "),
    ({"mqtt_password_file": "keys/lane"}, "FAIL  broker: mqtt: the broker refuses: "),
    ({"mqtt_password_file": "keys/absent"}, "FAIL  password mqtt.password_file: mqtt.password_file: cannot read"),
    ({"mqtt_url": "mqtt://127.0.0.1:1"}, "FAIL  broker: mqtt://127.0.0.1:1 cannot be reached"),
    ({"broker_users": "users", "broker_port": "1"}, "but the embedded broker listens on 1"),
    ({"journal_path": "absent/journal.db"}, "absent cannot be written"),
    ({"journal_path": "keys/lane"}, "not a journal (file is not a database); it is left as it is"),
    ({"barrier_journal": "keys"}, "keys: a folder lies there; it is left as it is"),
    ({"lcd_spi_device": "1"}, "spidev0.1 is not there"),
    ({"reader_device": "dev/ttyACM9"}, "ttyACM9 is not there"),
    ({"lcd_panel": "png", "lcd_folder": "absent/out", "lcd_size": "480x320"}, "which cannot be written"),
    ({"payby_base_url": "http://127.0.0.1:1/sgs/api"}, "FAIL  PayBy: acquire2/getOrder: "),
    ({"payby_partner_id": "'200000000999'"}, "upload merchant.pub.pem"),
]  # fmt: skip
