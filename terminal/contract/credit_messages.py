"""What lessens a stay's fee, said by somebody outside the lane: a pay station, or who validates tickets."""

from typing import Annotated

from msgspec import Meta

from terminal.contract.field_forms import AmountText, Stamp, Uuid7
from terminal.contract.message_form import Message
from terminal.core.allowance import AllowanceKind

PercentText = Annotated[
    str, Meta(pattern=r"^(100|[1-9][0-9]?|0(?=\.0*[1-9]))(\.[0-9]{1,2})?(?!\n)$", description="up to two decimals")
]


class Credit(Message, frozen=True, kw_only=True):
    """A ticket was paid at a pay station, or something is taken off its fee; signed by a key of `[paystation]`."""

    session: Uuid7
    kind: AllowanceKind
    by: str
    until: Stamp
    not_after: Stamp
    key: str
    sign: str
    amount: AmountText | None = None
    percent: PercentText | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        needed = {"paid": "amount", "amount": "amount", "percent": "percent"}.get(self.kind)
        if needed:
            self.need(needed, where=f"kind `{self.kind}`")
