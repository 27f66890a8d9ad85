"""The judge of the process chaos (tests/chaos/history.py) finds each kind of violation, and no other."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from terminal.core.invoice import Supplier, TaxInvoice
from terminal.core.model import Stay, VisitRefund
from terminal.core.retention import slim
from terminal.journal.reading import read
from tests.chaos.history import Account, Car, Gate, History, Intent, judge
from tests.chaos.reading import replayed
from tests.chaos.stolen import is_lost
from tests.support.evening import an_evening, filled, told
from tests.support.story import Story, an_id

PLACED_AT, PAID_AT, INTENDED_AT, PULSED_AT = 1_000, 2_000, 2_500, 3_000
SESSION, OTHER = an_id("stay", "a"), an_id("stay", "another")


def paid_visit() -> tuple[Story, History]:
    """A car that paid and is out, told to the rules and from every other side."""
    story = Story()
    order = story.shows_qr()
    story.payby("PAID")
    grant = story.raises()
    story.drives_through()
    history = History(
        accounts=[Account(order.no, SESSION, "exit-1", PLACED_AT, PAID_AT, 2000)],
        cars=[Car(SESSION, 2000, "exit-1", (order.no,), PULSED_AT)],
        gates=[
            Gate(
                "exit-1",
                intents=[Intent(grant.id, SESSION, "paid", INTENDED_AT, order.no)],
                done=[grant.id],
                pulses=[PULSED_AT],
            )
        ],
        garage=story.garage,
        again=story.garage,
        stays=story.garage.stays,
        granted={grant.id: SESSION},
        texts=[("worker.log", "all is well")],
        secrets=["c2VjcmV0IGtleSBtYXRlcmlhbA"],
    )
    return story, history


def test_nothing_is_wrong_with_a_paid_visit() -> None:
    assert judge(paid_visit()[1]) == []


# -- one history for each rule, which breaks just that one -----------------------------------------------------------


def controller(h: History, **changes: object) -> None:
    h.gates = [replace(h.gates[0], **changes)]  # type: ignore[arg-type]


def account(h: History, **changes: object) -> None:
    h.accounts = [replace(h.accounts[0], **changes)]  # type: ignore[arg-type]


def car(h: History, **changes: object) -> None:
    h.cars = [replace(h.cars[0], **changes)]  # type: ignore[arg-type]


def held(h: History, holder: str) -> None:
    """The payment has another holder in the worker's books."""
    assert h.garage
    stay = h.garage.stays[SESSION]
    payment = replace(stay.payments[0], holder=holder)  # type: ignore[arg-type]
    h.garage.stays[SESSION] = replace(stay, payments=(payment,))


def invoiced(h: History, place: int) -> None:
    """The payment has the invoice of that place."""
    assert h.garage
    stay = h.garage.stays[SESSION]
    invoice = TaxInvoice(
        f"marina-2612010600-{place:06d}-ABCD", 0, "00" * 12, Supplier("Marina", "", "Dubai", "", "1", "5")
    )
    h.garage.stays[SESSION] = replace(stay, payments=(replace(stay.payments[0], invoice=invoice),))


def gap_in_the_invoices(h: History) -> None:
    invoiced(h, 2)


def paid_without_invoice(h: History) -> None:
    assert h.garage
    other = replace(h.garage.stays[SESSION].payments[0], order_no="another", holder="raised")
    invoiced(h, 1)
    h.stays = {**h.garage.stays, OTHER: Stay(OTHER, payments=(other,))}


def unread_invoice(h: History) -> None:
    car(h, unread=True)


def free_lift(h: History) -> Intent:
    """One more, granted, with a pulse of its own."""
    intent = Intent(an_id("free"), SESSION, "free", 4_000)
    controller(h, intents=[*h.gates[0].intents, intent], pulses=[PULSED_AT, 4_500], done=[*h.gates[0].done, intent.id])
    h.granted = {**h.granted, intent.id: SESSION}
    return intent


def pulse_without_intent(h: History) -> None:
    controller(h, pulses=[INTENDED_AT - 1, PULSED_AT])


def pulsed_twice(h: History) -> None:
    controller(h, pulses=[PULSED_AT, PULSED_AT + 500])


def done_without_pulse(h: History) -> None:
    controller(h, pulses=[])
    car(h, risen=None)
    held(h, "credit")


def intended_twice(h: History) -> None:
    controller(h, intents=[*h.gates[0].intents, replace(h.gates[0].intents[0], at=4_000, reason="credit")])


def done_unheard_of(h: History) -> None:
    controller(h, done=[*h.gates[0].done, an_id("no such lift")])


def number_spent_twice(h: History) -> None:
    again = replace(h.gates[0].intents[0], id=an_id("another"), at=4_000)
    controller(h, intents=[*h.gates[0].intents, again], pulses=[PULSED_AT, 4_500])
    h.granted = {**h.granted, again.id: SESSION}


def never_granted(h: History) -> None:
    h.granted = {}


def granted_for_another(h: History) -> None:
    h.granted = dict.fromkeys(h.granted, OTHER)


def nobody_paid(h: History) -> None:
    account(h, paid=None)


def free_for_a_price(h: History) -> None:
    free_lift(h)


def other_pin(h: History) -> None:
    controller(h, other_pins=frozenset({"GPIO27"}))


def out_by_anothers(h: History) -> None:
    car(h, session=OTHER)
    h.cars = [*h.cars, Car(SESSION, 2000, "exit-1")]


def waited_in_vain(h: History) -> None:
    h.cars = [*h.cars, Car(OTHER, 2000, "exit-1", waited=True)]


def never_answered(h: History) -> None:
    account(h, unanswered=1)


def unknown_payment(h: History) -> None:
    h.accounts = [*h.accounts, Account("another", SESSION, "exit-1", 5_000, 6_000, 0)]


def held_by_a_lift(h: History) -> None:
    held(h, "lift")


def raised_by_nothing(h: History) -> None:
    controller(h, intents=[], done=[], pulses=[])
    car(h, risen=None)


def not_given_back(h: History) -> None:
    held(h, "refunded")


def paid_two(h: History) -> None:
    car(h, paid=(*h.cars[0].paid, "another"))


def stranded(h: History) -> None:
    car(h, risen=None, waited=True)


def overcharged(h: History) -> None:
    car(h, price=1000)


def two_cars(h: History) -> None:
    """By a raise each."""
    again = Intent(an_id("again"), SESSION, "credit", 4_000, h.cars[0].paid[0])
    controller(h, intents=[*h.gates[0].intents, again], pulses=[PULSED_AT, 4_500], done=[*h.gates[0].done, again.id])
    h.granted = {**h.granted, again.id: SESSION}
    h.cars = [*h.cars, Car(SESSION, 2000, "exit-1", (), 4_500)]


def rose_four_times(h: History) -> None:
    more = [Intent(an_id("again", str(n)), SESSION, "credit", n * 4_000, h.cars[0].paid[0]) for n in (1, 2, 3)]
    controller(
        h,
        intents=[*h.gates[0].intents, *more],
        pulses=[PULSED_AT, *(intent.at + 500 for intent in more)],
        done=[*h.gates[0].done, *(intent.id for intent in more)],
    )
    h.granted = {**h.granted, **dict.fromkeys((intent.id for intent in more), SESSION)}


def raised_and_given_back(h: History) -> None:
    refunded(h, by="worker")


def given_back_unasked(h: History) -> None:
    """PayBy has it so, and the worker knows nothing of it."""
    account(h, given_back=2000)


def refunded(h: History, by: str) -> None:
    """The payment goes back, or is about to."""
    assert h.garage
    stay = h.garage.stays[SESSION]
    h.garage.stays[SESSION] = replace(stay, refunds=(VisitRefund("R1", h.cars[0].paid[0], 2000, "why", by),))


def two_open(h: History) -> None:
    h.accounts = [*h.accounts, Account("another", SESSION, "exit-1", PAID_AT - 1)]


def two_stories(h: History) -> None:
    h.again = Story().garage


def not_served(h: History) -> None:
    h.served_at_last = False


def fell(h: History) -> None:
    h.ended = [("worker", 1)]


def told_a_secret(h: History) -> None:
    h.texts = [("reader.log", "key c2VjcmV0IGtleSBtYXRlcmlhbA is wrong")]


BREACHES: list[tuple[Callable[[History], None], str]] = [
    (pulse_without_intent, "I1: exit-1 pulsed at 2499 without an intent"),
    (pulsed_twice, "I2: exit-1 pulsed twice for lift"),
    (done_without_pulse, "is done, and nothing pulsed for it"),
    (intended_twice, "was intended 2 times"),
    (done_unheard_of, "is done and was never intended"),
    (number_spent_twice, "raised 2 times as paid"),
    (never_granted, "was to raise, and the rules never granted it"),
    (granted_for_another, "was to raise, and the rules never granted it"),
    (nobody_paid, "which nobody paid"),
    (free_for_a_price, "was to raise for free, and the stay costs 2000"),
    (other_pin, "I7: other outputs than the relay's moved: GPIO27"),
    (out_by_anothers, f"I1: the car of {OTHER} drove out by the lift of {SESSION}"),
    (waited_in_vain, "waited in vain, and no screen said that a person is needed"),
    (never_answered, "1 notifications of"),
    (unknown_payment, "I3: another is paid, and the worker does not know of it"),
    (held_by_a_lift, "is paid and still held by a lift when all is quiet"),
    (raised_by_nothing, "counts as raised, and nothing pulsed for it"),
    (not_given_back, "PayBy gave back 0 of 2000"),
    (paid_two, "paid 2 orders, and none of them is to be given back"),
    (stranded, "has neither credit nor refund"),
    (overcharged, "was charged 2000 fils, and costs 1000"),
    (two_cars, f"I1: 2 cars drove out by stay {SESSION}"),
    (rose_four_times, f"I2: the boom rose 4 times for stay {SESSION}"),
    (raised_and_given_back, "raised and was given back, and no person asked for it"),
    (given_back_unasked, "raised and was given back, and no person asked for it"),
    (two_open, "I4: another was placed while"),
    (gap_in_the_invoices, "I3: the invoices of series marina-2612010600 have the places [2]"),
    (paid_without_invoice, "I3: another is paid, and has no invoice"),
    (unread_invoice, "was shown the code of its invoice, and no page opened"),
    (two_stories, "I5: the worker's journal tells two stories"),
    (not_served, "I8: the faults are over"),
    (fell, "I8: worker ended by itself with status 1"),
    (told_a_secret, "I6: a secret is in reader.log"),
]
ALONG = {
    done_unheard_of: "nothing pulsed for it",
    stranded: "waited in vain",
}
"""What cannot be broken alone: another rule sees it as well."""


@pytest.mark.parametrize(("breach", "said"), BREACHES, ids=lambda value: getattr(value, "__name__", ""))
def test_each_violation_is_found(breach: Callable[[History], None], said: str) -> None:
    _, history = paid_visit()
    breach(history)
    wrong = judge(history)
    assert any(said in line for line in wrong), wrong
    along = ALONG.get(breach)
    assert [line for line in wrong if said not in line and not (along and along in line)] == []


def test_a_car_may_leave_by_another_ones_lift_only_where_no_loop_tells_them_apart() -> None:
    _, history = paid_visit()
    out_by_anothers(history)
    controller(history, loops=False)
    assert judge(history) == []


def test_lanes_do_not_answer_for_each_other() -> None:
    """Two booms rose in the same millisecond, each for its own car; and two lanes have an open order each."""
    _, history = paid_visit()
    number, lift = "marina-exit-2-x", an_id("lift", "b")
    history.gates = [*history.gates, Gate("exit-2", True, [Intent(lift, OTHER, "free", INTENDED_AT)], [], [PULSED_AT])]
    history.granted = {**history.granted, lift: OTHER}
    history.cars = [*history.cars, Car(OTHER, 0, "exit-2", (), PULSED_AT)]
    history.accounts = [*history.accounts, Account(number, OTHER, "exit-2", PLACED_AT + 1)]
    assert judge(history) == []


def test_what_is_not_settled_when_all_is_quiet_is_found() -> None:
    story, history = paid_visit()
    story.shows_qr("b")
    order = story.order("b")
    assert f"I8: order {order.no} is created when all is quiet" in judge(history)
    story.payby("PAID", "b")
    session = an_id("stay", "b")
    history.accounts = [*history.accounts, Account(order.no, session, "exit-1", PAID_AT, PAID_AT + 1, 2000)]
    history.cars = [*history.cars, Car(session, 2000, "exit-1", (order.no,))]
    assert f"I3: {order.no} is paid and still held by a lift when all is quiet" in judge(history)


def test_what_a_person_asks_to_give_back_may_have_raised() -> None:
    _, history = paid_visit()
    refunded(history, by="omar")
    account(history, given_back=2000)
    assert judge(history) == []


def test_a_payment_that_counts_as_refunded_must_be_back() -> None:
    _, history = paid_visit()
    not_given_back(history)
    refunded(history, by="omar")
    account(history, given_back=2000)
    assert judge(history) == []


def test_a_visit_is_lost_where_its_lane_shows_anything_else_before_its_end() -> None:
    other = ("screen", {"state": "idle"})
    visit = [("screen", {"state": state, "session": SESSION}) for state in ("wait", "pay", "paid")]
    assert not is_lost([other, *visit, other], SESSION)
    assert not is_lost([other], SESSION)
    assert is_lost([other, *visit[:2], other, visit[2]], SESSION)


async def test_a_stay_that_has_left_memory_is_still_judged(tmp_path: Path) -> None:
    story, facts = told(an_evening, "exit-1", "exit-2")
    await filled(tmp_path / "j.db", facts)
    whole = replayed(partial(read, tmp_path / "j.db"))
    session = an_id("stay", "s0")
    assert session not in whole.event_store.garage.stays
    assert slim(whole.stays[session]).payments == slim(story.stay("s0")).payments != ()
