"""The judge of two workers on one lease (tests/chaos/seats.py) finds each kind of violation, and no other."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.chaos.history import Intent
from tests.chaos.packets import described
from tests.chaos.seats import SeatHistory, SeatRecords, StoredRow, judge_seats, unanswered
from tests.chaos.two_workers import DEATH, HANDED, WORK, slow

A, B = 100, 200
"""Lives of the two workers."""
LIFT = "parking/marina/exit-1/lift"
FIRST = f"""\
1000 {A} stands-by
1010 {A} took 1 1005
1020 {A} wrote 1 1 1 aa 1015 1015
1030 {A} sends 5000 90 1
1040 {A} sends 6000 400 /sgs/api/acquire2/placeOrder
1500 {A} wrote 1 2 3 cc 1490 1490
2400 {A} renewed 1 2390
2450 {A} sends 5000 700 {LIFT}#lift-1"""
SECOND = f"""\
1100 {B} stands-by
6010 {B} took 2 6000
6020 {B} wrote 2 5 5 ee 6015 6015
6030 {B} sends 5001 90 1
6100 {B} sends 6001 400 /sgs/api/acquire2/getOrder
6200 {B} released 2"""


def heard(first: str = FIRST, second: str = SECOND) -> SeatRecords:
    records = SeatRecords()
    for worker, lines in (("worker.a", first), ("worker.b", second)):
        records.read(worker, [line.split(" ", 2) for line in lines.splitlines()])
    return records


def history(first: str = FIRST, second: str = SECOND) -> SeatHistory:
    """One worker lifted and died, the other took over; of row 4 nobody was told."""
    rows = [StoredRow(1, "aa", 1), StoredRow(2, "bb"), StoredRow(3, "cc"), StoredRow(4, "dd"), StoredRow(5, "ee", 2)]
    calls = [("worker.a", 1045), ("worker.b", 6110)]
    return SeatHistory(heard(first, second), rows, "", calls, [Intent("lift-1", "s", "paid", 2460, "o")])


def test_nothing_is_wrong_where_one_took_over_from_another() -> None:
    assert judge_seats(history()) == []
    assert unanswered(history()) == 1


def test_who_works_and_who_stands_by_is_read_as_it_comes() -> None:
    records = heard()
    assert records.holder and (records.holder.epoch, records.holder.worker, records.holder.pid) == (2, "worker.b", B)
    assert records.standing == {A: False, B: False}
    assert (records.wrote, records.spoke, records.releases) == ({1: 1020, 2: 6020}, {1: 1030, 2: 6030}, {2: 6200})
    with pytest.raises(ValueError, match="wrote down nonsense"):
        records.read("worker.a", [("1", "2", "nonsense")])


# -- one history for each rule, which breaks just that one -----------------------------------------------------------


def chain_is_broken() -> SeatHistory:
    return replace(history(), broken="row 3 is not what its hash says")


def rows_have_gaps() -> SeatHistory:
    whole = history()
    return replace(whole, rows=[row for row in whole.rows if row.seq != 4])


def epochs_go_back() -> SeatHistory:
    whole = history()
    return replace(whole, rows=[*whole.rows, StoredRow(6, "ff", 1)])


def acknowledged_twice() -> SeatHistory:
    return history(FIRST + f"\n2500 {A} wrote 1 4 5 ee 2490 2490")


def older_epoch_after_a_newer_one() -> SeatHistory:
    whole = history(FIRST + f"\n7000 {A} wrote 1 6 6 ff 2490 2490")
    return replace(whole, rows=[*whole.rows, StoredRow(6, "ff")])


def acknowledged_and_missing() -> SeatHistory:
    return history(second=SECOND + f"\n6150 {B} wrote 2 6 6 ff 6140 6140")


def acknowledged_and_another() -> SeatHistory:
    return history(second=SECOND.replace(" ee ", " e0 "))


def written_after_another_took_it() -> SeatHistory:
    return history(FIRST + f"\n6018 {A} wrote 1 4 4 dd 6011 6011")


def taken_twice() -> SeatHistory:
    return history(FIRST + f"\n6005 {A} took 2 6001")


def said_before_it_had_the_lease() -> SeatHistory:
    return history(second=f"1200 {B} sends 5001 90 1\n{SECOND}")


def said_after_another_took_it() -> SeatHistory:
    return history(FIRST + f"\n6050 {A} sends 5000 30 parking/marina/garage/health/worker")


def said_when_another_might_have_taken_it() -> SeatHistory:
    return history(FIRST + f"\n5500 {A} sends 5000 30 parking/marina/exit-1/screen")


def called_payby_without_the_lease() -> SeatHistory:
    whole = history()
    return replace(whole, calls=[*whole.calls, ("worker.a", 6700)])


def rose_for_what_no_holder_sent() -> SeatHistory:
    whole = history()
    return replace(whole, intents=[*whole.intents, Intent("lift-2", "s", "paid", 6300, "o")])


BROKEN: dict[Callable[[], SeatHistory], str] = {
    chain_is_broken: "chain is broken",
    rows_have_gaps: "rows have gaps",
    epochs_go_back: "epochs in the journal go back",
    acknowledged_twice: "acknowledged to worker.a and to worker.b",
    older_epoch_after_a_newer_one: "written under epoch 1, after one of 2",
    acknowledged_and_missing: "is missing",
    acknowledged_and_another: "is another now",
    written_after_another_took_it: "row 4 of epoch 1 was written 1 ms after another took the lease",
    taken_twice: "epoch 2 was taken twice",
    said_before_it_had_the_lease: "before it had the lease",
    said_after_another_took_it: "after another took the lease",
    said_when_another_might_have_taken_it: "after the last renewal",
    called_payby_without_the_lease: "called PayBy",
    rose_for_what_no_holder_sent: "no holder of the lease sent it",
}


@pytest.mark.parametrize("broken", BROKEN, ids=lambda broken: broken.__name__)
def test_each_violation_is_found(broken: Callable[[], SeatHistory]) -> None:
    found = judge_seats(broken())
    assert any(BROKEN[broken] in line for line in found), found
    assert all(line.startswith("I9: ") for line in found)


def test_what_a_process_sends_is_told_by_its_topics_and_paths() -> None:
    def packet(topic: str, payload: bytes, qos: int) -> bytes:
        body = len(topic).to_bytes(2, "big") + topic.encode() + (b"\0\7" if qos else b"") + payload
        length = len(body)
        head = bytes([length]) if length < 128 else bytes([length & 127 | 128, length >> 7])
        return bytes([0x30 | qos << 1]) + head + body

    screen = packet("parking/marina/exit-1/screen", b"x" * 300, 0)
    lift = packet(LIFT, b'{"id": "lift-1"}', 1)
    assert described(screen + lift + b"\xc0\0") == f"parking/marina/exit-1/screen {LIFT}#lift-1 12"
    assert described(b"POST /sgs/api/acquire2/placeOrder HTTP/1.1\r\n") == "/sgs/api/acquire2/placeOrder"
    assert described(b"\xff" * 9) == "15"
    assert described(b"x") == "-"


def test_a_take_over_that_took_too_long_is_told_of_the_slowest_hundredth() -> None:
    quick, late = [3.0] * 198, [9.0, 9.0]
    table, wrong = slow([{f"killed{WORK}": quick}, {f"killed{WORK}": late, HANDED: [0.4]}], 1.0)
    assert wrong == []
    assert f"{DEATH:48}   3.00   3.00   9.00   200" in table
    _, wrong = slow([{f"killed{WORK}": [*quick, *late, 9.0], HANDED: [1.2]}], 1.0)
    assert [line.partition(":")[0] for line in wrong] == [DEATH.partition(":")[0], HANDED]
    assert slow([{f"killed{WORK}": [6.0], HANDED: [1.2]}], 3.0)[1] == []
