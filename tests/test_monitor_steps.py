"""How long each step of a visit took, by its messages' own times."""

from typing import Any

import pytest

from terminal.contract.messages import stamp
from terminal.monitor.steps import LONGEST_MS, REMEMBERED, VisitSteps
from tests.support.visit_steps import ORDER, T0, WHOLE, visit


def told(steps: VisitSteps, said: list[tuple[int, str, dict[str, Any]]], lane: str = "exit-1") -> list[tuple[str, int]]:
    found = [step for at, kind, data in said for step in steps.take(kind, lane, {"at": stamp(T0 + at), **data})]
    assert {step.lane for step in found} <= {lane}
    return [(step.name, step.ms) for step in found]


def test_each_step_of_a_visit_is_told_once() -> None:
    assert told(VisitSteps(), visit()) == list(WHOLE.items())


def test_repetitions_and_what_comes_late_change_nothing() -> None:
    steps = VisitSteps()
    twice = [one for one in visit() for _ in range(3)]
    assert told(steps, twice) == list(WHOLE.items())
    assert told(steps, visit()) == []


def test_a_visit_without_a_notification_has_no_steps_that_need_one() -> None:
    quiet = [one for one in visit() if one[1] != "paid"]
    assert [name for name, _ in told(VisitSteps(), quiet)] == ["ticket_to_code", "lift_to_pulse", "pulse_to_arm_up"]


def test_an_operator_s_lift_has_a_pulse_and_no_payment() -> None:
    said = [
        (0, "lift", {"id": "l9", "reason": "operator"}),
        (5, "barrier", {"id": "b", "state": "rising", "lift": "l9"}),
        (7, "barrier", {"id": "b", "state": "up", "lift": "l9"}),
    ]
    assert told(VisitSteps(), said) == [("lift_to_pulse", 5), ("pulse_to_arm_up", 2)]


def test_lanes_do_not_mix() -> None:
    steps = VisitSteps()
    assert told(steps, [(0, "fee", {"id": "f1", "reason": "due"})], "exit-1") == []
    assert told(steps, [(0, "fee", {"id": "f2", "reason": "due"})], "exit-2") == []
    assert told(steps, [(9, "screen", {"state": "pay", "fee": "f2"})], "exit-2") == [("ticket_to_code", 9)]


@pytest.mark.parametrize("ms", [-1, LONGEST_MS + 1])
def test_clocks_that_disagree_make_no_step(ms: int) -> None:
    said = [(0, "fee", {"id": "f1", "reason": "due"}), (ms, "screen", {"state": "pay", "fee": "f1"})]
    assert told(VisitSteps(), said) == []


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        ("fee", {}),
        ("fee", {"at": "never", "id": "f1", "reason": "due"}),
        ("fee", {"at": stamp(T0), "id": 7, "reason": "due"}),
        ("paid", {"at": stamp(T0), "order_no": ORDER, "body": "no JSON"}),
        ("paid", {"at": stamp(T0), "order_no": ORDER + "-2", "body": "[1]"}),
        ("paid", {"at": stamp(T0), "order_no": [], "body": {"acquireOrder": 1}}),
        (
            "paid",
            {
                "at": stamp(T0),
                "order_no": ORDER + "-3",
                "body": '{"acquireOrder": {"paymentInfo": {"paidTime": true}}}',
            },
        ),
        ("lift", {"at": stamp(T0), "id": None, "reason": "paid"}),
        ("barrier", {"at": stamp(T0), "state": "rising", "lift": {}, "answer": "raised"}),
        ("unknown", {"at": stamp(T0)}),
    ],
)
def test_what_does_not_fit_the_contract_is_no_step(kind: str, data: dict[str, Any]) -> None:
    assert VisitSteps().take(kind, "exit-1", data) == []


def test_what_never_ends_is_forgotten() -> None:
    steps = VisitSteps()
    for number in range(REMEMBERED * 3):
        steps.take("fee", "exit-1", {"at": stamp(T0), "id": f"f{number}", "reason": "due"})
    assert told(steps, [(9, "screen", {"state": "pay", "fee": "f0"})]) == []
    assert told(steps, [(9, "screen", {"state": "pay", "fee": f"f{REMEMBERED * 3 - 1}"})]) == [("ticket_to_code", 9)]
