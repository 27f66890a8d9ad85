"""What an answer of PayBy's decides, and what leaves the outcome of a call unknown."""

import asyncio
import ssl
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import serialization as ser
from cryptography.hazmat.primitives.hashes import SHA256

from terminal.payby import errors as e
from terminal.payby.client import PayByClient
from terminal.payby.sandbox.faults import Fault
from terminal.payby.sandbox.server import Sandbox
from tests.support.payby_client import MERCHANT, NO, PAYBY, STRANGER, UNKNOWN, biz, client, payby, raw_server, sandbox

__all__ = ["payby", "sandbox"]


@pytest.mark.fault("answer-unsigned", "outcome-unknown")
@pytest.mark.parametrize("fault", UNKNOWN, ids=range(len(UNKNOWN)))
async def test_what_is_no_signed_answer_leaves_the_outcome_unknown(
    sandbox: Sandbox, payby: PayByClient, fault: Fault
) -> None:
    calls = [
        ("placeOrder", lambda: payby.place_order(biz())),
        ("getOrder", lambda: payby.get_order(NO)),
        ("cancelOrder", lambda: payby.cancel_order(NO)),
    ]
    for name, call in calls:
        before = len(sandbox.calls)
        sandbox.fail(name, fault)
        with pytest.raises(e.OutcomeUnknown):
            await call()
        assert len(sandbox.calls) == before + 1, "an unknown outcome is not repeated by the client"


@pytest.mark.fault("cut-before-order")
async def test_after_an_unknown_outcome_the_same_bytes_bring_the_same_order(
    sandbox: Sandbox, payby: PayByClient
) -> None:
    sandbox.fail("placeOrder", Fault(drop=True, done=True))
    with pytest.raises(e.OutcomeUnknown):
        await payby.place_order(biz())
    assert (await payby.place_order(biz())).token_url == sandbox.orders[NO].token_url
    assert len(sandbox.orders) == 1


async def test_a_late_answer_is_none(sandbox: Sandbox) -> None:
    held = asyncio.Event()

    async def hold(_: object) -> None:
        await held.wait()

    sandbox.on_call = hold
    async with client(sandbox, timeout_s=0.05) as payby:
        with pytest.raises(e.OutcomeUnknown, match=r"within 0\.05 s"):
            await payby.place_order(biz())
    held.set()


async def test_a_statement_may_take_longer_than_a_call(sandbox: Sandbox) -> None:
    sandbox.fail("getOrderStatement", Fault(delay_s=0.2))
    async with client(sandbox, timeout_s=0.05) as payby:
        with pytest.raises(e.NoStatement):
            await payby.get_order_statement(date(2020, 1, 1))


async def test_nobody_there_is_an_unknown_outcome(sandbox: Sandbox) -> None:
    async with client(sandbox) as payby:
        sandbox.cut_off = True
        with pytest.raises(e.OutcomeUnknown, match="connection lost"):
            await payby.get_order(NO)
    async with PayByClient("http://127.0.0.1:1/x", "1", MERCHANT, [PAYBY.public_key()]) as payby:
        with pytest.raises(e.OutcomeUnknown, match="not connected"):
            await payby.get_order(NO)


SIGNED = [
    ("402", "RATE_LIMIT_REJECT", "FAIL", e.RateLimited),
    ("403", "UNAUTHORIZED", "FAIL", e.Unauthorised),
    ("403", "UNAUTHORIZED", "ERROR", e.Unauthorised),
    ("601", "RISK_FAIL", "FAIL", e.Refused),
    ("62026", "PRODUCT_IS_NOT_APPLIED", "SUCCESS", e.Unauthorised),
    ("400", "INVALID_PARAMETER", "FAIL", e.OurMistake),
]


@pytest.mark.parametrize(("code", "msg", "apply_status", "kind"), SIGNED)
@pytest.mark.parametrize("http_status", [200, 403, 500])
async def test_a_signed_error_decides_whatever_its_http_status(
    sandbox: Sandbox,
    payby: PayByClient,
    code: str,
    msg: str,
    apply_status: str,
    kind: type[e.CallFailed],
    http_status: int,
) -> None:
    fault = Fault(code=code, msg=msg, apply_status=apply_status, http_status=http_status, sign="good")
    sandbox.fail("placeOrder", fault)
    with pytest.raises(kind) as caught:
        await payby.place_order(biz())
    assert (caught.value.code, caught.value.msg, caught.value.call) == (code, msg, "acquire2/placeOrder")
    assert caught.value.trace_code


@pytest.mark.fault("answer-unsigned")
@pytest.mark.parametrize(("code", "msg", "apply_status", "kind"), SIGNED)
async def test_an_unsigned_error_is_a_hint_and_no_more(
    sandbox: Sandbox, payby: PayByClient, code: str, msg: str, apply_status: str, kind: type[e.CallFailed]
) -> None:
    sandbox.fail("placeOrder", Fault(code=code, msg=msg, apply_status=apply_status, sign="absent"))
    with pytest.raises(e.OutcomeUnknown) as caught:
        await payby.place_order(biz())
    assert type(caught.value.hint) is kind


@pytest.mark.fault("answer-unsigned")
async def test_a_key_that_payby_does_not_know_is_unauthorised(sandbox: Sandbox) -> None:
    async with PayByClient(sandbox.base_url, sandbox.partner_id, STRANGER, [sandbox.public_key]) as payby:
        with pytest.raises(e.OutcomeUnknown) as caught:
            await payby.get_order(NO)
        assert type(caught.value.said) is e.Unauthorised
        sandbox.unsigned_errors = False
        with pytest.raises(e.Unauthorised, match="could not verify our signature"):
            await payby.get_order(NO)


@pytest.mark.fault("answer-unsigned", "keys-rotate")
async def test_answers_of_a_stranger_do_not_count(sandbox: Sandbox) -> None:
    async with PayByClient(sandbox.base_url, sandbox.partner_id, MERCHANT, [STRANGER.public_key()]) as payby:
        with pytest.raises(e.OutcomeUnknown, match="signature wrong"):
            await payby.place_order(biz())


@pytest.mark.fault("certificate")
@pytest.mark.parametrize("name", ["127.0.0.1", "elsewhere.example"])
async def test_a_certificate_that_nobody_vouches_for_ends_the_call(tmp_path: Path, name: str) -> None:
    authority = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.load_cert_chain(self_signed(tmp_path / "chain.pem", name))
    refusing = raw_server(lambda _: web.Response(body=b"x"), authority)
    async with refusing as (url, presence), PayByClient(url, "1", MERCHANT, [PAYBY.public_key()]) as payby:
        with pytest.raises(e.OutcomeUnknown, match="the certificate was refused"):
            await payby.get_order(NO)
        assert presence == []


def self_signed(path: Path, name: str) -> Path:
    """A chain file: the key, and a certificate that it signed for itself."""
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    began = datetime(2026, 1, 1, tzinfo=UTC)
    certificate = (
        x509.CertificateBuilder(subject, subject, MERCHANT.public_key(), 1, began, began.replace(year=2046))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(MERCHANT, SHA256())
    )
    key = MERCHANT.private_bytes(ser.Encoding.PEM, ser.PrivateFormat.PKCS8, ser.NoEncryption())
    path.write_bytes(key + certificate.public_bytes(ser.Encoding.PEM))
    return path


@pytest.mark.fault("keys-rotate")
async def test_while_payby_rotates_its_key_both_count(sandbox: Sandbox) -> None:
    keys = [STRANGER.public_key(), sandbox.public_key]
    async with PayByClient(sandbox.base_url, sandbox.partner_id, MERCHANT, keys) as payby:
        assert (await payby.place_order(biz())).order.status == "CREATED"
