"""terminal/core/coupon.py: what a coupon's text says, and which are genuine."""

import pytest

from terminal.core.coupon import LONGEST_MS, CouponError, CouponKind, is_coupon, read_coupon, sign_coupon
from terminal.core.ticket import TicketError, read_form

NOW = 1_795_000_000_000
KEYS = {"c1": b"c" * 32, "c2": b"d" * 32}
SERIAL = "0123456789ABCDEF0123"
UNTIL = NOW + 86_400_000


def made(kind: CouponKind = "amount", value: int = 500, **changes: object) -> str:
    told: dict[str, object] = {
        "garage": "marina",
        "serial": SERIAL,
        "until_ms": UNTIL,
        "key_id": "c1",
        "key": KEYS["c1"],
    }
    told |= changes
    return sign_coupon(kind=kind, value=value, **told)  # type: ignore[arg-type]


def why(text: str, now_ms: int = NOW) -> str:
    with pytest.raises(CouponError) as refused:
        read_coupon(text, KEYS, "marina", now_ms)
    return refused.value.why


@pytest.mark.parametrize(("kind", "value"), [("amount", 500), ("percent", 2500), ("minutes", 60), ("free", 0)])
def test_a_coupon_says_what_it_is_worth(kind: CouponKind, value: int) -> None:
    text = made(kind, value)
    assert is_coupon(text)
    found = read_coupon(text, KEYS, "marina", NOW)
    assert (found.kind, found.value, found.until_ms, found.key_id) == (kind, value, UNTIL, "C1")


def test_its_id_is_its_own() -> None:
    first = read_coupon(made(), KEYS, "marina", NOW)
    assert first.id == read_coupon(made(), KEYS, "marina", NOW + 5).id
    others = [made(serial="F" * 20), made(until_ms=UNTIL + 1000)]
    assert first.id not in {read_coupon(text, KEYS, "marina", NOW).id for text in others}
    creek = made(garage="creek")
    assert read_coupon(creek, KEYS, "creek", NOW).id != first.id


def test_no_character_of_it_can_change() -> None:
    text = made()
    for at, letter in enumerate(text):
        other = "B" if letter != "B" else "7"
        assert why(text[:at] + other + text[at + 1 :]) == "coupon-unknown"


def test_the_keys_of_tickets_of_other_garages_and_keys_that_are_gone_make_none() -> None:
    assert why(made(key=b"k" * 32)) == "coupon-unknown"
    assert why(made(key_id="c2")) == "coupon-unknown"
    assert why(made(key_id="c9")) == "coupon-unknown"
    assert why(made(garage="creek")) == "coupon-unknown"
    assert read_coupon(made(key_id="c2", key=KEYS["c2"]), KEYS, "marina", NOW).key_id == "C2"


@pytest.mark.parametrize(
    ("until", "good"),
    [(NOW + 1000, True), (NOW, False), (NOW - 1000, False), (NOW + LONGEST_MS, True), (NOW + LONGEST_MS + 1000, False)],
)
def test_it_ends(until: int, good: bool) -> None:
    text = made(until_ms=until)
    if good:
        assert read_coupon(text, KEYS, "marina", NOW).until_ms == until
    else:
        assert why(text) == "coupon-over"


@pytest.mark.parametrize(
    "wrong",
    [
        {"value": 0}, {"value": -1}, {"value": 10**9}, {"kind": "percent", "value": 10_001}, {"until_ms": 0},
        {"kind": "free", "value": 1}, {"kind": "minutes", "value": 525_601}, {"serial": "XYZ"}, {"garage": "a|b"},
        {"key_id": "too long a key"},
    ],
)  # fmt: skip
def test_what_none_can_hold_is_not_made(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="coupon"):
        made(**wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize("text", ["", "C1", "LOST", "000123456789", made().lower(), made() + ".", " " + made()])
def test_another_text_is_none(text: str) -> None:
    assert not is_coupon(text)
    assert why(text) == "coupon-unknown"


def test_a_coupon_is_no_ticket() -> None:
    with pytest.raises(TicketError):
        read_form(made(), "marina")


@pytest.mark.parametrize(("since", "good"), [(NOW // 60_000, True), (NOW // 60_000 + 1, False)])
def test_a_season_pass_is_valid_from_its_minute_on(since: int, good: bool) -> None:
    text = made("pass", since)
    if good:
        assert read_coupon(text, KEYS, "marina", NOW).kind == "pass"
    else:
        assert why(text) == "coupon-over"
    assert why(text, UNTIL) == "coupon-over"
