"""What the worker believes of pay stations and of who validates tickets, and what becomes of a driver."""

from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from terminal.contract.credit_messages import Credit
from terminal.contract.messages import Alert, BadMessage, Fee, Lift, Order, Receipt, Screen, decode, encode, stamp
from terminal.contract.signatures import BadKeyFile, TrustedKeys
from terminal.contract.topics import GARAGE_WIDE
from terminal.core.events import AllowanceGiven
from terminal.payby.sandbox.server import Sandbox
from tests.support.credits import STATION, credit, stations
from tests.support.lifts import private_key
from tests.support.memory_journal import MemoryJournal
from tests.support.worker_lane import CLOCK, Lane, sandbox, working

__all__ = ["sandbox"]


@pytest.fixture
async def lane(sandbox: Sandbox) -> AsyncIterator[Lane]:
    async with working(sandbox, stations=stations()) as lane:
        yield lane


async def says(lane: Lane, message: Credit) -> Receipt:
    """The station says it, and hears what came of it."""
    before = len([one for one in lane.bus.of(Receipt) if one.command == message.id])
    await lane.bus.hears(lane.topic("credit", GARAGE_WIDE), message)
    while len(found := [one for one in lane.bus.of(Receipt) if one.command == message.id]) == before:
        await lane.bus.until(Receipt, len(lane.bus.of(Receipt)) + 1)
    return found[-1]


async def a_ticket(lane: Lane) -> Fee:
    """A car's, whose stay has cost 20.00 by now."""
    await lane.boom_is_down()
    return lane.fee()


async def test_a_ticket_paid_at_a_station_leaves_free(lane: Lane) -> None:
    fee = await a_ticket(lane)
    assert (await says(lane, credit(CLOCK, fee.session or ""))).outcome == "noted"
    await lane.reads(fee)
    lift = await lane.until(Lift, session=fee.session)
    assert (lift.reason, lift.proof) == ("free", None)
    assert (await lane.until(Screen, state="free")).session == fee.session
    assert lane.sandbox.calls == []


async def test_a_driver_whose_code_is_on_the_screen_gets_the_new_price(lane: Lane) -> None:
    order = await lane.pays_at_the_qr()
    message = credit(CLOCK, order.session or "", kind="amount", amount="5.00")
    assert (await says(lane, message)).outcome == "noted"
    again = await lane.until(Order, status="created", amount="15.00")
    assert (again.session, again.order_no) == (order.session, f"{order.order_no}-2")
    assert (await lane.until(Screen, state="pay", amount="15.00")).session == order.session


async def test_a_repetition_is_answered_and_counts_once_also_after_a_restart(sandbox: Sandbox) -> None:
    log = MemoryJournal()
    async with working(sandbox, log, stations=stations()) as lane:
        fee = await a_ticket(lane)
        message = credit(CLOCK, fee.session or "", kind="percent", percent="25")
        assert (await says(lane, message)).outcome == "noted"
        assert (await says(lane, message)).outcome == "duplicate"
    async with working(sandbox, MemoryJournal(log.rows), stations=stations()) as lane:
        assert (await says(lane, message)).outcome == "duplicate"
        await lane.boom_is_down()
        await lane.reads(fee)
        assert (await lane.until(Order, status="created", session=fee.session)).amount == "15.00"
    assert [row.kind for row in log.rows].count(AllowanceGiven.__name__) == 1


@pytest.mark.parametrize(
    "forged",
    [
        {"signer": "worker"},
        {"signer": "console"},
        {"garage": "creek"},
        {"key": "station-2"},
        {"key": "worker"},
    ],
    ids=["a worker's key", "a console's key", "of another garage", "of an unknown station", "in a worker's name"],
)
async def test_one_that_no_station_of_this_garage_signed_comes_to_nothing(lane: Lane, forged: dict[str, Any]) -> None:
    fee = await a_ticket(lane)
    await lane.bus.hears(lane.topic("credit", GARAGE_WIDE), credit(CLOCK, fee.session or "", **forged))
    alert = await lane.until(Alert, code="forged-credit")
    assert (alert.severity, alert.session) == ("critical", fee.session)
    await lane.reads(fee)
    assert (await lane.until(Order, status="created", session=fee.session)).amount == "20.00"
    assert lane.bus.of(Lift) == []


@pytest.mark.parametrize("changed", ["session", "kind", "by", "amount", "percent", "until", "not_after", "id"])
async def test_no_signed_field_can_be_changed(lane: Lane, changed: str) -> None:
    fee, other = await a_ticket(lane), await a_ticket(lane)
    message = credit(CLOCK, fee.session or "", kind="percent", percent="25")
    later = stamp(CLOCK.wall_ms() + 45_000)
    value = {
        "session": other.session, "kind": "free", "by": "x", "amount": "99.00", "percent": "100", "until": later,
        "not_after": later, "id": credit(CLOCK, fee.session or "").id,
    }[changed]  # fmt: skip
    await lane.bus.hears(lane.topic("credit", GARAGE_WIDE), msgspec.structs.replace(message, **{changed: value}))
    await lane.until(Alert, code="forged-credit")
    assert lane.bus.of(Receipt) == []


async def test_one_that_is_heard_at_a_lane_instead_of_the_garage_comes_to_nothing(lane: Lane) -> None:
    fee = await a_ticket(lane)
    await lane.bus.hears(lane.topic("credit"), credit(CLOCK, fee.session or ""))
    await lane.until(Alert, code="forged-credit")


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"not_after": -1_000}, "expired"),
        ({"not_after": 61_000}, "too-far"),
        ({"ahead_s": -1}, "its time is over"),
        ({"ahead_s": 86_460}, "it lasts too long"),
        ({"kind": "amount", "ahead_s": 93 * 86_400}, "it lasts too long"),
        ({"kind": "amount", "amount": "0.00"}, "its amount is nothing"),
        ({"amount": "0.00"}, "its amount is nothing"),
    ],
)
async def test_an_old_one_and_one_that_lasts_too_long_is_refused_with_an_alert(
    lane: Lane, changes: dict[str, Any], why: str
) -> None:
    fee = await a_ticket(lane)
    if "not_after" in changes:
        changes = {**changes, "not_after": stamp(CLOCK.wall_ms() + changes["not_after"])}
    receipt = await says(lane, credit(CLOCK, fee.session or "", **changes))
    assert (receipt.outcome, receipt.why) == ("refused", why)
    assert why in (await lane.until(Alert, code="credit-refused")).text
    await lane.reads(fee)
    assert (await lane.until(Order, status="created", session=fee.session)).amount == "20.00"


async def test_it_may_be_signed_anew_while_nobody_answers(lane: Lane) -> None:
    """A garage that was away for an hour still hears that its driver has paid."""
    fee = await a_ticket(lane)
    first = credit(CLOCK, fee.session or "", not_after=stamp(CLOCK.wall_ms() - 1))
    assert (await says(lane, first)).outcome == "refused"
    assert (await says(lane, credit(CLOCK, fee.session or "", id=first.id))).outcome == "noted"


async def test_without_pay_stations_nobody_is_heard(sandbox: Sandbox) -> None:
    async with working(sandbox) as lane:
        fee = await a_ticket(lane)
        await lane.bus.hears(lane.topic("credit", GARAGE_WIDE), credit(CLOCK, fee.session or ""))
        await lane.reads(fee)
        assert (await lane.until(Order, status="created", session=fee.session)).amount == "20.00"
        assert [one for one in lane.bus.of(Receipt) if one.command] == []


@pytest.mark.parametrize(
    "wrong", [{"percent": "0"}, {"percent": "101"}, {"percent": "-5"}, {"percent": "5.555"}, {"kind": "all"}]
)
def test_what_makes_no_sense_is_no_message(wrong: dict[str, str]) -> None:
    good = credit(CLOCK, "01a1ec96-3c00-7000-8000-000000004f2a", kind="percent", percent="12.5")
    assert decode(Credit, encode(good)) == good
    with pytest.raises(BadMessage):
        decode(Credit, encode(msgspec.structs.replace(good, **wrong)))


@pytest.mark.parametrize("kind", ["paid", "amount", "percent"])
def test_what_lacks_its_worth_is_no_message(kind: str) -> None:
    good = credit(CLOCK, "01a1ec96-3c00-7000-8000-000000004f2a", kind="free", amount=None)
    with pytest.raises(BadMessage, match="is missing"):
        decode(Credit, encode(good).replace(b'"free"', f'"{kind}"'.encode()))


def test_a_station_has_a_key_of_its_own() -> None:
    with pytest.raises(BadKeyFile):
        TrustedKeys({STATION: private_key("worker").public_key(), "worker": private_key("worker").public_key()})
    with pytest.raises(BadKeyFile):
        TrustedKeys({"shop": private_key(STATION).public_key()})
