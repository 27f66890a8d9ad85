"""`exit-terminal init` for a garage that gives tax invoices, hands out coupons, or has a pay station."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from terminal.config.load import load, read_ticket_keys
from terminal.config.schema import Settings
from terminal.contract.signatures import load_signing_key, load_trusted
from terminal.tools.init.command import Request, Surroundings, run
from terminal.tools.init.configuration import TO_SET
from terminal.tools.ticket.coupon import make_coupon

NOW = datetime(2026, 11, 30, 12, 0, tzinfo=UTC)
TOLD = {"garage": "marina", "name": "Marina Garage", "notify_url": "https://pay.example.com/payby/notify"}
TRN = "100000000000003"


def made(folder: Path, shape: str = "single", **given: str) -> tuple[Settings, str, str]:
    """The settings of a folder that is made now, its file's text, and what was said."""
    said: list[str] = []
    file = folder / "exit-terminal.toml"
    assert run(Request(file, TOLD | given, shape), Surroundings({}, NOW, "here", None, said.append)) == 0
    return load(file, {}), file.read_text("utf-8"), "\n".join(said)


def test_a_garage_that_told_nothing_of_them_has_none(tmp_path: Path) -> None:
    settings, _, _ = made(tmp_path)
    assert (settings.receipt, settings.coupon, settings.paystation) == (None, None, None)
    assert not (tmp_path / "secrets/coupon-c1").exists()


@pytest.mark.parametrize("shape", ["single", "server"])
def test_a_tax_registration_number_brings_invoices(tmp_path: Path, shape: str) -> None:
    """Their address is beside the notifications', which the same proxy passes on; who issues them must be said."""
    settings, text, said = made(tmp_path, shape, trn=TRN)
    assert settings.receipt
    assert (settings.receipt.trn, settings.receipt.supplier) == (TRN, "Marina Garage")
    assert settings.receipt.url == "https://pay.example.com/receipt"
    assert settings.receipt.supplier_ar is settings.receipt.address_ar is None
    for key in ("supplier", "address"):
        assert f"receipt.{key} = " in said
    assert text[text.index("[receipt]") :].count(TO_SET) == 2
    assert "let the reverse proxy pass https://pay.example.com/receipt/ on" in said
    settings.require("worker", "listener")


def test_what_was_told_of_the_supplier_stands_in_the_configuration(tmp_path: Path) -> None:
    told = {"supplier": "Marina LLC", "supplier_ar": "المارينا", "address": "Marina Walk", "address_ar": "مارينا ووك"}
    settings, _, said = made(tmp_path, trn=TRN, receipt_url="https://bill.example.com/receipt", **told)
    assert settings.receipt
    assert {key: getattr(settings.receipt, key) for key in told} == told
    assert settings.receipt.url == "https://bill.example.com/receipt"
    assert "receipt." not in said.partition("Next:")[0]


def test_coupons_have_a_key_of_their_own_with_which_the_command_makes_them(tmp_path: Path) -> None:
    settings, _, _ = made(tmp_path, coupons="yes")
    assert settings.coupon and settings.ticket
    assert read_ticket_keys(settings.coupon)["c1"] != read_ticket_keys(settings.ticket)["k1"]
    assert (tmp_path / "secrets/coupon-c1").stat().st_mode & 0o077 == 0
    assert make_coupon(settings, "free", 1, 1_796_000_000_000).text.startswith("C1.MARINA.")


def test_a_pay_station_has_a_pair_of_keys_whose_private_half_is_to_be_moved_there(tmp_path: Path) -> None:
    settings, _, said = made(tmp_path, paystation="station-1")
    assert settings.paystation
    key = load_signing_key(tmp_path / "secrets/station-1.pem")
    assert load_trusted(settings.paystation.trusted).name_of(key) == "station-1"
    assert f"move {tmp_path}/secrets/station-1.pem to the pay station" in said


def test_a_person_is_asked_for_the_supplier_only_after_the_number(tmp_path: Path) -> None:
    answers: Iterator[str] = iter(
        ["single", "marina", "", "", "+971 4 1", "", "", "exit-1", "200000000777", "", "12", TRN, "", "", "", "",
         "https://x.example/receipt", "perhaps", "yes", "", "stdin", "png", "mock"]
    )  # fmt: skip
    asked: list[str] = []

    def prompt(text: str) -> str:
        asked.append(text)
        return next(answers)

    said: list[str] = []
    assert run(Request(tmp_path / "x.toml", {}), Surroundings({}, NOW, "here", prompt, said.append)) == 0
    settings = load(tmp_path / "x.toml", {})
    assert settings.receipt and settings.coupon
    assert (settings.receipt.supplier, settings.receipt.url) == ("Parking", "https://x.example/receipt")
    assert (settings.paystation, len(asked)) == (None, 23)
    assert any("receipt.trn: got '12'" in line for line in said)
    assert "coupon.keys: got 'perhaps', takes yes or no" in said
