"""Ticket keys while one is exchanged for another: every ticket that a driver may hold is read, or refused, as it ought.

The steps are those of deploy/operations.md, "Keys": the new key beside the old one, the new one first, the old one out.
"""

from collections.abc import Mapping

import pytest

from terminal.contract.messages import Order, Screen
from terminal.core.ids import derived_id
from terminal.core.ticket import TicketError, read_ticket, sign_number, sign_ticket
from terminal.payby.sandbox.server import Sandbox
from tests.support.lifts import GARAGE
from tests.support.worker_lane import CLOCK, Lane, sandbox, working

__all__ = ["sandbox"]

OLD, NEW, STRANGER = bytes(range(32)), bytes(range(1, 33)), bytes(range(2, 34))
HOUR_MS = 3_600_000
STEPS: Mapping[str, tuple[Mapping[str, bytes], str]] = {
    "before": ({"k1": OLD}, "o"),
    "both, the old one signs": ({"k1": OLD, "k2": NEW}, "on"),
    "both, the new one signs": ({"k2": NEW, "k1": OLD}, "on"),
    "after": ({"k2": NEW}, "n"),
    "the new one under the old one's id": ({"k1": NEW}, ""),
    "ids exchanged": ({"k1": NEW, "k2": OLD}, ""),
}
"""By step: the worker's keys, and whose tickets it takes: o(ld), n(ew)."""
HELD = {"o": ("k1", OLD), "n": ("k2", NEW), "s": ("k1", STRANGER)}


def text(whose: str, entered_ms: int) -> str:
    key_id, key = HELD[whose]
    return sign_ticket(GARAGE, derived_id(entered_ms, whose), entered_ms, key_id, key)


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("whose", HELD)
def test_at_every_step_each_ticket_is_read_by_its_own_key_or_not_at_all(step: str, whose: str) -> None:
    keys, taken = STEPS[step]
    ticket = text(whose, HOUR_MS)
    if whose in taken:
        assert read_ticket(ticket, keys, GARAGE).key_id == HELD[whose][0].upper()
    else:
        with pytest.raises(TicketError, match=r"^ticket-unknown$"):
            read_ticket(ticket, keys, GARAGE)


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("whose", HELD)
def test_a_number_names_no_key_and_is_read_by_whichever_signed_it(step: str, whose: str) -> None:
    keys, key = STEPS[step][0], HELD[whose][1]
    number = sign_number(GARAGE, 7, HOUR_MS, key)
    if signed_by := [name for name, known in keys.items() if known == key]:
        assert read_ticket(number, keys, GARAGE).key_id == signed_by[0].upper()
    else:
        with pytest.raises(TicketError, match=r"^ticket-unknown$"):
            read_ticket(number, keys, GARAGE)


@pytest.mark.parametrize("step", STEPS)
async def test_at_every_step_a_worker_serves_what_it_must(sandbox: Sandbox, step: str) -> None:
    keys, taken = STEPS[step]
    async with working(sandbox, keys=keys) as lane:
        for number, whose in enumerate(HELD):
            at = f"exit-{number + 1}"
            await lane.boom_is_down(at)
            fee = lane.fee(text(whose, CLOCK.wall_ms() - HOUR_MS), keys={HELD[whose][0]: HELD[whose][1]})
            await lane.reads(fee, at)
            if whose in taken:
                assert (await lane.until(Order, status="created", fee=fee.id)).session == fee.session
            else:
                assert (await lane.until(Screen, state="help", fee=fee.id)).reason == "ticket-unknown"
        assert len(lane.sandbox.calls_of("placeOrder")) == len(taken)


async def test_a_visit_goes_on_over_the_restart_that_brings_the_new_key(sandbox: Sandbox) -> None:
    async with working(sandbox, keys=STEPS["before"][0]) as lane:
        await lane.boom_is_down()
        fee = lane.fee(text("o", CLOCK.wall_ms() - HOUR_MS), keys={"k1": OLD})
        await lane.reads(fee)
        order = await lane.until(Order, status="created")
    for step in ("both, the old one signs", "both, the new one signs", "after"):
        async with working(sandbox, lane.log, keys=STEPS[step][0]) as later:
            await later.boom_is_down()
            assert (await later.until(Screen, state="pay")).session == order.session
    assert isinstance(later, Lane) and len(sandbox.calls_of("placeOrder")) == 1
