"""terminal/contract/lift_rules.py and signatures.py: one test per way to be wrong, and that nothing else is."""

import base64
import hashlib
import json
from typing import Any

import msgspec
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from terminal.contract import signatures
from terminal.contract.lift_rules import fits, refusal, spends
from terminal.contract.messages import MAX_BYTES, Lift, Proof, decode, encode, stamp
from terminal.core.ids import order_no
from terminal.payby.signing import sign
from tests.support.lift_values import OTHER, REASONS, VALUES
from tests.support.lifts import (
    CAR,
    GARAGE,
    LANE,
    NOW,
    NUMBER,
    SESSION,
    answer,
    lift,
    notification,
    paid_order,
    payby_key,
    proof,
    situation,
    trust,
)

ELSEWHERE = order_no("creek", LANE, SESSION, 1)
CONDITIONS = ["signed", "fresh", "ahead", "near", "proved", "new", "named", "here", "down"]


@pytest.mark.parametrize("reason", REASONS)
def test_a_good_lift_raises(reason: str) -> None:
    assert refusal(lift(reason), trust(), situation()) is None


@pytest.mark.parametrize("reason", REASONS)
def test_a_good_lift_raises_after_its_way_over_the_wire(reason: str) -> None:
    assert refusal(decode(Lift, encode(lift(reason))), trust(), situation()) is None


def test_the_signed_text_is_the_contracts() -> None:
    text = f"lift|marina|exit-1|{lift().id}|{SESSION}|{CAR}|paid|worker||{stamp(NOW + 30_000)}|{NUMBER}|20.00|"
    text += f"{hashlib.sha256(notification().encode()).hexdigest()}|worker"
    assert signatures.lift_text(lift(), GARAGE, LANE) == text.encode()
    free = lift("free", car=None, note="a word")
    text = f"lift|marina|exit-1|{free.id}|{SESSION}||free|worker|a word|{stamp(NOW + 30_000)}||||worker"
    assert signatures.lift_text(free, GARAGE, LANE) == text.encode()
    empty = hashlib.sha256(b"").hexdigest()
    assert f"||{empty}|worker".encode() in signatures.lift_text(lift("free", proof=Proof("", "")), GARAGE, LANE)


def test_every_signed_field_has_values_here() -> None:
    assert set(VALUES) | {"at"} == set(Lift.__struct_fields__)  # the barrier's answer does not hang on `at`


@pytest.mark.fault("forged-lift", "operator-replayed")
@pytest.mark.parametrize("reason", REASONS)
@pytest.mark.parametrize("field", VALUES)
@settings(max_examples=20, deadline=None)
@given(data=st.data())
def test_a_lift_that_was_altered_in_any_field_is_refused(reason: str, field: str, data: st.DataObject) -> None:
    good = lift(reason)
    value = data.draw(VALUES[field])
    assume((value or None) != (getattr(good, field) or None))
    altered = msgspec.structs.replace(good, **{field: value})
    assert refusal(altered, trust(), situation()) == "signature"


@pytest.mark.fault("forged-lift")
@pytest.mark.parametrize("reason", ["paid", "credit"])
@pytest.mark.parametrize(
    "other",
    [
        None,
        proof(status="CREATED"),
        proof(merchantOrderNo=NUMBER + "-2"),
        proof(answer()),
        Proof(notification() + " ", proof().sign),
        Proof("\ufeff" + notification(), proof().sign),
        Proof(notification() + "\ud800", proof().sign),
    ],
)
def test_a_copy_with_other_words_of_paybys_is_no_copy(reason: str, other: Proof | None) -> None:
    """Also with words that PayBy signed, and that bear the lift out: it was signed over the others."""
    assert refusal(msgspec.structs.replace(lift(reason), proof=other), trust(), situation()) == "signature"


@pytest.mark.fault("forged-lift")
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_no_flipped_bit_of_a_signature_passes(data: st.DataObject) -> None:
    good = lift("free")
    raw = bytearray(base64.b64decode(good.sign))
    raw[data.draw(st.integers(0, 63))] ^= 1 << data.draw(st.integers(0, 7))
    altered = msgspec.structs.replace(good, sign=base64.b64encode(raw).decode())
    assert refusal(altered, trust(), situation()) == "signature"


@pytest.mark.parametrize("spoil", [lambda s: s + "\n", lambda s: s[:-3] + "h==" if s[-3] != "h" else s[:-3] + "i==",
                                   lambda s: s.rstrip("="), lambda s: "\ud800", lambda s: s + s])  # fmt: skip
def test_a_signature_in_another_spelling_is_refused(spoil: Any) -> None:
    good = lift("free")
    assert refusal(msgspec.structs.replace(good, sign=spoil(good.sign)), trust(), situation()) == "signature"


@pytest.mark.fault("forged-lift")
@pytest.mark.parametrize(
    ("reason", "key"),
    [
        ("paid", "console"),
        ("free", "console"),
        ("credit", "console"),
        ("operator", "worker"),
        ("free", "stranger"),
        ("free", "nobody"),
    ],
)
def test_only_the_right_kind_of_key_signs(reason: str, key: str) -> None:
    assert refusal(lift(reason, key=key), trust(), situation()) == "signature"


@pytest.mark.fault("keys-rotate")
def test_every_trusted_worker_may_sign() -> None:
    assert refusal(lift(key="worker-2"), trust(), situation()) is None


@pytest.mark.fault("forged-lift")
@pytest.mark.parametrize("reason", REASONS)
@pytest.mark.parametrize("place", [{"garage": "creek"}, {"lane": "exit-2"}])
def test_a_lift_for_another_place_is_refused(reason: str, place: dict[str, str]) -> None:
    assert refusal(lift(reason, **place), trust(), situation()) == "signature"


@settings(max_examples=40, deadline=None)
@given(st.booleans(), st.booleans(), st.integers(-(10**6), 10**6), st.booleans(), st.none() | st.just(CAR))
def test_what_is_not_signed_learns_nothing_else(
    spent_id: bool, spent_number: bool, late_ms: int, down: bool, car: str | None
) -> None:
    forged = lift(key="stranger")
    now = situation(
        now_ms=NOW + late_ms,
        ids={forged.id} if spent_id else (),
        numbers={NUMBER} if spent_number else (),
        down=down,
        car=car,
    )
    assert refusal(forged, trust(), now) == "signature"


# Spent, late, the wrong car


@pytest.mark.fault("forged-lift", "operator-replayed")
@pytest.mark.parametrize("reason", REASONS)
def test_a_spent_lift_is_spent_however_late_it_comes(reason: str) -> None:
    good = lift(reason)
    assert refusal(good, trust(), situation(ids={good.id})) == "spent"
    assert refusal(good, trust(), situation(ids={good.id}, now_ms=NOW + 10**9, down=False, car=None)) == "spent"


def test_a_payment_raises_once_but_its_credit_may_raise_again() -> None:
    assert refusal(lift("paid"), trust(), situation(numbers={NUMBER})) == "spent"
    assert refusal(lift("credit"), trust(), situation(numbers={NUMBER})) is None


def test_what_a_lift_spends_besides_its_id() -> None:
    assert [spends(lift(reason)) for reason in REASONS] == [NUMBER, NUMBER, None, None]
    assert spends(lift("free", order_no=NUMBER)) is None


@pytest.mark.fault("forged-lift", "operator-replayed")
@pytest.mark.parametrize(
    ("ahead_ms", "why"), [(-1, "expired"), (0, "expired"), (1, None), (60_000, None), (60_001, "too-far")]
)
@pytest.mark.parametrize("reason", REASONS)
def test_the_deadline_lies_ahead_and_at_most_60_s(reason: str, ahead_ms: int, why: str | None) -> None:
    assert refusal(lift(reason, not_after=stamp(NOW + ahead_ms)), trust(), situation()) == why


@pytest.mark.fault("cars-swap")
@pytest.mark.parametrize("reason", REASONS)
@pytest.mark.parametrize("waits", [None, OTHER])
def test_a_lift_for_a_car_that_does_not_wait_is_refused(reason: str, waits: str | None) -> None:
    assert refusal(lift(reason), trust(), situation(car=waits)) == "car"
    assert refusal(lift(reason, car=None), trust(), situation(car=waits)) is None


@pytest.mark.fault("cars-swap")
@pytest.mark.parametrize("reason", REASONS)
@pytest.mark.parametrize(("waiting", "why"), [(None, None), (True, None), (False, "car")])
@pytest.mark.parametrize("car", [None, OTHER])
def test_a_lift_without_a_car_is_for_whoever_waits_where_loops_speak(
    reason: str, waiting: bool | None, why: str | None, car: str | None
) -> None:
    anybodys = lift(reason, car=None)
    assert refusal(anybodys, trust(), situation(waiting=waiting, car=car)) == why
    assert refusal(anybodys, trust(), situation(waiting=waiting, car=car, down=False)) == (why or "busy")


@pytest.mark.parametrize("reason", REASONS)
def test_while_the_boom_is_not_down_a_lift_waits(reason: str) -> None:
    assert refusal(lift(reason), trust(), situation(down=False)) == "busy"
    assert refusal(lift(reason), trust(), situation(down=False, car=None)) == "car"


# The proof


@pytest.mark.parametrize("reason", ["paid", "credit"])
@pytest.mark.parametrize("status", ["PAID_SUCCESS", "SETTLED"])
@pytest.mark.parametrize("words", [notification, answer])
def test_any_signed_words_of_paybys_about_a_paid_order_are_a_proof(reason: str, status: str, words: Any) -> None:
    assert refusal(lift(reason, proof=proof(words(status=status))), trust(), situation()) is None


@pytest.mark.parametrize(
    "body",
    [
        json.dumps(json.loads(notification()), indent=2).replace("\n", "\r\n") + "\r\n",
        notification(subject="مواقف المارينا 😀 \u2028\x7f"),
        json.dumps(json.loads(notification(subject="مواقف\x7f😀")), ensure_ascii=False),
    ],
)
def test_words_of_paybys_stay_byte_for_byte_what_was_signed(body: str) -> None:
    sent = lift(proof=proof(body))
    read = decode(Lift, encode(sent))
    assert read.proof == Proof(body, sign(payby_key("payby"), body.encode()))
    assert refusal(read, trust(), situation()) is None


@pytest.mark.parametrize("amount", [20, 20.0, "20", "20.0", "20.00"])
def test_amounts_are_compared_as_numbers(amount: object) -> None:
    good = lift(proof=proof(totalAmount={"amount": amount, "currency": "AED"}))
    assert refusal(good, trust(), situation()) is None


@pytest.mark.parametrize("revoked", [False, "false", None])
def test_what_is_not_revoked_is_paid(revoked: object) -> None:
    changes: dict[str, Any] = {} if revoked is None else {"revoked": revoked}
    assert refusal(lift(proof=proof(**changes)), trust(), situation()) is None


def test_a_discount_for_the_payer_changes_nothing() -> None:
    info = {"paidAmount": {"amount": 15, "currency": "AED"}}
    assert refusal(lift(proof=proof(paymentInfo=info)), trust(), situation()) is None


@pytest.mark.fault("payment-misfit", "stranger-paid")
@pytest.mark.parametrize("reason", ["paid", "credit"])
@pytest.mark.parametrize(
    "changes",
    [
        {"proof": None},
        {"order_no": None},
        {"amount": None},
        {"amount": "20.01"},
        {"proof": proof(totalAmount={"amount": 19.99, "currency": "AED"})},
        {"proof": proof(totalAmount={"amount": 20, "currency": "USD"})},
        {"proof": proof(status="CREATED")},
        {"proof": proof(status="FAILURE")},
        {"proof": proof(status="paid_success")},
        {"proof": proof(revoked="true")},
        {"proof": proof(revoked=True)},
        {"proof": proof(payeeMid="200000000889")},
        {"proof": proof(merchantOrderNo=NUMBER + "-2")},
        {"proof": proof(key="stranger")},
        {"proof": proof(notification().replace("20.0", "20.00", 1)[:-1])},
        {"proof": proof("{}")},
        {"proof": proof('{"notify_id": "1", "refundOrder": {}}')},
        {"proof": proof("\ufeff" + notification())},
        {"proof": proof(notification().replace('"status"', '"status": "CREATED", "status"'))},
        {"proof": proof(answer().replace('"code": "0"', '"code": "62001"'))},
        {"proof": proof(answer().replace("SUCCESS", "FAIL", 1))},
        {"proof": proof(json.dumps(json.loads(answer()) | json.loads(notification())))},
        {"proof": Proof(notification(), "")},
        {"proof": Proof(notification() + " ", proof().sign)},
        {"proof": Proof(notification() + "\ud800", proof().sign)},
        {"order_no": ELSEWHERE, "proof": proof(merchantOrderNo=ELSEWHERE)},
        {"order_no": "M572007254058", "proof": proof(merchantOrderNo="M572007254058")},
    ],
    ids=lambda changes: "-".join(changes),
)  # fmt: skip
def test_what_payby_does_not_bear_out_is_refused(reason: str, changes: dict[str, Any]) -> None:
    assert refusal(lift(reason, **changes), trust(), situation()) == "proof"


def long_proof(body_bytes: int, filler: str, sign_bytes: int = 256) -> Proof:
    """JSON of that length, of which most is ``filler``, with a signature of that length."""
    body = json.dumps({"notify_id": "1", "acquireOrder": paid_order(), "more": ""}, ensure_ascii=False)
    body = body[:-2] + filler * ((body_bytes - len(body)) // len(filler.encode())) + body[-2:]
    return Proof(body, base64.b64encode(bytes(sign_bytes)).decode())


@pytest.mark.fault("payment-misfit")
@settings(max_examples=60, deadline=None)
@given(
    st.integers(6_000, 17_000),
    st.sampled_from(["x", '\\"', "\\\\", "\n", "د", "\u202e", "\x7f", "😀"]),
    st.sampled_from([256, 512]),
)
def test_a_proof_that_fits_never_makes_a_lift_too_long(body_bytes: int, filler: str, sign_bytes: int) -> None:
    """A lift that is too long cannot be said: a worker that signed one for it ended, at every start anew."""
    words = long_proof(body_bytes, filler, sign_bytes)
    name = "worker" + "w" * 56
    longest = {"key": name, "by": name, "order_no": "x" * 64, "amount": "999999999999.99", "proof": words}
    size = len(msgspec.json.encode(lift(**longest)))
    assert fits(words) or size > MAX_BYTES - 1024
    if fits(words):
        encode(lift(**longest))
    if len(words.body.encode()) <= 7 * 1024:
        assert fits(words)


def test_a_proof_that_is_no_text_does_not_fit() -> None:
    assert not fits(Proof("\ud800", ""))


@pytest.mark.parametrize("number", [order_no(GARAGE, "exit-2", SESSION, 1), order_no(GARAGE, LANE, OTHER, 1)])
def test_a_payment_at_another_lane_or_stay_is_credit_at_most(number: str) -> None:
    changes: dict[str, Any] = {"order_no": number, "proof": proof(merchantOrderNo=number)}
    assert refusal(lift("paid", **changes), trust(), situation()) == "proof"
    assert refusal(lift("credit", **changes), trust(), situation()) is None


@pytest.mark.fault("keys-rotate")
def test_while_payby_rotates_its_key_both_count() -> None:
    keys = [payby_key("next").public_key(), payby_key("payby").public_key()]
    assert refusal(lift(proof=proof(key="next")), trust(payby_keys=keys), situation()) is None
    assert refusal(lift(), trust(payby_keys=keys), situation()) is None
    assert refusal(lift(), trust(payby_keys=keys[:1]), situation()) == "proof"


@pytest.mark.fault("stranger-paid")
def test_the_proof_must_be_about_the_merchant_that_the_barrier_was_told() -> None:
    assert refusal(lift(), trust(payee_mid="200000000889"), situation()) == "proof"
    assert refusal(lift("free"), trust(payee_mid="200000000889"), situation()) is None


def test_an_unproved_payment_is_not_told_whether_its_number_is_spent() -> None:
    assert refusal(lift(amount="1.00"), trust(), situation(numbers={NUMBER})) == "proof"


@pytest.mark.fault("forged-lift", "operator-replayed")
@settings(max_examples=120, deadline=None)
@given(
    st.sampled_from(REASONS),
    st.fixed_dictionaries(dict.fromkeys(CONDITIONS, st.booleans())),
)
def test_a_lift_raises_if_and_only_if_everything_holds(reason: str, holds: dict[str, bool]) -> None:
    ahead_ms = 30_000 if holds["near"] else 60_001
    tried = lift(
        reason,
        lane=LANE if holds["signed"] else "exit-2",
        not_after=stamp(NOW + (ahead_ms if holds["ahead"] else -5)),
        amount="20.00" if holds["proved"] else "20.01",
        car=CAR if holds["named"] else None,
    )
    now = situation(
        ids=() if holds["fresh"] else {tried.id},
        numbers=() if holds["new"] else {NUMBER},
        car=CAR if holds["here"] else OTHER if holds["named"] else None,
        waiting=holds["here"] or holds["named"],
        down=holds["down"],
    )
    expected = [
        ("signature", not holds["signed"]),
        ("spent", not holds["fresh"]),
        ("expired", not holds["ahead"]),
        ("too-far", not holds["near"] and holds["ahead"]),
        ("proof", reason in ("paid", "credit") and not holds["proved"]),
        ("spent", reason == "paid" and not holds["new"]),
        ("car", not holds["here"]),
        ("busy", not holds["down"]),
    ]
    assert refusal(tried, trust(), now) == next((why for why, wrong in expected if wrong), None)
