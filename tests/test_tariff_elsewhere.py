"""Published tariffs of other places, written down as a garage would, give the fees of their tables, a second before and
after each boundary. Amounts are in their own currencies, as if they were dirhams; what a page leaves open is said here.
"""

import tomllib
from zoneinfo import ZoneInfo

import pytest

from terminal.core.tariff.boundaries import boundaries
from terminal.core.tariff.stay import PricedStay
from tests.support.tariffs import history, looks, moment

HEATHROW = """
zone = "Europe/London"                  # short stay, ifly.com
[[rate]]
steps = [
  { until = "30 min", total = "2.40" }, { until = "1 h", total = "4.10" }, { until = "90 min", total = "6.10" },
  { until = "2 h", total = "7.70" }, { until = "3 h", total = "10.60" }, { until = "4 h", total = "13.90" },
  { until = "5 h", total = "17.10" }, { until = "6 h", total = "21.10" }, { until = "9 h", total = "30.60" },
  { until = "12 h", total = "39.60" }, { until = "18 h", total = "43.20" }, { until = "24 h", total = "45.20" },
  { until = "36 h", total = "71.10" }, { until = "48 h", total = "90.40" }, { every = "24 h", add = "45.20" },
]
"""
PALAIS = """
zone = "Asia/Singapore"                 # a mall's, palais.sg: who enters before 17:01 pays the evening's entry besides
rates_by = "stretch"
holidays = ["2026-12-25"]
[[rate]]
days = "mon-sat"
hours = "07:00-17:00"
steps = [{ until = "1 h", total = "3.85" }, { every = "30 min", add = "1.95" }]
[[rate]]
days = "mon-sat"
hours = "17:00-01:00"
steps = [{ total = "4.60" }]
[[rate]]
days = "sun, holiday"
hours = "07:00-01:00"
steps = [{ every = "4 h", add = "4.60" }]
[[rate]]
hours = "01:00-07:00"
steps = [{ every = "1 h", add = "1.80" }]
"""
CENTRAL = """
zone = "Asia/Singapore"                 # public car parks of the central area, Parking Places order S 615/2016
rates_by = "stretch"
[[rate]]
days = "mon-sat"
hours = "07:00-17:00"
steps = [{ every = "30 min", add = "1.20" }]
[[rate]]
days = "mon-sat"
hours = "17:00-22:30"
steps = [{ every = "30 min", add = "0.60" }]
[[rate]]
days = "sun"
hours = "07:00-22:30"
steps = [{ every = "30 min", add = "0.60" }]
[[rate]]
hours = "22:30-07:00"
steps = [{ every = "30 min", add = "0.60" }]
most = "5.00"
"""
DEGGENDORF = """
zone = "Europe/Berlin"                  # a town's garage, vhs-deggendorf.de: the most by day, by night and on Sundays
rates_by = "stretch"
free_minutes = 30
day_cap = "8.00"
holidays = ["2026-12-25..2026-12-26"]
[[rate]]
days = "mon-sat"
hours = "08:00-18:30"
steps = [{ every = "1 h", add = "1.30" }]
[[rate]]
days = "sun, holiday"
hours = "08:00-18:30"
steps = [{ every = "1 h", add = "1.30" }]
most = "2.00"
[[rate]]
hours = "18:30-08:00"
steps = [{ every = "1 h", add = "1.30" }]
most = "2.00"
"""
PARKIN = """
zone = "Asia/Dubai"                     # premium roadside zones from April 2025, thenationalnews.com
rates_by = "paid-time"                  # what is left of an hour at 22:00 counts in the morning
[[rate]]
days = "mon-sat"
hours = "08:00-10:00, 16:00-20:00"
steps = [{ every = "1 h", add = "6.00" }]
[[rate]]
days = "mon-sat"
hours = "10:00-16:00, 20:00-22:00"
steps = [{ every = "1 h", add = "4.00" }]
[[rate]]
days = "mon-sat"
hours = "00:00-08:00, 22:00-24:00"
free = true
[[rate]]
days = "sun"
free = true
"""
SAINT_GEORGES = """
zone = "Europe/London"                  # a hospital's, stgeorges.nhs.uk: free from 22:00 to 06:00, each day anew
rates_by = "stretch"
[[rate]]
hours = "06:00-22:00"
steps = [{ until = "8 h", every = "1 h", add = "2.50" }, { total = "25.00" }]
[[rate]]
hours = "22:00-06:00"
free = true
"""
STOKE = """
zone = "Europe/London"                  # John Street, stokeontrentcitycentre.co.uk: evenings end at 07:00, so a stay
[[rate]]                                # that goes on has no evening's price. A second day is not published.
days = "mon-sat"
hours = "07:00-07:30"
steps = [{ until = "2 h", every = "1 h", add = "1.40" }, { every = "24 h", add = "1.20" }]
[[rate]]
days = "mon-sat"
hours = "07:30-09:30"
steps = [
  { until = "3 h", every = "1 h", add = "1.40" }, { until = "4 h", total = "4.40" }, { until = "24 h", total = "6.00" },
  { every = "24 h", add = "6.00" },
]
[[rate]]
days = "mon-sat"
hours = "09:30-07:00"
steps = [
  { until = "3 h", every = "1 h", add = "1.40" }, { until = "4 h", total = "4.40" }, { until = "24 h", total = "5.00" },
  { every = "24 h", add = "5.00" },
]
[[rate]]
days = "mon-sat"
hours = "16:00-17:00"
exit_hours = "16:00-07:00"
steps = [{ until = "3 h", every = "1 h", add = "1.40" }, { until = "4 h", total = "4.40" }, { total = "4.50" }]
[[rate]]
days = "mon-sat"
hours = "17:00-18:00"
exit_hours = "17:00-07:00"
steps = [{ until = "2 h", every = "1 h", add = "1.40" }, { total = "4.00" }]
[[rate]]
days = "mon-sat"
hours = "18:00-19:00"
exit_hours = "18:00-07:00"
steps = [{ until = "2 h", every = "1 h", add = "1.40" }, { total = "3.50" }]
[[rate]]
days = "mon-sat"
hours = "19:00-07:00"
exit_hours = "19:00-07:00"
steps = [{ until = "2 h", every = "1 h", add = "1.40" }, { total = "3.00" }]
[[rate]]
days = "sun"
hours = "07:00-07:00"
steps = [{ every = "24 h", add = "3.00" }]
"""
TABLES = [
    (
        HEATHROW,
        "2026-11-30 09:00",
        "30 min 2.40, 1 h 4.10, 90 min 6.10, 2 h 7.70, 3 h 10.60, 4 h 13.90, 5 h 17.10, 6 h 21.10, 9 h 30.60,"
        " 12 h 39.60, 18 h 43.20, 24 h 45.20, 36 h 71.10, 48 h 90.40, 72 h 135.60, 96 h 180.80",
    ),
    (PALAIS, "2026-11-30 15:30", "1 h 3.85, 90 min 5.80, 9 h 30 min 10.40, 10 h 30 min 12.20, 11 h 30 min 14.00"),
    (PALAIS, "2026-12-06 10:00", "4 h 4.60, 8 h 9.20, 12 h 13.80, 15 h 18.40, 16 h 20.20"),
    (PALAIS, "2026-12-25 10:00", "4 h 4.60, 8 h 9.20"),
    (PALAIS, "2026-12-05 20:00", "5 h 4.60, 6 h 6.40, ~11 h 15.40, 15 h 20.00"),
    (
        CENTRAL,
        "2026-11-30 16:00",
        "30 min 1.20, 1 h 2.40, 90 min 3.00, ~6 h 30 min 9.00, 7 h 9.60, ~10 h 30 min 13.80, 15 h 14.00,"
        " 15 h 30 min 15.20",
    ),
    (CENTRAL, "2026-12-06 22:00", "30 min 0.60, 1 h 1.20, ~4 h 30 min 5.40, 9 h 5.60, 9 h 30 min 6.80"),
    (
        DEGGENDORF,
        "2026-11-30 14:00",
        "30 min 0, 1 h 1.30, 2 h 2.60, 3 h 3.90, 4 h 5.20, 4 h 30 min 6.50, 5 h 30 min 7.80, 24 h 8.00, 25 h 9.30",
    ),
    (DEGGENDORF, "2026-12-25 09:00", "30 min 0, 1 h 1.30, 9 h 30 min 2.00, 10 h 30 min 3.30, 23 h 4.00, 24 h 5.30"),
    (PARKIN, "2026-11-30 07:30", "30 min 0, 90 min 6, 2 h 30 min 12, 3 h 30 min 16, ~14 h 30 min 68, 24 h 30 min 68"),
    (PARKIN, "2026-11-30 09:30", "1 h 6, 2 h 10, ~6 h 26, 7 h 30, 8 h 36"),
    (PARKIN, "2026-12-05 21:30", "35 h 4, 36 h 10"),
    (SAINT_GEORGES, "2026-11-30 08:00", "1 h 2.50, 2 h 5, ~8 h 20, 22 h 25, 23 h 27.50"),
    (SAINT_GEORGES, "2026-11-30 20:00", "1 h 2.50, 10 h 5, 11 h 7.50, ~18 h 25, 34 h 30, 35 h 32.50"),
    (STOKE, "2026-11-30 07:15", "1 h 1.40, 2 h 2.80, 26 h 4.00"),
    (STOKE, "2026-11-30 08:00", "1 h 1.40, 2 h 2.80, 3 h 4.20, 4 h 4.40, 24 h 6.00"),
    (STOKE, "2026-11-30 10:00", "1 h 1.40, 2 h 2.80, 3 h 4.20, 4 h 4.40, 24 h 5.00"),
    (STOKE, "2026-11-30 16:00", "1 h 1.40, 2 h 2.80, 3 h 4.20, 4 h 4.40, ~14 h 59 min 59 s 4.50, ~15 h 5, 24 h 5"),
    (STOKE, "2026-11-30 17:59", "1 h 1.40, 2 h 2.80, ~13 h 59 s 4, ~13 h 1 min 5, 24 h 5"),
    (STOKE, "2026-11-30 18:30", "1 h 1.40, 2 h 2.80, ~12 h 29 min 3.50, ~12 h 30 min 5, ~23 h 59 min 5"),
    (STOKE, "2026-12-05 23:00", "1 h 1.40, 2 h 2.80, ~7 h 59 min 3, ~8 h 5"),
    (STOKE, "2026-12-06 10:00", "24 h 3"),
]


@pytest.mark.parametrize(("text", "entered", "table"), TABLES)
def test_a_table_published_elsewhere_is_charged_to_the_second(text: str, entered: str, table: str) -> None:
    values = tomllib.loads(text)
    zone = ZoneInfo(values.pop("zone"))
    tariff = history(*values.pop("rate"), zone=zone, **values)
    begin = moment(entered, zone)
    for stay, price in looks(table):
        assert tariff.explain(PricedStay(begin, begin + stay)).total == price, stay


@pytest.mark.parametrize("text", [HEATHROW, PALAIS, CENTRAL, DEGGENDORF, PARKIN, SAINT_GEORGES])
def test_none_of_them_charges_less_for_a_longer_stay(text: str) -> None:
    values = tomllib.loads(text)
    zone = ZoneInfo(values.pop("zone"))
    tariff = history(*values.pop("rate"), zone=zone, **values).versions[0][1]
    found = boundaries(tariff, moment("2026-12-05 06:50", zone), 3 * 86_400_000)
    assert len(found) > 5
    assert not [change for change in found if change.falls]
