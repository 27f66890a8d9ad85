"""The guard of a visit's cost (tests/bench/counts.py): a count that grows is named, and no record may hide it."""

from pathlib import Path

from tests.bench import counts
from tests.bench.tap import Passed
from tests.bench.visit_counts import Window

RECORDED = {"visit: messages": 17.0, "visit: bytes of messages": 9000.0, "visit: flushes to the pin": 2.0}


def test_what_is_as_recorded_is_well() -> None:
    assert counts.verdicts(RECORDED, RECORDED) == ([], [])


def test_a_count_that_grew_is_named_with_how_much() -> None:
    wrong, less = counts.verdicts({**RECORDED, "visit: messages": 19.0}, RECORDED)
    assert (wrong, less) == (["GREW      visit: messages: 19, recorded 17 (+2, 11.8%)"], [])


def test_a_few_digits_more_in_the_messages_are_no_growth() -> None:
    assert counts.verdicts({**RECORDED, "visit: bytes of messages": 9100.0}, RECORDED) == ([], [])
    wrong, _ = counts.verdicts({**RECORDED, "visit: bytes of messages": 9300.0}, RECORDED)
    assert wrong == ["GREW      visit: bytes of messages: 9300, recorded 9000 (+300, 3.3%)"]


def test_a_limit_holds_whatever_was_recorded() -> None:
    three = {**RECORDED, "visit: flushes to the pin": 3.0}
    wrong, _ = counts.verdicts(three, three)
    assert wrong == ["TOO MUCH  visit: flushes to the pin: 3, and no change may need more than 2"]


def test_what_became_less_is_told_and_does_not_fail() -> None:
    assert counts.verdicts({**RECORDED, "visit: messages": 15.0}, RECORDED) == (
        [],
        ["less      visit: messages: 15, recorded 17"],
    )


def test_a_count_without_a_record_and_a_record_without_a_count_fail() -> None:
    wrong, _ = counts.verdicts({"visit: hops": 2.0}, {"visit: messages": 17.0})
    assert wrong == [
        "NEW       visit: hops: 2 is not recorded",
        "GONE      visit: messages is recorded and no longer counted",
    ]


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    found = {**RECORDED, "pure: journal rows": 13.005, "pure: a visit, whole": 3_517_912.0}
    counts.write(found, tmp_path / "bounds.txt")
    assert counts.recorded(tmp_path / "bounds.txt") == (counts.VERSION, found)


def test_the_record_keeps_every_limit() -> None:
    _, bounds = counts.recorded()
    assert counts.LIMITS.keys() <= bounds.keys()
    assert {name: bounds[name] for name, limit in counts.LIMITS.items() if bounds[name] > limit} == {}


def test_flushes_and_messages_between_payment_and_pin_are_told_from_the_others() -> None:
    said = [(10, "fee"), (20, "paid"), (30, "screen"), (40, "lift"), (60, "barrier")]
    passed = [Passed(at, True, f"parking/marina/exit-1/{kind}", 100) for at, kind in said]
    passed += [Passed(at, False, "parking/marina/exit-1/fee", 100) for at in (12, 90)]
    passed.append(Passed(15, True, "parking/marina/exit-1/health/run", 100))
    calls = [(at, "flush", "/tmp/g/journal.db-wal") for at in (12, 25, 70)] + [(45, "flush", "/tmp/g/barrier.db-wal")]
    calls += [(at, "flush", "/tmp/mosquitto.db.new") for at in (11, 26, 46)]
    calls += [(50, "pin", "GPIO17 1"), (55, "pin", "GPIO17 0"), (22, "verify", "RSAPublicKey"), (99, "sign", "late")]
    found = Window(sorted(calls), passed, 0, 80).counts()
    assert found == {
        "messages": 5, "bytes of messages": 500, "hops to the pin": 3, "flushes to the pin": 2,
        "flushes of the worker": 3, "flushes of the barrier": 1, "flushes of the broker": 3,
        "flushes of anything else": 0, "signatures": 0, "verifications": 1, "keys parsed": 0, "pulses": 1,
    }  # fmt: skip
