"""What holds of every tariff, and that fees are those of a slow and plain reckoning."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from terminal.core.money import Fils
from terminal.core.tariff import Tariff
from terminal.core.tariff.boundaries import boundaries
from terminal.core.tariff.calendar import Hours, local
from terminal.core.tariff.fee import ExplainedFee
from terminal.core.tariff.pricing import explain, fee
from terminal.core.tariff.rate import Rate, RateBook
from terminal.core.tariff.schedule import TariffSchedule
from terminal.core.tariff.stay import DAY_MS, MINUTE_MS, PricedStay, PriorPayment
from terminal.core.tariff.table import PriceStep, PriceTable
from tests.support.tariff_reference import PlainRate, reference_fee
from tests.support.tariffs import moment

ZONES = [
    ZoneInfo(name)
    for name in (
        "Asia/Dubai",
        "Europe/London",
        "America/New_York",
        "Australia/Lord_Howe",  # half an hour
        "Africa/Cairo",  # midnight is skipped
        "America/St_Johns",
        "Pacific/Apia",  # without 30 December 2011
        "Asia/Kathmandu",
    )
]
TURNS = [
    moment(text)
    for text in (
        "2026-03-28 12:00",  # summer begins in London
        "2026-10-24 12:00",  # and ends
        "2026-03-07 20:00",  # in New York
        "2026-10-31 20:00",
        "2026-04-23 12:00",  # in Cairo
        "2026-10-29 12:00",
        "2026-04-04 08:00",  # on Lord Howe
        "2011-12-29 10:00",  # Apia changes sides
        "2026-12-31 12:00",
    )
]
PLAIN_ZONE = ZoneInfo("UTC")

entries = st.builds(lambda turn, minutes: turn + minutes * MINUTE_MS, st.sampled_from(TURNS), st.integers(0, 40 * 60))
prices = st.integers(0, 3000)


@st.composite
def tables(draw: st.DrawFn) -> tuple[tuple[int | None, int | None, int], ...]:
    """Steps that do not fall, in minutes; the last one runs on."""
    found: list[tuple[int | None, int | None, int]] = []
    start = total = 0
    for _ in range(draw(st.integers(0, 3))):
        until = start + draw(st.integers(1, 400))
        if draw(st.booleans()):
            total += draw(prices)
            found.append((until, None, total))
        else:
            block, add = draw(st.integers(5, 200)), draw(prices)
            found.append((until, block, add))
            total += add * -(-(until - start) // block)
        start = until
    if draw(st.booleans()):
        found.append((None, None, total + draw(prices)))
    else:
        found.append((None, draw(st.integers(5, 600)), draw(prices)))
    return tuple(found)


@st.composite
def rates(draw: st.DrawFn) -> list[PlainRate]:
    """Rates that hold at all times, each at its own: by parts of the day, of the week, or both."""
    cuts = sorted(draw(st.sets(st.integers(0, 1439), max_size=3)))
    parts = list(zip(cuts, [*cuts[1:], cuts[0] + 1440], strict=True)) if cuts else []
    weeks = draw(st.sampled_from([[frozenset()], [frozenset(range(5)), frozenset({5, 6})]]))
    if len(weeks) > 1:  # hours over midnight would belong to the day before, so parts end with the day
        parts = [(max(0, a), min(1440, b)) for a, b in zip([0, *cuts], [*cuts, 1440], strict=True) if a < b]
    most = draw(st.none() | st.integers(1, 4000))
    return [
        PlainRate(draw(tables()), days, (part,) if part else (), most) for days in weeks for part in (parts or [None])
    ]


@st.composite
def tariffs(draw: st.DrawFn) -> tuple[list[PlainRate], dict[str, Any]]:
    """Rates, and what holds besides, in minutes and fils."""
    found = draw(rates())
    by = draw(st.sampled_from(["entry", "stretch", "block", "paid-time"]))
    if by in ("block", "paid-time"):
        found = [replace(rate, most=None) for rate in found]
    optional = st.none() | st.integers(1, 20_000)
    keys: dict[str, Any] = {
        "rates_by": by,
        "free": draw(st.integers(0, 90)),
        "off": draw(st.sampled_from([0, 0, 15, 180])),
        "grace": draw(st.integers(0, 20)),
        "day_cap": draw(optional),
        "calendar_cap": draw(optional),
        "maximum": draw(optional),
    }
    caps = [keys[name] for name in ("day_cap", "calendar_cap", "maximum") if keys[name]]
    keys["minimum"] = draw(st.integers(0, min([2000, *caps])))
    return found, keys


def table(steps: tuple[tuple[int | None, int | None, int], ...]) -> PriceTable:
    return PriceTable(
        tuple(
            PriceStep(until and until * MINUTE_MS, Fils(fils), None if block is None else block * MINUTE_MS)
            for until, block, fils in steps
        )
    )


def schedule(found: list[PlainRate], keys: Mapping[str, Any], zone: ZoneInfo) -> TariffSchedule:
    book = RateBook(
        tuple(
            Rate(
                table(rate.steps),
                days=rate.days,
                hours=tuple(Hours(*part) for part in rate.hours),
                most=None if rate.most is None else Fils(rate.most),
            )
            for rate in found
        ),
        zone,
    )
    return TariffSchedule(
        {"": book},
        zone,
        Fils(1),
        "5",
        15 * MINUTE_MS,
        keys["rates_by"],
        free_ms=keys["free"] * MINUTE_MS,
        off_ms=keys["off"] * MINUTE_MS,
        unpaid_grace_ms=keys["grace"] * MINUTE_MS,
        day_cap=keys["day_cap"],
        calendar_cap=keys["calendar_cap"],
        minimum=keys["minimum"],
        maximum=keys["maximum"],
    )


@settings(max_examples=100, deadline=None)
@given(tariffs(), entries, st.integers(0, 50 * 60), st.sampled_from(ZONES))
def test_fees_are_those_of_a_reckoning_minute_by_minute(
    tariff: tuple[list[PlainRate], dict[str, Any]], entered: int, minutes: int, zone: ZoneInfo
) -> None:
    found, keys = tariff
    due = fee(schedule(found, keys, zone), entered, entered + minutes * MINUTE_MS)
    assert due == reference_fee(found, entered, minutes, zone, keys)


@settings(max_examples=80, deadline=None)
@given(tariffs(), entries, st.lists(st.integers(0, 6 * 86_400), min_size=2, max_size=8), st.sampled_from(ZONES))
def test_a_longer_stay_never_costs_less_and_none_less_than_nothing(
    tariff: tuple[list[PlainRate], dict[str, Any]], entered: int, stays: list[int], zone: ZoneInfo
) -> None:
    found = schedule(*tariff, zone)
    fees = [fee(found, entered, entered + stay * 1000) for stay in sorted(stays)]
    assert fees == sorted(fees)
    assert fees[0] >= 0


@settings(max_examples=80, deadline=None)
@given(tariffs(), entries, st.integers(0, 6 * 86_400), st.sampled_from(ZONES))
def test_no_stay_costs_more_than_its_caps(
    tariff: tuple[list[PlainRate], dict[str, Any]], entered: int, stay: int, zone: ZoneInfo
) -> None:
    found = schedule(*tariff, zone)
    end = entered + stay * 1000
    due = fee(found, entered, end)
    days = (local(end, zone).date() - local(entered, zone).date()).days + 1
    assert found.day_cap is None or due <= found.day_cap * max(1, -(-stay * 1000 // DAY_MS))
    assert found.calendar_cap is None or due <= found.calendar_cap * days
    assert found.maximum is None or due <= found.maximum


@settings(max_examples=60, deadline=None)
@given(tables(), st.integers(0, 5000), entries, entries, st.integers(0, 9 * 86_400), st.sampled_from(ZONES))
def test_a_tariff_without_days_and_hours_is_the_same_on_every_date_and_in_every_zone(
    steps: tuple[tuple[int | None, int | None, int], ...], cap: int, one: int, other: int, stay: int, zone: ZoneInfo
) -> None:
    keys = {"free": 5, "off": 0, "grace": 0, "calendar_cap": None, "maximum": None, "minimum": 0}
    fees = {
        fee(
            schedule([PlainRate(steps)], {**keys, "rates_by": by, "day_cap": cap or None}, at),
            entered,
            entered + stay * 1000,
        )
        for by in ("entry", "stretch", "block")
        for at in (zone, PLAIN_ZONE)
        for entered in (one, other)
    }
    assert len(fees) == 1


@settings(max_examples=60, deadline=None)
@given(tariffs(), entries, st.integers(0, 3 * 1440), st.sampled_from(ZONES))
def test_a_fee_changes_at_its_boundaries_and_nowhere_else(
    tariff: tuple[list[PlainRate], dict[str, Any]], entered: int, minutes: int, zone: ZoneInfo
) -> None:
    found = schedule(*tariff, zone)
    edges = boundaries(found, entered, minutes * MINUTE_MS)
    assert [edge.stay_s for edge in edges] == sorted({edge.stay_s for edge in edges})
    due = int(fee(found, entered, entered))
    start = 0
    for edge in edges:
        assert edge.before == due == fee(found, entered, entered + (start + edge.stay_s) * 500)
        assert edge.after == fee(found, entered, entered + edge.stay_s * 1000 + 1000) != edge.before
        assert not edge.falls
        start, due = edge.stay_s + 1, edge.after
    assert due == fee(found, entered, entered + minutes * MINUTE_MS) or minutes * 60 < start


@settings(max_examples=60, deadline=None)
@given(tariffs(), entries, st.integers(0, 3 * 86_400), st.integers(0, 30_000), st.integers(0, 86_400))
def test_lines_add_up_and_what_was_paid_is_taken_off_once(
    tariff: tuple[list[PlainRate], dict[str, Any]], entered: int, stay: int, paid: int, after: int
) -> None:
    found = schedule(*tariff, ZONES[1])

    def due(end: int, *payments: PriorPayment) -> ExplainedFee:
        return explain(found, PricedStay(entered, end, paid=payments))

    at = entered + stay * 1000
    whole, part = due(at), due(at, PriorPayment(at, Fils(paid)))
    assert part.total == max(0, whole.total - paid)
    assert sum(line.amount for line in whole.lines) == whole.total
    assert all(line.amount == line.count * line.each for line in whole.lines if line.kind in ("blocks", "repeats"))
    late = at + after * 1000
    left = due(late, PriorPayment(at, whole.total)).total
    assert left == (0 if late <= at + found.exit_grace_ms and whole.total else due(late).total - whole.total)


@given(
    st.integers(0, 300),
    st.integers(1, 1440),
    st.integers(1, 5000),
    st.integers(1, 50_000),
    st.integers(0, 40 * 86_400),
    st.sampled_from(TURNS),
)
def test_the_plain_form_is_what_the_contract_says(
    free: int, block: int, price: int, cap: int, stay: int, entered: int
) -> None:
    """A stay up to ``free`` minutes costs nothing; above it every started block from the entry counts, and those that
    begin within the same 24 h from the entry cost ``cap`` at most."""
    days: dict[int, int] = {}
    for begin in range(0, stay, block * 60):
        days[begin // 86_400] = days.get(begin // 86_400, 0) + price
    words = 0 if stay <= free * 60 else sum(min(cap, day) for day in days.values())
    tariff = Tariff(free, block, Fils(price), Fils(cap), Fils(1), "5", 15)
    assert tariff.fee(entered, entered + stay * 1000) == words
