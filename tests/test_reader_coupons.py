"""A coupon at the scanner: the reader knows its form, and leaves the rest to the worker."""

import re

from terminal.core.coupon import sign_coupon
from tests.support.reader_kerb import CAR, NOW, kerb, ticket

COUPON = sign_coupon("marina", "0123456789ABCDEF0123", "percent", 2500, NOW + 3_600_000, "c1", b"c" * 32)


async def test_a_coupon_goes_to_the_worker_as_it_was_read() -> None:
    async with kerb() as k:
        await k.vehicle()
        k.scanner.feed(COUPON)
        (fee,) = await k.fees(1)
        assert (fee.reason, fee.ticket, fee.car) == ("coupon", COUPON, CAR)
        assert (fee.session, fee.amount, fee.why) == (None, None, None)
        assert fee.exited == fee.at
        await k.answer(fee)
        assert k.alerts() == []


async def test_it_is_repeated_until_the_lane_has_answered_it() -> None:
    async with kerb(pauses_s=(0.01, 0.01, 60.0)) as k:
        k.scanner.feed(COUPON)
        fees = await k.fees(3)
        assert len({fee.id for fee in fees}) == 1
        await k.answer(fees[0])


async def test_one_of_another_garage_is_for_the_worker_to_refuse_and_a_number_stays_one() -> None:
    other = sign_coupon("creek", "0123456789ABCDEF0123", "free", 0, NOW + 3_600_000, "c1", b"c" * 32)
    async with kerb(numbers=re.compile(r".+")) as k:
        k.scanner.feed(other)
        assert (await k.fees(1))[0].reason == "coupon"
        k.scanner.feed("000123456789")
        assert (await k.fees(2))[1].reason == "number"


async def test_after_a_ticket_it_is_a_reading_of_its_own() -> None:
    async with kerb() as k:
        k.scanner.feed(ticket())
        (first,) = await k.fees(1)
        await k.answer(first)
        k.scanner.feed(COUPON)
        assert [fee.reason for fee in await k.fees(2)] == ["due", "coupon"]
