"""Actions, in the imperative and in the order of a visit: everything that the rules ask for.

There are two kinds. What must be pursued until it is answered (an order, a lift, a refund) follows from the state at
any time, so that a start after a crash owes the same (``outbox.owed``). What is published once comes with the step that
asks for it; an alert that must not be lost also stands in the state, until it is known to have reached the broker.
"""

from dataclasses import dataclass
from typing import Literal

from terminal.core.alert_codes import RuleAlertCode, Severity
from terminal.core.model import Grant, PaymentProof, VisitOrder, VisitRefund

# -- pursued until the state no longer owes them ---------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class PlaceOrder:
    """Place it with PayBy. If the outcome is unknown, query first, then place again with the same request."""

    order: VisitOrder


@dataclass(frozen=True, slots=True)
class QueryOrder:
    """Ask PayBy for the order's status every 2 to 6 s."""

    order: VisitOrder


@dataclass(frozen=True, slots=True)
class CloseOrder:
    """Query and then cancel it, every 3 to 10 s, until PayBy says that it is paid or dead."""

    order: VisitOrder


@dataclass(frozen=True, slots=True)
class SendLift:
    """Sign and publish it, and repeat until the barrier answers; ``proof`` with `paid` and `credit`."""

    grant: Grant
    proof: PaymentProof | None


@dataclass(frozen=True, slots=True)
class PlaceRefund:
    """Ask PayBy for it under its own number, and query it until it has ended."""

    refund: VisitRefund


Pursuit = PlaceOrder | QueryOrder | CloseOrder | SendLift | PlaceRefund


@dataclass(frozen=True, slots=True)
class PursuitKey:
    """Names one pursuit: its kind, and the number or id that it is for."""

    what: str
    number: str


def key_of(pursuit: Pursuit) -> PursuitKey:
    """The key of a pursuit; it stays the same however the pursuit's nouns change."""
    match pursuit:
        case PlaceOrder(order):
            return PursuitKey("placeOrder", order.no)
        case CloseOrder(order):
            return PursuitKey("cancelOrder", order.no)
        case PlaceRefund(refund):
            return PursuitKey("refund", refund.no)
        case SendLift(grant):
            return PursuitKey("lift", grant.id)
        case _:
            return PursuitKey("getOrder", pursuit.order.no)


# -- said once ---------------------------------------------------------------------------------------------------

ReceiptOutcome = Literal["lifting", "duplicate", "late", "refused", "noted", "done"]


@dataclass(frozen=True, slots=True)
class RaiseAlert:
    """Raise an alert. ``lane`` None: it concerns the whole garage."""

    code: RuleAlertCode
    severity: Severity
    text: str
    lane: str | None
    session: str | None = None
    order_no: str | None = None
    once: bool = False
    """True for an occurrence, which is never cleared; False for a condition."""
    help_code: str | None = None
    """The help code on the screen; None: the code of its stay."""
    owed: bool = False
    """The state holds it as untold until an AlertTold says otherwise."""


@dataclass(frozen=True, slots=True)
class ClearAlert:
    """The condition of an alert is over."""

    code: RuleAlertCode
    text: str
    lane: str | None


@dataclass(frozen=True, slots=True)
class SendReceipt:
    """What came of a notification or a command: the contract's `receipt`."""

    outcome: ReceiptOutcome
    why: str = ""


@dataclass(frozen=True, slots=True)
class PublishRefund:
    """A refund's progress is news."""

    refund: VisitRefund


Action = RaiseAlert | ClearAlert | SendReceipt | PublishRefund
