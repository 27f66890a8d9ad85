from pathlib import Path

import msgspec
import pytest

from terminal.config.lcd_settings import LcdSettings
from terminal.config.load import CONFIG_VARIABLE, load
from terminal.config.schema import (
    SECTIONS,
    BarrierSettings,
    BrokerSettings,
    ConfigError,
    GarageSettings,
    LaneSettings,
    PaybySettings,
    present,
)
from terminal.config.tariff_settings import TariffSettings
from terminal.core.ids import GARAGE_NAME, LANE_NAME, NO_LANE
from tests.support.config_files import ROLES, WHOLE, file, read, said

__all__ = ["file"]


def test_the_whole_contract_is_accepted_and_serves_every_role(file: Path) -> None:
    settings = read(file)
    settings.require(*ROLES, "ticket")
    assert settings.roles() == ROLES
    assert settings.absent == {}
    for name, kind in SECTIONS.items():
        assert type(getattr(settings, name)) is kind


def test_the_tests_text_names_every_key_of_every_section() -> None:
    for name, kind in SECTIONS.items():
        lines = WHOLE.partition(f"[{name}]\n")[2].partition("\n[")[0].splitlines()
        keys = {line.partition(" =")[0].removeprefix("# ") for line in lines}  # of two, one is a comment
        assert keys == set(kind.__struct_fields__) - {"folder", "size", "framebuffer", "backlight"}


def test_the_defaults_are_the_contract_s(file: Path) -> None:
    defaults = (
        "query_every cancel_after timeout baud pulse rise_time close_time host port pins watchers lanes "
        + " ".join((*TariffSettings.__struct_fields__, *LcdSettings.__struct_fields__))
    )
    lines = [line for line in WHOLE.splitlines() if line.partition(" =")[0] not in set(defaults.split()) - {"panel"}]
    assert len(lines) == len(WHOLE.splitlines()) - 58
    assert read(file, "\n".join(lines)) == read(file)


def test_paths_are_relative_to_the_file_also_those_of_the_environment(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir("/")
    settings = read(
        file, WHOLE, {"EXIT_TERMINAL_JOURNAL_PATH": "there/journal.db", "EXIT_TERMINAL_MQTT_CA_FILE": "ca.pem"}
    )
    assert settings.mqtt and settings.mqtt.ca_file == file.parent / "ca.pem"
    assert settings.journal and settings.journal.path == file.parent / "there/journal.db"
    assert settings.payby and settings.payby.private_key == file.parent / "secrets/merchant.pem"
    assert settings.reader and settings.reader.device == Path("/dev/ttyACM0")


def test_a_relative_file_name_still_gives_absolute_paths(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.write_text(WHOLE, encoding="utf-8")
    monkeypatch.chdir(file.parent)
    settings = load(Path(file.name), {})
    assert settings.journal and settings.journal.path == file.parent / "journal.db"


def test_the_environment_names_the_file_and_an_argument_beats_it(file: Path, tmp_path: Path) -> None:
    file.write_text(WHOLE, encoding="utf-8")
    assert load(None, {CONFIG_VARIABLE: str(file)}).garage == GarageSettings(
        id="marina", name="Marina Garage", name_ar="مواقف المارينا", help_phone="+971 4 000 0000"
    )
    assert load(file, {CONFIG_VARIABLE: str(tmp_path / "absent.toml")}).file == file


def test_no_file_and_no_environment_is_refused_with_what_to_give() -> None:
    with pytest.raises(ConfigError, match=r"--config FILE.*EXIT_TERMINAL_CONFIG"):
        load(None, {"PATH": "/bin"})


def test_the_environment_alone_can_be_a_configuration() -> None:
    settings = load(None, {"EXIT_TERMINAL_GARAGE_ID": "marina", "EXIT_TERMINAL_BROKER_USERS": "/var/users"})
    settings.require("broker")
    assert settings.broker == BrokerSettings(users=Path("/var/users"))


@pytest.mark.parametrize(
    ("variable", "text", "section", "key", "value"),
    [
        ("GARAGE_ID", "7", "garage", "id", "7"),
        ("GARAGE_NAME", "true", "garage", "name", "true"),
        ("GARAGE_NAME", '"In quotes"', "garage", "name", "In quotes"),
        ("TARIFF_BLOCK_PRICE", "12.50", "tariff", "block_price", "12.50"),
        ("PAYBY_QUERY_EVERY", "4", "payby", "query_every", 4.0),
        ("PAYBY_PARTNER_ID", "200000000999", "payby", "partner_id", "200000000999"),
        ("LCD_BGR", "true", "lcd", "bgr", True),
        ("LCD_PANEL", "st7789-240", "lcd", "panel", "st7789-240"),
        ("LISTENER_PORT", "9000", "listener", "port", 9000),
        ("PAYBY_NOTIFY_URL", "", "payby", "notify_url", None),
    ],
)
def test_a_variable_is_read_as_toml_and_else_as_plain_text(
    file: Path, variable: str, text: str, section: str, key: str, value: object
) -> None:
    settings = read(file, WHOLE, {f"EXIT_TERMINAL_{variable}": text})
    assert getattr(getattr(settings, section), key) == value


def test_watchers_are_named_by_the_file_or_the_environment_and_none_has_a_roles_name(file: Path) -> None:
    named = read(file, environ={"EXIT_TERMINAL_BROKER_WATCHERS": '["watch", "hall_2", "home-assistant"]'})
    assert named.need(BrokerSettings).watchers == ("watch", "hall_2", "home-assistant")
    assert read(file, environ={"EXIT_TERMINAL_BROKER_WATCHERS": "[]"}).need(BrokerSettings).watchers == ()
    for name in ("worker", "lane-2", "reader.exit-1", "", "-a", "a b", "a" * 33):
        line = said(file, WHOLE, {"EXIT_TERMINAL_BROKER_WATCHERS": f'["{name}"]'})
        assert "broker.watchers" in line.replace("EXIT_TERMINAL_BROKER_WATCHERS", "broker.watchers"), line
        assert "takes a list of users' names" in line


def test_a_table_may_come_from_the_environment(file: Path) -> None:
    settings = read(file, WHOLE, {"EXIT_TERMINAL_TICKET_KEYS": '{ k2 = "new", k1 = "old" }'})
    assert settings.ticket and list(settings.ticket.keys.items()) == [
        ("k2", file.parent / "new"),
        ("k1", file.parent / "old"),
    ]


def test_a_variable_cannot_smuggle_in_a_second_key(file: Path) -> None:
    line = said(file, WHOLE, {"EXIT_TERMINAL_LCD_ROTATE": "1\nother = 2"})
    assert line.startswith("EXIT_TERMINAL_LCD_ROTATE (lcd.rotate): got")


@pytest.mark.parametrize(
    "variable",
    [
        "EXIT_TERMINAL_FOO",
        "EXIT_TERMINAL_",
        "EXIT_TERMINAL_PAYBY",
        "EXIT_TERMINAL_MQTT_PASSWORD",
        "EXIT_TERMINAL_mqtt_url",
    ],
)
def test_an_unknown_variable_is_refused_without_its_value(file: Path, variable: str) -> None:
    line = said(file, WHOLE, {variable: "hunter2"})
    assert line.startswith(variable)
    assert "hunter2" not in line


CHANGES = [
    ("query_every = 3.0", "query_every = 1.9", "payby.query_every: got 1.9, takes seconds, 2 to 6"),
    ("query_every = 3.0", "query_every = 6.1", "payby.query_every: got 6.1, takes seconds, 2 to 6"),
    ("query_every = 3.0", "query_every = nan", "payby.query_every: got nan, takes seconds, 2 to 6"),
    ("query_every = 3.0", 'query_every = "3"', "payby.query_every: got '3', takes seconds, 2 to 6"),
    ("query_every = 3.0", "query_evry = 3.0", "payby.query_evry: no such key; [payby] takes "),
    ("cancel_after = 110.0", "cancel_after = 19", "payby.cancel_after: got 19, takes seconds, 20 to 120"),
    ("cancel_after = 110.0", "cancel_after = 121", "payby.cancel_after: got 121, takes seconds, 20 to 120"),
    ("timeout = 10.0", "timeout = 0", "payby.timeout: got 0, takes seconds"),
    (
        'partner_id = "200000000888"',
        "partner_id = 200000000888",
        "payby.partner_id: got 200000000888, takes a merchant",
    ),
    (
        'partner_id = "200000000888"',
        'partner_id = "2000000008881"',
        "payby.partner_id: got '2000000008881', takes a",
    ),
    ('payee_mid = ""', 'payee_mid = "888"', "payby.payee_mid: got '888', takes a merchant id of 12 digits"),
    ('["secrets/payby.pub.pem"]', "[]", "payby.payby_public_key: got a list of 0, takes a list of files"),
    ("https://uat", "http://uat", "payby.base_url: got http:// to uat.test2pay.com, takes https://"),
    ("https://uat", "ftp://uat", "payby.base_url: got a text of 30 characters, takes https://"),
    ('id = "marina"', 'id = "Marina"', "garage.id: got 'Marina', takes 1 to 12 characters of a-z and 0-9"),
    ('id = "marina"', 'id = "marina\\n"', "garage.id: got 'marina\\n', takes"),
    ('id = "exit-1"', 'id = "garage"', "lane.id: got 'garage', takes 1 to 16 of a-z, 0-9, -; not garage"),
    ('name = "Marina Garage"', 'name = "a|b"', "garage.name: got 'a|b', takes"),
    ('"Asia/Dubai"', '"Asia/Dubay"', "garage.timezone: got 'Asia/Dubay', takes a time zone"),
    ('"Asia/Dubai"', '"../etc/passwd"', "garage.timezone: got '../etc/passwd', takes a time zone"),
    ('"mqtt://127.0.0.1:1883"', '"http://127.0.0.1"', "mqtt.url: got 'http://127.0.0.1', takes mqtt://"),
    ("port = 8080", "port = 65536", "listener.port: got 65536, takes a port, 0 to 65535"),
    ("port = 8080", "port = true", "listener.port: got true, takes a port, 0 to 65535"),
    ('block_price = "10.00"', "block_price = 10.00", "tariff.block_price: got 10.0, takes dirhams in quotes"),
    ('block_price = "10.00"', 'block_price = "010.00"', "tariff.block_price: got '010.00', takes dirhams in quotes"),
    ('block_price = "10.00"', 'block_price = "١٠"', "tariff.block_price: got '١٠', takes dirhams in quotes"),
    ('day_cap = "100.00"', 'day_cap = "0.00"', "tariff.day_cap: got '0.00', takes an amount above 0.00"),
    ("block_minutes = 60", "block_minutes = 0", "tariff.block_minutes: got 0, takes minutes"),
    ('driver = "serial"', 'driver = "usb"', "reader.driver: got 'usb', takes serial, hid or stdin"),
    ('device = "/dev/ttyACM0"', "", "reader.device: missing"),
    ('panel = "ili9488"', 'panel = "ili9999"', "lcd.panel: got 'ili9999', takes st7789-240"),
    ('panel = "ili9488"', 'panel = "png"', "lcd.folder: missing"),
    ('panel = "ili9488"', 'panel = "png"\nfolder = "out"', "lcd.size: missing"),
    ('panel = "ili9488"', 'panel = "ili9488"\nsize = "480*320"', "lcd.size: got '480*320', takes pixels"),
    ("speed_hz = 32000000", "speed_hz = 30000000", "lcd.speed_hz: got 30000000, takes one of 500000, "),
    ("rotate = 0", "rotate = 4", "lcd.rotate: got 4, takes quarter turns clockwise, 0 to 3"),
    ("bgr = false", "bgr = 0", "lcd.bgr: got 0, takes true or false"),
    ('digits = "latin"', 'digits = "roman"', "lcd.digits: got 'roman', takes latin or arabic"),
    (
        'night = ""',
        'night = "22-6"',
        'lcd.night: got \'22-6\', takes two times of day, such as "22:00-06:00", or "" for none',
    ),
    (
        "idle_brightness = 40",
        "idle_brightness = 0",
        "lcd.idle_brightness: got 0, takes per cent of full brightness, 5 to 100",
    ),
    (
        "backlight_pwm = false",
        "backlight_pwm = true",
        "lcd.backlight_pwm: got true, takes false where lcd.backlight_pin is -1",
    ),
    ("raise_pin = 17", "raise_pin = 28", "barrier.raise_pin: got 28, takes a GPIO number, 0 to 27"),
    ("raise_pin = 17", "raise_pin = 24", "barrier.raise_pin: got 24, which lcd.dc_pin already uses"),
    ("raise_pin = 17", "raise_pin = 10", "barrier.raise_pin: got 10, which lcd.spi_bus already uses"),
    ("spi_mode = 0", "spi_mode = 1", "lcd.spi_mode: got 1, takes 0 or 3"),
    ("boom_pin = 6", "boom_pin = 5", "loops.boom_pin: got 5, which loops.waiting_pin already uses"),
    ("pulse = 0.5", "pulse = inf", "barrier.pulse: got inf, takes seconds, 0.05 to 5"),
    ('pins = "auto"', 'pins = "native"', "gpio.pins: got 'native', takes auto or mock"),
    ("{ worker = ", "{ boss = ", "lift.trusted: got a table of boss, console, takes names and files"),
    ('{ k1 = "secrets/ticket-k1" }', "{}", "ticket.keys: got a table of nothing, takes ids"),
    (
        '{ k1 = "secrets/ticket-k1" }',
        '{ k1 = "a", K1 = "b" }',
        "ticket.keys: got two ids that differ only in capital letters",
    ),
    ("[lane]", "[line]", "line: no such section; there are garage, lane, "),
    ('[garage]\nid = "marina"', "garage = 5\n[x]\nid = 5", "garage: got 5, takes a section: [garage]"),
    ('path = "journal.db"', 'path = ""', "journal.path: got a text of 0 characters, takes the path of a file"),
]


@pytest.mark.parametrize(("old", "new", "line"), CHANGES, ids=[new for _, new, _ in CHANGES])
def test_a_wrong_key_is_refused_in_one_line_that_names_it(file: Path, old: str, new: str, line: str) -> None:
    assert old in WHOLE
    assert said(file, WHOLE.replace(old, new, 1)).startswith(line)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"secrets/merchant.pem"', '"""-----BEGIN PRIVATE KEY-----\nhunter2"""'),
        ('"secrets/mqtt/lane"', '"hunter2\\n"'),
        ('{ k1 = "secrets/ticket-k1" }', '"hunter2"'),
        ('"mqtt://127.0.0.1:1883"', '"mqtt://lane:hunter2@127.0.0.1"'),
        ('url = "mqtt', 'password = "hunter2"\nurl = "mqtt'),
    ],
)
def test_no_error_repeats_what_may_be_a_secret(file: Path, old: str, new: str) -> None:
    assert old in WHOLE
    assert "hunter2" not in said(file, WHOLE.replace(old, new, 1))


def test_plain_http_to_payby_is_for_this_machine_only(file: Path) -> None:
    for host in ("127.0.0.1:8090", "localhost:8090", "[::1]:8090"):
        url = f"http://{host}/sgs/api"
        assert read(file, WHOLE.replace("https://uat.test2pay.com/sgs/api", url)).need(PaybySettings).base_url == url


def test_the_png_panel_says_its_size(file: Path) -> None:
    settings = read(file, WHOLE.replace('panel = "ili9488"', 'panel = "png"\nfolder = "out"\nsize = "480x320"'))
    assert settings.need(LcdSettings).pixels == (480, 320)
    assert settings.need(LcdSettings).folder == file.parent / "out"


def test_pictures_need_no_pins_so_theirs_are_free(file: Path) -> None:
    png = WHOLE.replace('panel = "ili9488"', 'panel = "png"\nfolder = "out"\nsize = "480x320"')
    assert read(file, png.replace("raise_pin = 17", "raise_pin = 24")).need(BarrierSettings).raise_pin == 24


def test_a_file_that_is_not_toml_is_refused_with_its_line(file: Path) -> None:
    line = said(file, "[garage]\nid = marina\n")
    assert line.startswith(f"{file}: ")
    assert "line 2" in line


def test_a_file_that_is_not_utf_8_is_refused_with_its_line(file: Path) -> None:
    file.write_bytes(b'[garage]\nname = "\xe9"\n')
    with pytest.raises(ConfigError, match="line 2 is not UTF-8"):
        load(file, {})


def test_an_absent_file_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"cannot read .*absent\.toml: no such file"):
        load(tmp_path / "absent.toml", {})


def test_present_gives_the_value_or_names_the_key() -> None:
    assert present(Path("a"), "lift.private_key") == Path("a")
    with pytest.raises(ConfigError, match=r"lift\.private_key: missing"):
        present(None, "lift.private_key")


def test_a_merchant_id_may_be_shorter_than_twelve_characters(tmp_path: Path) -> None:
    file = tmp_path / "exit.toml"
    file.write_text(WHOLE.replace('partner_id = "200000000888"', 'partner_id = "M8"'))
    payby = load(file, {}).payby
    assert payby is not None
    assert (payby.partner_id, payby.payee_mid) == ("M8", "M8")


def test_a_garage_and_a_lane_are_called_as_topics_and_order_numbers_can_bear() -> None:
    schema = msgspec.json.schema(GarageSettings)["$defs"]["GarageSettings"]["properties"]["id"]
    assert schema["pattern"] == rf"^{GARAGE_NAME}\Z"
    schema = msgspec.json.schema(LaneSettings)["$defs"]["LaneSettings"]["properties"]["id"]
    assert schema["pattern"] == rf"^(?!{NO_LANE}\Z){LANE_NAME}\Z"
