"""Connections to PayBy behind a router that forgets them: the real client, the sandbox, and a proxy that swallows."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from terminal.payby import errors as e
from terminal.payby.client import PayByClient
from terminal.payby.connections import FRESH_S, MOST_AHEAD
from terminal.payby.sandbox.faults import Fault
from terminal.payby.sandbox.server import Sandbox
from terminal.payby.server_clock import LocalSystemClock
from tests.support.nat import Nat
from tests.support.payby_client import MERCHANT, NO, PAYBY, biz, refund_biz

FAST_S = 0.8
"""As fast as ever: a call takes some ms here, and a forgotten connection costs at least ``PATIENCE_S``."""
TIMEOUT_S = 3.0
PATIENCE_S = 0.3 * TIMEOUT_S


class Later(LocalSystemClock):
    """A clock that can be told that time went by."""

    def __init__(self) -> None:
        self.ahead_ms = 0

    def steady_ms(self) -> int:
        return super().steady_ms() + self.ahead_ms


@asynccontextmanager
async def behind_a_router(
    clock: LocalSystemClock | None = None, timeout_s: float = TIMEOUT_S
) -> AsyncIterator[tuple[Sandbox, Nat, PayByClient]]:
    async with (
        Sandbox(merchant_keys=[MERCHANT.public_key()], private_key=PAYBY, seed=1) as sandbox,
        Nat(sandbox.base_url) as nat,
        PayByClient(
            nat.url, sandbox.partner_id, MERCHANT, [sandbox.public_key], timeout_s=timeout_s, clock=clock
        ) as payby,
    ):
        yield sandbox, nat, payby


async def taken_s(call: Any) -> float:
    began = time.monotonic()
    await call
    return time.monotonic() - began


@pytest.mark.fault("nat-forgets")
async def test_after_a_quiet_spell_behind_nat_a_code_comes_as_fast_as_ever() -> None:
    clock = Later()
    async with behind_a_router(clock=clock) as (sandbox, nat, payby):
        await payby.place_order(biz("a"))
        nat.forget()
        clock.ahead_ms = int(FRESH_S * 1000) + 1
        assert await taken_s(payby.place_order(biz("b"))) < FAST_S
        assert (nat.opened, nat.swallowed) == (2, b"")
        assert set(sandbox.orders) == {"a", "b"}


@pytest.mark.fault("nat-forgets")
async def test_a_used_connection_that_stays_silent_is_replaced_with_the_same_bytes() -> None:
    async with behind_a_router() as (sandbox, nat, payby):
        await payby.place_order(biz("a"))
        await asyncio.gather(*(payby.get_order("a") for _ in range(3)))  # there are more, and all are forgotten
        nat.forget()
        assert PATIENCE_S <= await taken_s(payby.place_order(biz("b"))) < PATIENCE_S + FAST_S
        (placed,) = [call for call in sandbox.calls_of("placeOrder") if b'"b"' in call.body]
        assert nat.swallowed.endswith(placed.body)
        assert await taken_s(payby.get_order("b")) < FAST_S, "the other ones are not tried any more"


@pytest.mark.fault("nat-forgets")
async def test_a_used_connection_that_a_router_resets_is_replaced_at_once() -> None:
    async with behind_a_router() as (sandbox, nat, payby):
        await payby.place_order(biz("a"))
        nat.reset()
        assert await taken_s(payby.place_order(biz("b"))) < FAST_S
        assert nat.swallowed.endswith(sandbox.calls[-1].body)
        assert len(sandbox.calls) == 2


async def test_one_that_the_server_closes_unanswered_is_for_the_caller_to_look_up() -> None:
    async with behind_a_router() as (sandbox, _, payby):
        await payby.place_order(biz("a"))
        sandbox.fail("placeOrder", Fault(drop=True, done=True))
        with pytest.raises(e.OutcomeUnknown, match="connection lost"):
            await payby.place_order(biz("b"))
        assert len(sandbox.calls) == 2


async def test_of_a_slow_answer_and_its_repetition_the_first_counts_and_nothing_is_done_twice() -> None:
    async with behind_a_router() as (sandbox, _, payby):
        first = await payby.place_order(biz("a"))
        await sandbox.pay("a")
        slow_s = 1.5 * PATIENCE_S
        for name, call in (("placeOrder", payby.place_order(biz("a"))), ("placeOrder", payby.place_order(biz("b")))):
            before = len(sandbox.calls)
            sandbox.fail(name, Fault(delay_s=slow_s, done=True), times=1)
            assert await taken_s(call) < slow_s + FAST_S / 2
            twice = sandbox.calls[before:]
            assert len(twice) == 2
            assert twice[0].body == twice[1].body
        sandbox.fail("placeOrder", Fault(delay_s=slow_s, done=True), times=2)
        refund = refund_biz().replace(NO.encode(), b"a")
        assert await taken_s(payby.refund(refund)) < 2 * slow_s
        assert (len(sandbox.orders), len(sandbox.refunds)) == (2, 1)
        assert first.order.merchant_order_no == "a"


async def test_a_new_connection_is_waited_for_as_long_as_a_call_may_take() -> None:
    async with behind_a_router() as (sandbox, _, payby):
        sandbox.fail("placeOrder", Fault(delay_s=2 * PATIENCE_S, done=True))
        await payby.place_order(biz("a"))
        assert len(sandbox.calls) == 1


async def test_a_repetition_ends_with_its_call() -> None:
    async with behind_a_router() as (sandbox, nat, payby):
        await payby.place_order(biz("a"))
        nat.forget()
        sandbox.fail("getOrder", Fault(delay_s=10), times=None)
        assert await taken_s(expect_unknown(payby.get_order("a"))) < TIMEOUT_S + FAST_S
        sandbox.heal()
        assert await taken_s(payby.get_order("a")) < FAST_S


async def expect_unknown(call: Any) -> None:
    with pytest.raises(e.OutcomeUnknown, match="no answer within 3 s"):
        await call


@pytest.mark.fault("nat-forgets")
async def test_a_connection_opened_ahead_says_nothing_and_serves_the_next_call() -> None:
    async with behind_a_router() as (sandbox, nat, payby):
        await payby.place_order(biz("a"))
        nat.forget()
        await payby.open_ahead()
        await nat.until_opened(2)
        assert len(sandbox.calls) == 1
        assert await taken_s(payby.place_order(biz("b"))) < FAST_S
        assert (nat.opened, nat.swallowed) == (2, b"")


async def test_of_connections_opened_ahead_there_are_a_few_at_most() -> None:
    async with behind_a_router(timeout_s=30) as (_, nat, payby):  # a slow answer would be asked for once more
        await asyncio.gather(*(payby.open_ahead() for _ in range(20)))
        assert nat.opened == MOST_AHEAD
        await payby.open_ahead()
        await payby.place_order(biz("a"))
        assert nat.opened == MOST_AHEAD


async def test_a_call_that_is_under_way_as_the_client_is_closed_leaves_no_connection_behind() -> None:
    async with behind_a_router() as (sandbox, nat, payby):
        sandbox.fail("placeOrder", Fault(delay_s=0.2, done=True))
        call = asyncio.create_task(payby.place_order(biz("a")))
        await nat.until_opened(1)
        await payby.close()
        await call
        assert await nat.all_closed()


async def test_opening_ahead_where_nobody_is_or_nobody_answers_raises_nothing_and_ends() -> None:
    key = rsa.generate_private_key(65537, 2048)
    async with PayByClient("http://127.0.0.1:1/x", "1", key, [key.public_key()]) as payby:
        await payby.open_ahead()
    with socket.create_server(("127.0.0.1", 0)) as mute:
        url = f"https://127.0.0.1:{mute.getsockname()[1]}/x"
        async with PayByClient(url, "1", key, [key.public_key()], timeout_s=0.2) as payby:
            assert await taken_s(payby.open_ahead()) < FAST_S


@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="what the kernel asks is told by Linux")
async def test_the_kernel_asks_after_an_idle_connection() -> None:
    async with behind_a_router() as (_, nat, payby):
        await payby.place_order(biz("a"))
        rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
        (timer,) = [row[5] for row in rows if row[2] == f"0100007F:{nat.port:04X}"]
        assert timer.startswith("02:"), "02 is the keep-alive timer"
