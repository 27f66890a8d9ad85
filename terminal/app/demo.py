"""The demo's wiring: an embedded broker, the PayBy sandbox and every real role, with simulated hardware.

Nothing is configured and nothing is kept: keys, configuration and journals are in a folder that is removed at the end.
"""

import asyncio
import shutil
import socket
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import replace
from pathlib import Path

from aiohttp import web
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from broker.embedded import EmbeddedBroker
from drivers.loops import InductionLoops
from drivers.panel_memory import MemoryPanel
from drivers.pins import MockPins
from drivers.relay import RelayBarrier
from drivers.simulated import SimulatedArm, SimulatedLoops, SimulatedRelay
from drivers.simulated_scanner import SimulatedScanner
from terminal import build
from terminal.app.connection import open_broker
from terminal.app.demo_desk import demo_desk
from terminal.app.roles import run_roles
from terminal.config import load
from terminal.config import schema as sections
from terminal.config.load import read_ticket_keys
from terminal.config.receipt_settings import ReceiptSettings
from terminal.config.schema import ConfigError, Settings, present
from terminal.core.ids import derived_id
from terminal.core.ticket import sign_ticket
from terminal.demo.cars import run_cars
from terminal.demo.lane import DemoLane
from terminal.demo.page import Page
from terminal.demo.ports import DemoParts, Tickets
from terminal.demo.wallet import Wallet
from terminal.mqtt.client import MqttClient
from terminal.payby.sandbox.command import key_pair
from terminal.payby.sandbox.server import Sandbox
from terminal.roles.barrier.role import RelayDriver
from terminal.roles.lcd import PanelDriver
from terminal.roles.loops import LoopsDriver
from terminal.roles.reader import ButtonDriver, ScannerDriver

ROLES = ("worker", "listener", "barrier", "loops", "lcd", "reader")
RAISE_PIN, UP_PIN, DOWN_PIN, WAITING_PIN, BOOM_PIN = 17, 27, 22, 5, 6
PROGRAM = "exit-terminal"
QUICK_S = 0.1
"""How fast (s) the arm rises and closes in a run of cars."""
GOES_TRIES, GOES_PAUSE_S = 20, 0.1
"""How often to try to remove the demo's folder."""
CONFIGURATION = """\
[garage]
id = "marina"
name = "Marina Garage"
name_ar = "مواقف المارينا"
help_phone = "+971 4 000 0000"
[lane]
id = "exit-1"
[mqtt]
url = "mqtt://127.0.0.1:1883"
username = "lane"
password_file = "secrets/mqtt/lane"
[broker]
port = 0
users = "secrets/mqtt"
[payby]
base_url = "http://127.0.0.1/sgs/api"
partner_id = "200000000888"
private_key = "secrets/merchant.pem"
payby_public_key = ["secrets/payby.pub.pem"]
notify_url = "http://127.0.0.1:{notify}/payby/notify"
[lift]
private_key = "secrets/worker.pem"
trusted = {{ worker = "secrets/worker.pub.pem", console = "secrets/console.pub.pem" }}
[ticket]
keys = {{ k1 = "secrets/ticket-k1" }}
[reader]
driver = "stdin"
[lcd]
panel = "ili9488"
[barrier]
raise_pin = 17
up_pin = 27
down_pin = 22
pulse = {pulse}
rise_time = {rise}
close_time = {close}
journal = "barrier.db"
[loops]
waiting_pin = 5
boom_pin = 6
[listener]
port = {notify}
[receipt]
supplier = "Marina Parking LLC"
supplier_ar = "المارينا للمواقف ذ.م.م"
address = "Marina Walk, Dubai, UAE"
address_ar = "مارينا ووك، دبي، الإمارات العربية المتحدة"
trn = "100000000000003"
url = "http://127.0.0.1:{notify}/receipt"
[console]
lift_private_key = "secrets/console.pem"
[journal]
path = "journal.db"
[gpio]
pins = "mock"
"""


class SimulatedHardware:
    """A hardware.Hardware whose other ends are here: the parts that the demo feeds, drives and watches."""

    def __init__(self, settings: Settings, *, hold_s: float) -> None:
        """Make it in the event loop's thread."""
        barrier = settings.need(sections.BarrierSettings)
        self._barrier = barrier
        self._pins = MockPins()
        self.tickets = SimulatedScanner()
        self.memory_panel = MemoryPanel()
        self.metal = SimulatedLoops(self._pins, WAITING_PIN, BOOM_PIN)
        self.coil = SimulatedRelay(self._pins, RAISE_PIN)
        self.arm = SimulatedArm(
            self._pins,
            self.coil,
            up_pin=UP_PIN,
            down_pin=DOWN_PIN,
            loops=self.metal,
            rise_s=barrier.rise_time,
            close_s=barrier.close_time,
            hold_s=hold_s,
        )

    def scanner(self) -> AbstractAsyncContextManager[ScannerDriver]:
        return self.tickets

    @asynccontextmanager
    async def lost_button(self) -> AsyncIterator[ButtonDriver | None]:
        yield None

    @asynccontextmanager
    async def panel(self) -> AsyncIterator[PanelDriver]:
        yield self.memory_panel

    def relay(self, quiet_s: float = 0.0) -> AbstractAsyncContextManager[RelayDriver]:
        barrier = self._barrier
        return RelayBarrier(
            RAISE_PIN,
            pin_factory=self._pins,
            pulse_s=barrier.pulse,
            rise_s=barrier.rise_time,
            close_s=barrier.close_time,
            up_pin=UP_PIN,
            down_pin=DOWN_PIN,
            quiet_s=quiet_s,
        )

    def loops(self) -> AbstractAsyncContextManager[LoopsDriver]:
        """Two loops on the mock pins, which the demo's lane drives."""
        return InductionLoops(WAITING_PIN, BOOM_PIN, pin_factory=self._pins)


class RestartableBroker:
    """A DemoBroker: the embedded broker, which can be cut off; it comes back on its port, having forgotten all."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._running: EmbeddedBroker | None = None

    async def restore(self) -> None:
        if self._running is None:
            self._running = await open_broker(self._settings).__aenter__()
            broker = self._settings.need(sections.BrokerSettings)
            fixed = sections.BrokerSettings(users=broker.users, port=self._running.port)
            self._settings = replace(self._settings, broker=fixed)
            _write_port(self._settings.file, self._running.port)

    async def cut(self) -> None:
        if self._running is not None:
            await self._running.__aexit__(None, None, None)
            self._running = None

    @property
    def url(self) -> str:
        """The value for ``mqtt.url``, on loopback; raises ConfigError where [broker] is missing."""
        return f"mqtt://127.0.0.1:{self._settings.need(sections.BrokerSettings).port}"


async def run_demo(port: int, cars: int | None) -> int:
    """Serve the page until cancelled, or run ``cars`` cars; returns the exit status."""
    with _folder() as folder:
        make_keys(folder)
        sandbox = _sandbox(folder)
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(sandbox)
            settings = _settings(folder, sandbox, quick=cars is not None)
            broker = RestartableBroker(settings)
            await broker.restore()
            stack.push_async_callback(broker.cut)
            mqtt = settings.need(sections.MqttSettings)
            settings = replace(
                settings, broker=None, mqtt=sections.MqttSettings(broker.url, mqtt.username, mqtt.password_file)
            )
            hardware = SimulatedHardware(settings, hold_s=2.0 if cars else 30.0)
            stack.callback(hardware.arm.close)
            watch = await stack.enter_async_context(_tap(settings, folder))
            lane = DemoLane(_parts(settings, hardware, sandbox, broker, watch), pace=0.0 if cars else 1.0)
            async with asyncio.TaskGroup() as group:
                tasks = [
                    group.create_task(lane.run(), name="demo lane"),
                    group.create_task(
                        run_roles(settings, ROLES, process="run", hardware=hardware, lcd_shows=lane.lcd_shows),
                        name="roles",
                    ),
                ]
                watch_command = f"{PROGRAM} --config {settings.file} watch"
                if cars is None:
                    async with demo_desk(settings, folder) as desk:
                        status = await _serve(lane, watch_command, port, desk)
                else:
                    print(f"Its messages: {watch_command}", file=sys.stderr, flush=True)
                    status = 0 if (await run_cars(lane, cars)).ok else 1
                for task in tasks:
                    task.cancel()
    return status


async def _serve(lane: DemoLane, watch: str, port: int, desk: web.Application) -> int:
    """``watch``: the command that shows the lane's messages."""
    page = Page(lane, desk)
    try:
        url = await page.start(port)
        print(f"The lane is at {url} (Ctrl-C ends it), the operator's desk at {url}/desk/.", flush=True)
    except OSError as error:
        raise ConfigError(f"--port: port {port} cannot be used ({error.strerror}); take another") from None
    print(f"Its messages: {watch}", file=sys.stderr, flush=True)
    try:
        await asyncio.Event().wait()
    finally:
        await page.stop()
    return 0


def _write_port(file: Path | None, port: int) -> None:
    """So that `watch` finds the broker by the demo's own configuration."""
    if file:
        text = file.read_text(encoding="utf-8").replace("mqtt://127.0.0.1:1883", f"mqtt://127.0.0.1:{port}")
        file.write_text(text.replace("port = 0\n", f"port = {port}\n"), encoding="utf-8")


def _settings(folder: Path, sandbox: Sandbox, *, quick: bool) -> Settings:
    file = folder / "exit-terminal.toml"
    rise, close = (QUICK_S, QUICK_S) if quick else (2.0, 3.0)
    pulse = QUICK_S if quick else 0.5
    file.write_text(CONFIGURATION.format(notify=_free_port(), rise=rise, close=close, pulse=pulse), encoding="utf-8")
    return load.load(file, {"EXIT_TERMINAL_PAYBY_BASE_URL": sandbox.base_url})


def make_keys(folder: Path) -> None:
    """Make fresh keys of every kind that the configuration names, in ``folder``/secrets."""
    secrets = folder / "secrets"
    secrets.mkdir(mode=0o700)
    for name in ("merchant", "payby"):
        key_pair(secrets, name)
    pem, pkcs8, info = (
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.PublicFormat.SubjectPublicKeyInfo,
    )  # fmt: skip
    for name in ("worker", "console"):
        key = Ed25519PrivateKey.generate()
        _write(secrets / f"{name}.pem", key.private_bytes(pem, pkcs8, serialization.NoEncryption()))
        _write(secrets / f"{name}.pub.pem", key.public_key().public_bytes(pem, info))
    _write(secrets / "ticket-k1", Ed25519PrivateKey.generate().private_bytes_raw().hex().encode() + b"\n")


def _write(path: Path, data: bytes) -> None:
    path.touch(mode=0o600)
    path.write_bytes(data)


def _sandbox(folder: Path) -> Sandbox:
    secrets = folder / "secrets"
    return Sandbox(merchant_keys=[key_pair(secrets, "merchant").public_key()], private_key=key_pair(secrets, "payby"))


def _tap(settings: Settings, folder: Path) -> MqttClient:
    url = settings.need(sections.MqttSettings).url
    watch = sections.MqttSettings(url, "watch", folder / "secrets" / "mqtt" / "watch")
    return build.mqtt_client(watch, watch.username, clean=True)


def _parts(
    settings: Settings, hardware: SimulatedHardware, sandbox: Sandbox, broker: RestartableBroker, watch: MqttClient
) -> DemoParts:
    garage, lane = settings.need(sections.GarageSettings).id, settings.need(sections.LaneSettings).id
    keys = read_ticket_keys(present(settings.ticket, "ticket.keys"))
    key_id, key = next(iter(keys.items()))
    made = iter(range(1 << 62))

    def ticket(of: str, minutes: int) -> str:
        entered = time.time_ns() // 1_000_000 - minutes * 60_000
        return sign_ticket(of, derived_id(max(0, entered), "demo", of, str(next(made))), entered, key_id, key)

    return DemoParts(
        garage=settings.need(sections.GarageSettings).name,
        lane=lane,
        scanner=hardware.tickets,
        loops=hardware.metal,
        panel=hardware.memory_panel,
        relay=hardware.coil,
        arm=hardware.arm,
        payby=Wallet(sandbox),
        broker=broker,
        tickets=Tickets(lambda m: ticket(garage, m), lambda m: ticket("elsewhere", m), "LOST"),
        tap=watch.subscribe(f"parking/{garage}/#"),
        invoices=settings.need(ReceiptSettings).url or "",
    )


def _free_port() -> int:
    """A port for the listener, whose address PayBy must know before it listens."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@contextmanager
def _folder() -> Iterator[Path]:
    """A folder that is removed after the block. A journal that was just being opened may still make its files in it."""
    folder = Path(tempfile.mkdtemp(prefix="exit-terminal-demo-"))
    try:
        yield folder
    finally:
        for _ in range(GOES_TRIES):
            shutil.rmtree(folder, ignore_errors=True)
            if not folder.exists():
                break
            time.sleep(GOES_PAUSE_S)
