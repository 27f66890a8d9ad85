"""At the desk: tickets that no scanner reads, and payments that wait for a person."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from broker.embedded import EmbeddedBroker
from terminal.config.users import JOURNAL
from terminal.core.ids import derived_id
from terminal.roles.console.desk_journal import DECISIONS, DeskJournal
from tests.support.console_desk import LANE, NUMBER, SESSION, DeskRig, Person, open_desk
from tests.support.eventually import eventually

AT, VISIT = f"/lanes/{LANE}", f"/visits/{SESSION}"
LOST, DAMAGED = (f"lanes/{LANE}/{kind}" for kind in ("lost-ticket", "damaged-ticket"))
KEEP, LET_GO, REFUND = (f"lanes/{LANE}/{kind}" for kind in ("keep", "let-go", "refund"))
DIGITS = "1795000000000000000123456789012345"


@pytest.fixture
async def rig(embedded: EmbeddedBroker, tmp_path: Path) -> AsyncIterator[DeskRig]:
    async with open_desk(embedded, tmp_path / "console") as opened:
        await opened.opens()
        yield opened


async def a_car_waits(rig: DeskRig) -> None:
    """Its driver has no ticket that can be scanned."""
    await rig.say("vehicle", waiting=True, under_boom=False, car=derived_id(1_795_000_000_000, "car"))
    await eventually(lambda: rig.role.actions.why_not("lost-ticket", rig.role.desk.monitor.lanes[LANE]) == "")


async def waits(rig: DeskRig, code: str = "lift-unknown") -> None:
    """A payment waits for a person."""
    await rig.paid()
    await rig.say("alert", severity="critical", code=code, state="raised", text="nobody knows", session=SESSION,
                  order_no=NUMBER)  # fmt: skip
    await eventually(lambda: rig.role.desk.waits_for_person(NUMBER))


async def test_a_lost_ticket_is_read_at_the_lane_for_the_driver_who_waits(rig: DeskRig) -> None:
    await a_car_waits(rig)
    assert (await (await rig.person()).act(AT, LOST, reason="driver-asks", note=""))[0] == 303
    command = await rig.command()
    assert (command.command, command.reason, command.by, command.session) == ("ticket", "LOST", "amal", None)
    await rig.say("receipt", command=command.id, outcome="done")
    assert await rig.stage() == "done"
    record = next(iter(rig.role.desk.book.actions.values())).record
    assert (record.action, record.ticket, record.reason) == ("lost-ticket", "LOST", "driver-asks")


@pytest.mark.parametrize(
    ("typed", "sent"), [(DIGITS, DIGITS), (f"  {DIGITS[:4]}  {DIGITS[4:]} ", None), ("P1.A", None)]
)
async def test_a_damaged_ticket_is_served_by_what_stands_on_it(rig: DeskRig, typed: str, sent: str | None) -> None:
    await a_car_waits(rig)
    amal = await rig.person()
    assert (await amal.act(AT, DAMAGED, reason="unreadable", note="", ticket=typed))[0] == 303
    command = await rig.command()
    assert (command.command, command.reason) == ("ticket", sent or " ".join(typed.split()))
    await rig.say("receipt", command=command.id, outcome="refused", why="ticket-unknown")
    assert await rig.stage() == "refused"
    assert "refused: ticket-unknown" in (await amal.get(AT))[1]


@pytest.mark.parametrize("typed", ["", " ", "a|b", "x" * 201, "\u0661\u0662", "1\u202e2"])
async def test_what_can_stand_on_no_ticket_is_asked_for_again(rig: DeskRig, typed: str) -> None:
    await a_car_waits(rig)
    status, text, _ = await (await rig.person()).act(AT, DAMAGED, reason="unreadable", note="", ticket=typed)
    assert status == 409
    assert "What stands on the ticket takes letters and digits as they are printed. Nothing was done." in text
    assert rig.role.desk.book.actions == {}


async def test_without_a_driver_at_the_lane_no_ticket_is_read_there(rig: DeskRig) -> None:
    await a_car_waits(rig)
    amal = await rig.person()
    form = {**await amal.form(AT, LOST), "reason": "driver-asks"}
    await rig.say("vehicle", waiting=False, under_boom=False)
    await eventually(lambda: rig.role.actions.why_not("lost-ticket", rig.role.desk.monitor.lanes[LANE]))
    status, text, _ = await amal.post(f"/{LOST}", form)
    assert (status, "No vehicle waits." in text) == (409, True)
    assert rig.role.desk.book.actions == {}


async def test_a_ticket_is_not_read_over_a_visit_that_has_begun_meanwhile(rig: DeskRig) -> None:
    await a_car_waits(rig)
    amal = await rig.person()
    form = {**await amal.form(AT, LOST), "reason": "driver-asks"}
    await rig.arrives()
    status, text, _ = await amal.post(f"/{LOST}", form)
    assert (status, "That visit has ended" in text) == (409, True)


async def test_while_an_order_can_be_paid_no_other_ticket_is_offered(rig: DeskRig) -> None:
    await rig.arrives()
    await rig.say("order", status="created", session=SESSION, order_no=NUMBER, amount="20.00", currency="AED")
    await eventually(lambda: rig.role.desk.monitor.lanes[LANE].order)
    text = (await (await rig.person()).get(AT))[1]
    assert "dialog-lost-ticket" not in text and "dialog-cancel" in text


@pytest.mark.parametrize("kind", sorted(DECISIONS))
@pytest.mark.parametrize("code", ["lift-unknown", "refund-failed"])
async def test_a_manager_decides_about_a_payment_that_waits_for_a_person(rig: DeskRig, kind: str, code: str) -> None:
    await waits(rig, code)
    maha = await rig.person("maha")
    assert (await maha.act(VISIT, f"lanes/{LANE}/{kind}"))[0] == 303
    command = await rig.command()
    assert (command.command, command.order_no, command.by) == (kind, NUMBER, "maha")
    assert rig.role.desk.waits_for_person(NUMBER), "until the worker has taken it"
    await rig.say("receipt", command=command.id, outcome="done")
    assert await rig.stage() == "done"
    await eventually(lambda: not rig.role.desk.waits_for_person(NUMBER))
    text = (await maha.get(VISIT))[1]
    assert f"/{kind}" not in text.replace("dialog", ""), "it is decided"


@pytest.mark.parametrize("kind", sorted(DECISIONS))
async def test_an_attendant_is_neither_offered_a_decision_nor_obeyed(rig: DeskRig, kind: str) -> None:
    await waits(rig)
    amal, maha = await rig.person(), await rig.person("maha")
    assert f"dialog-{kind}" not in (await amal.get(VISIT))[1]
    form = {**await maha.form(VISIT, f"lanes/{LANE}/{kind}"), "reason": "other", "note": "let me"}
    form["csrf"] = (await amal.form("/", "sign-out"))["csrf"]
    status, text, _ = await amal.post(f"/lanes/{LANE}/{kind}", form)
    assert (status, "A payment that waits for a person is a manager" in text) == (409, True)
    assert rig.role.desk.book.actions == {}


async def test_of_two_managers_who_decide_at_once_the_second_is_told_of_the_first(rig: DeskRig) -> None:
    await waits(rig)
    first, second = await rig.person("maha"), await rig.person("maha")
    forms: list[tuple[Person, str, dict[str, str]]] = []
    for one, action, reason in ((first, KEEP, "has-left"), (second, REFUND, "goodwill")):
        forms.append((one, action, {**await one.form(VISIT, action), "reason": reason}))
    answers = await asyncio.gather(*(one.post(f"/{action}", form) for one, action, form in forms))
    assert sorted(status for status, _, _ in answers) == [303, 409]
    assert "Meanwhile maha did this:" in next(text for status, text, _ in answers if status == 409)
    assert len(rig.role.desk.book.actions) == 1


async def test_a_payment_that_waits_for_nobody_is_offered_no_decision(rig: DeskRig) -> None:
    await rig.paid()
    text = (await (await rig.person("maha")).get(VISIT))[1]
    assert "dialog-refund-0" in text
    assert "dialog-keep" not in text and "dialog-let-go" not in text


async def test_the_workers_refusal_leaves_the_payment_waiting(rig: DeskRig) -> None:
    await waits(rig)
    maha = await rig.person("maha")
    assert (await maha.act(VISIT, LET_GO))[0] == 303
    why = "that car has left, or the boom has risen for it"
    await rig.say("receipt", command=(await rig.command()).id, outcome="refused", why=why)
    assert await rig.stage() == "refused"
    assert rig.role.desk.waits_for_person(NUMBER)
    assert f"refused: {why}" in (await maha.get(VISIT))[1]


async def test_what_was_decided_stays_so_after_a_start_and_what_came_later_waits(
    embedded: EmbeddedBroker, tmp_path: Path
) -> None:
    async with open_desk(embedded, tmp_path / "console") as rig:
        await rig.opens()
        await waits(rig)
        assert (await (await rig.person("maha")).act(VISIT, KEEP))[0] == 303
        await rig.say("receipt", command=(await rig.command()).id, outcome="done")
        assert await rig.stage() == "done"
        await eventually(lambda: not rig.role.desk.waits_for_person(NUMBER))
        await rig.role.desk.flush()
    async with open_desk(embedded, tmp_path / "console") as again:
        assert not again.role.desk.waits_for_person(NUMBER)
        await again.opens()
        await waits(again, "refund-failed")
        await again.role.desk.flush()
    async with open_desk(embedded, tmp_path / "console") as last:
        assert last.role.desk.waits_for_person(NUMBER)
    journal = await asyncio.to_thread(DeskJournal.open, tmp_path / "console" / JOURNAL, 0)
    assert [action.record.action for action in journal.book.actions.values()] == ["keep"]
    await asyncio.to_thread(journal.close)
