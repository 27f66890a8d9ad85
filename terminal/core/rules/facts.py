"""Which rule records which event."""

from typing import assert_never

from terminal.core.events import (
    AlertTold,
    AllowanceGiven,
    BarrierGone,
    BoomSeen,
    CommandGiven,
    CouponRead,
    Damaged,
    Event,
    LiftAnswered,
    OrderDenied,
    OrderReported,
    OrderScanned,
    OrderUnheard,
    PassRead,
    RefundReported,
    RefundUnheard,
    Started,
    StayFailed,
    TicketRead,
    TicketRefused,
    TimePassed,
    VehicleSeen,
    VehicleUnknown,
)
from terminal.core.rules.allowances import allowance_given, coupon_read, pass_read
from terminal.core.rules.arrival import ticket_read, ticket_refused
from terminal.core.rules.boom import barrier_gone, boom_seen
from terminal.core.rules.commands import command_given
from terminal.core.rules.deadlines import time_passed
from terminal.core.rules.draft import Draft
from terminal.core.rules.lifts import lift_answered
from terminal.core.rules.orders import order_denied, order_reported, order_scanned, order_unheard
from terminal.core.rules.passage import vehicle_seen, vehicle_unknown
from terminal.core.rules.refunds import refund_reported, refund_unheard
from terminal.core.rules.restart import alert_told, damaged, started, stay_failed


def record(draft: Draft, event: Event) -> None:
    """Record what an event says by itself; progress decides what follows from it."""
    match event:
        case Started():
            started(draft, event)
        case Damaged():
            damaged(draft, event)
        case StayFailed():
            stay_failed(draft, event)
        case TicketRead():
            ticket_read(draft, event)
        case TicketRefused():
            ticket_refused(draft, event)
        case VehicleSeen():
            vehicle_seen(draft, event)
        case VehicleUnknown():
            vehicle_unknown(draft, event)
        case BoomSeen():
            boom_seen(draft, event)
        case BarrierGone():
            barrier_gone(draft, event)
        case LiftAnswered():
            lift_answered(draft, event)
        case OrderReported():
            order_reported(draft, event)
        case OrderScanned():
            order_scanned(draft, event)
        case OrderUnheard():
            order_unheard(draft, event)
        case OrderDenied():
            order_denied(draft, event)
        case RefundReported():
            refund_reported(draft, event)
        case RefundUnheard():
            refund_unheard(draft, event)
        case CommandGiven():
            command_given(draft, event)
        case AlertTold():
            alert_told(draft, event)
        case TimePassed():
            time_passed(draft, event)
        case AllowanceGiven():
            allowance_given(draft, event)
        case CouponRead():
            coupon_read(draft, event)
        case PassRead():
            pass_read(draft, event)
        case _:
            assert_never(event)
