"""PayBy's answers as bytes on a connection: how many connections, how large, how encoded."""

from datetime import date

import pytest
from aiohttp import web

from terminal.payby import errors as e
from terminal.payby.client import PayByClient
from terminal.payby.signing import sign
from tests.support.payby_client import MERCHANT, NO, PAYBY, STRANGER, raw_server, sandbox

__all__ = ["sandbox"]


async def test_twenty_calls_need_one_connection() -> None:
    async with raw_server(lambda _: web.Response(body=b"x")) as (url, presence):
        async with PayByClient(url, "1", MERCHANT, [PAYBY.public_key()]) as payby:
            for _ in range(20):
                with pytest.raises(e.OutcomeUnknown):
                    await payby.get_order(NO)
        assert len(presence) == 20
        assert len(set(presence)) == 1


async def test_an_answer_of_more_than_a_mebibyte_is_none() -> None:
    large = raw_server(lambda _: web.Response(body=bytes(1024 * 1024 + 1)))
    async with large as (url, _), PayByClient(url, "1", MERCHANT, [PAYBY.public_key()]) as payby:
        with pytest.raises(e.OutcomeUnknown, match="more than 1048576 bytes"):
            await payby.get_order(NO)


async def test_a_redirect_is_not_followed() -> None:
    def away(_: web.Request) -> web.Response:
        return web.Response(status=302, headers={"Location": "/x/acquire2/elsewhere"})

    async with raw_server(away) as (url, presence):
        async with PayByClient(url, "1", MERCHANT, [PAYBY.public_key()]) as payby:
            with pytest.raises(e.OutcomeUnknown, match="HTTP 302"):
                await payby.get_order(NO)
        assert len(presence) == 1


async def test_a_signature_is_over_the_bytes_as_sent_though_they_are_compressed() -> None:
    import gzip

    body = gzip.compress(b'{"head": {"applyStatus": "SUCCESS", "code": "0"}}')

    def answer(_: web.Request) -> web.Response:
        return web.Response(body=body, headers={"Content-Encoding": "gzip", "sign": sign(PAYBY, body)})

    async with raw_server(answer) as (url, _), PayByClient(url, "1", MERCHANT, [PAYBY.public_key()]) as payby:
        with pytest.raises(e.OutcomeUnknown, match="not UTF-8"):  # verified, then no JSON
            await payby.get_order(NO)


@pytest.mark.parametrize(("signature", "taken"), [(None, True), ("right", True), ("wrong", False)])
async def test_a_zip_may_be_unsigned_but_not_wrongly_signed(signature: str | None, taken: bool) -> None:
    body = b"PK\x05\x06" + bytes(18)
    key = {"right": PAYBY, "wrong": STRANGER}.get(signature or "")

    def answer(_: web.Request) -> web.Response:
        return web.Response(body=body, headers={"sign": sign(key, body)} if key else {})

    async with raw_server(answer) as (url, _), PayByClient(url, "1", MERCHANT, [PAYBY.public_key()]) as payby:
        if taken:
            assert await payby.get_order_statement(date(2026, 7, 1)) == body
        else:
            with pytest.raises(e.OutcomeUnknown):
                await payby.get_order_statement(date(2026, 7, 1), attempts=1)
