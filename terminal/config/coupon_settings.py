"""The keys of `[coupon]`: coupons that this garage hands out."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta

from terminal.config.section import Section


class CouponSettings(Section, frozen=True):
    """`keys` maps ids to files; the first signs new coupons. For the worker and the command `ticket`, not a lane."""

    keys: Annotated[
        Mapping[Annotated[str, Meta(pattern=r"^[A-Za-z0-9]{1,8}\Z")], Path],
        Meta(min_length=1, max_length=16, description='ids of 1 to 8 letters and digits, such as { c1 = "coupon-c1" }'),
    ]
    passback: Annotated[Literal["hard", "soft"], Meta(description="hard or soft")] = "hard"
