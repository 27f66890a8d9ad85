"""The keys of `[paystation]`: who may say that a ticket was paid elsewhere, or take something off its fee."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from msgspec import Meta

from terminal.config.section import Section


class PaystationSettings(Section, frozen=True):
    """`trusted` maps the name of a signer, `station…`, to its public key; for the worker."""

    trusted: Annotated[
        Mapping[Annotated[str, Meta(pattern=r"^station[A-Za-z0-9._-]{0,32}\Z")], Path],
        Meta(min_length=1, max_length=64, description='names and files, such as { station-1 = "station-1.pub.pem" }; '
             "a name begins with station"),
    ]  # fmt: skip
