"""What happened in a garage, from every side, and what of it must not have happened.

PayBy's book, both journals, the pins, every message and every log are told apart from each other; ``judge`` compares
them by the invariants I1 to I8.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import pairwise
from typing import Any

from terminal.core.lane import Garage
from terminal.core.visit import OPEN, Payment


@dataclass(frozen=True, slots=True)
class Account:
    """An order as PayBy has it; money in fils, times in ms."""

    no: str
    session: str
    placed: int
    paid: int | None = None
    amount: int = 0
    given_back: int = 0
    closed: int | None = None
    expires: int = 1 << 60


@dataclass(frozen=True, slots=True)
class Car:
    """A driver's own story: ``out``: did the boom rise for him; ``paid``: the orders that he paid."""

    session: str
    price: int
    out: bool
    paid: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Intent:
    """A lift that the barrier was about to raise for, as its journal says."""

    id: str
    session: str
    reason: str
    order_no: str | None = None


@dataclass(slots=True)
class History:
    """All of it. ``garage`` and ``again``: the worker's journal, replayed twice. ``pulses``: ms at which the relay
    closed; ``other_pins``: outputs that moved and are not the relay's."""

    accounts: Sequence[Account] = ()
    cars: Sequence[Car] = ()
    garage: Garage | None = None
    again: Garage | None = None
    granted: Mapping[str, str] = field(default_factory=dict)
    """Session by each lift that the worker published."""
    intents: Sequence[Intent] = ()
    done: Sequence[str] = ()
    pulses: Sequence[int] = ()
    other_pins: frozenset[str] = frozenset()
    served_at_last: bool = True
    ended: Sequence[tuple[str, int]] = ()
    """How processes ended by themselves: role and status."""
    texts: Iterable[tuple[str, str]] = ()
    """Logs and messages, with what each is."""
    secrets: Sequence[str] = ()


def judge(history: History) -> list[str]:
    """Every violation, in words; empty where all is well."""
    return [*_raises(history), *_payments(history), *_charges(history), *_rest(history)]


def _raises(history: History) -> Iterable[str]:
    paid = {a.no for a in history.accounts if a.paid is not None}
    for lift, count in Counter(intent.id for intent in history.intents).items():
        if count > 1:
            yield f"I2: lift {lift} was intended {count} times"
    if len(history.pulses) > len(history.intents):
        yield f"I2: {len(history.pulses)} pulses for {len(history.intents)} intents"
    if len(history.done) > len(history.pulses):
        yield f"I2: {len(history.done)} lifts are done, by {len(history.pulses)} pulses"
    intended = {intent.id for intent in history.intents}
    for lift in set(history.done) - intended:
        yield f"I2: lift {lift} is done and was never intended"
    spent: Counter[str] = Counter()
    for intent in history.intents:
        if history.granted.get(intent.id) != intent.session:
            yield f"I1: lift {intent.id} raised and the worker never granted it"
        if intent.reason in ("paid", "credit") and intent.order_no not in paid:
            yield f"I1: lift {intent.id} raised for {intent.order_no}, which nobody paid"
        if intent.reason == "paid" and intent.order_no:
            spent[intent.order_no] += 1
    for number, count in spent.items():
        if count > 1:
            yield f"I2: {number} raised {count} times as paid"
    if history.other_pins:
        yield f"I7: other outputs than the relay's moved: {', '.join(sorted(history.other_pins))}"


def _payments(history: History) -> Iterable[str]:
    assert history.garage is not None
    known: dict[str, Payment] = {p.order_no: p for stay in history.garage.stays.values() for p in stay.payments}
    raised = {intent.order_no for intent in history.intents}
    for account in history.accounts:
        if account.paid is None:
            continue
        payment = known.get(account.no)
        if payment is None:
            yield f"I3: {account.no} is paid, and the worker does not know of it"
        elif payment.holder == "lift":
            yield f"I3: {account.no} is paid and still held by a lift when all is quiet"
        elif payment.holder == "raised" and account.no not in raised:
            yield f"I3: {account.no} counts as raised, and the barrier never intended it"
        elif payment.holder == "refunded" and account.given_back < account.amount:
            yield f"I3: {account.no} counts as refunded, and PayBy gave back {account.given_back} of {account.amount}"
    for car in history.cars:
        held = {known[no].holder for no in car.paid if no in known}
        if car.paid and not car.out and held <= {"raised"}:
            yield f"I3: the car of {car.session} paid, is not out, and has neither credit nor refund"


def _charges(history: History) -> Iterable[str]:
    price = {car.session: car.price for car in history.cars}
    kept: Counter[str] = Counter()
    for account in history.accounts:
        if account.paid is not None:
            kept[account.session] += account.amount - account.given_back
    for session, fils in kept.items():
        if fils > price.get(session, 0):
            yield f"I4: stay {session} was charged {fils} fils, and costs {price.get(session, 0)}"
    ordered = sorted(history.accounts, key=lambda account: account.placed)
    for older, newer in pairwise(ordered):
        end = min(t for t in (older.paid, older.closed, older.expires) if t is not None)
        if end > newer.placed:
            yield f"I4: {newer.no} was placed while {older.no} could be paid"


def _rest(history: History) -> Iterable[str]:
    garage, again = history.garage, history.again
    assert garage is not None and again is not None
    if (garage.lanes, garage.stays) != (again.lanes, again.stays):
        yield "I5: the worker's journal tells two stories"
    for stay in garage.stays.values():
        for order in stay.orders:
            if order.stage in OPEN:
                yield f"I8: order {order.no} is {order.stage} when all is quiet"
    if not history.served_at_last:
        yield "I8: the faults are over, and the next car is not served"
    for role, status in history.ended:
        yield f"I8: {role} ended by itself with status {status}"
    for what, text in history.texts:
        for secret in history.secrets:
            if secret in text:
                yield f"I6: a secret is in {what}"


def fils(amount: Decimal) -> int:
    return int(amount * 100)


def words_of(message: Mapping[str, Any]) -> str:
    """A message as it is searched for secrets."""
    return " ".join(str(value) for value in message.values())
