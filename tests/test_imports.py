"""What a process imports: what its configuration uses, and nothing else. Real processes, asked as they end."""

from pathlib import Path

import pytest

from tests.conftest import Mosquitto
from tests.support.eventually import eventually
from tests.support.garage import LIMIT_S
from tests.support.leaving import leaves
from tests.support.loaded import LoadedGarage, strangers
from tests.support.ports import free_port

ALWAYS = {"msgspec", "paho", "cryptography", "uuid_utils"}
CLIENT = {"aiohttp", "aiohappyeyeballs", "aiosignal", "attr", "frozenlist", "idna", "multidict", "propcache", "yarl"}
SERVER = CLIENT | {"prometheus_client"}
PINS = {"gpiozero", "colorzero"}
DRAWING = {"PIL", "zxingcpp", "fontpkg_ibm_plex_sans_arabic"}
BROKER = {"amqtt", "yaml", "websockets", "dacite", "transitions", "six"}
BACKPORTS = {"typing_extensions", "importlib_resources"}
"""What others import on an older Python alone, or where it is there."""

MAY = {
    "broker": BROKER,
    "worker": CLIENT | {"zxingcpp"},
    "listener": SERVER,
    "barrier": PINS,
    "loops": PINS,
    "lcd": DRAWING,
    "reader": {"serial"},
    "alerts": CLIENT | {"aiosmtplib"},
    "discovery": set(),
    "run": set(),
}
"""The packages of others that a role may have imported, beside ALWAYS."""

OURS = {
    "broker": {"broker"},
    "drivers.framebuffer": set(),
    "drivers.panel": {"lcd"},
    "drivers.pins": {"barrier", "loops"},
    "drivers.relay": {"barrier"},
    "drivers.scanner": {"reader"},
    "terminal.core.rules": {"worker"},
    "terminal.core.tariff.": {"worker", "reader"},
    "terminal.eventstore": {"worker"},
    "terminal.journal.journal": {"worker", "barrier"},
    "terminal.payby.client": {"worker"},
    "terminal.screen.renderer": {"lcd"},
    "terminal.contract.lift_rules": {"barrier", "worker"},
    "terminal.contract.access": {"broker", "run"},
    "terminal.demo": set(),
    "terminal.monitor": {"discovery"},
    "terminal.payby.sandbox": set(),
    "terminal.tools": set(),
}
"""Packages of ours, and the roles that need them."""


def wrong(modules: set[str], *roles: str) -> set[str]:
    """What is there, and none of these roles uses."""
    may = ALWAYS.union(BACKPORTS, *(MAY[role] for role in roles))
    unused = [ours for ours, users in OURS.items() if not users.intersection(roles)]
    return strangers(modules) - may | {name for name in modules if name.startswith(tuple(unused))}


async def visit(garage: LoadedGarage) -> None:
    """A ticket is read, paid, and lets its car out."""
    mark = garage.scan(garage.ticket())
    order = await garage.order(since=mark)
    await garage.code_on_glass(order["token_url"])
    await garage.sandbox.pay(order["token_url"])
    await leaves(garage, mark)


async def test_a_role_alone_imports_what_it_uses_whatever_else_is_configured(
    tmp_path: Path, mosquitto: Mosquitto
) -> None:
    roles = ("worker", "listener", "barrier", "lcd", "reader")
    async with LoadedGarage(tmp_path, mosquitto.url) as garage:
        await garage.start(*roles)
        await visit(garage)
        for role in roles:
            assert wrong(await garage.loaded(role), role) == set(), role


async def test_a_server_draws_nothing_and_has_no_pins_and_a_lane_calls_nobody(
    tmp_path: Path, mosquitto: Mosquitto
) -> None:
    machines = {"server": ("worker", "listener"), "lane": ("barrier", "lcd", "reader")}
    async with LoadedGarage(tmp_path, mosquitto.url, machines=machines) as garage:
        for machine in machines:
            await garage.spawn(machine, env={"EXIT_TERMINAL_MQTT_USERNAME": machine})
            await garage.ready(machine)
        await visit(garage)
        for machine, roles in machines.items():
            modules = await garage.loaded(machine)
            assert wrong(modules, "run", *roles) == set(), machine


async def test_a_whole_lane_without_a_broker_of_its_own_imports_none(tmp_path: Path, mosquitto: Mosquitto) -> None:
    async with LoadedGarage(tmp_path, mosquitto.url) as garage:
        await garage.start("run")
        await visit(garage)
        assert wrong(await garage.loaded("run"), "run", "worker", "listener", "barrier", "lcd", "reader") == set()


async def test_the_broker_comes_with_its_section(tmp_path: Path, mosquitto: Mosquitto) -> None:
    port = free_port()
    broker = f'[broker]\nport = {port}\nusers = "secrets/mqtt"\n'
    mqtt = {"URL": f"mqtt://127.0.0.1:{port}", "PASSWORD_FILE": "secrets/mqtt/lane"}
    machines = {"alone": ("broker",), "lane": ("broker", "barrier", "lcd", "reader")}
    async with LoadedGarage(tmp_path, mosquitto.url, machines=machines, more=broker) as garage:
        for machine, roles in machines.items():
            await garage.spawn(machine, env={f"EXIT_TERMINAL_MQTT_{key}": value for key, value in mqtt.items()})
            await garage.ready(machine)
            modules = await garage.loaded(machine)
            assert wrong(modules, *roles) == set(), machine
            assert "amqtt" in strangers(modules)


@pytest.mark.parametrize(
    ("command", "changes", "packages"),
    [
        ("loops", {}, PINS),
        ("discovery", {"DISCOVERY_ANNOUNCE": "true"}, set()),
        ("alerts", {"ALERTS_WEBHOOK_URL": "https://hooks.example.com/x"}, set()),
        ("reader", {"READER_DRIVER": "stdin"}, set()),
        ("reader", {"READER_DRIVER": "hid", "READER_DEVICE": "/dev/input/none"}, {"evdev"}),
        ("reader", {}, {"serial"}),
        ("lcd", {}, DRAWING),
        ("lcd", {"LCD_PANEL": "ili9341"}, DRAWING | PINS),
        ("lcd", {"LCD_PANEL": "framebuffer", "LCD_SIZE": "800x480", "LCD_FRAMEBUFFER": "/dev/none"}, DRAWING),
    ],
)
async def test_a_driver_comes_with_its_hardware(
    command: str, changes: dict[str, str], packages: set[str], tmp_path: Path, mosquitto: Mosquitto
) -> None:
    loops = "[loops]\nwaiting_pin = 5\nboom_pin = 6\n"
    async with LoadedGarage(tmp_path, mosquitto.url, loops=loops) as garage:
        await garage.spawn(command, env={f"EXIT_TERMINAL_{key}": value for key, value in changes.items()})
        enough = ("degraded",) if "LCD_PANEL" in changes else ("online", "degraded")
        await garage.heard.until(f"health/{command}", state=lambda state: state in enough)
        if command == "lcd" and not changes:  # online before it has drawn anything
            await eventually((garage.folder / "glass" / "latest.png").exists, limit_s=LIMIT_S, every_s=0.05)
        modules = await garage.loaded(command)
        assert strangers(modules) - ALWAYS - BACKPORTS == packages
        assert ("drivers.framebuffer" in modules) == (changes.get("LCD_PANEL") == "framebuffer")
