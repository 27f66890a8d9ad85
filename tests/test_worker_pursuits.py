"""The pace at which a worker asks PayBy, in virtual time."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import replace
from itertools import pairwise
from typing import Any, cast

import pytest

from terminal.core.actions import CloseOrder, PlaceOrder, PlaceRefund, Pursuit, QueryOrder, SendLift, key_of
from terminal.core.events import Event, RefundUnheard
from terminal.core.model import Grant, VisitOrder, VisitRefund
from terminal.payby import errors
from terminal.roles.worker.payby_calls import PayByOrders
from terminal.roles.worker.pursuits import Pursuits
from tests.sim.loop import VirtualLoop

ORDER = VisitOrder("marina-exit-1-0", "exit-1", "s", 1, 2000, 0, 110_000, 710_000, stage="created")
REFUND = VisitRefund("R1", ORDER.no, 2000, "credit not used", "worker")


class Deaf:
    """A PayBy that answers nothing, and remembers when it was asked. Not the client with the sandbox, since that needs
    sockets, and a loop whose time is virtual has none."""

    def __init__(self) -> None:
        self.queries: list[float] = []
        self.cancels: list[float] = []
        self.lifts: list[float] = []
        """When the barrier was sent a lift."""

    async def get_order(self, order_no: str) -> Any:
        self.queries.append(asyncio.get_running_loop().time())
        raise errors.OutcomeUnknown("getOrder", why="deaf")

    async def cancel_order(self, order_no: str) -> Any:
        self.cancels.append(asyncio.get_running_loop().time())
        raise errors.OutcomeUnknown("cancelOrder", why="deaf")


class Unwilling(Deaf):
    """A PayBy that says the same of every refund, and of any question about one."""

    def __init__(self, error: errors.CallFailed) -> None:
        super().__init__()
        self._error = error

    async def refund(self, biz: bytes) -> Any:
        self.queries.append(asyncio.get_running_loop().time())
        raise self._error

    async def get_refund(self, refund_no: str) -> Any:
        self.cancels.append(asyncio.get_running_loop().time())
        raise errors.RefundUnknown("refund/getOrder", "62007", "no such refund")


class Forgetful(Deaf):
    """A PayBy that knows no refund, not even the one that it is asked for."""

    async def refund(self, biz: bytes) -> Any:
        self.queries.append(asyncio.get_running_loop().time())
        assert len(self.queries) < 10, "it is asked without a pause"
        raise errors.RefundUnknown("refund/placeOrder", "62007", "no such refund")

    async def get_refund(self, refund_no: str) -> Any:
        self.cancels.append(asyncio.get_running_loop().time())
        raise errors.RefundUnknown("refund/getOrder", "62007", "no such refund")


def asked(expires_s: float, pause: Callable[[float, float], float]) -> Deaf:
    """What PayBy hears of an order that is closed at ``expires_s`` and does not end."""
    deaf = Deaf()
    pursued(deaf, pause, (expires_s, [QueryOrder(ORDER)]), (30.0, [CloseOrder(ORDER)]))
    return deaf


def pursued(payby: Deaf, pause: Callable[[float, float], float], *spells: tuple[float, list[Pursuit]]) -> list[Event]:
    """Each list is pursued for this many seconds; returns the events that the rules got."""
    heard: list[Event] = []
    with VirtualLoop() as loop:

        async def story() -> None:
            async with asyncio.TaskGroup() as group:

                def spawn(work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
                    return group.create_task(work, name=name)

                async def say_lift(_: Any) -> None:
                    payby.lifts.append(loop.time())

                pursuits = Pursuits(
                    payby=cast(PayByOrders, payby),
                    payee_mid="1",
                    words={key_of(PlaceRefund(REFUND)): b"{}", key_of(PlaceOrder(ORDER)): b"{}"},
                    now=lambda: round(loop.time() * 1000),
                    post=lambda event, done=None: heard.append(event),
                    say_lift=say_lift,
                    pause=pause,
                    query_every=3.0,
                    heard=lambda: None,
                    unheard=lambda _: None,
                    spawn=spawn,
                )
                for seconds, wanted in spells:
                    pursuits.follow("s", wanted)
                    await asyncio.sleep(seconds)  # of the loop's virtual time: it passes at once, and is what is tested
                pursuits.cancel()

        loop.run(story())
    return heard


@pytest.mark.parametrize("pause", [min, max])
@pytest.mark.parametrize("tenths", range(150, 185, 2))
def test_an_order_that_is_closed_right_after_a_query_is_queried_again_in_time(
    tenths: int, pause: Callable[[float, float], float]
) -> None:
    """PayBy wants a query every 2 to 6 s, counted at its door; a query that closing left out was missed until the turn
    after. Half a second is left for the way there."""
    deaf = asked(tenths / 10, pause)
    gaps = [later - earlier for earlier, later in zip(deaf.queries, deaf.queries[1:], strict=False)]
    assert min(gaps) >= 2.0 and max(gaps) <= 5.5, gaps
    cancels = [later - earlier for earlier, later in zip(deaf.cancels, deaf.cancels[1:], strict=False)]
    assert min(cancels) >= 3.0 and max(cancels) <= 10.0, cancels
    assert deaf.cancels[0] == tenths / 10


def test_a_refund_that_payby_knows_nothing_of_is_asked_for_again_with_pauses() -> None:
    forgetful = Forgetful()
    pursued(forgetful, min, (100.0, [PlaceRefund(REFUND)]))
    assert (forgetful.queries, forgetful.cancels) == ([0.0, 5.0, 65.0], [5.0, 65.0])


@pytest.mark.fault("power-cut")
def test_a_lift_is_repeated_until_its_deadline_and_asked_about_every_half_minute_once_it_is_overdue() -> None:
    deaf, grant = Deaf(), Grant("lift", "exit-1", "s", "car", "free", 10_000)
    pursued(
        deaf, min, (20.0, [SendLift(grant, None)]), (30.0, []), (70.0, [SendLift(replace(grant, overdue=True), None)])
    )
    assert deaf.lifts == [0.0, 0.5, 1.5, 3.5, 6.5, 9.5, 50.0, 80.0, 110.0]


class Slow(Deaf):
    """A PayBy that takes its time to answer placeOrder, which it has had ``after_s`` before, if at all."""

    def __init__(self, after_s: float, answers: bool) -> None:
        super().__init__()
        self.after_s, self.answers, self.had = after_s, answers, 0.0

    async def place_order(self, biz: bytes) -> Any:
        await asyncio.sleep(self.after_s)  # virtual time
        self.had = self.had or asyncio.get_running_loop().time()
        if not self.answers:
            await asyncio.sleep(10)  # virtual time
        raise errors.OutcomeUnknown("placeOrder", why="HTTP 500")


@pytest.mark.parametrize("pause", [min, max])
@pytest.mark.parametrize("answers", [True, False])
@pytest.mark.parametrize("after_s", [0.0, 0.02, 0.7, 1.9])
def test_payby_sees_the_whole_time_go_by_before_an_order_that_ran_out_is_cancelled(
    after_s: float, answers: bool, pause: Callable[[float, float], float]
) -> None:
    """It counts from when it had the order; we began 0.3 s before the call."""
    order = replace(ORDER, stage="placing", placed=0, expires=20_000)
    slow = Slow(after_s, answers)
    pursued(slow, pause, (0.3, []), (19.7, [PlaceOrder(order)]), (30.0, [CloseOrder(order)]))
    assert 20.0 <= slow.cancels[0] - slow.had <= 22.1
    gaps = [later - earlier for earlier, later in pairwise(slow.cancels)]
    assert min(gaps) >= 3.0 and max(gaps) <= 10.0, gaps
    gaps = [later - earlier for earlier, later in pairwise(slow.queries)]
    assert min(gaps) >= 2.0 and max(gaps) <= 6.0, gaps


def test_an_order_whose_car_has_gone_is_cancelled_at_once_and_so_is_one_of_before_a_start() -> None:
    """Of the latter nobody knows any more when PayBy had it: no later than 2 s after we began."""
    deaf = Deaf()
    pursued(deaf, min, (5.0, []), (30.0, [CloseOrder(ORDER)]))
    assert deaf.cancels[0] == 5.0
    deaf = Deaf()
    pursued(deaf, min, (21.0, []), (30.0, [CloseOrder(replace(ORDER, expires=20_000))]))
    assert deaf.cancels[0] == 22.0


@pytest.mark.parametrize(
    ("code", "msg"),
    [("62002", "ORDER_FAILURE"), ("62004", "MERCHANT_ORDER_NO_NOT_EXIST"), ("62035", "ORDER_NO_NOT_EXIST"),
     ("62006", "REFUND_AMOUNT_EXCEEDED"), ("62045", "REFUND_REJECTED"), ("62036", "MERCHANT_DEVICE_NOT_EXIST")],
)  # fmt: skip
def test_a_refund_that_will_never_be_made_is_a_persons(code: str, msg: str) -> None:
    unwilling = Unwilling(errors.failure("acquire2/refund/placeOrder", "FAIL", code, msg))
    first = pursued(unwilling, min, (1.0, [PlaceRefund(REFUND)]))[0]
    assert isinstance(first, RefundUnheard)
    assert (first.final, first.code, first.refund_no) == (True, code, REFUND.no)


@pytest.mark.parametrize(
    ("code", "msg"), [("403", "UNAUTHORIZED"), ("500", "SYSTEM_ERROR"), ("402", "RATE_LIMIT"), ("62039", "X")]
)
def test_a_refund_that_might_be_made_is_asked_for_again(code: str, msg: str) -> None:
    unwilling = Unwilling(errors.failure("acquire2/refund/placeOrder", "FAIL", code, msg))
    heard = pursued(unwilling, min, (1.0, [PlaceRefund(REFUND)]))
    assert [e.final for e in heard if isinstance(e, RefundUnheard)] == [False]
