"""Every message of the contract as a type, with one encoder and one decoder.

The types are the schema: decode() accepts only what fits them, and ``exit-terminal contract`` prints them.
Unknown fields are ignored; a message that lacks a required field is refused with a reason that names the field.
"""

from typing import Annotated, Any, Literal, TypeVar

import msgspec
from msgspec import Meta

from terminal.contract.credit_messages import Credit
from terminal.contract.field_forms import (
    COMMAND_NEEDS,
    FEE_NEEDS,
    AmountText,
    Count,
    Currency,
    HelpCode,
    OrderNo,
    Percent,
    Stamp,
    TicketClass,
    TicketNumber,
    Uuid7,
)
from terminal.contract.invoice_messages import Enquiry, Invoice
from terminal.contract.message_form import MAX_BYTES as MAX_BYTES
from terminal.contract.message_form import BadMessage as BadMessage
from terminal.contract.message_form import Message as Message
from terminal.contract.message_form import moment as moment
from terminal.contract.message_form import stamp as stamp
from terminal.core.actions import ReceiptOutcome
from terminal.core.alert_codes import Severity
from terminal.core.events import CommandName
from terminal.core.model import (
    BoomState,
    FeeReason,
    ForeignKind,
    GrantReason,
    LiftOutcome,
    OrderStatus,
    RefundStage,
    ScreenState,
)


class Fee(Message, frozen=True, kw_only=True):
    """A ticket was read, and this is what is due."""

    ticket: Annotated[str, Meta(max_length=512)]
    reason: Literal[FeeReason, "number", "coupon", "refused"]
    session: Uuid7 | None = None
    car: Uuid7 | None = None
    entered: Stamp | None = None
    exited: Stamp | None = None
    minutes: Count | None = None
    amount: AmountText | None = None
    currency: Currency | None = None
    why: str | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        self.need(*FEE_NEEDS[self.reason], where=f"reason `{self.reason}`")


class Order(Message, frozen=True, kw_only=True):
    """The lane's PayBy order and how it stands."""

    status: OrderStatus
    fee: Uuid7 | None = None
    session: Uuid7 | None = None
    order_no: OrderNo | None = None
    amount: AmountText | None = None
    currency: Currency | None = None
    token_url: str | None = None
    expires: Stamp | None = None
    scanned: Annotated[bool, Meta(description="PayBy says that a phone has read the code")] | None = None


class Qr(msgspec.Struct, frozen=True):
    """A QR symbol without quiet zone: ``size`` modules a side; ``bits`` is the base64 of the modules, row after
    row, most significant bit first, 1 = dark, only the last byte filled with zeros."""

    size: Annotated[int, Meta(ge=21, le=177)]
    bits: str


class Screen(Message, frozen=True, kw_only=True):
    """What the LCD shows now; in state ``pay`` with the QR code and the worker's signature."""

    state: ScreenState
    fee: Uuid7 | None = None
    session: Uuid7 | None = None
    car: Uuid7 | None = None
    amount: AmountText | None = None
    currency: Currency | None = None
    minutes: Count | None = None
    expires: Stamp | None = None
    remaining: Count | None = None
    scanned: Annotated[bool, Meta(description="a phone has read the code")] | None = None
    reason: str | None = None
    help_code: HelpCode | None = None
    qr: Qr | None = None
    key: str | None = None
    sign: str | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.state == "pay":
            self.need("session", "amount", "currency", "expires", "remaining", "qr", "key", "sign", where="state `pay`")


class Paid(Message, frozen=True, kw_only=True):
    """PayBy says that an order is paid, in PayBy's own signed words; deflated if they are too long (``packed``)."""

    order_no: OrderNo
    notify_id: str
    body: str
    sign: str


class Receipt(Message, frozen=True, kw_only=True):
    """A `paid`, a refund notification or a command is in the journal, and this came of it."""

    outcome: ReceiptOutcome
    order_no: OrderNo | None = None
    notify_id: str | None = None
    command: Uuid7 | None = None
    why: str | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.command is None:
            self.need("notify_id", where="a receipt without `command`")


class Proof(msgspec.Struct, frozen=True, omit_defaults=True):
    """PayBy's signed bytes as text, and its signature over them (Base64)."""

    body: str
    sign: str


LiftReason = Literal[GrantReason, "operator"]
RefusalReason = Literal["spent", "expired", "too-far", "signature", "proof", "car", "busy", "journal"]


class Lift(Message, frozen=True, kw_only=True):
    """A signed permission to raise the boom once, with its proof."""

    session: Uuid7
    reason: LiftReason
    by: str
    not_after: Stamp
    key: str
    sign: str
    car: Uuid7 | None = None
    note: str | None = None
    order_no: OrderNo | None = None
    amount: AmountText | None = None
    proof: Proof | None = None


class Answer(msgspec.Struct, frozen=True, omit_defaults=True):
    """The barrier's answer to one lift."""

    lift: Uuid7
    outcome: LiftOutcome
    why: RefusalReason | None = None
    order_no: OrderNo | None = None


class LastLift(msgspec.Struct, frozen=True):
    """The lift by which an arm at rest rose last."""

    lift: Uuid7
    session: Uuid7
    reason: LiftReason


class Barrier(Message, frozen=True, kw_only=True):
    """What the boom does, and by which lift it rose; at rest by which it did so last."""

    state: BoomState
    lift: Uuid7 | None = None
    session: Uuid7 | None = None
    reason: LiftReason | None = None
    answer: Answer | None = None
    last: LastLift | None = None

    @property
    def raised_last_by(self) -> str | None:
        """The lift that raised it last, now or before."""
        return self.lift or (self.last.lift if self.last else None)


class Vehicle(Message, frozen=True, kw_only=True):
    """Whether a vehicle waits, which one, and whether one is under the boom; on change and every 5 s."""

    waiting: bool
    under_boom: bool
    car: Uuid7 | None = None


class Plate(Message, frozen=True, kw_only=True):
    """A camera has read the plate of the vehicle that waits; without ``entered`` its entry is looked up."""

    plate: TicketNumber
    confidence: Percent
    entered: Stamp | None = None
    car: Uuid7 | None = None


class Lookup(Message, frozen=True, kw_only=True):
    """The worker asks another system when the stay of a ticket or a plate began."""

    kind: ForeignKind
    number: TicketNumber


class Found(Message, frozen=True, kw_only=True):
    """The other system's answer to a ``Lookup``; without ``entered`` it knows no such ticket."""

    lookup: Uuid7
    number: TicketNumber
    entered: Stamp | None = None
    ticket_class: TicketClass | None = None


class Command(Message, frozen=True, kw_only=True):
    """What an operator asks for, signed by a console."""

    command: Literal[CommandName, "ticket"]
    by: str
    not_after: Stamp
    key: str
    sign: str
    session: Uuid7 | None = None
    order_no: OrderNo | None = None
    amount: AmountText | None = None
    reason: str | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        self.need(*COMMAND_NEEDS.get(self.command, ()), where=f"command `{self.command}`")


class Refund(Message, frozen=True, kw_only=True):
    """A refund's progress; the listener's also has PayBy's signed words, as a ``paid`` does."""

    order_no: OrderNo
    refund_no: str
    status: RefundStage
    amount: AmountText | None = None
    currency: Currency | None = None
    notify_id: str | None = None
    body: str | None = None
    sign: str | None = None


class Alert(Message, frozen=True, kw_only=True):
    """Something a person must know, raised or cleared."""

    severity: Severity
    code: str
    state: Literal["raised", "cleared"]
    text: str
    session: Uuid7 | None = None
    order_no: OrderNo | None = None
    help_code: HelpCode | None = None


class RaisedAlert(msgspec.Struct, frozen=True, omit_defaults=True):
    """An alert that was raised and is not cleared."""

    code: str
    severity: Severity
    text: str
    since: Stamp
    session: Uuid7 | None = None
    order_no: OrderNo | None = None
    help_code: HelpCode | None = None


class Alerts(Message, frozen=True, kw_only=True):
    """What a role has raised at a place and not cleared, the most severe first; ``more`` counts what did not fit."""

    raised: tuple[RaisedAlert, ...]
    more: Count | None = None


HealthState = Literal["online", "degraded", "offline"]


class Health(Message, frozen=True, kw_only=True):
    """A role's health and heartbeat, and the connection's last will. A worker's is signed, and names as ``rival`` the
    other worker of its garage that it hears."""

    state: HealthState
    version: str
    instance: str
    since: Stamp
    reason: str | None = None
    rival: str | None = None
    key: str | None = None
    sign: str | None = None


MESSAGES: dict[str, type[Message]] = {
    kind.__name__.lower(): kind
    for kind in (
        Fee, Plate, Lookup, Found, Order, Screen, Paid, Receipt, Lift, Barrier, Vehicle, Command, Refund, Credit,
        Enquiry, Invoice, Alert, Alerts, Health,
    )
}  # fmt: skip
"""The message's type by its topic's last part (for health and alerts, the part before the slash)."""

M = TypeVar("M", bound=Message)

_ENCODER = msgspec.json.Encoder()
_VERSION: msgspec.json.Decoder[Any] = msgspec.json.Decoder(
    type("Version", (msgspec.Struct,), {"__annotations__": {"v": Literal[1]}})
)
_DECODERS: dict[type[Message], msgspec.json.Decoder[Any]] = {k: msgspec.json.Decoder(k) for k in MESSAGES.values()}


def encode(message: Message) -> bytes:
    """A message -> JSON, UTF-8; raises BadMessage over MAX_BYTES."""
    data = _ENCODER.encode(message)
    if len(data) > MAX_BYTES:
        raise BadMessage(f"{type(message).__name__.lower()}: {len(data)} bytes; at most {MAX_BYTES} may be sent")
    return data


def decode(kind: type[M], data: bytes) -> M:
    """JSON -> a message of ``kind``; raises BadMessage with a reason that names the field."""
    name = kind.__name__.lower()
    if len(data) > MAX_BYTES:
        raise BadMessage(f"{name}: {len(data)} bytes; at most {MAX_BYTES} are accepted")
    try:
        _VERSION.decode(data)  # msgspec accepts an absent tag
        message: M = _DECODERS[kind].decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadMessage(f"{name}: {error}") from None
    return message
