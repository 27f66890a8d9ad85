"""PayBy's words: what is read, what is refused, and the samples of the documentation."""

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from terminal.payby import messages as m
from terminal.payby import strict_json
from terminal.payby.errors import BadWords
from terminal.payby.strict_json import Figure, PlainLine, load
from tests.support.payby_bodies import TOKEN_URL, body_of, jsons_there, those_there
from tests.support.payby_words import ANSWER, NOTIFICATION, NUMBER, ORDER, order


@pytest.mark.parametrize(
    ("name", "status", "amount", "paid", "revoked"),
    those_there(
        ("own cancel-order", "FAILURE", "12.35", False, False),
        ("own get-order", "PAID_SUCCESS", "85.00", True, False),
        ("own payment-notification", "PAID_SUCCESS", "0.3", True, False),
        ("own place-order dynqr", "CREATED", "3.05", False, False),
        ("own place-order settled", "SETTLED", "15", True, False),
        ("own revoke-order", "FAILURE", "85.00", False, True),
        ("cancel-order.response.json", "FAILURE", "21.74", False, False),
        ("get-order.response.json", "PAID_SUCCESS", "100.00", True, False),
        ("payment-notification.json", "PAID_SUCCESS", "0.1", True, False),
        ("place-order.response.dynqr.json", "CREATED", "1.01", False, False),
        ("place-order.response.settled.json", "SETTLED", "10", True, False),
        ("revoke-order.response.json", "FAILURE", "1.01", False, True),
    ),
)
def test_an_order_is_read_out_of_all_that_may_stand_around_it(
    name: str, status: str, amount: str, paid: bool, revoked: bool
) -> None:
    found = m.read_order(body_of(name))
    assert (found.status, str(found.total_amount.amount), found.is_paid, found.is_revoked) == (
        status, amount, paid, revoked,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("name", "url"),
    those_there(
        ("own place-order dynqr", TOKEN_URL),
        (
            "place-order.response.dynqr.json",
            "https://qr.payby.com?BIZ_TYPE=202&ft=7ac14d5d372a459fbe948e83fcaae0cb&t=1765054600668",
        ),
    ),
)
def test_a_dynqr_answer_has_its_token_url_under_either_spelling(name: str, url: str) -> None:
    answer = load(body_of(name))
    assert m.token_url_in(answer) == url
    answer["body"]["interactionParams"] = answer["body"].pop("interActionParams")
    assert m.token_url_in(answer) == url


@pytest.mark.parametrize(("name",), those_there(("own place-order settled",), ("place-order.response.settled.json",)))
def test_an_answer_about_an_order_that_is_paid_has_no_token_url(name: str) -> None:
    assert m.token_url_in(load(body_of(name))) is None


@pytest.mark.parametrize(
    ("name", "amount", "order_no", "left"),
    those_there(
        ("own refund", "0.75", NUMBER, "84.25"),
        ("own get-refund", "0.75", NUMBER, "84.25"),
        ("refund.response.json", "0.01", "M965739182419", "1"),
        ("get-refund.response.json", "0.01", "M965739182419", "1"),
    ),
)
def test_a_refund_is_read_with_what_is_left_of_its_payment(name: str, amount: str, order_no: str, left: str) -> None:
    refund, summary = m.refund_in(load(body_of(name)))
    assert (refund.status, refund.amount.amount, refund.origin_merchant_order_no) == (
        "SUCCESS", Decimal(amount), order_no,
    )  # fmt: skip
    assert summary is not None
    assert summary.remain_refund_amount.amount == Decimal(left)


@pytest.mark.parametrize(
    ("name", "notify_id", "order_no"),
    those_there(
        ("own payment-notification", "202607010000000077", NUMBER),
        ("payment-notification.json", "202004170007499051", "M572007254058"),
    ),
)
def test_a_notification_of_a_payment_is_read(name: str, notify_id: str, order_no: str) -> None:
    paid = m.read_notification(body_of(name))
    assert paid.acquire_order is not None
    assert (paid.notify_id, paid.acquire_order.merchant_order_no) == (notify_id, order_no)


@pytest.mark.parametrize(
    ("name", "notify_id", "refund_no"),
    those_there(
        ("own refund-notification", "202607010000000077", "R0190d3f07c1e7a529d2f0123456789ab"),
        ("refund-notification.json", "202004170007499141", "M029348361456"),
    ),
)
def test_a_notification_of_a_refund_is_read(name: str, notify_id: str, refund_no: str) -> None:
    back = m.read_notification(body_of(name))
    assert back.refund_order is not None
    assert (back.notify_id, back.refund_order.refund_merchant_order_no) == (notify_id, refund_no)


CHARGEBACK = """{"chargebackTime": 1581493898000, "merchantOrderNo": "S10000", "orderNo": "O1000",
"payAmount": {"amount": 10.00, "currency": "AED"}, "chargebackAmount": {"amount": 7.505, "currency": "AED"},
"caseType": "fraud\\nx"}"""


@pytest.mark.parametrize(
    ("name", "order_no", "case", "partner"),
    those_there(
        ("own chargeback-notification", "marina-7", "goods not received", "200000000888"),
        ("chargeback-notification.json", "S10000", "fraud", "200000003232"),
    ),
)
def test_a_notification_of_a_chargeback_is_read(name: str, order_no: str, case: str, partner: str) -> None:
    said = m.read_notification(body_of(name)).acquire_chargeback
    assert said is not None
    assert (said.merchant_order_no, said.case_type, said.partner_id) == (order_no, case, partner)


def test_a_chargeback_is_read() -> None:
    found = m.read_notification(f'{{"notify_id": "1", "notify_timestamp": 1, "acquireChargeback": {CHARGEBACK}}}')
    assert found.kinds == ("acquireChargeback",)
    assert found.acquire_chargeback == m.Chargeback(
        "S10000",
        "O1000",
        strict_json.Sum(Figure("10.00"), "AED"),
        strict_json.Sum(Figure("7.505"), "AED"),
        1581493898000,
        PlainLine("fraud x"),
    )


@pytest.mark.parametrize(
    "said",
    ['"transferOrder": {"a": 1}', '"acquireDispute": null, "other\\nthing": 5', '"wholly": "new"'],
)
def test_a_kind_that_is_new_is_read_by_its_name(said: str) -> None:
    found = m.read_notification(f'{{"notify_id": "1", "_input_charset": "UTF-8", "notify_time": "x", {said}}}')
    assert found.kinds
    assert all(kind.isprintable() and kind.partition(" ")[0] in said for kind in found.kinds)
    assert (found.acquire_order, found.refund_order, found.void_order, found.acquire_chargeback) == (None,) * 4


@pytest.mark.parametrize(("name",), those_there(("own statement missing",), ("statement.response.missing.json",)))
def test_a_missing_statement_is_an_error_though_it_says_success(name: str) -> None:
    head = m.head_in(load(body_of(name)))
    assert (head.apply_status, head.code, head.is_success) == ("SUCCESS", "62013", False)


@pytest.mark.parametrize("name", jsons_there())
def test_what_payby_says_is_strict_json(name: str) -> None:
    assert load(body_of(name))


def test_an_order_is_read_from_a_notification_and_from_an_answer_alike() -> None:
    assert m.read_order(NOTIFICATION % ORDER) == m.read_order((ANSWER % ORDER).encode())


@pytest.mark.parametrize(
    "head",
    [
        '{"applyStatus": "FAIL", "code": "0"}',
        '{"applyStatus": "ERROR", "code": "0"}',
        '{"applyStatus": "success", "code": "0"}',
        '{"applyStatus": "SUCCESS", "code": "62013"}',
        '{"applyStatus": "SUCCESS", "code": 0}',
        '{"applyStatus": "SUCCESS", "code": "00"}',
        '{"applyStatus": "SUCCESS"}',
        "null",
        "[]",
    ],
)
def test_an_answer_counts_only_with_success_and_code_0(head: str) -> None:
    with pytest.raises(BadWords):
        m.read_order(f'{{"head": {head}, "body": {{"acquireOrder": {ORDER}}}}}')


def test_a_trace_code_may_be_a_number() -> None:
    assert m.head_in(load('{"head": {"applyStatus": "SUCCESS", "code": "0", "traceCode": 1127}}')).trace_code == 1127


def test_an_answer_without_its_head_is_refused() -> None:
    with pytest.raises(BadWords):
        m.read_order(f'{{"body": {{"acquireOrder": {ORDER}}}}}')


def test_a_notification_and_an_answer_in_one_are_refused() -> None:
    answer = (ANSWER % ORDER)[:-1]
    for text in (
        f'{answer}, "acquireOrder": {ORDER}}}',
        f'{answer}, "acquireOrder": null}}',
        f'{{"head": {{}}, "acquireOrder": {ORDER}}}',
        f'{{"body": {{}}, "acquireOrder": {ORDER}}}',
    ):
        with pytest.raises(BadWords):
            m.read_order(text)


@pytest.mark.parametrize(
    "text",
    [
        NOTIFICATION % ORDER.replace('"status"', '"status": "CREATED", "status"'),
        NOTIFICATION % ORDER.replace('"currency"', '"currency": "USD", "currency"'),
        (NOTIFICATION % ORDER).replace('"notify_id"', '"notify_id": "1", "notify_id"'),
        (ANSWER % ORDER).replace('"code"', '"code": "500", "code"'),
        NOTIFICATION % ORDER.replace('"status"', '"new": [{"a": {"b": 1, "b": 1}}], "status"'),
        NOTIFICATION % ORDER.replace('"status"', '"statu\\u0073": "CREATED", "status"'),
    ],
)
def test_a_key_that_stands_twice_anywhere_is_refused(text: str) -> None:
    json.loads(text)  # a usual parser keeps the last and says nothing
    with pytest.raises(BadWords, match="twice"):
        m.read_order(text)


@pytest.mark.fault("forged-notification")
@pytest.mark.parametrize(
    "body",
    [
        b"\xef\xbb\xbf" + (NOTIFICATION % ORDER).encode(),
        (NOTIFICATION % ORDER).encode("utf-16"),
        (NOTIFICATION % ORDER).encode().replace(b"PAID", b"PA\xff"),
        (NOTIFICATION % ORDER).encode().replace(b"AED", b"\xed\xa0\x80"),
        b"",
        b"[]",
        b'"x"',
        b"{} {}",
        b"{'a': 1}",
        b'{"a": NaN}',
        b'{"a": -Infinity}',
        b'{"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"a": ' + b"9" * 5000 + b"}",
        b'{"a": "\x01"}',
    ],
)
def test_what_is_not_strict_json_in_utf_8_is_refused(body: bytes) -> None:
    with pytest.raises(BadWords):
        m.read_order(body)


@pytest.mark.parametrize(
    ("said", "read"),
    [("20.00", "20.00"), ('"20.00"', "20.00"), ("20", "20"), ("0.1", "0.1"), ('"20"', "20"),
     ("999999999999.99", "999999999999.99"), ("0", "0")],
)  # fmt: skip
def test_amounts_are_exact_as_number_and_as_string(said: str, read: str) -> None:
    assert str(order(ORDER.replace("20.00", said)).total_amount.amount) == read


@pytest.mark.parametrize(
    "said",
    ["2e1", "2E+1", "20.0e0", '"2e1"', '"20.0e0"', "-20.00", '"-1"', '"+1"', "20.001", '"20.000"', "1000000000000",
     '"NaN"', '"Infinity"', '""', '" 20"', '"20 "', '"20."', '".5"', '"1_0"', '"٢٠"', "true", "null", "[]", '"0x1"'],
)  # fmt: skip
def test_what_is_no_amount_of_money_is_refused(said: str) -> None:
    with pytest.raises(BadWords):
        order(ORDER.replace("20.00", said))


@given(st.decimals(min_value=0, max_value=Decimal("999999999999.99"), places=2))
def test_every_amount_survives_exactly(amount: Decimal) -> None:
    assert order(ORDER.replace("20.00", f"{amount:.2f}")).total_amount.amount == amount


@pytest.mark.parametrize(
    ("said", "revoked"),
    [("", False), ('"revoked": "false",', False), ('"revoked": false,', False), ('"revoked": "true",', True),
     ('"revoked": true,', True), ('"revoked": null,', False), ('"revoked": "False",', False),
     ('"revoked": "FALSE",', False), ('"revoked": "True",', True), ('"revoked": "TRUE",', True),
     ('"revoked": 0,', True), ('"revoked": "",', True), ('"revoked": "no",', True), ('"revoked": "0",', True),
     ('"revoked": " false",', True)],
)  # fmt: skip
def test_only_an_absent_or_false_revocation_is_none(said: str, revoked: bool) -> None:
    found = order(ORDER.replace('"status"', f'{said} "status"'))
    assert (found.is_revoked, found.is_paid) == (revoked, not revoked)


def test_fields_that_payby_adds_break_nothing() -> None:
    added = '"new": {"score": 1e-7, "list": [1, null, "x"], "amount": "many"}, "status"'
    assert order(ORDER.replace('"status"', added)) == order()


def test_times_come_as_numbers_or_as_strings_of_digits() -> None:
    for said in ("1581493898000", '"1581493898000"'):
        assert order(ORDER.replace('"status"', f'"expiredTime": {said}, "status"')).expired_time == 1581493898000


@pytest.mark.parametrize("field", ["merchantOrderNo", "orderNo", "status", "totalAmount", "payeeMid"])
def test_an_order_without_a_field_that_decides_is_refused(field: str) -> None:
    with pytest.raises(BadWords, match=field):
        order(ORDER.replace(f'"{field}"', '"other"'))


def test_a_refusal_names_the_field_and_repeats_nothing() -> None:
    with pytest.raises(BadWords) as caught:
        order(ORDER.replace("marina-exit-1", "<script>alert(1)</script>"))
    assert "merchantOrderNo" in str(caught.value)
    assert "script" not in str(caught.value)


@pytest.mark.parametrize("status", ["CREATED", "FAILURE", "AUTHORIZATION", "VOID", "PAID_success", "NEW"])
def test_only_paid_success_and_settled_are_paid(status: str) -> None:
    assert not order(ORDER.replace("PAID_SUCCESS", status)).is_paid
    assert order(ORDER.replace("PAID_SUCCESS", "SETTLED")).is_paid


@pytest.mark.parametrize(
    "text",
    [
        ANSWER % ORDER,
        '{"notify_id": "1", "notify_timestamp": 1}',
        (NOTIFICATION % ORDER)[:-1] + ', "refundOrder": {}}',
        (NOTIFICATION % ORDER)[:-1] + ', "acquireChargeback": {}}',
        '{"notify_id": "1", "acquireChargeback": {"merchantOrderNo": "a b"}}',
        '{"notify_id": "1", "acquireChargeback": {"orderNo": "1"}}',
        (NOTIFICATION % ORDER).replace('"notify_id"', '"other"'),
        (NOTIFICATION % ORDER).replace('"202004170007499051"', "202004170007499051"),
        (NOTIFICATION % ORDER).replace("202004170007499051", "a b"),
        (NOTIFICATION % ORDER).replace("202004170007499051", ""),
        (NOTIFICATION % ORDER).replace("202004170007499051", "x" * 65),
        (NOTIFICATION % ORDER).replace("202004170007499051", "\\ud800"),
        NOTIFICATION % "null",
        NOTIFICATION % "[]",
        NOTIFICATION % ORDER.replace("marina-exit-1", "mar/ina"),
    ],
)
def test_what_is_no_notification_is_refused(text: str) -> None:
    with pytest.raises(BadWords):
        m.read_notification(text)


def test_a_page_of_orders_is_read() -> None:
    page = m.order_page_in(
        load(
            '{"head": {"applyStatus": "SUCCESS", "code": "0"},'
            f'"body": {{"totalElements": 6, "totalPages": 1, "items": [{ORDER}, {ORDER}]}}}}'
        )
    )
    assert (page.total_elements, page.total_pages, len(page.items)) == (6, 1, 2)


@given(st.binary(max_size=200))
def test_no_bytes_make_the_reader_fail_otherwise(body: bytes) -> None:
    with pytest.raises(BadWords):
        m.read_notification(body)
