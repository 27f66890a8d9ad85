from dataclasses import replace
from pathlib import Path

import pytest

from broker.embedded import EmbeddedBroker
from terminal.config.load import load
from terminal.config.schema import Settings
from terminal.mqtt.client import MqttClient
from terminal.payby.sandbox.faults import Fault
from terminal.payby.sandbox.server import Sandbox
from terminal.tools.check.command import check
from terminal.tools.check.finding import Finding, Machine
from terminal.tools.check.machine import network_time
from terminal.tools.check.report import Lines
from tests.support.installation import CHANGES, MERCHANT, PAYBY, LateClock, configured, machine, place, sandbox, write

__all__ = ["place", "sandbox"]


async def lines_of(settings: Settings, at: Machine) -> tuple[bool, dict[str, str]]:
    """Is it ready, and each finding's line by its name."""
    said: list[str] = []
    ready = await check(settings, at, Lines(said.append))
    assert said[-1] == ("ready" if ready else "not ready")
    assert not any("\n" in line for line in said)
    return ready, {line[6:].partition(":")[0]: line for line in said[:-1]}


async def failing(settings: Settings, at: Machine) -> list[str]:
    ready, lines = await lines_of(settings, at)
    bad = [line for line in lines.values() if line.startswith("FAIL")]
    assert ready == (not bad)
    return bad


async def test_a_whole_installation_is_ready(place: Path, sandbox: Sandbox, embedded: EmbeddedBroker) -> None:
    ready, lines = await lines_of(configured(place, sandbox.base_url, embedded.url), machine(place))
    assert ready
    assert list(lines) == [
        "configuration",
        "keys payby.payby_public_key",
        "key payby.private_key",
        "keys lift.trusted",
        "key lift.private_key",
        "key console.lift_private_key",
        "keys ticket.keys",
        "password mqtt.password_file",
        "disk journal.path",
        "disk barrier.journal",
        "fonts",
        "pins",
        "panel",
        "screens",
        "scanner",
        "port console.port",
        "broker",
        "PayBy",
        "clock",
    ]
    assert [call.name for call in sandbox.calls] == ["getOrder"]
    assert sandbox.orders == {}


@pytest.mark.parametrize(("changes", "line"), CHANGES, ids=[", ".join(changes) for changes, _ in CHANGES])
async def test_what_is_not_ready_gets_a_line_that_says_what_to_do(
    place: Path, sandbox: Sandbox, embedded: EmbeddedBroker, changes: dict[str, str], line: str
) -> None:
    bad = await failing(configured(place, sandbox.base_url, embedded.url, **changes), machine(place))
    fitting = [found for found in bad if line in found]
    assert fitting, bad
    assert " -> " in fitting[0]


async def test_a_key_that_others_can_read_is_refused(place: Path, sandbox: Sandbox, embedded: EmbeddedBroker) -> None:
    for name in ("merchant.pem", "worker.pem", "ticket"):
        (place / "keys" / name).chmod(0o644)
    bad = await failing(configured(place, sandbox.base_url, embedded.url), machine(place))
    names = [line[6:].partition(":")[0] for line in bad]
    assert names[:3] == ["key payby.private_key", "key lift.private_key", "keys ticket.keys"]


async def test_ticket_keys_at_a_lane_of_a_larger_garage_are_told(place: Path) -> None:
    at_lane = {"LANE_ID": "exit-1", "READER_DRIVER": "stdin", "TICKET_KEYS": '{ k1 = "keys/ticket" }'}
    settings = load(None, {f"EXIT_TERMINAL_{key}": value for key, value in at_lane.items()})
    bad = await failing(settings, machine(place))
    (line,) = [line for line in bad if "ticket.keys" in line]
    assert "this lane's machine, which may be stolen" in line
    assert "take [ticket] and its files off this machine" in line


async def test_an_incomplete_configuration_names_the_key(place: Path) -> None:
    settings = load(None, {"EXIT_TERMINAL_LOOPS_BOOM_PIN": "6", "EXIT_TERMINAL_GARAGE_ID": "marina"})
    bad = await failing(settings, machine(place))
    assert bad[0].startswith("FAIL  configuration: lane.id: missing")


async def test_a_configuration_without_roles_is_not_ready(place: Path) -> None:
    bad = await failing(load(None, {"EXIT_TERMINAL_GARAGE_ID": "marina"}), machine(place))
    assert bad == [
        "FAIL  configuration: the configuration has no section for any role -> see deploy/exit-terminal.toml"
    ]


async def test_a_missing_gpio_chip_is_told_in_the_driver_s_words(
    place: Path, sandbox: Sandbox, embedded: EmbeddedBroker
) -> None:
    settings = configured(place, sandbox.base_url, embedded.url)
    assert (await failing(settings, machine(place, no_gpio="no GPIO chip here")))[0].startswith(
        "FAIL  pins: no GPIO chip here -> "
    )


async def test_mock_pins_are_named_as_such(place: Path, sandbox: Sandbox, embedded: EmbeddedBroker) -> None:
    settings = configured(place, sandbox.base_url, embedded.url, gpio_pins="mock")
    _, lines = await lines_of(settings, machine(place, no_gpio="never asked"))
    assert lines["pins"].startswith("ok    pins: mock")


async def test_a_clock_above_the_data_sheet_is_named_but_allowed(
    place: Path, sandbox: Sandbox, embedded: EmbeddedBroker
) -> None:
    settings = configured(place, sandbox.base_url, embedded.url, lcd_speed_hz="32000000")
    ready, lines = await lines_of(settings, machine(place))
    assert ready
    assert "32 MHz, above its data sheet's 10 MHz" in lines["panel"]


@pytest.mark.parametrize(("kernel", "cut"), [("", "4096"), ("8192\n", "8192"), ("65536\n", "")])
async def test_a_transfer_that_the_kernel_cuts_is_named_but_allowed(
    place: Path, sandbox: Sandbox, embedded: EmbeddedBroker, kernel: str, cut: str
) -> None:
    if kernel:
        write(place / "dev/bufsiz", kernel)
    settings = configured(place, sandbox.base_url, embedded.url, lcd_transfer_size="65536")
    ready, lines = await lines_of(settings, machine(place))
    assert ready
    said = f"; transfers of 65536 bytes are cut to {cut}, the kernel's limit (spidev.bufsiz)"
    assert (said in lines["panel"]) == bool(cut)
    assert ("transfers" in lines["panel"]) == bool(cut)


async def test_the_embedded_broker_may_be_at_rest_and_its_password_not_made(place: Path, sandbox: Sandbox) -> None:
    settings = configured(
        place,
        sandbox.base_url,
        "mqtt://127.0.0.1:1",
        broker_users="fresh",
        broker_port="1",
        mqtt_password_file="fresh/lane",
    )
    ready, lines = await lines_of(settings, machine(place))
    assert ready
    assert lines["password mqtt.password_file"].startswith("ok    ")
    assert lines["broker"] == "ok    broker: embedded, not running; run starts it"


async def test_a_lane_that_is_at_work_keeps_its_connection(
    place: Path, sandbox: Sandbox, embedded: EmbeddedBroker
) -> None:
    settings = configured(place, sandbox.base_url, embedded.url)
    password = embedded.password_file("lane").read_text().strip()
    async with MqttClient(embedded.url, username="lane", password=password) as bus:
        changes: list[bool] = []
        bus.on_change(changes.append)
        ready, _ = await lines_of(settings, machine(place))
        assert ready
        assert bus.connected
    assert True not in changes


async def test_a_wrong_signature_of_payby_s_says_to_download_its_key(
    place: Path, sandbox: Sandbox, embedded: EmbeddedBroker
) -> None:
    sandbox.fail("getOrder", Fault(sign="wrong"))
    bad = await failing(configured(place, sandbox.base_url, embedded.url), machine(place))
    assert len(bad) == 1
    assert "download it anew" in bad[0]


@pytest.mark.fault("clock-wrong")
@pytest.mark.parametrize(
    ("code", "msg", "advice"),
    [
        ("403", "UNAUTHORIZED", "upload merchant.pub.pem"),
        ("58001", "INVALID_IP", "enter this machine's outgoing address"),
        ("400", "REQUESTTIME_TOO_EARLY", "set this machine's clock"),
        ("400", "INVALID_PARAMETER", "ask PayBy"),
        ("402", "RATE_LIMIT_REJECT", "too many calls"),
        ("500", "SYSTEM_ERROR", "PayBy itself is in trouble"),
        ("601", "RISK_FAIL", "ask PayBy"),
        ("62086", "INVALID_PAYEEMID", "correct payby.partner_id"),
    ],
)
async def test_a_refusal_gets_the_same_advice_with_and_without_a_signature(
    place: Path, sandbox: Sandbox, embedded: EmbeddedBroker, code: str, msg: str, advice: str
) -> None:
    for how in ("good", "absent") if code != "62086" else ("good",):
        sandbox.fail("getOrder", Fault(code=code, msg=msg, sign=how), times=None)  # type: ignore[arg-type]
        bad = await failing(configured(place, sandbox.base_url, embedded.url), machine(place))
        (line,) = (found for found in bad if found.startswith("FAIL  PayBy"))
        assert f"{code} {msg}" in line
        assert advice in line.partition(" -> ")[2], how
        sandbox.heal()


async def test_a_clock_that_payby_contradicts_or_nobody_keeps_is_not_ready(
    place: Path, sandbox: Sandbox, embedded: EmbeddedBroker
) -> None:
    settings = configured(place, sandbox.base_url, embedded.url)
    (line,) = await failing(settings, machine(place, ntp=False))
    assert line.startswith("FAIL  clock: not kept by the network; PayBy's is 0 s ")
    assert await failing(settings, machine(place, ntp=None)) == []
    async with Sandbox(merchant_keys=[MERCHANT.public_key()], private_key=PAYBY, clock=LateClock()) as late:
        (line,) = await failing(configured(place, late.base_url, embedded.url), machine(place))
    assert "120 s behind" in line
    assert "timedatectl set-ntp true" in line


async def test_a_kerb_machine_is_not_asked_for_the_merchant_s_key(place: Path, embedded: EmbeddedBroker) -> None:
    values = {
        "GARAGE_ID": "marina", "LANE_ID": "exit-1", "LOOPS_WAITING_PIN": "5", "LOOPS_BOOM_PIN": "6",
        "MQTT_URL": embedded.url, "MQTT_USERNAME": "loops", "MQTT_PASSWORD_FILE": str(embedded.password_file("loops")),
    }  # fmt: skip
    settings = load(None, {f"EXIT_TERMINAL_{name}": value for name, value in values.items()})
    ready, lines = await lines_of(settings, machine(place))
    assert ready
    assert list(lines) == [
        *("configuration", "password mqtt.password_file", "pins", "user mqtt.username", "broker", "clock")
    ]
    assert "loops may serve as `exit-terminal loops`, and not by run" in lines["user mqtt.username"]


@pytest.mark.fault("clock-for-money")
async def test_a_clock_that_neither_network_nor_payby_confirms_is_not_ready(
    place: Path, sandbox: Sandbox, embedded: EmbeddedBroker
) -> None:
    sandbox.cut_off = True
    settings = configured(place, sandbox.base_url, embedded.url)
    for ntp in (None, False):
        bad = await failing(settings, machine(place, ntp=ntp))
        assert [line.partition(" -> ")[0] for line in bad if "clock" in line] == [
            "FAIL  clock: neither the network nor PayBy has confirmed it: no ticket would be taken"
        ]
    assert not [line for line in await failing(settings, machine(place, ntp=True)) if "clock" in line]


def test_the_kernel_or_timesyncd_s_marker_tells_whether_the_clock_is_kept(tmp_path: Path) -> None:
    def says(kernel: bool) -> bool | None:
        return network_time(tmp_path / "timesync" / "synchronized", lambda _: kernel)

    assert (says(False), says(True)) == (None, True)
    (tmp_path / "timesync").mkdir()
    assert (says(False), says(True)) == (False, True)
    (tmp_path / "timesync" / "synchronized").touch()
    assert says(False) is True


async def test_a_clock_of_1970_is_the_one_thing_that_is_told_and_payby_is_not_asked(
    place: Path, sandbox: Sandbox, embedded: EmbeddedBroker
) -> None:
    settings = configured(place, sandbox.base_url, embedded.url)
    bad = await failing(settings, replace(machine(place), now_ms=lambda: 86_400_000))
    assert bad == [
        "FAIL  clock: this machine's clock says 1970-01-02: no certificate holds, and no ticket is taken"
        " -> set it: sudo timedatectl set-ntp true, or sudo date --set"
    ]
    assert sandbox.calls == []


@pytest.mark.parametrize(
    ("content", "mode", "line"),
    [
        (b"", 0o600, "is empty -> write the password of mqtt.username at the broker into that file"),
        (b"x\n", 0o644, "others may read"),
    ],
)
async def test_the_advice_about_a_password_is_for_what_is_wrong_with_it(
    place: Path, sandbox: Sandbox, embedded: EmbeddedBroker, content: bytes, mode: int, line: str
) -> None:
    write(place / "keys/lane", content.decode(), mode)
    bad = await failing(
        configured(place, sandbox.base_url, embedded.url, mqtt_password_file="keys/lane"), machine(place)
    )
    assert line in bad[0]
    assert ("chmod" in bad[0]) == (mode == 0o644)
    assert bad[0].endswith(f"-> close it to them: chmod o= {place}/keys/lane") == (mode == 0o644)


async def test_what_could_not_be_proven_is_named_before_the_verdict(place: Path) -> None:
    said: list[str] = []
    lines = Lines(said.append)
    for found in (
        Finding("keys", True, "text"),
        Finding("broker", True, "text", but="unproven"),
        Finding("pins", True, "text", but="warning"),
        Finding("notify_url", True, "text", but="unproven"),
    ):
        lines.found(found)
    lines.judge(True)
    assert said[-2:] == ["      not proven here: broker, notify_url", "ready"]
