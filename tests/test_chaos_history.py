"""The judge of the process chaos (tests/chaos/history.py) finds each kind of violation, and no other."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.chaos.history import Account, Car, History, Intent, judge
from tests.story import Story, an_id

PAID_AT, PLACED_AT = 2_000, 1_000


def paid_visit() -> tuple[Story, History]:
    """A car that paid and is out, told to the rules and from every other side."""
    story = Story()
    order = story.shows_qr()
    story.payby("PAID")
    grant = story.raises()
    story.drives_through()
    session = an_id("stay", "a")
    history = History(
        accounts=[Account(order.no, session, PLACED_AT, PAID_AT, 2000)],
        cars=[Car(session, 2000, True, (order.no,))],
        garage=story.garage,
        again=story.garage,
        granted={grant.id: session},
        intents=[Intent(grant.id, session, "paid", order.no)],
        done=[grant.id],
        pulses=[3_000],
        texts=[("worker.log", "all is well")],
        secrets=["c2VjcmV0IGtleSBtYXRlcmlhbA"],
    )
    return story, history


def test_nothing_is_wrong_with_a_paid_visit() -> None:
    assert judge(paid_visit()[1]) == []


def second_intent(h: History) -> None:
    h.intents = [*h.intents, h.intents[0]]


def more_pulses(h: History) -> None:
    h.pulses = [*h.pulses, 4_000]


def no_pulse(h: History) -> None:
    h.pulses = []


def done_unheard(h: History) -> None:
    h.done = [an_id("no such lift")]


def not_granted(h: History) -> None:
    h.granted = {}


def unpaid(h: History) -> None:
    h.accounts = [replace(h.accounts[0], paid=None)]


def spent_twice(h: History) -> None:
    h.intents = [*h.intents, replace(h.intents[0], id=an_id("another"))]
    h.granted = dict(h.granted) | {an_id("another"): h.intents[0].session}
    h.pulses = [1, 2]


def other_pin(h: History) -> None:
    h.other_pins = frozenset({"GPIO27"})


def unknown_payment(h: History) -> None:
    h.accounts = [*h.accounts, Account("another", h.cars[0].session, 5_000, 6_000, 0)]


def never_raised(h: History) -> None:
    h.intents, h.done, h.pulses = [], [], []


def stranded(h: History) -> None:
    h.cars = [replace(h.cars[0], out=False)]


def overcharged(h: History) -> None:
    h.cars = [replace(h.cars[0], price=1000)]


def two_open(h: History) -> None:
    h.accounts = [*h.accounts, Account("another", h.cars[0].session, PAID_AT - 1)]


def two_stories(h: History) -> None:
    h.again = Story().garage


def not_served(h: History) -> None:
    h.served_at_last = False


def fell(h: History) -> None:
    h.ended = [("worker", 1)]


def told_a_secret(h: History) -> None:
    h.texts = [("reader.log", "key c2VjcmV0IGtleSBtYXRlcmlhbA is wrong")]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (second_intent, "I2: lift"),
        (more_pulses, "I2: 2 pulses for 1 intents"),
        (no_pulse, "I2: 1 lifts are done, by 0 pulses"),
        (done_unheard, "is done and was never intended"),
        (not_granted, "I1: lift"),
        (unpaid, "which nobody paid"),
        (spent_twice, "raised 2 times as paid"),
        (other_pin, "I7: other outputs than the relay's moved: GPIO27"),
        (unknown_payment, "I3: another is paid, and the worker does not know of it"),
        (never_raised, "counts as raised, and the barrier never intended it"),
        (stranded, "has neither credit nor refund"),
        (overcharged, "was charged 2000 fils, and costs 1000"),
        (two_open, "I4: another was placed while"),
        (two_stories, "I5: the worker's journal tells two stories"),
        (not_served, "I8: the faults are over"),
        (fell, "I8: worker ended by itself with status 1"),
        (told_a_secret, "I6: a secret is in reader.log"),
    ],
)
def test_each_violation_is_found(wrong: Callable[[History], None], said: str) -> None:
    _, history = paid_visit()
    wrong(history)
    assert any(said in line for line in judge(history)), judge(history)


def test_what_is_not_settled_when_all_is_quiet_is_found() -> None:
    story, history = paid_visit()
    story.shows_qr("b")
    order = story.order("b")
    assert f"I8: order {order.no} is created when all is quiet" in judge(history)
    story.payby("PAID", "b")
    history.accounts = [*history.accounts, Account(order.no, an_id("stay", "b"), PAID_AT, PAID_AT + 1, 2000)]
    history.cars = [*history.cars, Car(an_id("stay", "b"), 2000, False, (order.no,))]
    assert f"I3: {order.no} is paid and still held by a lift when all is quiet" in judge(history)


def test_a_payment_that_counts_as_refunded_must_be_back() -> None:
    story, history = paid_visit()
    stay = story.stay()
    payment = replace(stay.payments[0], holder="refunded")
    story.garage.stays[stay.session] = replace(stay, payments=(payment,))
    assert any("PayBy gave back 0 of 2000" in line for line in judge(history))
    history.accounts = [replace(history.accounts[0], given_back=2000)]
    assert judge(history) == []
