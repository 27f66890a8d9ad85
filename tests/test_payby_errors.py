"""Every code of PayBy's has its place, and no error says more than it may."""

import re
from pathlib import Path

import pytest

from terminal.payby import errors as e

PAGE = Path(__file__).resolve().parents[2] / "shared/payby/README.md"

DECIDES = {
    "400": e.OurMistake, "402": e.RateLimited, "403": e.Unauthorised, "404": e.OutcomeUnknown, "500": e.OutcomeUnknown,
    "504": e.OutcomeUnknown, "601": e.Refused, "62001": e.OrderPaid, "62003": e.OrderPaid, "62002": e.OrderDead,
    "62004": e.OrderUnknown, "62035": e.OrderUnknown, "62006": e.RefundRejected, "62007": e.RefundUnknown,
    "62015": e.RefundRejected, "62017": e.RefundKnown, "62040": e.RefundRejected, "62041": e.RefundRejected,
    "62045": e.RefundRejected, "62008": e.OurMistake, "62009": e.OurMistake, "62089": e.OurMistake,
    "62012": e.OurMistake, "62013": e.NoStatement, "62016": e.OurMistake, "62019": e.Unauthorised,
    "62086": e.Unauthorised, "62082": e.TokenUnknown,
    "62026": e.Unauthorised, "62036": e.OurMistake, "62037": e.OurMistake, "62039": e.RevokeFailed,
    "62046": e.RevokeRejected,
}  # fmt: skip


BESIDES = {
    "62014", "62018", "62020", "62030", "71002", "71003",
    *(str(code) for first, last in ((31, 34), (38, 38), (42, 44), (47, 73), (78, 81), (83, 85), (87, 88))
      for code in range(62000 + first, 62001 + last)),
}  # fmt: skip
"""Codes of calls and parameters that a terminal does not use, but that are known."""


def of(code: str, msg: str = "", apply_status: str = "FAIL") -> type[e.CallFailed]:
    return type(e.failure("acquire2/getOrder", apply_status, code, msg))


@pytest.mark.parametrize("code", DECIDES)
def test_every_code_of_the_api_page_is_the_leaf_that_decides(code: str) -> None:
    assert of(code) is DECIDES[code]
    assert of(code, apply_status="SUCCESS") is DECIDES[code]  # SUCCESS with another code is an error


def of_the_page(page: str) -> set[str]:
    """The codes that PayBy's API page has in its table, but for 0 and what begins with 58."""
    table = page.partition("## Codes that decide something")[2].partition("\n## ")[0]
    rows = [line.split("|")[1] for line in table.splitlines() if line.startswith("| ")]
    return {code for row in rows for code in re.findall(r"\d+", row)} - {"0", "58"}


def test_the_table_above_has_every_code_that_we_know_and_that_the_page_has_where_it_is_here() -> None:
    tables = [set(e.CODES) - BESIDES]
    if PAGE.is_file():
        tables.append(of_the_page(PAGE.read_text(encoding="utf-8")))
    assert [table ^ set(DECIDES) for table in tables] == [set() for _ in tables]


def test_wrong_dates_of_a_list_of_refunds_are_our_mistake() -> None:
    assert {of("71002"), of("71003")} == {e.OurMistake}


@pytest.mark.parametrize("msg", ["REQUESTTIME_TOO_EARLY", "REQUESTTIME_TOO_LATER"])
def test_a_refused_time_is_our_clock_and_no_other_mistake(msg: str) -> None:
    assert of("400", msg) is e.ClockWrong
    assert of("400", "INVALID_PARAMETER") is e.OurMistake


def test_apply_status_error_is_unauthorised_whatever_the_code() -> None:
    for code in ("", "0", "403", "500", "62001"):
        assert of(code, apply_status="ERROR") is e.Unauthorised


def test_a_code_that_no_page_names_decides_nothing() -> None:
    for code in ("", "0", "1", "62999", "99999"):
        assert of(code) is e.OutcomeUnknown


def test_a_refunded_order_is_no_refund_that_failed_when_it_is_to_be_revoked() -> None:
    assert type(e.failure("acquire2/revokeOrder", "FAIL", "62041", "ACQUIRE_ORDER_REFUNDED")) is e.RevokeRejected
    assert type(e.failure("acquire2/refund/placeOrder", "FAIL", "62041", "ACQUIRE_ORDER_REFUNDED")) is e.RefundRejected


def test_what_begins_with_58_is_the_gateway_that_refuses_us() -> None:
    for code in ("58", "58001", "580000"):
        assert of(code) is e.Unauthorised


@pytest.mark.parametrize("code", ["400", "402", "403", "404", "500", "504", "601", "58001"])
def test_what_the_gateway_says_unsigned_steers(code: str) -> None:
    hint = e.failure("acquire2/placeOrder", "FAIL", code, "ITS WORDS")
    error = e.OutcomeUnknown("acquire2/placeOrder", why="HTTP 200, signature absent").hinting(hint)
    assert (error.said, error.code) == (hint, "")


@pytest.mark.parametrize("code", ["0", "62001", "62002", "62004", "62007", "99999", ""])
def test_what_only_paybys_core_says_steers_nothing_unsigned(code: str) -> None:
    error = e.OutcomeUnknown("x").hinting(e.failure("x", "FAIL", code, "ITS WORDS"))
    assert error.said is None
    assert e.OutcomeUnknown("x").said is None


def test_every_leaf_is_found_by_the_root_and_every_code_by_a_leaf() -> None:
    leaves = {kind for kind in vars(e).values() if isinstance(kind, type) and issubclass(kind, e.CallFailed)}
    assert leaves - set(e.CODES.values()) == {e.CallFailed, e.NotSent, e.ClockWrong}
    assert all(issubclass(kind, e.PayByError) for kind in leaves)


def test_the_tree_at_the_top_shows_every_class() -> None:
    shown = set(re.findall(r"[├└]── (\w+)", e.__doc__ or "")) | {"PayByError"}
    there = {n for n, k in vars(e).items() if isinstance(k, type) and issubclass(k, Exception)}
    assert shown == there


def test_an_error_is_one_line_that_can_be_written_down_whatever_payby_says() -> None:
    error = e.failure("acquire2/getOrder", "FAIL", "5\ud83d", "SYSTEM\n\ud83dERROR" + "x" * 300, "\x1b[1m")
    assert str(error).encode()
    assert str(error).isprintable()
    assert len(str(error)) < 400


def test_an_error_holds_its_data_and_says_them_in_one_line() -> None:
    error = e.failure("acquire2/placeOrder", "FAIL", "62016", "MERCHANT_ORDER_NO_EXIST", "328753")
    assert (error.call, error.code, error.msg, error.trace_code) == (
        "acquire2/placeOrder", "62016", "MERCHANT_ORDER_NO_EXIST", "328753",
    )  # fmt: skip
    assert str(error) == "acquire2/placeOrder: 62016 MERCHANT_ORDER_NO_EXIST, trace 328753"


def test_what_was_unsigned_is_kept_for_the_alert_and_decides_nothing() -> None:
    hint = e.failure("acquire2/getOrder", "FAIL", "403", "UNAUTHORIZED")
    error = e.OutcomeUnknown("acquire2/getOrder", why="HTTP 403, signature absent").hinting(hint)
    assert error.hint is hint
    assert not isinstance(error, e.Unauthorised)
    assert error.code == ""
    assert str(error) == "acquire2/getOrder: HTTP 403, signature absent (unsigned: 403 UNAUTHORIZED)"


@pytest.mark.parametrize("text", ["x" * 20_000, "half \ud83d", "nul\0", "a\nline", "turned \u202e"], ids=ascii)
def test_what_payby_wrote_is_one_plain_line_in_every_part_of_an_error(text: str) -> None:
    hint = e.failure("acquire2/getOrder", text, text, text, text)
    error = e.OutcomeUnknown("acquire2/getOrder", text, text, text, text).hinting(hint)
    for part in (str(error), str(hint), error.code, error.msg, error.trace_code, str(e.BadWords(text))):
        assert part.isprintable() and len(part) <= 1_000
        part.encode()
