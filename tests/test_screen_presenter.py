from typing import Any

import pytest

from terminal.contract.messages import Qr, Screen, stamp
from terminal.contract.topics import SILENT_MS
from terminal.screen import qr
from terminal.screen.presenter import (
    CODE_MS,
    HINT_AFTER_MS,
    HINT_MS,
    SCANNED_MS,
    STALE_MS,
    WIFI_MS,
    WORDS_MS,
    ScreenPresenter,
)
from terminal.screen.view import View

WALL = 1_795_000_000_000
NOW = 50_000
SESSION = "01a1ec96-3c00-7000-8000-000000004f2a"
URLS = [f"https://qr.payby.com?BIZ_TYPE=202&ft=7ac14d5d372a459fbe948e83fcaae0c{n}&t=1765054600668" for n in range(9)]


def screen(state: str, made: int = 0, code: int = 0, **fields: Any) -> Screen:
    """A message made so many ms after WALL, in state ``pay`` with the code of URLS[code]."""
    hexed = f"{WALL + made:012x}"
    head = {"id": f"{hexed[:8]}-{hexed[8:]}-7000-8000-000000000001", "at": stamp(WALL + made), "help_code": "7K3QF"}
    if state == "pay":
        fields = {
            "session": SESSION,
            "amount": "25.00",
            "currency": "AED",
            "minutes": 125,
            "expires": stamp(WALL + 110_000),
            "remaining": 110,
            "qr": qr.to_wire(qr.encode(URLS[code])),
            "key": "worker",
            "sign": "x",
        } | fields
    return Screen(**head, state=state, **fields)  # type: ignore[arg-type]


def shown(*messages: Screen, turns: bool = False) -> ScreenPresenter:
    presenter = ScreenPresenter(turns=turns)
    for message in messages:
        presenter.take(message, NOW)
    return presenter


def test_before_anything_is_heard_the_driver_is_asked_to_wait() -> None:
    assert shown().view(NOW) == View("wait")
    assert shown().next_ms(NOW) is None


def test_a_live_pay_message_shows_its_code_and_all_that_belongs_to_it() -> None:
    view = shown(screen("pay")).view(NOW)
    assert view == View("pay", "", "25.00", 125, 110, "4F2A", "7K3QF", qr.encode(URLS[0]))


@pytest.mark.parametrize("state", ["idle", "wait", "paid", "free", "closed", "help", "out-of-order"])
def test_every_other_state_shows_what_the_message_says(state: str) -> None:
    view = shown(screen("pay"), screen(state, 1, amount="25.00", minutes=3, reason="barrier")).view(NOW)
    assert view == View(state, "barrier", "25.00", 3, None, "", "7K3QF")  # type: ignore[arg-type]


def test_the_seconds_go_down_by_the_lcds_own_clock() -> None:
    presenter = shown(screen("pay"))
    lefts = [presenter.view(NOW + ms).left for ms in (0, 1, 999, 1_000, 1_001, 109_000, 109_999)]
    assert lefts == [110, 110, 110, 109, 109, 1, 1]
    assert [presenter.next_ms(NOW + ms) for ms in (0, 1, 999, 1_000, 109_999, 110_000)] == [
        1_000,
        999,
        1,
        1_000,
        1,
        None,
    ]


def test_when_time_is_up_the_code_is_taken_off() -> None:
    assert shown(screen("pay")).view(NOW + 110_000) == View("wait", "", "25.00", 125, None, "4F2A", "7K3QF")


def test_a_message_said_again_neither_lengthens_nor_jerks_the_countdown() -> None:
    presenter = shown(screen("pay"))
    presenter.take(screen("pay", 5_000, remaining=105), NOW + 5_300)
    assert presenter.view(NOW + 5_300).left == 105
    presenter.take(screen("pay", 10_000, remaining=110), NOW + 10_000)
    assert presenter.view(NOW + 10_000).left == 100


def test_a_shorter_time_is_believed() -> None:
    presenter = shown(screen("pay"))
    presenter.take(screen("pay", 1_000, remaining=20), NOW + 1_000)
    assert presenter.view(NOW + 1_000).left == 20


def test_a_retained_pay_shows_nothing_of_itself_until_a_live_one_confirms_it() -> None:
    presenter = ScreenPresenter()
    presenter.take(screen("pay"), NOW, retained=True)
    assert presenter.view(NOW) == View("wait", help_code="7K3QF")
    presenter.take(screen("pay"), NOW + 700)
    assert presenter.view(NOW + 700).state == "pay"


def test_a_retained_pay_that_is_delivered_again_leaves_the_confirmed_one_alone() -> None:
    presenter = shown(screen("pay"))
    presenter.take(screen("pay", remaining=50), NOW + 2_000, retained=True)
    assert presenter.view(NOW + 2_000).left == 108


def test_other_retained_states_are_believed() -> None:
    presenter = ScreenPresenter()
    presenter.take(screen("closed", reason="operator"), NOW, retained=True)
    assert presenter.view(NOW) == View("closed", "operator", help_code="7K3QF")


def test_the_code_is_off_when_the_worker_was_silent_for_fifteen_seconds() -> None:
    presenter = shown(screen("pay"))
    assert presenter.view(NOW + 20_000, silent_ms=SILENT_MS - 1).state == "pay"
    assert presenter.view(NOW + 20_000, silent_ms=SILENT_MS) == View("help", "no-answer", help_code="7K3QF")
    assert presenter.view(NOW + 21_000, silent_ms=0).left == 89


@pytest.mark.parametrize(
    ("state", "sees"), [("idle", "help"), ("paid", "help"), ("closed", "closed"), ("out-of-order", "out-of-order")]
)
def test_without_a_worker_no_lane_looks_ready_and_a_closed_one_stays_closed(state: str, sees: str) -> None:
    assert shown(screen(state)).view(NOW, silent_ms=SILENT_MS).state == sees


def test_without_the_broker_the_lane_is_out_of_order_after_fifteen_seconds() -> None:
    presenter = shown(screen("pay"))
    assert presenter.view(NOW + 14_999, away_ms=SILENT_MS - 1).left == 96
    assert presenter.view(NOW + 15_000, away_ms=SILENT_MS, silent_ms=SILENT_MS) == View("out-of-order", "broker")


@pytest.mark.fault("qr-unreadable")
def test_a_code_that_could_not_be_read_back_gives_way_to_help() -> None:
    presenter = shown(screen("pay"))
    presenter.refuse(qr.encode(URLS[0]), "unreadable")
    assert presenter.view(NOW) == View("help", "qr", help_code="7K3QF")
    presenter.take(screen("pay", 5_000), NOW + 5_000)
    assert presenter.view(NOW + 5_000).state == "help"
    presenter.take(screen("pay", 6_000, code=1), NOW + 6_000)
    assert presenter.view(NOW + 6_000).symbol == qr.encode(URLS[1])


def test_a_refusal_that_comes_after_the_next_code_harms_that_one_not() -> None:
    presenter = shown(screen("pay", 0, code=0), screen("pay", 1, code=1))
    presenter.refuse(qr.encode(URLS[0]), "unreadable")
    assert presenter.view(NOW).symbol == qr.encode(URLS[1])


def test_bits_that_are_no_symbol_show_help() -> None:
    presenter = shown(screen("pay"), screen("pay", 1, qr=Qr(22, "AAAA")))
    assert presenter.view(NOW) == View("help", "qr", help_code="7K3QF")


def test_an_older_message_does_not_undo_a_newer_one() -> None:
    presenter = shown(screen("pay", 1_000, code=1), screen("pay", 900, code=0), screen("paid", 999))
    assert presenter.view(NOW).symbol == qr.encode(URLS[1])
    presenter.take(screen("paid", 1_000), NOW)
    assert presenter.view(NOW).state == "paid"


def test_an_old_code_said_again_after_its_visit_is_not_shown() -> None:
    presenter = shown(screen("pay", 0), screen("idle", 30_000))
    presenter.take(screen("pay", 0), NOW + 31_000)
    assert presenter.view(NOW + 31_000).state == "idle"


@pytest.mark.fault("clock-wrong")
def test_a_workers_clock_that_was_put_back_stops_nobody_and_revives_no_code() -> None:
    presenter = shown(screen("pay", STALE_MS, code=0))
    presenter.take(screen("pay", 0, code=1), NOW + 1_000)
    assert presenter.view(NOW + 1_000).symbol == qr.encode(URLS[1])
    presenter.take(screen("pay", 1, code=0, remaining=110), NOW + 110_000)
    assert presenter.view(NOW + 110_000).state == "wait"


def test_hints_come_after_a_while_and_take_turns() -> None:
    presenter = shown(screen("pay", remaining=120))
    times = [0, HINT_AFTER_MS - 1, *(HINT_AFTER_MS + HINT_MS * turn for turn in range(5))]
    assert [presenter.view(NOW + ms).hint for ms in times] == ["", "", "second", "", "signal", "", "second"]
    assert {presenter.view(NOW + ms).page for ms in times} == {"code"}


def test_the_second_code_of_a_stay_begins_without_hints() -> None:
    presenter = shown(screen("pay"))
    later = NOW + HINT_AFTER_MS
    presenter.take(screen("pay", 1, code=1), later)
    assert presenter.view(later).hint == ""


def test_where_words_have_no_room_they_take_turns_with_the_code_which_comes_first() -> None:
    presenter = shown(screen("pay", remaining=120), turns=True)
    turn = CODE_MS + WORDS_MS
    seen = [
        presenter.view(NOW + ms) for ms in (0, CODE_MS - 1, CODE_MS, turn - 1, turn, turn + CODE_MS, 2 * turn + CODE_MS)
    ]
    assert [view.page for view in seen] == ["code", "code", "words", "words", "code", "words", "words"]
    assert [view.hint for view in seen] == ["", "", "", "", "", "second", "signal"]
    assert [view.left for view in seen] == [None, None, 111, 109, None, 99, 87]


@pytest.mark.parametrize("turns", [False, True])
def test_a_lane_with_a_wifi_offers_it_after_a_while_in_the_signal_hints_place(turns: bool) -> None:
    plain, presenter = ScreenPresenter(turns=turns), ScreenPresenter(turns=turns, wifi=True)
    for one in (plain, presenter):
        one.take(screen("pay", remaining=120), NOW)
    for second in range(120):
        before, now = plain.view(NOW + second * 1000), presenter.view(NOW + second * 1000)
        if now.page == "wifi":
            assert (now.left, second >= 30, before.hint) == (None, True, "signal")
            break
        assert now == before
    offered = [second for second in range(109) if presenter.view(NOW + second * 1000).page == "wifi"]
    first, long = offered[0], WIFI_MS // 1000
    assert offered[:long] == [*range(first, first + long)]
    assert offered[long] > first + 2 * long


def test_only_so_many_ended_codes_are_remembered() -> None:
    presenter = ScreenPresenter()
    for made in range(70):
        bits = bytes([made]) + bytes(55)
        presenter.take(screen("pay", made, qr=qr.to_wire(qr.Symbol(21, bits)), remaining=0), NOW)
    presenter.take(screen("pay", 70, qr=qr.to_wire(qr.Symbol(21, bytes([69]) + bytes(55)))), NOW)
    assert presenter.view(NOW).state == "wait"
    presenter.take(screen("pay", 71, qr=qr.to_wire(qr.Symbol(21, bytes(56)))), NOW)
    assert presenter.view(NOW).state == "pay"


def test_a_scanned_code_stays_and_says_so_whatever_hint_would_be_due() -> None:
    presenter = ScreenPresenter(wifi=True)
    presenter.take(screen("pay", remaining=110), NOW)
    presenter.take(screen("pay", 1, remaining=109, scanned=True), NOW + 1_000)
    seen = [presenter.view(NOW + 1_000 + second * 1000) for second in range(100)]
    assert {(view.page, view.hint, view.symbol) for view in seen} == {("code", "scanned", qr.encode(URLS[0]))}


def test_where_words_have_no_room_a_scanned_code_takes_turns_with_them_and_they_come_first() -> None:
    presenter = shown(screen("pay", remaining=110), turns=True)
    for made in (1, 2):  # a pay screen is said again every 5 s
        presenter.take(screen("pay", made, remaining=110 - 5 * made, scanned=True), NOW + made * 5_000)
    pages = [presenter.view(NOW + 5_000 + ms).page for ms in (0, SCANNED_MS - 1, SCANNED_MS, 2 * SCANNED_MS)]
    assert pages == ["words", "words", "code", "words"]
    assert {presenter.view(NOW + 5_000 + ms).hint for ms in range(0, 20_000, 1000)} == {"scanned"}


def test_a_later_end_that_the_worker_signed_gives_more_time_and_an_old_message_does_not() -> None:
    presenter = shown(screen("pay", remaining=10))
    presenter.take(screen("pay", 1, remaining=10), NOW + 5_000)
    assert presenter.view(NOW + 10_000).state == "wait"
    more = stamp(WALL + 170_000)
    presenter.take(screen("pay", 2, remaining=60, expires=more, scanned=True), NOW + 10_000)
    assert presenter.view(NOW + 10_000).left == 60
    presenter.take(screen("pay", 3, remaining=60, expires=more, scanned=True), NOW + 20_000)
    assert presenter.view(NOW + 69_000).left == 1
    assert presenter.view(NOW + 70_000).state == "wait"


def test_the_next_code_of_the_stay_is_not_scanned() -> None:
    presenter = shown(screen("pay", scanned=True))
    presenter.take(screen("pay", 1, code=1, scanned=False), NOW + 1_000)
    assert presenter.view(NOW + 1_000).hint == ""
