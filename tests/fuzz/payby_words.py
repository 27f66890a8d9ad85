"""Fuzzed: what PayBy, or somebody who poses as it, says: notifications, answers, signatures, statements; and what a
merchant's program may send to the sandbox."""

import contextlib
import io
import json
import random
import zipfile
from collections.abc import Callable, Iterator
from typing import Any

from cryptography.hazmat.primitives import serialization as s

from terminal.payby import messages
from terminal.payby.errors import BadSignature, BadWords
from terminal.payby.key_files import find_key
from terminal.payby.sandbox.api import CALLS, Call, perform
from terminal.payby.sandbox.order_book import OrderBook
from terminal.payby.sandbox.parameters import Refusal
from terminal.payby.signing import verify
from terminal.payby.statement_reader import read_sheet, read_zip
from terminal.payby.strict_json import load
from terminal.tools.reconcile.statements import read_papers
from tests.fuzz.target import FuzzTarget, is_plain_line
from tests.support.payby_bodies import OWN, body_of
from tests.support.payby_notices import PAYBY, notification, order, refund
from tests.support.rsa_keys import rsa_key

_MS = 1_795_000_000_000
_LARGEST = 64 * 1024
"""The most that is unpacked of one file of a ZIP here: a statement's own limit would take a minute."""
_JSON = (
    b'"amount":', b"1e5", b"0.1", b"-0", b"123456789012.99", b"null", b'"revoked":"true"', b'"status":"PAID_SUCCESS"',
    b'"status":"SETTLED"', b'"acquireOrder":{', b'"refundOrder":{', b'"currency":"AED"', b"NaN", b"[" * 60,
    b'"\\ud800"', b'"notify_id":"n"', b"9" * 41, b"\\u202e", b"\xef\xbb\xbf",
)  # fmt: skip
_READERS: tuple[Callable[[dict[str, Any]], object], ...] = (
    messages.head_in, messages.order_in, messages.token_url_in, messages.refund_in, messages.payer_in,
    messages.order_page_in, messages.refund_page_in,
)  # fmt: skip


def _notification(data: bytes) -> None:
    told = messages.read_notification(data)
    paid = told.acquire_order
    if paid and paid.is_paid:
        assert paid.total_amount.amount >= 0
        assert messages.read_order(data) == paid, "the barrier reads other words than the worker"


def _notifications() -> Iterator[bytes]:
    yield notification()
    yield notification(acquireOrder=order(status="SETTLED", revoked="false"))
    yield notification(refundOrder=refund())
    yield from (body_of(name) for name in OWN if "notification" in name)


def _answer(data: bytes) -> None:
    """The first byte chooses which call it answers."""
    found = load(data[1:])
    _READERS[data[0] % len(_READERS)](found)


def _answers() -> Iterator[bytes]:
    for number, _ in enumerate(_READERS):
        for _name, text in OWN.items():
            if text.startswith("{"):
                yield bytes([number]) + text.encode()


def _signature(data: bytes) -> None:
    verify([PAYBY.public_key()], b"words", data.decode("latin-1"))
    raise AssertionError("a signature that nobody made")


def _sheet(data: bytes) -> None:
    sheet = read_sheet("a.csv", data)
    assert len(sheet.rows) <= data.count(b"\n") + 1
    for row in sheet.rows:
        for read in ("amount", "paid_at", "settled_at", "order_no", "origin_order_no", "payby_no", "transaction"):
            with contextlib.suppress(BadWords):
                getattr(row, read)


def _papers(data: bytes) -> None:
    day = read_papers([("day.zip", data), ("more.csv", data)], largest=_LARGEST)
    assert all(is_plain_line(flaw.text) for flaw in day.flaws)
    read_zip(data, funds=True)


def _sheets() -> Iterator[bytes]:
    yield from (text.encode() for text in OWN.values() if not text.startswith("{"))


def _zips() -> Iterator[bytes]:
    yield from _sheets()
    for how in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", how) as archive:
            for number, data in enumerate(_sheets()):
                archive.writestr(zipfile.ZipInfo(f"{number}.csv", (2026, 7, 1, 0, 0, 0)), data)
        yield out.getvalue()


def _key(data: bytes) -> None:
    assert is_plain_line(find_key(data).what)


def _keys() -> Iterator[bytes]:
    key = rsa_key("merchant")
    yield key.private_bytes(s.Encoding.PEM, s.PrivateFormat.PKCS8, s.NoEncryption())
    yield key.private_bytes(s.Encoding.PEM, s.PrivateFormat.TraditionalOpenSSL, s.BestAvailableEncryption(b"phrase"))
    yield key.public_key().public_bytes(s.Encoding.DER, s.PublicFormat.SubjectPublicKeyInfo)
    yield key.public_key().public_bytes(s.Encoding.OpenSSH, s.PublicFormat.OpenSSH)


def _call(data: bytes) -> None:
    """The first byte chooses the call; it comes twice, to a book that has an order."""
    name = CALLS[data[0] % len(CALLS)] if data else CALLS[0]
    biz = load(data[1:], decimals=True)
    book = OrderBook("200000000888", random.Random(1), devices=("lane-1",))
    placed = book.place(load(json.dumps(_PLACE), decimals=True), _MS, _MS)
    assert placed["acquireOrder"]["status"] == "CREATED"
    for _ in range(2):
        call = Call(name.partition("/")[2].removeprefix("download/"), _MS, 0, b"", {}, biz)
        perform(call, _MS, book, 2)


_PLACE = {
    "merchantOrderNo": "marina-1", "subject": "Parking", "paySceneCode": "DYNQR",
    "totalAmount": {"amount": 20, "currency": "AED"}, "expiredTime": _MS + 60_000,
    "notifyUrl": "https://pay.example.com/n", "reserved": "ours",
}  # fmt: skip


def _calls() -> Iterator[bytes]:
    asked: dict[str, Any] = {
        "acquire2/placeOrder": {**_PLACE, "merchantOrderNo": "marina-2"},
        "acquire2/updateExpiredTime": {"merchantOrderNo": "marina-1", "expiredTime": _MS + 120_000},
        "acquire2/getCashierUrlInfo": {"tokenUrl": "https://qr.payby.com?ft=1"},
        "acquire2/refund/placeOrder": {
            "refundMerchantOrderNo": "R1", "originMerchantOrderNo": "marina-1", "reason": "twice",
            "amount": {"amount": 5, "currency": "AED"},
        },
        "acquire2/refund/getOrder": {"refundMerchantOrderNo": "R1"},
        "acquire2Query/queryOrderPage": {
            "startDate": "2026-11-18", "endDate": "2026-11-19", "sortPageParam": {"number": 0, "size": 10}},
        "acquire2Query/queryRefundOrderPage": {
            "startDate": "2026-11-18", "endDate": "2026-11-19", "sortPageParam": {"number": 0, "size": 10}},
        "acquire2/download/getOrderStatement": {"statementDate": "20261130"},
    }  # fmt: skip
    for number, name in enumerate(CALLS):
        yield bytes([number]) + json.dumps(asked.get(name, {"merchantOrderNo": "marina-1"})).encode()


TARGETS = (
    FuzzTarget("notifications", _notification, (BadWords,), _notifications, _JSON),
    FuzzTarget("payby-answers", _answer, (BadWords, IndexError), _answers, _JSON),
    FuzzTarget(
        "payby-signatures", _signature, (BadSignature,), lambda: (b"c2lnbg==", b"A" * 344), (b"=", b"\n", b"\xe9")
    ),
    FuzzTarget("statements", _sheet, (), _sheets, (b"|", b"*", b"\r\n", b"\xff\xfe", b"1e9", b"2026-07-01T08:05:09")),
    FuzzTarget(
        "statement-files", _papers, (BadWords,), _zips, (b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06", b"\xff\xff")
    ),
    FuzzTarget("key-files", _key, (), _keys, (b"-----BEGIN ", b"-----END ", b"ENCRYPTED", b"\x30\x82", b"ssh-rsa ")),
    FuzzTarget(
        "sandbox-calls", _call, (BadWords, Refusal), _calls, (*_JSON, b'"merchantOrderNo":', b'"number":', b"[]")
    ),
)
