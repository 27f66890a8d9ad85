from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
import zxingcpp
from PIL import Image
from pyzbar import pyzbar

from terminal.config.load import load
from terminal.config.schema import ConfigError, Settings
from terminal.config.tariff_settings import TariffSettings
from terminal.contract.messages import Screen
from terminal.core.ticket import is_lost, read_ticket
from terminal.screen.view import view_of
from terminal.tools.ticket import command as ticket
from terminal.tools.ticket.picture import CodeKind, draw, grouped
from terminal.tools.ticket.symbols import TooWide
from tests.support.config_files import keyed

NOW = 1_795_000_000_000
KEYS = {"k1": bytes(range(32)), "old": bytes(range(1, 33))}
MINUTE_MS = 60_000


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return keyed(tmp_path, KEYS, '[garage]\nid = "marina"\n[ticket]\nkeys = { k1 = "k1", old = "old" }\n')


def printed(settings: Settings, minutes_ago: int = 90, text_only: bool = False, **more: Any) -> list[str]:
    lines: list[str] = []
    wish = ticket.TicketWish(minutes_ago, text_only=text_only, **more)
    ticket.run(settings, wish, now_ms=NOW, say=lines.append)
    return "\n".join(lines).splitlines()


class Paper:
    """A printer that keeps what it is given."""

    def __init__(self) -> None:
        self.pictures: list[Image.Image] = []

    def print(self, picture: Image.Image) -> None:
        self.pictures.append(picture)


def on_paper(settings: Settings, **more: Any) -> tuple[str, Image.Image]:
    """A ticket's text, and what its printer gets."""
    lines, paper = list[str](), Paper()
    wish = ticket.TicketWish(text_only=True, **more)
    ticket.run(settings, wish, now_ms=NOW, printer=paper, say=lines.append)
    (picture,) = paper.pictures
    return lines[-1], picture


def test_the_text_alone_is_a_ticket_of_the_first_key_from_so_many_minutes_ago(settings: Settings) -> None:
    (text,) = printed(settings, minutes_ago=90, text_only=True)
    assert read_ticket(text, {"k1": KEYS["k1"]}, "marina").entered_ms == NOW - 90 * MINUTE_MS


def test_without_text_a_person_sees_the_stay_the_fee_and_a_symbol_and_last_the_text(settings: Settings) -> None:
    *symbol, whose, since, stay, text = printed(settings, minutes_ago=90)
    assert whose == "test ticket of garage marina"
    assert since == "entered 2026-11-18 13:36"
    assert stay == "90 minutes: AED 20.00"
    assert len(symbol) > 15
    assert read_ticket(text, KEYS, "marina")


@pytest.mark.parametrize(("minutes", "says"), [(10, "10 minutes: nothing due"), (-5, "refused: ticket-future")])
def test_what_a_free_or_refused_ticket_comes_to_is_said(settings: Settings, minutes: int, says: str) -> None:
    assert printed(settings, minutes_ago=minutes)[-2].endswith(says)


def test_a_key_may_be_chosen_whose_tickets_have_a_class_of_their_own(settings: Settings) -> None:
    rates = ({"steps": [{"total": "5.00"}]}, {"class": "old", "steps": [{"total": "2.00"}]})
    tariff = TariffSettings(free_minutes=0, day_cap="", rate=rates, classes={"old": "old"})
    classed = replace(settings, tariff=tariff)
    made = [ticket.make(classed, minutes_ago=90, now_ms=NOW, key_id=key) for key in (None, "k1", "old")]
    assert [found.quote.amount for found in made] == [500, 500, 200]
    assert [read_ticket(found.text, KEYS, "marina").key_id for found in made] == ["K1", "K1", "OLD"]
    with pytest.raises(ValueError, match=r"^--key: got 'k9', takes k1 or old$"):
        ticket.make(classed, minutes_ago=90, now_ms=NOW, key_id="k9")


def test_every_ticket_is_another_stay_that_bears_the_time_of_its_entry(settings: Settings) -> None:
    texts = [printed(settings, text_only=True)[0] for _ in range(3)]
    sessions = {read_ticket(text, KEYS, "marina").session for text in texts}
    assert len(sessions) == 3
    assert {int(s.replace("-", "")[:12], 16) for s in sessions} == {NOW - 90 * MINUTE_MS}


def test_the_picture_reads_back_as_the_ticket(settings: Settings, tmp_path: Path) -> None:
    (text,) = printed(settings, text_only=True, png=tmp_path / "ticket.png")
    with Image.open(tmp_path / "ticket.png") as picture:
        assert [found.text for found in zxingcpp.read_barcodes(picture)] == [text]


@pytest.mark.parametrize("code", ["qr", "both"])
def test_a_test_ticket_is_named_by_the_characters_that_the_screen_shows_for_it(
    settings: Settings, code: CodeKind
) -> None:
    def shown(text: str) -> str:
        """What the screen at the exit shows of that ticket."""
        session = read_ticket(text, KEYS, "marina").session
        return view_of(Screen(id=session, at="2026-11-30T08:00:00.000Z", state="wait", session=session)).tail

    *_, named, _, _, _, text = printed(settings, code=code)
    assert named == f"on the screen: {shown(text)}"
    assert settings.garage
    made = ticket.make(settings, minutes_ago=90, now_ms=NOW, code=code)
    paper = ticket.printed(made, settings.garage, NOW)
    assert paper.tail == shown(made.text)
    assert draw(paper, 576, code).height > draw(replace(paper, tail=""), 576, code).height
    assert ticket.printed(ticket.make_lost(settings, NOW), settings.garage, NOW).tail == ""


def test_a_longer_stay_than_any_car_park_has_seen_is_refused(settings: Settings) -> None:
    with pytest.raises(ValueError, match="--minutes-ago"):
        printed(settings, minutes_ago=10**9)


def test_without_ticket_keys_the_command_says_what_is_missing() -> None:
    with pytest.raises(ConfigError, match="ticket"):
        printed(load(None, {"EXIT_TERMINAL_GARAGE_ID": "marina"}))


@pytest.mark.parametrize("dots", [576, 512, 384])
@pytest.mark.parametrize("code", ["qr", "code128", "both"])
def test_a_printed_ticket_is_read_by_two_decoders(settings: Settings, code: CodeKind, dots: int) -> None:
    if (code, dots) in {("code128", 384), ("both", 384)}:
        with pytest.raises(TooWide, match="needs 506 dots, and there are 384"):
            on_paper(settings, code=code, dots=dots)
        return
    text, picture = on_paper(settings, code=code, dots=dots)
    assert picture.width == dots
    kinds = {"qr": {"QRCode"}, "code128": {"Code128"}, "both": {"QRCode", "Code128"}}[code]
    by_zxing = {found.format.name: found.text for found in zxingcpp.read_barcodes(picture)}
    by_zbar = {found.type: found.data.decode() for found in pyzbar.decode(picture)}
    assert by_zxing == dict.fromkeys(kinds, text)
    assert by_zbar == dict.fromkeys({kind.upper() for kind in kinds}, text)
    black_and_white = picture.point(lambda value: 255 * (value > 127))
    assert {found.text for found in zxingcpp.read_barcodes(black_and_white)} == {text}
    found = read_ticket(text, KEYS, "marina")
    assert (found.entered_ms, found.key_id) == (NOW - 90 * MINUTE_MS, "K1")


def test_a_ticket_with_bars_is_a_number_of_36_digits_that_costs_the_same(settings: Settings) -> None:
    *_, stay, text = printed(settings, code="code128")
    assert len(text) == 36 and text.isdecimal()
    assert stay == "90 minutes: AED 20.00"
    assert grouped(text).replace(" ", "") == text
    assert grouped(text).count(" ") == 8
    assert grouped("P1.MARINA") == "P1.MARINA"
    assert len({printed(settings, code="both", text_only=True)[0] for _ in range(3)}) == 3


def test_the_card_for_a_lost_ticket_asks_for_one_and_says_what_it_costs(settings: Settings) -> None:
    *_, cost, text = printed(settings, lost=True)
    assert (cost, text) == ("lost ticket of garage marina: AED 150.00", "LOST")
    text, picture = on_paper(settings, lost=True, code="both", dots=384)
    assert is_lost(text)
    assert {found.text for found in zxingcpp.read_barcodes(picture)} == {"LOST"}
    assert len(zxingcpp.read_barcodes(picture)) == 2


def test_a_ticket_bears_the_garage_s_name_and_entry_in_both_languages(settings: Settings) -> None:
    assert settings.garage
    plain = on_paper(settings)[1]
    named = msgspec.structs.replace(settings.garage, name="Marina Garage", name_ar="مواقف المارينا")
    assert on_paper(replace(settings, garage=named))[1].height > plain.height
    long = msgspec.structs.replace(settings.garage, name="W" * 64, name_ar="م" * 64)
    assert on_paper(replace(settings, garage=long), dots=384)[1].width == 384
