"""``exit-terminal ticket --coupon``: coupons that the garage hands out."""

from pathlib import Path
from typing import Any

import pytest
import zxingcpp
from PIL import Image

from terminal.config.load import load
from terminal.config.schema import ConfigError, Settings
from terminal.core.coupon import CouponKind, read_coupon
from terminal.tools.check.finding import Machine
from terminal.tools.check.keys import keys
from terminal.tools.ticket import command as ticket
from tests.support.config_files import keyed

NOW = 1_795_000_000_000
KEYS = {"c1": bytes(range(32)), "old": bytes(range(1, 33))}
NOBODY = Machine(lambda _: None, lambda: None, lambda _: 0, lambda *_: None)
"""The keys ask nothing of it."""


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return keyed(
        tmp_path, KEYS, '[garage]\nid = "marina"\nname = "Marina Garage"\n[coupon]\nkeys = { c1 = "c1", old = "old" }\n'
    )


def made(settings: Settings, worth: str, **more: Any) -> list[str]:
    lines: list[str] = []
    ticket.run(settings, ticket.TicketWish(coupon=worth, **more), now_ms=NOW, say=lines.append)
    return "\n".join(lines).splitlines()


@pytest.mark.parametrize(
    ("worth", "kind", "value"),
    [("5.00", "amount", 500), ("5", "amount", 500), ("25%", "percent", 2500), ("12.5%", "percent", 1250),
     ("60min", "minutes", 60), ("free", "free", 0),
     ("pass", "pass", NOW // 60_000)],
)  # fmt: skip
def test_a_coupon_is_worth_what_was_asked_for(settings: Settings, worth: str, kind: CouponKind, value: int) -> None:
    (text,) = made(settings, worth, text_only=True, days=7)
    found = read_coupon(text, KEYS, "marina", NOW)
    assert (found.kind, found.value, found.until_ms, found.key_id) == (kind, value, NOW + 7 * 86_400_000, "C1")


def test_no_two_are_the_same_and_another_key_may_sign(settings: Settings) -> None:
    texts = {made(settings, "free", text_only=True)[0] for _ in range(5)}
    assert len(texts) == 5
    (text,) = made(settings, "free", text_only=True, key_id="old")
    assert read_coupon(text, {"old": KEYS["old"]}, "marina", NOW).key_id == "OLD"


def test_a_person_is_told_what_it_is_and_when_it_ends(settings: Settings) -> None:
    lines = made(settings, "25%")
    assert lines[-3:-1] == ["coupon of garage marina: - 25 %", "until 2026-11-19 15:06"]


def test_its_picture_has_a_code_that_is_read_back(settings: Settings, tmp_path: Path) -> None:
    lines = made(settings, "60min", png=tmp_path / "coupon.png")
    with Image.open(tmp_path / "coupon.png") as picture:
        assert [one.text for one in zxingcpp.read_barcodes(picture)] == [lines[-1]]


@pytest.mark.parametrize("worth", ["", "x", "-5", "0", "0%", "101%", "5.555", "0min", "60 min", "freely"])
def test_what_is_worth_nothing_is_refused_by_its_option(settings: Settings, worth: str) -> None:
    if worth:
        with pytest.raises(ValueError, match="coupon"):
            made(settings, worth)
    else:
        with pytest.raises(ConfigError):  # without a worth it is a ticket, for which this desk has no key
            made(settings, worth)


def test_a_key_and_a_time_that_are_not_there_are_refused(settings: Settings) -> None:
    with pytest.raises(ValueError, match="--key"):
        made(settings, "free", key_id="c9")
    for days in (0, 367):
        with pytest.raises(ValueError, match="--days"):
            made(settings, "free", days=days)


def test_who_has_no_coupon_keys_is_told_which_are_missing(tmp_path: Path) -> None:
    file = tmp_path / "lane.toml"
    file.write_text('[garage]\nid = "marina"\n')
    with pytest.raises(ConfigError, match=r"coupon\.keys"):
        made(load(file, {}), "free")


async def test_check_looks_at_the_keys_of_coupons_and_of_pay_stations(settings: Settings, tmp_path: Path) -> None:
    found = [one async for one in keys(settings, NOBODY)]
    assert [(one.name, one.ok) for one in found] == [("keys coupon.keys", True)]
    (tmp_path / "station.pem").write_text("no key")
    file = tmp_path / "server.toml"
    file.write_text('[paystation]\ntrusted = { station-1 = "station.pem" }\n[coupon]\nkeys = { c1 = "absent" }\n')
    found = [one async for one in keys(load(file, {}), NOBODY)]
    assert [(one.name, one.ok) for one in found] == [("keys coupon.keys", False), ("keys paystation.trusted", False)]
