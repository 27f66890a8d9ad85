"""What happened in a garage, from every side, and what of it must not have happened.

PayBy's book, the journals, the pins, every message and every log are told apart from each other; ``judge`` compares
them by the invariants I1 to I8.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import pairwise

from terminal.core.model import OPEN, Payment, Stay
from terminal.core.rules import Garage

RAISES = 3
"""How many raises a stay has in its life."""
GAVE_AWAY = frozenset({"credit", "refund", "refunded", "person"})
"""The holder of the payment of a car that is not out."""


@dataclass(frozen=True, slots=True)
class Account:
    """An order as PayBy has it; money in fils, times in ms. ``unanswered``: notifications of it that never got their
    SUCCESS, however often they came."""

    no: str
    session: str
    lane: str
    placed: int
    paid: int | None = None
    amount: int = 0
    given_back: int = 0
    closed: int | None = None
    expires: int = 1 << 60
    unanswered: int = 0


@dataclass(frozen=True, slots=True)
class Car:
    """A driver's own story: the orders that he paid, when (ms) the boom rose for him, whether he waited for it until
    his patience ended, when he held his ticket under the scanner, and whether he was shown the code of an invoice
    whose page did not open."""

    session: str
    price: int
    lane: str
    paid: tuple[str, ...] = ()
    risen: int | None = None
    waited: bool = False
    scanned: int = 0
    unread: bool = False

    @property
    def out(self) -> bool:
        return self.risen is not None


@dataclass(frozen=True, slots=True)
class Intent:
    """A lift that a barrier was about to raise for, as its journal says, and when (ms)."""

    id: str
    session: str
    reason: str
    at: int
    order_no: str | None = None


@dataclass(frozen=True, slots=True)
class Gate:
    """A lane's barrier: its journal, ms at which the relay closed, and outputs that moved and are not the relay's.

    ``loops``: without, nobody can tell whether the car of a pulse that broke off has left; the rules then count it as
    waiting and raise once more, for whoever stands there.
    """

    lane: str
    loops: bool = True
    intents: Sequence[Intent] = ()
    done: Sequence[str] = ()
    pulses: Sequence[int] = ()
    other_pins: frozenset[str] = frozenset()


@dataclass(slots=True)
class History:
    """All of it. ``garage``: the worker's whole journal, replayed; ``again``: as a process would that starts now;
    ``stays``: each as the journal knew it last, those too that have left memory.
    ``granted``: session by each lift that the rules ever granted in that replay."""

    accounts: Sequence[Account] = ()
    cars: Sequence[Car] = ()
    gates: Sequence[Gate] = ()
    garage: Garage | None = None
    again: Garage | None = None
    stays: Mapping[str, Stay] = field(default_factory=dict)
    granted: Mapping[str, str] = field(default_factory=dict)
    served_at_last: bool = True
    ended: Sequence[tuple[str, int]] = ()
    """How processes ended by themselves: role and status."""
    texts: Iterable[tuple[str, str]] = ()
    """Logs, one of all messages among them, with their names."""
    secrets: Sequence[str] = ()


def judge(history: History) -> list[str]:
    """Every violation, in words; empty where all is well."""
    raised: dict[tuple[str, int], Intent] = {}
    wrong: list[str] = []
    for controller in history.gates:
        by, found = _pulsed(controller)
        raised |= by
        wrong += [*found, *_barrier(controller, history)]
    wrong += [*_cars(history, raised), *_payments(history, raised), *_invoices(history)]
    return [*wrong, *_charges(history), *_rest(history)]


def _pulsed(controller: Gate) -> tuple[dict[tuple[str, int], Intent], list[str]]:
    """The intent that each pulse followed: the last before it, which no other pulse followed."""
    by: dict[tuple[str, int], Intent] = {}
    wrong = []
    intents = sorted(controller.intents, key=lambda intent: intent.at)
    for pulse in controller.pulses:
        last = next((intent for intent in reversed(intents) if intent.at <= pulse), None)
        if last is None:
            wrong.append(f"I1: {controller.lane} pulsed at {pulse} without an intent")
        elif last in by.values():
            wrong.append(f"I2: {controller.lane} pulsed twice for lift {last.id}")
        else:
            by[controller.lane, pulse] = last
    pulsed = {intent.id for intent in by.values()}
    wrong += [f"I2: lift {lift} is done, and nothing pulsed for it" for lift in controller.done if lift not in pulsed]
    return by, wrong


def _barrier(controller: Gate, history: History) -> Iterable[str]:
    paid = {a.no for a in history.accounts if a.paid is not None}
    price = {car.session: car.price for car in history.cars}
    for lift, count in Counter(intent.id for intent in controller.intents).items():
        if count > 1:
            yield f"I2: lift {lift} was intended {count} times"
    for lift in set(controller.done) - {intent.id for intent in controller.intents}:
        yield f"I2: lift {lift} is done and was never intended"
    spent = Counter(i.order_no for i in controller.intents if i.reason == "paid" and i.order_no)
    for number, count in spent.items():
        if count > 1:
            yield f"I2: {number} raised {count} times as paid"
    for intent in controller.intents:
        if history.granted.get(intent.id) != intent.session:
            yield f"I1: lift {intent.id} was to raise, and the rules never granted it"
        if intent.reason in ("paid", "credit") and intent.order_no not in paid:
            yield f"I1: lift {intent.id} was to raise for {intent.order_no}, which nobody paid"
        if intent.reason == "free" and price.get(intent.session, 0):
            yield f"I1: lift {intent.id} was to raise for free, and the stay costs {price[intent.session]}"
    if controller.other_pins:
        yield f"I7: other outputs than the relay's moved: {', '.join(sorted(controller.other_pins))}"


def _cars(history: History, raised: Mapping[tuple[str, int], Intent]) -> Iterable[str]:
    for session, count in Counter(intent.session for intent in raised.values()).items():
        if count > RAISES:
            yield f"I2: the boom rose {count} times for stay {session}"
    for session, count in Counter(car.session for car in history.cars if car.out).items():
        if count > 1:
            yield f"I1: {count} cars drove out by stay {session}"
    telling = {controller.lane for controller in history.gates if controller.loops}
    for car in history.cars:
        by = raised.get((car.lane, car.risen)) if car.risen is not None else None
        if by and by.session != car.session and car.lane in telling:
            yield f"I1: the car of {car.session} drove out by the lift of {by.session}"
        if car.waited:
            yield f"I8: the car of {car.session} waited in vain, and no screen said that a person is needed"


def _payments(history: History, raised: Mapping[tuple[str, int], Intent]) -> Iterable[str]:
    known: dict[str, Payment] = {p.order_no: p for stay in history.stays.values() for p in stay.payments}
    rose = {intent.order_no for intent in raised.values()}
    refunds = [refund for stay in history.stays.values() for refund in stay.refunds]
    asked = {refund.order_no for refund in refunds if refund.by != "worker"}
    back = {refund.order_no for refund in refunds} | {a.no for a in history.accounts if a.given_back}
    for number in sorted(filter(None, rose & back - asked)):
        yield f"I3: {number} raised and was given back, and no person asked for it"
    for account in history.accounts:
        if account.paid is None:
            continue
        payment = known.get(account.no)
        if account.unanswered:
            yield f"I3: {account.unanswered} notifications of {account.no} were never answered SUCCESS"
        if payment is None:
            yield f"I3: {account.no} is paid, and the worker does not know of it"
        elif payment.holder == "lift":
            yield f"I3: {account.no} is paid and still held by a lift when all is quiet"
        elif payment.holder == "raised" and account.no not in rose:
            yield f"I3: {account.no} counts as raised, and nothing pulsed for it"
        elif payment.holder == "refunded" and account.given_back < account.amount:
            yield f"I3: {account.no} counts as refunded, and PayBy gave back {account.given_back} of {account.amount}"
    for car in history.cars:
        held = {known[no].holder for no in car.paid if no in known}
        if car.out and len(car.paid) > 1 and not held & GAVE_AWAY:
            yield f"I4: the car of {car.session} paid {len(car.paid)} orders, and none of them is to be given back"
        if car.paid and car.waited and not held & GAVE_AWAY:
            yield f"I3: the car of {car.session} paid, is not out, and has neither credit nor refund"


def _invoices(history: History) -> Iterable[str]:
    """Each payment's, where there are any: numbered from 1 on, without a gap."""
    numbers = [p.invoice.number for stay in history.stays.values() for p in stay.payments if p.invoice]
    by_series: dict[str, list[int]] = {}
    for number in numbers:
        series, place, _ = number.rsplit("-", 2)
        by_series.setdefault(series, []).append(int(place))
    for series, places in by_series.items():
        if sorted(places) != list(range(1, len(places) + 1)):
            yield f"I3: the invoices of series {series} have the places {sorted(places)}"
    for stay in history.stays.values():
        for payment in stay.payments if numbers else ():
            if payment.invoice is None:
                yield f"I3: {payment.order_no} is paid, and has no invoice"
    for car in history.cars:
        if car.unread:
            yield f"I8: the car of {car.session} was shown the code of its invoice, and no page opened"


def _charges(history: History) -> Iterable[str]:
    price = {car.session: car.price for car in history.cars}
    kept: Counter[str] = Counter()
    for account in history.accounts:
        if account.paid is not None:
            kept[account.session] += account.amount - account.given_back
    for session, fils in kept.items():
        if fils > price.get(session, 0):
            yield f"I4: stay {session} was charged {fils} fils, and costs {price.get(session, 0)}"
    for lane in {account.lane for account in history.accounts}:
        ordered = sorted((a for a in history.accounts if a.lane == lane), key=lambda account: account.placed)
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
