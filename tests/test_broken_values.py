"""The table of broken configurations: every key of the contract, made from the settings' own types, so that none can be
forgotten; each with several kinds of wrong value. `check` and `run` end with the same line, which names the key."""

import json
import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec import inspect

from terminal.config.load import load
from terminal.config.schema import SECTIONS, ConfigError, Settings, first_key, hints
from tests.support.broken_garage import SLOW, apart, both, installed, variable

KEYS = [f"{name}.{key}" for name, kind in SECTIONS.items() for key in hints(kind)]


@pytest.fixture(scope="module")
def garage(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The configuration of an installation with every section; nobody alters it."""
    return installed(tmp_path_factory.mktemp("garage")) / "exit-terminal.toml"


# -- every key by itself -----------------------------------------------------------------------------------------------

ANY = (True, 7, -1, 10**40, 1.5, "", "a\nb", "\x7f", "x" * 5000, "☃|", [], [1], ["\n"], {}, {"\n": 1}, {"x": [1]})
"""Wrong for most keys; what one takes is left out."""


def limits(kind: inspect.Type) -> Iterator[Any]:
    """Values just outside what the type says: each of them must be refused."""
    match kind:
        case inspect.UnionType(types=kinds):
            for inner in kinds:
                yield from limits(inner)
        case inspect.IntType(ge=least, le=most):
            yield from (least - 1, most + 1, "one", float(most), True)
        case inspect.FloatType(ge=least, le=most):
            yield from (math.nextafter(least, -math.inf), math.nextafter(most, math.inf), math.nan, math.inf, "1")
        case inspect.StrType():
            yield from (7, 1.5, True, ["x"])
        case inspect.LiteralType(values=words):
            yield from ("\u200b", 99, f"{words[0]} ", [words[0]])
        case inspect.BoolType():
            yield from ("true", 1, [])
        case inspect.VarTupleType() | inspect.DictType():
            yield from ("x", 7, True)
        case inspect.CustomType():
            yield from (7, True, ["x"], "", "-----BEGIN PRIVATE KEY-----", "a\nb")


def toml(value: Any) -> str:
    match value:
        case bool():
            return str(value).lower()
        case float():
            return repr(value)
        case dict():
            return "{ " + ", ".join(f"{toml(key)} = {toml(inner)}" for key, inner in value.items()) + " }"
        case list():
            return f"[{', '.join(map(toml, value))}]"
        case str():
            return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
        case _:
            return str(value)


def refusal(file: Path, key: str, value: Any) -> str:
    """The line about a file with that value alone; empty where the key takes it."""
    section, _, name = key.partition(".")
    file.write_text(f"[{section}]\n{name} = {toml(value)}\n", encoding="utf-8")
    try:
        load(file, {})
    except ConfigError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("key", KEYS)
def test_every_wrong_value_of_a_key_is_one_line_that_names_it(tmp_path: Path, key: str) -> None:
    section, _, name = key.partition(".")
    kind = inspect.type_info(hints(SECTIONS[section])[name])
    file, wrong = tmp_path / "exit-terminal.toml", []
    for value in limits(kind):
        line = refusal(file, key, value)
        if not line and value == "":
            continue  # a file that may be left out
        assert line, (key, value, "is taken")
        wrong.append((value, line))
    wrong += [(value, line) for value in ANY if (line := refusal(file, key, value))]
    assert len({type(value) for value, _ in wrong}) >= 3 and len(wrong) >= 8, wrong
    for value, line in wrong:
        assert line.startswith(f"{key}: "), (value, line)
        assert "takes " in line and len(line) < 500 and line.isprintable(), (value, line)
    file.write_text(f"[{section}]\n{name} = {toml(wrong[0][0])}\n", encoding="utf-8")
    both(file, {}).is_one_word(key)


# -- keys that are missing ---------------------------------------------------------------------------------------------

EMPTY_COUNTS_AS_MISSING = ("garage.name", "garage.name_ar", "garage.help_phone", "payby.base_url", "payby.partner_id")

OF_ONE_ROLE = ("payby.private_key", "lift.private_key", "journal.path", "lcd.size", "lcd.folder")


def required() -> list[str]:
    """Each key that a role cannot do without."""
    keys = [
        f"{name}.{field.name}"
        for name, kind in SECTIONS.items()
        for field in msgspec.structs.fields(kind)
        if field.required
    ]
    return [*keys, *EMPTY_COUNTS_AS_MISSING, *OF_ONE_ROLE]


@pytest.mark.parametrize("key", required())
def test_a_key_that_a_role_needs_is_missed_by_both(garage: Path, tmp_path: Path, key: str) -> None:
    section, _, name = key.partition(".")
    text = garage.read_text(encoding="utf-8")
    before, head, body = text.partition(f"\n[{section}]")
    own, *rest = re.split(r"(?m)^(?=\[)", body, maxsplit=1)
    without = re.sub(rf"(?m)^{name} = .*\n", "", own)
    assert without != own or key == "discovery.announce", key
    file = tmp_path / "exit-terminal.toml"
    file.write_text("".join((before, head, without, *rest)), encoding="utf-8")
    for folder in ("secrets", "sandbox"):
        (tmp_path / folder).symlink_to(garage.parent / folder)
    environ = {name: value for name, value in apart(tmp_path).items() if name != variable(key)}
    both(file, environ).is_one_word(key)


def test_the_installation_of_these_tests_has_every_section(garage: Path) -> None:
    settings = load(garage, {})
    assert [name for name in SECTIONS if getattr(settings, name) is None] == []
    assert set(settings.roles()) == {*ROLES}
    assert first_key(SECTIONS["garage"]) == "garage.id"


ROLES = ("broker", "worker", "listener", "barrier", "loops", "lcd", "reader", "console", "alerts", "discovery")

# -- keys that do not go together --------------------------------------------------------------------------------------

TOGETHER: list[tuple[str, dict[str, str]]] = [
    ("garage.timezone", {"garage.timezone": "Asia/Atlantis"}),
    ("garage.timezone", {"garage.timezone": "/etc/passwd"}),
    ("mqtt.url", {"mqtt.url": "mqtt://host:99999"}),
    ("mqtt.url", {"mqtt.url": "mqtt://[::1"}),
    ("mqtt.key_file", {"mqtt.url": "mqtts://host", "mqtt.cert_file": "ca.pem"}),
    ("mqtt.cert_file", {"mqtt.url": "mqtts://host", "mqtt.key_file": "ca.pem"}),
    ("mqtt.cert_file", {"mqtt.cert_file": "ca.pem", "mqtt.key_file": "ca.pem"}),
    ("payby.base_url", {"payby.base_url": "http://pay.example.com/sgs/api"}),
    ("payby.base_url", {"payby.base_url": "https://pay.example.com:0/sgs/api"}),
    ("payby.notify_url", {"payby.notify_url": "https://pay.example.com:99999/x"}),
    ("ticket.keys", {"ticket.keys": '{ k1 = "secrets/ticket-k1", K1 = "secrets/coupon-c1" }'}),
    ("lookup.numbers", {"lookup.numbers": "[0-9"}),
    ("lookup.numbers", {"lookup.numbers": ".*"}),
    ("lookup.url", {"lookup.url": "http://other.example/{number}"}),
    ("lookup.url", {"lookup.url": "https://other.example:0/{number}"}),
    ("lookup.token_file", {"lookup.url": ""}),
    ("lookup.ca_file", {"lookup.url": "", "lookup.token_file": "", "lookup.ca_file": "ca.pem"}),
    ("lookup.flat_fee", {"lookup.on_failure": "flat"}),
    ("lookup.flat_fee", {"lookup.flat_fee": "5.00"}),
    ("alerts.webhook_url_file", {"alerts.webhook_url_file": "secrets/token"}),
    ("alerts.webhook_key_file", {"alerts.webhook_url": ""}),
    ("alerts.webhook_url", {"alerts.webhook_url": "http://hooks.example.com/x"}),
    ("alerts.email_from", {"alerts.email_from": ""}),
    ("alerts.smtp_url", {"alerts.smtp_url": "", "alerts.smtp_username": "", "alerts.smtp_password_file": ""}),
    ("alerts.smtp_url", {"alerts.smtp_url": "smtp://mail:0"}),
    ("alerts.smtp_password_file", {"alerts.smtp_password_file": ""}),
    ("alerts.webhook_url", {"alerts.webhook_url": "", "alerts.webhook_key_file": "", "alerts.email_to": "[]",
     "alerts.email_from": "", "alerts.smtp_url": "", "alerts.smtp_username": "", "alerts.smtp_password_file": ""}),
    ("reader.device", {"reader.driver": "serial"}),
    ("lcd.backlight_pwm", {"lcd.panel": "ili9488", "lcd.backlight_pwm": "true"}),
    ("lcd.size", {"lcd.size": "100x100"}),
    ("journal.url", {"journal.url": "postgresql:///marina"}),
    ("journal.passfile", {"journal.passfile": "secrets/token"}),
    ("receipt.url", {"receipt.url": "http://pay.example.com/receipt"}),
    ("loops.waiting_pin", {"loops.waiting_pin": "17"}),
    ("barrier.down_pin", {"barrier.up_pin": "4", "barrier.down_pin": "4"}),
    ("barrier.raise_pin", {"lcd.panel": "ili9488", "barrier.raise_pin": "10"}),
    ("tariff.block_price", {"tariff.block_price": "0.00"}),
    ("tariff.rate", {"tariff.rate": '[{ name = "day" }]'}),
    ("tariff.overnight", {"tariff.overnight": '{ at = "25:00", add = "1.00" }'}),
    ("tariff.holidays", {"tariff.holidays": '["2026-02-30"]'}),
    ("tariff.next", {"tariff.next": "[{}]"}),
    ("tariff.classes", {"tariff.classes": '{ k9 = "bus" }'}),
    ("mqtt.username", {"mqtt.username": "nobody"}),
    ("mqtt.username", {"mqtt.username": "worker", "mqtt.password_file": "secrets/mqtt/worker"}),
    ("mqtt.password_file", {"mqtt.password_file": "secrets/mqtt/reader"}),
    ("broker.watchers", {"broker.watchers": '["worker"]'}),
    ("gpio.pins", {"gpio.pins": "auto"}),
    ("listener.host", {"listener.host": "no.such.host.invalid"}),
    ("console.host", {"console.host": "no.such.host.invalid"}),
    ("console.host", {"console.host": "192.0.2.1"}),
]  # fmt: skip


@pytest.mark.parametrize("number", range(len(TOGETHER)), ids=lambda number: f"{number}-{TOGETHER[number][0]}")
def test_what_does_not_go_together_is_the_same_word_of_both(garage: Path, tmp_path: Path, number: int) -> None:
    key, given = TOGETHER[number]
    environ = apart(tmp_path) | {variable(name): value for name, value in given.items()}
    both(garage, environ, without=SLOW - {"alert_receivers"} if key.startswith("alerts") else SLOW).is_one_word(key)


def test_the_settings_that_these_tables_are_made_of_are_all(garage: Path) -> None:
    own = {name for name in Settings.__dataclass_fields__ if name not in ("file", "absent")}
    assert own == set(SECTIONS)
    assert len(KEYS) > 130 and SLOW
