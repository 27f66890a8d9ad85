"""What the process chaos kills (tests/chaos/steps.py): each step as often as the others, and each kind of row."""

import random
from collections import Counter
from dataclasses import replace

import pytest

from terminal.core.events import EVENTS
from terminal.journal.kinds import (
    ASKED,
    CHECKPOINT,
    DONE,
    GONE,
    INTENT,
    NOTICE,
    RECALLED,
    REFUSED,
    SHELVED,
    TOLD,
    WORDS,
)
from tests.chaos.__main__ import Outcome, Part, reached
from tests.chaos.steps import ELSEWHERE, JOURNALED, Plan, steps


@pytest.mark.parametrize("loops", [True, False])
def test_each_step_comes_as_often_as_the_others(loops: bool) -> None:
    plan, came = Plan(random.Random(1), loops=loops), Counter[str]()
    for _ in range(3000):
        worker, manner = plan.first()
        assert manner in worker.manner
        more = plan.more(manner)
        assert all(manner in step.manner for step in more)
        came.update(step.name for step in (worker, *more))
    names = {step.name for step in steps(loops)}
    assert set(came) == names
    assert min(came.values()) >= 20


def test_each_kind_of_row_is_a_step_or_left_to_the_simulation() -> None:
    kinds = {*EVENTS, WORDS, CHECKPOINT, SHELVED, RECALLED, NOTICE, ASKED, TOLD, GONE, INTENT, DONE, REFUSED}
    named = {step.at.split(":")[1].split()[0] for step in JOURNALED if not step.at.startswith("pin")}
    assert (named | ELSEWHERE, named & ELSEWHERE) == (kinds, set())


def test_a_step_that_was_missed_comes_once_more_after_the_others() -> None:
    plan = Plan(random.Random(1), loops=True)
    missed, _ = plan.first()
    plan.again(missed)
    mine = [step for step in steps(loops=True) if step.role == "worker"]
    came = [plan.first()[0] for _ in mine]
    assert came[-1] == missed
    assert sorted(step.name + str(step.manner) for step in came) == sorted(s.name + str(s.manner) for s in mine)


def test_a_full_run_fails_for_a_step_that_it_never_reached() -> None:
    part = Part("kills", "amqtt", 1, 1)
    every = Counter(dict.fromkeys((step.name for step in steps(loops=True)), 1))
    whole = Outcome(part, [], 1, 1, Counter(), every, {}, 1.0)
    assert reached([whole])[1] == []
    del every["barrier pin:1:1"]
    assert reached([replace(whole, hits=every)])[1] == ["barrier pin:1:1"]
