"""The keys of `[lookup]` and `[plate]`: tickets that this garage did not make."""

from typing import Annotated, Literal

from msgspec import Meta

from terminal.config.field_types import File
from terminal.config.section import Section
from terminal.config.tariff_settings import PriceOrNone

LookupUrl = Annotated[
    str,
    Meta(
        pattern=r"^https?://[^/@\s{}]+/[^\s#]*\{number\}[^\s#]*\Z",
        max_length=300,
        description="https://HOST/PATH with {number} in it",
    ),
]


class LookupSettings(Section, frozen=True):
    """Plain numbers of another system, and who is asked when one entered: over HTTP (`url`), otherwise over MQTT.

    A reader needs only `numbers`; the rest is the worker's.
    """

    numbers: Annotated[
        str,
        Meta(min_length=1, max_length=200, description='a regular expression for whole numbers, such as "[0-9]{12}"'),
    ]
    url: LookupUrl | None = None
    token_file: File | None = None
    ca_file: File | None = None
    timeout: Annotated[float, Meta(ge=0.2, le=10, description="seconds, 0.2 to 10")] = 3.0
    on_failure: Annotated[Literal["help", "flat"], Meta(description="help or flat")] = "help"
    flat_fee: PriceOrNone = ""
    cache_minutes: Annotated[int, Meta(ge=0, le=1440, description="minutes, 0 to 1440")] = 15
    cache_tickets: Annotated[int, Meta(ge=100, le=100_000, description="100 to 100000")] = 10_000


class PlateSettings(Section, frozen=True):
    """Licence plates that a camera reads, in place of tickets."""

    least_confidence: Annotated[int, Meta(ge=1, le=100, description="per cent, 1 to 100")] = 90
