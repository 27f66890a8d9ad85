"""The keys of `[tariff]`: the plain form of the contract, and what a garage's own tariff adds to it."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from msgspec import Meta

from terminal.config.field_types import Price
from terminal.config.section import Section

PriceOrNone = Annotated[
    str,
    Meta(
        pattern=r"^((0|[1-9][0-9]{0,5})(\.[0-9]{1,2})?)?\Z",
        description='dirhams in quotes, such as "10.00", or "" for none',
    ),
]


class TariffSettings(Section, frozen=True):
    """What a stay costs, VAT included: times in minutes, prices in dirhams; the day cap is for 24 h from entry.

    The tables of `rate` and `next`, and `overnight`, are read by `build.tariff`.
    """

    free_minutes: Annotated[int, Meta(ge=0, le=1440, description="minutes, 0 to 1440")] = 10
    block_minutes: Annotated[int, Meta(ge=1, le=1440, description="minutes, 1 to 1440")] = 60
    block_price: Price = "10.00"
    day_cap: PriceOrNone = "100.00"
    lost_ticket: Price = "150.00"
    vat_percent: Annotated[
        str, Meta(pattern=r"^[0-9]{1,2}(\.[0-9]{1,2})?\Z", description='per cent in quotes, such as "5"')
    ] = "5"
    exit_grace: Annotated[int, Meta(ge=1, le=240, description="minutes, 1 to 240")] = 15
    unpaid_grace: Annotated[int, Meta(ge=0, le=240, description="minutes, 0 to 240")] = 0
    minutes_off: Annotated[int, Meta(ge=0, le=1440, description="minutes, 0 to 1440")] = 0
    calendar_cap: PriceOrNone = ""
    minimum: PriceOrNone = ""
    maximum: PriceOrNone = ""
    round_to: PriceOrNone = ""
    rounding: Annotated[Literal["up", "down", "nearest"], Meta(description="up, down or nearest")] = "up"
    reentry_minutes: Annotated[int, Meta(ge=0, le=1440, description="minutes, 0 to 1440")] = 0
    overnight: Annotated[
        Mapping[str, Any], Meta(description='a time and a price, such as { at = "03:00", add = "25.00" }')
    ] = {}
    holidays: Annotated[tuple[Any, ...], Meta(description='a list of dates, such as ["2026-12-02..2026-12-03"]')] = ()
    rates_by: Annotated[
        Literal["entry", "stretch", "block", "paid-time"], Meta(description="entry, stretch, block or paid-time")
    ] = "entry"
    rate: Annotated[
        tuple[Mapping[str, Any], ...], Meta(max_length=200, description="tables, such as [[tariff.rate]]")
    ] = ()
    classes: Annotated[
        Mapping[Annotated[str, Meta(pattern=r"^[A-Za-z0-9]{1,8}\Z")], str],
        Meta(max_length=64, description='ids of [ticket] keys and classes, such as { k2 = "motorcycle" }'),
    ] = {}
    next: Annotated[
        tuple[Mapping[str, Any], ...], Meta(max_length=50, description="tables, such as [[tariff.next]]")
    ] = ()
