"""PayBy's nine acceptance cases, begun from the payment terminal: a ticket under its scanner.

Each takes a terminal that is open and a Seen to fill. What PayBy asks for is checked by PayBy's own record of calls;
besides, that the driver sees the right screens and that the boom rises only for the car that paid.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from terminal.contract.messages import moment
from terminal.payby.sandbox.faults import Fault, NotifyFault
from tests.acceptance.measured import CANCEL_S, FIRST_CANCEL_S, QUERY_S, Seen, check_cancels, check_queries
from tests.acceptance.station import TIMEOUT_S, Station

PASSWORD_STAY_MIN = 5 * 24 * 60 + 10
"""Five days at the daily cap, and the first block of the sixth: AED 510."""
TRIES = 3
SYSTEM_ERROR = Fault(code="500", msg="SYSTEM_ERROR")
CANCELLED_S = FIRST_CANCEL_S[1] + 5.0
"""Within this an unpaid order is being cancelled."""


@dataclass(frozen=True)
class Case:
    number: int
    title: str
    run: Callable[[Station, Seen], Awaitable[None]]
    notify: bool = False
    """Whether PayBy is told where to notify: only the ninth case is about that."""


async def asks_for_a_password(terminal: Station, seen: Seen) -> None:
    mark = terminal.scan(terminal.ticket(PASSWORD_STAY_MIN))
    order = await _code_shows(terminal, mark)
    no = order["order_no"]
    seen.holds(float(order["amount"]) >= 500, f"AED {order['amount']} is too little to be asked for a password")
    placed = terminal.sandbox.calls_of("placeOrder")[0]
    seen.holds(placed.code == "0" and "token_url" in order, "placeOrder was not answered with an order")
    await terminal.sandbox.decline(order["token_url"])
    await terminal.wait(14)
    seen.holds(terminal.sandbox.orders[no].status == "CREATED", "the order is not CREATED while the app asks")
    seen.holds(not terminal.lifts, "a lift while nothing is paid")
    await terminal.sandbox.pay(order["token_url"])
    await _leaves(terminal, seen, mark, no)
    check_queries(seen, terminal.about(no), at_least=TRIES)
    _none_cancelled(terminal, seen, no)


async def nobody_pays(terminal: Station, seen: Seen) -> None:
    mark = terminal.scan(terminal.ticket())
    order = await _code_shows(terminal, mark)
    no = order["order_no"]
    await terminal.closed(no, within=CANCELLED_S)
    calls = terminal.about(no)
    check_queries(seen, calls, at_least=TRIES)
    check_cancels(seen, calls)
    await _gives_another(terminal, seen, mark, no)


async def placing_is_a_system_error(terminal: Station, seen: Seen) -> None:
    """PayBy still has the order, but gives no code for it."""
    terminal.sandbox.fail("placeOrder", Fault(code="500", msg="SYSTEM_ERROR", done=True), times=None)
    await _never_placed(terminal, seen, since=0.0)


async def placing_times_out(terminal: Station, seen: Seen) -> None:
    terminal.sandbox.fail("placeOrder", Fault(delay_s=TIMEOUT_S + 30, done=True), times=None)
    await _never_placed(terminal, seen, since=TIMEOUT_S)


async def _never_placed(terminal: Station, seen: Seen, *, since: float) -> None:
    mark = terminal.scan(terminal.ticket())
    no = await terminal.first_call("placeOrder", within=10)
    await terminal.hears("screen", mark, within=20, state="help", reason="no-answer")
    await terminal.called("cancelOrder", no, 1, within=CANCELLED_S)
    terminal.sandbox.heal()
    calls = terminal.about(no)
    check_queries(seen, calls, since=since, at_least=TRIES)
    check_cancels(seen, calls)
    cancelled = next(c.at_ms for c in calls.all if c.name == "cancelOrder")
    numbers = {c.biz["merchantOrderNo"] for c in terminal.sandbox.calls if c.at_ms <= cancelled}
    seen.holds(numbers == {no}, "another number while this one was open")
    words = {c.body.partition(b"bizContent")[2] for c in calls.all if c.name == "placeOrder"}
    seen.holds(len(words) == 1, "placed again with other words")
    shown = [s for s in terminal.heard.of("screen") if s["state"] == "pay" and moment(s["at"]) <= cancelled]
    seen.holds(not shown, "a code without an answer")
    await _gives_another(terminal, seen, mark, no)


async def cancelling_fails_then_succeeds(terminal: Station, seen: Seen) -> None:
    terminal.sandbox.fail("cancelOrder", SYSTEM_ERROR, times=TRIES)
    mark = terminal.scan(terminal.ticket())
    order = await _code_shows(terminal, mark)
    no = order["order_no"]
    limit = CANCELLED_S + (TRIES + 1) * CANCEL_S[1]
    await terminal.closed(no, within=limit)
    calls = terminal.about(no)
    check_queries(seen, calls, at_least=TRIES)
    check_cancels(seen, calls, at_least=TRIES + 1)
    seen.holds(len(calls.failed("cancelOrder")) == TRIES, "cancelled on although it had succeeded")
    await _gives_another(terminal, seen, mark, no)


async def cancelling_keeps_failing(terminal: Station, seen: Seen) -> None:
    terminal.sandbox.fail("cancelOrder", SYSTEM_ERROR, times=None)
    mark = terminal.scan(terminal.ticket())
    order = await _code_shows(terminal, mark)
    no = order["order_no"]
    await terminal.called("cancelOrder", no, 1, within=CANCELLED_S)
    await terminal.hears("screen", mark, within=30, state="help", reason="no-answer")
    await terminal.hears("alert", mark, within=60, code="payby-silent", state="raised")
    await terminal.called("cancelOrder", no, 6, within=60)
    calls = terminal.about(no)
    check_queries(seen, calls, at_least=TRIES)
    check_cancels(seen, calls, at_least=TRIES)
    failed = calls.failed("cancelOrder")
    _told(terminal, seen, no, failed, more_than=TRIES - 1)
    seen.holds(len(terminal.sandbox.orders) == 1, "another order while this one might be paid")
    terminal.sandbox.heal()
    await terminal.closed(no, within=30)
    await _gives_another(terminal, seen, mark, no)


async def querying_fails_then_succeeds(terminal: Station, seen: Seen) -> None:
    terminal.sandbox.fail("getOrder", SYSTEM_ERROR, times=TRIES)
    mark = terminal.scan(terminal.ticket())
    order = await _code_shows(terminal, mark)
    no = order["order_no"]
    await terminal.called("getOrder", no, TRIES + 2, within=(TRIES + 2) * QUERY_S[1])
    seen.holds(not terminal.lifts, "a lift while nothing is paid")
    await terminal.sandbox.pay(order["token_url"])
    await _leaves(terminal, seen, mark, no)
    check_queries(seen, terminal.about(no), at_least=TRIES + 2)
    _none_cancelled(terminal, seen, no)


async def querying_keeps_failing(terminal: Station, seen: Seen) -> None:
    terminal.sandbox.fail("getOrder", SYSTEM_ERROR, times=None)
    mark = terminal.scan(terminal.ticket())
    order = await _code_shows(terminal, mark)
    no = order["order_no"]
    await terminal.hears("alert", mark, within=40, code="payby-silent", state="raised")
    await terminal.called("getOrder", no, 8, within=8 * QUERY_S[1])
    calls = terminal.about(no)
    check_queries(seen, calls, at_least=TRIES + 1)
    _told(terminal, seen, no, calls.failed("getOrder"), more_than=TRIES)
    await terminal.sandbox.pay(order["token_url"])
    await terminal.called("getOrder", no, 10, within=3 * QUERY_S[1])
    seen.holds(not terminal.lifts, "a lift without PayBy's word")
    terminal.sandbox.heal()
    await _leaves(terminal, seen, mark, no)
    _add_told(terminal, seen, no)


async def a_notification_comes(terminal: Station, seen: Seen) -> None:
    terminal.sandbox.notify_fault = NotifyFault(delay_s=1.0)
    mark = terminal.scan(terminal.ticket())
    order = await _code_shows(terminal, mark)
    await terminal.sandbox.pay(order["token_url"])
    await terminal.sandbox.notified()
    await _leaves(terminal, seen, mark, order["order_no"])
    posted = terminal.sandbox.deliveries
    seen.holds([d.ok for d in posted] == [True], f"answered {[d.status for d in posted]}, not one 200 with SUCCESS")
    receipts = [r["outcome"] for r in terminal.heard.of("receipt")]
    seen.holds(len(receipts) > 0 and "refused" not in receipts, f"the worker's receipt: {receipts}")
    seen.outcome = f"SUCCESS after {len(posted)} POST; {seen.outcome}"
    _none_cancelled(terminal, seen, order["order_no"])


# -- what several cases share ----------------------------------------------------------------------------------------


async def _code_shows(terminal: Station, mark: int) -> dict[str, Any]:
    """The order, once the driver can scan it off the glass."""
    order = await terminal.hears("order", mark, within=15, status="created")
    await terminal.hears("screen", mark, within=5, state="pay")
    await terminal.code_on_glass(order["token_url"])
    return order


async def _leaves(terminal: Station, seen: Seen, mark: int, no: str) -> None:
    """The boom rises once, for this order."""
    up = await terminal.hears("barrier", mark, within=QUERY_S[1] + 10, state="up", reason="paid")
    await terminal.hears("screen", mark, within=5, state="paid")
    seen.holds(terminal.lifts == terminal.raised == {up["lift"]}, "not one lift and one raise")
    status = terminal.sandbox.orders[no].status
    seen.holds(status == "PAID_SUCCESS", f"the order is {status}")
    seen.outcome = f"{status}, boom rose once"


async def _gives_another(terminal: Station, seen: Seen, mark: int, no: str) -> None:
    """The order is closed, the boom stayed down, and the car that still waits gets a fresh code."""
    another = await terminal.hears(
        "order", mark, within=30, status="created", order_no=lambda other: other not in (None, no)
    )
    await terminal.code_on_glass(another["token_url"])
    status = terminal.sandbox.orders[no].status
    seen.holds(status == "FAILURE", f"the order is {status}")
    seen.holds(not terminal.lifts and not terminal.raised, "the boom rose for nobody")
    seen.outcome = f"{status}, boom stayed down, next code shown"
    _add_told(terminal, seen, no)


def _told(terminal: Station, seen: Seen, no: str, failed: list[float], *, more_than: int) -> None:
    """A person was alerted once, soon after more than this many failures or 10 s of them."""
    told = terminal.told("payby-silent", no)
    seen.holds(len(told) == 1, f"told {len(told)} times")
    for at in told:
        before = [time for time in failed if time <= at]
        seen.holds(len(before) > more_than or at - failed[0] >= 10, f"told at {at:.1f} s, after {len(before)} failures")
        limit = failed[more_than] + CANCEL_S[1] if len(failed) > more_than else 0.0
        seen.holds(at <= limit, f"told at {at:.1f} s, later than {limit:.1f} s")


def _add_told(terminal: Station, seen: Seen, no: str) -> None:
    for at in terminal.told("payby-silent", no):
        seen.outcome += f", person told at {at:.1f} s"


def _none_cancelled(terminal: Station, seen: Seen, no: str) -> None:
    cancels = terminal.about(no).times("cancelOrder")
    seen.holds(not cancels, "a paid order was cancelled")
    seen.cancels = "none"


CASES = (
    Case(1, "the app asks for a password", asks_for_a_password),
    Case(2, "nobody pays", nobody_pays),
    Case(3, "placeOrder: SYSTEM_ERROR", placing_is_a_system_error),
    Case(4, "placeOrder: time-out", placing_times_out),
    Case(5, "cancelOrder fails, then succeeds", cancelling_fails_then_succeeds),
    Case(6, "cancelOrder keeps failing", cancelling_keeps_failing),
    Case(7, "getOrder fails, then succeeds", querying_fails_then_succeeds),
    Case(8, "getOrder keeps failing", querying_keeps_failing),
    Case(9, "a notification", a_notification_comes, notify=True),
)
