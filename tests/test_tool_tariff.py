import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
from PIL import Image

from terminal.config.load import load
from terminal.config.schema import ConfigError, Settings
from terminal.tools.tariff import public_holidays
from terminal.tools.tariff.command import TariffQuestion, run
from tests.support.tariffs import FOLDER, moment

NOW = moment("2026-11-30 12:00")
PLAIN = Settings()


def settings(name: str) -> Settings:
    return load(FOLDER / f"{name}.toml", {})


def said(name: str, **asked: Any) -> list[str]:
    lines: list[str] = []
    run(settings(name), TariffQuestion(**asked), now_ms=NOW, say=lines.append)
    return lines


def refused(name: str, **asked: Any) -> str:
    with pytest.raises(ConfigError) as found:
        said(name, **asked)
    assert "\n" not in str(found.value)
    return str(found.value)


def test_a_fee_is_explained_line_by_line_in_both_languages() -> None:
    assert said("night-flat", entered="2026-11-30 17:00", exited="2026-12-01 08:30:59") == [
        "2026-11-30 17:00:00 – 2026-12-01 08:30:59",
        "            Stay: 15 h 30 min 59 s",
        "            المدة: 15 س 30 د 59 ث",
        "     10.00  Day, 2026-11-30 17:00 – 19:00: 2 × 1 h at 5.00",
        "            النهار، 2026-11-30 17:00 – 19:00: 2 × 1 س بسعر 5.00",
        "     15.00  Night, 2026-11-30 19:00 – 2026-12-01 07:00: Fixed price",
        "            الليل، 2026-11-30 19:00 – 2026-12-01 07:00: سعر ثابت",
        "     10.00  Day, 2026-12-01 07:00 – 08:30: 2 × 1 h at 5.00",
        "            النهار، 2026-12-01 07:00 – 08:30: 2 × 1 س بسعر 5.00",
        "----------",
        "     35.00  To pay",
        "            المبلغ المستحق",
        "      1.67  of which VAT 5 %",
        "            منها ضريبة القيمة المضافة 5٪",
    ]


def test_what_was_paid_and_an_earlier_stay_are_told_too() -> None:
    lines = said(
        "dubai-mall",
        entered="2026-11-30 15:00",
        exited="2026-11-30 16:00",
        earlier=("2026-11-30 10:00/2026-11-30 13:30",),
        paid=("2026-11-30 13:30=5.00", "2026-11-30 13:31=1.00"),
    )
    assert lines[0] == "2026-11-30 10:00:00 – 2026-11-30 16:00:00"
    assert "      0.00  Goes on with the stay since 2026-11-30 10:00" in lines
    assert "     -6.00  Paid already" in lines
    assert "     54.00  To pay" in lines


def test_a_class_and_a_time_of_another_zone_are_understood() -> None:
    lines = said("classes", entered="2026-11-30T06:00:00+01:00", exited="2026-11-30 11:00", ticket_class="motorcycle")
    assert lines[0] == "2026-11-30 09:00:00 – 2026-11-30 11:00:00"
    assert "      6.00  Motorcycle: 2 × 1 h at 3.00" in lines


def test_check_lists_each_boundary_with_the_fee_before_and_after() -> None:
    lines = said("dubai-airport-b", check=True)
    assert lines[:7] == [
        "rate[1]: entry on Tuesday 2026-12-01 09:00",
        "  a stay of                  costs    1 s more",
        "  0 min                       0.00       25.00",
        "  1 h                        25.00       30.00",
        "  2 h                        30.00       35.00",
        "  3 h                        35.00       45.00",
        "  4 h                        45.00       85.00",
    ]
    assert lines[-1] == "no fee falls as a stay grows"


def test_check_warns_where_a_fee_falls_and_where_it_pays_to_lose_the_ticket() -> None:
    lines = said("early-bird", check=True)
    assert "  9 h 59 min 59 s            40.00       16.00   falls" in lines
    assert lines[-1] == "warning: Early bird: the fee falls after 9 h 59 min 59 s, from 40.00 to 16.00"
    cheap = settings("hourly-day-cap")
    found: list[str] = []
    asked = TariffQuestion(check=True)
    run(Settings(garage=cheap.garage, tariff=load_lost(cheap, "59.99")), asked, now_ms=NOW, say=found.append)
    assert found[-1] == (
        "warning: lost_ticket: 59.99 is less than 24 h cost (rate[1], 60.00), so it pays to lose a ticket"
    )
    found.clear()
    run(Settings(garage=cheap.garage, tariff=load_lost(cheap, "60.00")), asked, now_ms=NOW, say=found.append)
    assert found[-1] == "no fee falls as a stay grows"


def load_lost(found: Settings, price: str) -> Any:
    return msgspec.structs.replace(found.tariff, lost_ticket=price)


def test_check_looks_at_each_rate_class_and_coming_tariff() -> None:
    headings = [line for line in said("classes", check=True) if ": entry on" in line]
    assert headings == [
        "Car: entry on Tuesday 2026-12-01 09:00",
        "Member, class member: entry on Tuesday 2026-12-01 09:00",
        "Motorcycle, class motorcycle: entry on Tuesday 2026-12-01 09:00",
        "Staff, class staff: entry on Tuesday 2026-12-01 09:00",
    ]
    assert [line for line in said("event", check=True) if ": entry on" in line] == [
        "Usual: entry on Tuesday 2026-12-01 09:00",
        "Event: entry on Thursday 2026-12-31 16:00",
    ]
    rise = said("price-rise", check=True)
    assert "\nfrom 2027-01-01:" in rise
    assert "  10 min                      0.00       12.00" in rise[rise.index("\nfrom 2027-01-01:") :]
    assert "\nfrom 2027-01-01:" not in said("price-rise", check=True, entered="2027-01-01 00:00")


def test_check_of_one_entry_up_to_a_length() -> None:
    lines = said("night-flat", check=True, entered="2026-11-30 17:30", until="3 h")
    assert lines[:6] == [
        "Day: entry on Monday 2026-11-30 17:30",
        "  a stay of                  costs    1 s more",
        "  0 min                       0.00        5.00",
        "  1 h                         5.00       10.00",
        "  1 h 30 min                 10.00       25.00",
        "",
    ]


def test_a_chart_has_a_line_for_each_rate(tmp_path: Path) -> None:
    file = tmp_path / "chart.png"
    said("great-western-hospital", chart=file)
    with Image.open(file) as picture:
        assert (picture.size, picture.mode) == ((1200, 844), "RGB")
        seen = {colour for _, colour in picture.getcolors(1 << 20) or ()}
    assert {(15, 118, 110), (180, 83, 10), (109, 79, 163)} <= seen


def test_a_chart_may_be_of_one_entry_and_a_short_time(tmp_path: Path) -> None:
    file = tmp_path / "chart.png"
    said("dubai-airport-a", chart=file, entered="2026-11-30 09:00", until="1 h")
    with Image.open(file) as picture:
        assert picture.size == (1200, 788)
        # 5.00 to 40.00 of a scale of 50.00, in 510 px over the line of 0.00
        column = [y for y in range(150, 660) if picture.getpixel((1100, y)) == (15, 118, 110)]
    assert column == [251, 252, 253]


def test_free_stays_have_a_chart_too(tmp_path: Path) -> None:
    free = replace(PLAIN, garage=settings("classes").garage, tariff=staff_only())
    run(free, TariffQuestion(chart=tmp_path / "chart.png"), now_ms=NOW)
    assert (tmp_path / "chart.png").stat().st_size > 1000


def staff_only() -> Any:
    return msgspec.structs.replace(PLAIN.tariff, free_minutes=0, day_cap="", rate=({"free": True},))


@pytest.mark.parametrize(
    ("asked", "line"),
    [
        ({}, "tariff: takes --entered and --exited, --check, --chart FILE or --holidays YEAR"),
        (
            {"entered": "2026-11-30 09:00"},
            "tariff: takes --entered and --exited, --check, --chart FILE or --holidays YEAR",
        ),
        ({"exited": "2026-11-30 09:00"}, "tariff: --exited takes --entered beside it"),
        ({"entered": "soon", "check": True}, "tariff --entered: got 'soon', takes a time such as \"2026-11-30 09:00\""),
        (
            {"entered": "2026-11-30 09:00", "exited": "late"},
            "tariff --exited: got 'late', takes a time such as \"2026-11-30 09:00\"",
        ),
        (
            {"check": True, "until": "1"},
            'tariff --until: got \'1\', takes a time such as "1 h", "90 min", "1 day" or "1 h 30 min"',
        ),
        ({"check": True, "until": "1 s"}, 'tariff --until: got \'1 s\', takes "1 min" to "400 days"'),
        ({"check": True, "until": "401 days"}, 'tariff --until: got \'401 days\', takes "1 min" to "400 days"'),
    ],
)
def test_an_option_that_cannot_be_is_one_line(asked: dict[str, Any], line: str) -> None:
    assert refused("classes", **asked) == line


@pytest.mark.parametrize(
    ("asked", "line"),
    [
        ({"paid": ("5.00",)}, "tariff --paid: got '5.00', takes \"2026-11-30 09:00=20.00\""),
        (
            {"paid": ("2026-11-30 09:00=x",)},
            "tariff --paid: got '2026-11-30 09:00=x', takes \"2026-11-30 09:00=20.00\"",
        ),
        ({"earlier": ("x",)}, "tariff --earlier: got 'x', takes \"2026-11-30 09:00/2026-11-30 10:00\""),
        ({"earlier": ("x/y",)}, "tariff --earlier: got 'x', takes a time such as \"2026-11-30 09:00\""),
        ({"ticket_class": "vip"}, "tariff: class 'vip': the tariff has ['', 'member', 'motorcycle', 'staff']"),
        (
            {"exited": "2026-11-30 08:00"},
            "tariff --exited: got '2026-11-30 08:00', takes a time that is not before --entered",
        ),
    ],
)
def test_a_stay_that_cannot_be_is_one_line(asked: dict[str, Any], line: str) -> None:
    assert refused("classes", **{"entered": "2026-11-30 09:00", "exited": "2026-11-30 10:00", **asked}) == line


def test_holidays_are_printed_for_a_person_to_confirm() -> None:
    lines = list(public_holidays.lines("AE", 2027))
    assert lines[0] == "holidays = ["
    assert '  "2027-12-02",  # National Day' in lines
    assert any("(estimated)" in line for line in lines)
    assert lines[-1].startswith("# to be confirmed by a person")
    with pytest.raises(ConfigError, match=r"^tariff --country: got 'XX', takes a country's two letters, such as AE$"):
        list(public_holidays.lines("XX", 2027))


def test_without_the_package_it_is_said_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "holidays", None)
    with pytest.raises(ConfigError, match=r"pip install 'parking-exit-terminal\[tools\]'"):
        list(public_holidays.lines("AE", 2027))


def test_the_command_line_passes_all_of_it_on() -> None:
    words = ["--config", str(FOLDER / "classes.toml"), "tariff", "--entered", "2026-11-30 09:00"]
    words += ["--exited", "2026-11-30 10:00", "--class", "member", "--paid", "2026-11-30 09:00=1"]
    words += ["--earlier", "2026-11-29 09:00/2026-11-29 10:00", "--check", "--until", "1 h"]
    done = subprocess.run([sys.executable, "-m", "terminal", *words], capture_output=True, text=True, check=True)
    assert "Member" not in done.stdout.splitlines()[0]
    assert "      0.00  2 h taken off the stay" in done.stdout
    assert "Member, class member: entry on Monday 2026-11-30 09:00" in done.stdout
    printed = subprocess.run(
        [sys.executable, "-m", "terminal", "tariff", "--holidays", "2026"], capture_output=True, text=True, check=True
    )
    assert '  "2026-12-02",  # National Day' in printed.stdout


def test_a_wrong_tariff_ends_the_command_with_status_2_and_its_key(tmp_path: Path) -> None:
    file = tmp_path / "wrong.toml"
    file.write_text('[garage]\nid = "marina"\n[[tariff.rate]]\nsteps = [{ until = "1 h", total = "5.00" }]\n')
    done = subprocess.run(
        [sys.executable, "-m", "terminal", "--config", str(file), "tariff", "--check"], capture_output=True, text=True
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "exit-terminal: tariff.rate[1].steps: leave a gap, the last one has an until; takes one without it, or a"
        " repeat\n"
    )
