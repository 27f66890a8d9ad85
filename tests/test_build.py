"""What app and tools both need follows from the settings, and what is not wanted is not loaded."""

import subprocess
import sys
from pathlib import Path

import pytest

from terminal import build
from terminal.config.lcd_settings import LcdSettings
from terminal.config.schema import (
    BrokerSettings,
    ConfigError,
    GarageSettings,
    MqttSettings,
    PaybySettings,
    Settings,
)
from terminal.config.tariff_settings import TariffSettings
from terminal.core.model import Rules


def test_the_rules_are_those_of_the_configuration_for_whoever_reads_the_journal() -> None:
    settings = Settings(garage=GarageSettings("marina"), tariff=TariffSettings(exit_grace=20))
    assert build.rules(settings) == Rules("marina", exit_grace=20 * 60_000)
    payby = PaybySettings(payby_public_key=[Path("key.pem")], cancel_after=90)
    with_payby = Settings(garage=GarageSettings("marina"), tariff=TariffSettings(exit_grace=20), payby=payby)
    assert build.rules(with_payby, mark="m") == Rules("marina", 90_000, 20 * 60_000, mark="m")


def test_the_tariff_is_the_plain_form_where_the_configuration_names_no_rates() -> None:
    tariff = build.tariff(Settings())
    assert [tariff.fee(0, hours * 3_600_000) for hours in (0, 1, 9, 24, 25)] == [0, 1000, 9000, 10000, 11000]
    assert tariff.fee(0, 10 * 60_000) == 0
    assert (tariff.lost_fee(0), tariff.exit_grace_ms, tariff.vat(10500)) == (15000, 15 * 60_000, 500)


def test_a_tariff_has_the_garages_days_and_hours() -> None:
    day = {"hours": "00:00-04:00", "steps": [{"total": "1.00"}]}
    rest = {"hours": "04:00-24:00", "steps": [{"total": "2.00"}]}
    settings = TariffSettings(free_minutes=0, day_cap="", rate=(day, rest))
    fees = [
        build.tariff(Settings(garage=garage, tariff=settings)).fee(0, 1000)
        for garage in (None, GarageSettings("marina"), GarageSettings("marina", timezone="America/New_York"))
    ]
    assert fees == [100, 200, 200]


def test_a_tariff_that_cannot_be_is_refused_with_its_key() -> None:
    settings = Settings(tariff=TariffSettings(rate=({"steps": []},)))
    with pytest.raises(ConfigError, match=r"^tariff.rate\[1\].steps: missing; takes steps, or free = true$"):
        build.tariff(settings)


def test_a_user_of_the_embedded_broker_needs_no_section_of_its_own() -> None:
    broker = BrokerSettings(Path("users"), port=2883)
    assert build.embedded_user(broker, None, "reader") == MqttSettings(
        "mqtt://127.0.0.1:2883", "reader", Path("users/reader")
    )
    mqtt = MqttSettings("mqtts://broker", "lane", Path("password"), Path("ca.pem"))
    assert build.embedded_user(broker, mqtt, "console") == MqttSettings(
        "mqtts://broker", "console", Path("users/console"), Path("ca.pem")
    )


def test_a_client_of_paybys_says_which_key_of_the_configuration_is_missing() -> None:
    with pytest.raises(ConfigError, match=r"payby\.private_key"):
        build.payby_client(
            PaybySettings(
                payby_public_key=[Path("key.pem")], base_url="https://payby.example", partner_id="200000000888"
            )
        )


def test_the_screens_say_what_the_garage_is_called_and_nothing_where_there_is_none() -> None:
    lcd = LcdSettings(panel="png", digits="arabic")
    garage = GarageSettings("marina", "Marina", "المارينا", help_phone="+971 4 000 0000", lanes=2)
    site = build.site(garage, lcd)
    assert (site.name, site.name_ar, site.help_phone, site.digits) == (
        "Marina",
        "المارينا",
        "+971 4 000 0000",
        "arabic",
    )
    assert site.lanes == 2
    assert build.site(None, lcd).name == ""
    assert (site.lane, build.site(garage, lcd, lane="exit-2").lane) == ("", "exit-2")


def test_who_wants_neither_payby_nor_screens_loads_neither() -> None:
    script = "import sys, terminal.build; print(*(m for m in sys.modules if m.startswith(('PIL', 'aiohttp'))))"
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert ended.stdout.strip() == ""
