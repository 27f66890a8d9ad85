"""Which role needs which key of the configuration."""

from pathlib import Path

import pytest

from terminal.config.schema import (
    BarrierSettings,
    ConfigError,
    ConsoleSettings,
    GarageSettings,
    LaneSettings,
    ListenerSettings,
    PaybySettings,
    TariffSettings,
)
from tests.support.config_files import ROLES, WHOLE, file, read, said

__all__ = ["file"]

NEEDED = [
    ("reader", "lane.id", "[lane]\nid"),
    ("worker", "ticket.keys", "keys"),
    ("reader", "reader.driver", "driver"),
    ("worker", "garage.id", "[garage]\nid"),
    ("worker", "garage.name", "name"),
    ("worker", "payby.base_url", "base_url"),
    ("worker", "payby.partner_id", "partner_id"),
    ("worker", "payby.private_key", "private_key"),
    ("worker", "payby.payby_public_key", "payby_public_key"),
    ("worker", "lift.private_key", "[lift]\nprivate_key"),
    ("worker", "lift.trusted", "trusted"),
    ("worker", "journal.path", "path"),
    ("worker", "mqtt.url", "url"),
    ("listener", "payby.payee_mid", "partner_id"),
    ("listener", "payby.payby_public_key", "payby_public_key"),
    ("barrier", "barrier.raise_pin", "raise_pin"),
    ("barrier", "barrier.journal", "journal"),
    ("barrier", "payby.payee_mid", "partner_id"),
    ("barrier", "lift.trusted", "trusted"),
    ("lcd", "lift.trusted", "trusted"),
    ("lcd", "garage.help_phone", "help_phone"),
    ("lcd", "lcd.panel", "panel"),
    ("loops", "loops.boom_pin", "boom_pin"),
    ("broker", "broker.users", "users"),
]


@pytest.mark.parametrize(("role", "key", "start"), NEEDED, ids=[f"{role} {key}" for role, key, _ in NEEDED])
def test_a_role_names_the_key_that_it_lacks(file: Path, role: str, key: str, start: str) -> None:
    head, found, tail = WHOLE.partition(f"\n{start} = ")
    assert found
    section = start.rpartition("\n")[0]
    without = "\n".join((head, section, tail.partition("\n")[2]))
    assert said(file, without, {}, role).startswith(f"{key}: missing in {file}; takes ")


@pytest.mark.parametrize(
    ("role", "kept"),
    [
        ("loops", "garage lane mqtt loops"),
        ("lcd", "garage lane mqtt lift lcd"),
        ("barrier", "garage lane mqtt lift payby barrier"),
        ("reader", "garage lane mqtt reader"),
        ("listener", "garage mqtt payby"),
        ("worker", "garage mqtt payby lift ticket journal"),
        ("broker", "garage broker"),
    ],
)
def test_a_role_runs_without_the_sections_of_others(file: Path, role: str, kept: str) -> None:
    parts = WHOLE.split("\n[")
    read(file, "".join(f"\n[{part}" for part in parts if part.partition("]")[0] in kept.split())).require(role)


def test_the_barrier_and_the_listener_need_only_payby_s_key_and_the_payee(file: Path) -> None:
    head, _, tail = WHOLE.partition("[payby]")
    short = (
        '[payby]\npayby_public_key = ["payby.pub.pem"]\npayee_mid = "200000000888"\n[lift]'
        + tail.partition("[lift]")[2]
    )
    settings = read(file, head + short)
    settings.require("barrier", "listener")
    assert settings.payby and settings.payby.payee_mid == "200000000888"
    with pytest.raises(ConfigError, match=r"payby\.base_url: missing"):
        settings.require("worker")


def test_payee_mid_is_the_partner_id_unless_it_is_given(file: Path) -> None:
    assert read(file).need(PaybySettings).payee_mid == "200000000888"
    assert (
        read(file, WHOLE.replace('payee_mid = ""', 'payee_mid = "200000000777"')).need(PaybySettings).payee_mid
        == "200000000777"
    )


def test_another_lane_s_run_has_no_worker(file: Path) -> None:
    without = WHOLE.replace('[journal]\npath = "journal.db"\n', "").replace(
        'private_key = "secrets/merchant.pem"\n', ""
    )
    assert read(file, without).roles() == tuple(role for role in ROLES if role != "worker")


def test_run_starts_a_role_whose_section_lacks_a_key_so_that_it_is_named(file: Path) -> None:
    settings = read(file, WHOLE.replace("boom_pin = 6\n", ""))
    assert settings.loops is None
    assert "loops" in settings.roles()
    with pytest.raises(ConfigError, match=r"loops\.boom_pin: missing"):
        settings.require(*settings.roles())


def test_need_gives_the_section_or_says_which_key_is_missing(file: Path) -> None:
    settings = read(file, '[garage]\nid = "marina"\n[barrier]\npulse = 0.2\n')
    assert settings.need(GarageSettings).id == "marina"
    assert settings.need(TariffSettings) == TariffSettings()
    assert settings.need(ListenerSettings) == ListenerSettings()
    assert settings.need(ConsoleSettings).port == 8081
    with pytest.raises(ConfigError, match=r"lane\.id: missing"):
        settings.need(LaneSettings)
    with pytest.raises(ConfigError, match=r"barrier\.raise_pin: missing"):
        settings.need(BarrierSettings)
