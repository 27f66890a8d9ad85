"""Which values the configuration of each shape has, and which of them name files that are made beside it."""

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from terminal.config.lcd_settings import LcdSettings
from terminal.config.schema import Settings
from terminal.config.tariff_settings import TariffSettings
from terminal.contract.access import USERS, WATCHERS
from terminal.tools.init.answers import COUPONS, LANE, PAYBY, SERVER, SINGLE, STATION, TRN, Answers
from terminal.tools.init.certificates import AUTHORITY
from terminal.tools.init.configuration import Value

MERCHANT, WORKER, CONSOLE, TICKET = "secrets/merchant.pem", "secrets/worker", "secrets/console", "secrets/ticket-k1"
PAYBY_KEY = "secrets/payby.pub.pem"
COUPON = "secrets/coupon-c1"
PASSWORDS = "secrets/mqtt"
_LEFT_OUT = frozenset(
    {"payby.notify_url", TRN, "receipt.supplier_ar", "receipt.address_ar", "receipt.url", STATION}
)  # fmt: skip
"""Keys whose empty answer is none."""
RUN_USER = "lane"
"""The broker's user for the `run` that has the worker: only this user may do all that its roles do."""
REFUND_USER = "refund"
"""The user of the command `refund`, which runs beside the roles."""
_TRUSTED = {"worker": f"{WORKER}.pub.pem", "console": f"{CONSOLE}.pub.pem"}


def user_of(shape: str, lane: str) -> str:
    """The broker's user for `run`."""
    return f"lane.{lane}" if shape == LANE else RUN_USER


def users(shape: str) -> list[str]:
    """The users whose passwords are made on this machine."""
    return [] if shape == LANE else [*USERS, *WATCHERS]


def certificate(user: str) -> tuple[str, str]:
    """The files of a user's certificate and its key."""
    return f"certs/{user}.crt", f"secrets/mqtt/{user}.key"


def secure(url: str) -> bool:
    """Is it MQTT over TLS?"""
    return urlsplit(url).scheme == "mqtts"


def values(shape: str, answers: Answers, payby: str) -> dict[str, Value]:
    """The configuration by key. ``payby`` is a key of PAYBY."""
    made: dict[str, Value] = {key: value for key, value in answers.values.items() if value or key not in _LEFT_OUT}
    made |= _extra(str(made.pop(COUPONS, "no")), str(made.pop(STATION, "")))
    made["garage.lanes"] = int(answers["garage.lanes"])
    made |= _mqtt(answers.get("mqtt.url"), user_of(shape, answers.get("lane.id")))
    made |= dict(_tariff(TariffSettings()))
    made["lift.trusted"] = _TRUSTED
    made["payby.payby_public_key"] = ["sandbox/payby.pub.pem" if payby == "sandbox" else PAYBY_KEY]
    if shape == SINGLE:
        made |= {"broker.port": 1883, "broker.users": PASSWORDS}
    if shape in (SINGLE, SERVER):
        made |= {
            "payby.base_url": PAYBY[payby], "payby.private_key": MERCHANT,
            "lift.private_key": f"{WORKER}.pem", "ticket.keys": {"k1": TICKET},
            "listener.host": "127.0.0.1", "listener.port": 8080,
            "journal.path": "journal.db",
            "console.host": "127.0.0.1", "console.port": 8081, "console.lift_private_key": f"{CONSOLE}.pem",
        }  # fmt: skip
    if shape == LANE:
        made |= _payee(str(made.pop("payby.partner_id")))
    if shape in (SINGLE, LANE):
        made |= _kerb(answers)
    return made


def station_key(name: str) -> str:
    """The files of a pay station's pair of keys, without their endings."""
    return f"secrets/{name}"


def _extra(coupons: str, station: str) -> dict[str, Value]:
    """The sections that a garage may leave out."""
    made: dict[str, Value] = {}
    if coupons == "yes":
        made[COUPONS] = {"c1": COUPON}
    if station:
        made[STATION] = {station: f"{station_key(station)}.pub.pem"}
    return made


def bundle_values(settings: Settings, answers: Answers, url: str) -> dict[str, Value]:
    """A lane's configuration by key: what it must have in common with its garage's server, and the lane's hardware."""
    garage, payby = settings.garage, settings.payby
    assert garage and payby
    lane = answers["lane.id"]
    made: dict[str, Value] = {
        "garage.id": garage.id, "garage.name": garage.name, "garage.name_ar": garage.name_ar,
        "garage.timezone": garage.timezone, "garage.help_phone": garage.help_phone,
        "garage.lanes": garage.lanes, "lane.id": lane,
    }  # fmt: skip
    made = {key: value for key, value in made.items() if value}
    made |= _mqtt(url, user_of(LANE, lane))
    made |= _payee(payby.payee_mid)
    made["payby.payby_public_key"] = [name for name, _ in payby_keys(settings)]
    made["lift.trusted"] = {name: f"secrets/{name}.pub.pem" for name in settings.lift.trusted} if settings.lift else {}
    made |= {
        key: answers[key] for key in ("reader.driver", "reader.device", "lcd.panel", "gpio.pins") if answers.get(key)
    }
    if settings.lookup:
        made["lookup.numbers"] = settings.lookup.numbers
    return made | dict(_tariff(settings.tariff)) | _kerb(answers)


def payby_keys(settings: Settings) -> list[tuple[str, Path]]:
    """Each of PayBy's public keys: its name on a lane's machine, and its path on this one."""
    assert settings.payby
    return [
        (f"secrets/payby{number or ''}.pub.pem", path) for number, path in enumerate(settings.payby.payby_public_key)
    ]


def _mqtt(url: str, user: str) -> dict[str, Value]:
    made: dict[str, Value] = {
        "mqtt.url": url or "mqtt://127.0.0.1:1883",
        "mqtt.username": user,
        "mqtt.password_file": f"{PASSWORDS}/{user}",
    }
    if secure(url):
        made["mqtt.ca_file"] = AUTHORITY
        made["mqtt.cert_file"], made["mqtt.key_file"] = certificate(user)
    return made


def _payee(merchant: str) -> dict[str, Value]:
    """The payee that every payment must name; a lane needs nothing else of the merchant's."""
    return {"payby.payee_mid" if re.fullmatch("[0-9]{12}", merchant) else "payby.partner_id": merchant}


def _tariff(tariff: TariffSettings) -> Iterator[tuple[str, Value]]:
    for key, value in msgspec.structs.asdict(tariff).items():
        yield f"tariff.{key}", value


def _kerb(answers: Answers) -> dict[str, Value]:
    """A lane's hardware, as deploy/wiring.md has it. Mock loops never see a car, so that without hardware there are
    none: then a car waits from its ticket on."""
    made: dict[str, Value] = {
        "barrier.raise_pin": 17, "barrier.pulse": 0.5, "barrier.rise_time": 2.0, "barrier.close_time": 8.0,
        "barrier.journal": "barrier.db",
    }  # fmt: skip
    if answers["lcd.panel"] == "png":
        made |= {"lcd.folder": "screens", "lcd.size": "480x320"}
    elif answers["lcd.panel"] == "framebuffer":
        made["lcd.size"] = "800x480"
    else:
        made |= {"lcd.dc_pin": 24, "lcd.reset_pin": 25, "lcd.speed_hz": LcdSettings(panel="ili9488").speed_hz}
    if answers["gpio.pins"] != "mock":
        made |= {"loops.waiting_pin": 5, "loops.boom_pin": 6}
    if answers["reader.driver"] == "serial":
        made["reader.baud"] = 9600
    return made
