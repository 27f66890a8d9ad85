"""One visit, put together from what was heard of it: where it is now, its orders, payments and refunds."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from terminal.core import ids, money
from terminal.roles.console.desk import Desk
from terminal.roles.console.history import HeardLine


@dataclass(slots=True)
class OrderView:
    """One order; amounts in fils. ``refunds``: how far each is, and how much, by its number. ``left``: what could still
    be given back; 0 while nothing was paid."""

    order_no: str
    lane: str
    status: str = ""
    amount: int = 0
    paid_ms: int = 0
    held: bool = False
    refunds: dict[str, tuple[str, int]] = field(default_factory=dict)

    @property
    def refunded(self) -> int:
        """What was given back, or is on its way."""
        return sum(amount for status, amount in self.refunds.values() if status != "failed")

    @property
    def left(self) -> int:
        """What could still be given back."""
        return max(0, self.amount - self.refunded) if self.paid_ms else 0

    @property
    def amount_text(self) -> str:
        """The amount in AED."""
        return money.text(self.amount)

    @property
    def left_text(self) -> str:
        """What is left, in AED."""
        return money.text(self.left)

    @property
    def refunded_text(self) -> str:
        """What was given back, in AED."""
        return money.text(self.refunded)


@dataclass(slots=True)
class VisitView:
    """``at_lane``: the lane that has it now; empty: none. ``lane``: where it was heard of last."""

    at_lane: str
    lane: str
    orders: list[OrderView]
    opened: str = ""
    opened_ms: int = 0


def visit_of(desk: Desk, session: str, lines: Iterable[HeardLine]) -> VisitView:
    """The visit of a stay; ``lines`` are the history's about it, in order."""
    orders: dict[str, OrderView] = {}
    view = VisitView("", "", [])
    for name, lane in desk.monitor.lanes.items():
        if desk.session_at(lane) == session:
            view.at_lane = view.lane = name
    for line in lines:
        if not view.at_lane and line.lane != ids.NO_LANE:
            view.lane = line.lane
        if line.opened:
            view.opened, view.opened_ms = line.words, line.at_ms
        if (number := ids.parse_order_no(line.order_no)) is None or number.session != session:
            continue
        order = orders.setdefault(line.order_no, OrderView(line.order_no, number.lane))
        amount = _fils(line.field("amount"))
        match line.kind:
            case "order":
                order.status, order.amount = line.field("status"), amount or order.amount
                if order.status == "paid":
                    order.paid_ms = order.paid_ms or line.at_ms
            case "paid":
                order.paid_ms = order.paid_ms or line.at_ms
            case "lift" if line.field("reason") in ("paid", "credit"):
                order.amount, order.paid_ms = amount or order.amount, order.paid_ms or line.at_ms
            case "refund" if no := line.field("refund_no"):
                order.paid_ms = order.paid_ms or line.at_ms
                before = order.refunds.get(no, ("", 0))
                order.refunds[no] = line.field("status") or before[0], amount or before[1]
    for order in orders.values():
        order.held = desk.waits_for_person(order.order_no)
    view.orders = list(orders.values())[::-1]
    return view


def _fils(text: str) -> int:
    try:
        return money.parse(text)
    except ValueError:
        return 0
