"""What operators do: journaled, signed, sent until it is answered, never twice, and shown as the lane reports it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from broker.embedded import EmbeddedBroker
from terminal.config.users import JOURNAL
from terminal.core.ids import derived_id, refund_no
from terminal.journal.rows import JournalError
from terminal.roles.console.desk_journal import DeskJournal
from tests.support.console_desk import CAR, LANE, NUMBER, SESSION, DeskRig, Person, open_desk
from tests.support.eventually import eventually
from tests.support.turned_clock import TurnedClock

AT, VISIT, LIFT = f"/lanes/{LANE}", f"/visits/{SESSION}", f"lanes/{LANE}/lift"
ELSE = derived_id(1_795_000_000_000, "another stay")


@pytest.fixture
async def rig(embedded: EmbeddedBroker, tmp_path: Path) -> AsyncIterator[DeskRig]:
    async with open_desk(embedded, tmp_path / "console") as opened:
        await opened.opens()
        yield opened


async def lifts(person: Person, **more: str) -> tuple[int, str, str]:
    return await person.act(AT, LIFT, reason="lost-ticket", note="paid in cash", **more)


async def test_a_lift_is_signed_by_name_with_its_reason_and_its_outcome_is_the_barriers(rig: DeskRig) -> None:
    await rig.arrives()
    amal = await rig.person()
    status, _, to = await lifts(amal)
    assert (status, to) == (303, f"/desk/lanes/{LANE}#actions")
    lift = await rig.lift()
    assert (lift.session, lift.car, lift.reason, lift.by) == (SESSION, CAR, "operator", "amal")
    assert lift.note == "lost-ticket: paid in cash"
    _, text = await amal.get(AT)
    assert "sent, no answer yet" in text
    assert "raised the boom" not in text
    await rig.answers("raised")
    assert await rig.stage() == "raised"
    _, text = await amal.get(AT)
    assert "the barrier raised the boom" in text


async def test_an_action_is_in_the_journal_before_it_is_said(rig: DeskRig, tmp_path: Path) -> None:
    await rig.arrives()
    await lifts(await rig.person())
    lift = await rig.lift()
    action = rig.role.desk.book.actions[lift.id]
    assert (action.record.user, action.record.role, action.record.reason) == ("amal", "attendant", "lost-ticket")
    kinds = [row.kind for row in rig.role._journal.journal.replay()]
    assert kinds == ["signed", "asked"]
    await rig.answers("raised")
    await rig.stage()
    assert [row.kind for row in rig.role._journal.journal.replay()] == ["signed", "asked", "outcome"]


async def test_a_lift_is_said_until_it_is_answered_and_then_no_more(rig: DeskRig) -> None:
    await rig.arrives()
    await lifts(await rig.person())
    await eventually(lambda: rig.times >= 3)
    assert len(rig.lifts) == 1
    await rig.answers("refused", "car")
    assert await rig.stage() == "refused"
    said = rig.times
    await asyncio.sleep(0.2)  # four times as long as between two of them
    assert rig.times <= said + 1
    assert next(iter(rig.role.desk.book.actions.values())).stages[-1][2] == "car"


async def test_the_same_form_sent_again_leads_to_the_same_action(rig: DeskRig) -> None:
    await rig.arrives()
    amal = await rig.person()
    form = {**await amal.form(AT, LIFT), "reason": "emergency"}
    answers = await asyncio.gather(*(amal.post(f"/{LIFT}", form) for _ in range(5)))
    assert {status for status, _, _ in answers} == {303}
    await rig.answers("raised")
    await rig.stage()
    assert (await amal.post(f"/{LIFT}", form))[0] == 303
    assert len(rig.role.desk.book.actions) == len(rig.lifts) == 1


async def test_of_two_operators_who_act_at_once_the_second_is_told_of_the_first(rig: DeskRig) -> None:
    await rig.arrives()
    amal, omar = await rig.person("amal"), await rig.person("omar")
    forms = [{**await one.form(AT, LIFT), "reason": "emergency"} for one in (amal, omar)]
    answers = await asyncio.gather(amal.post(f"/{LIFT}", forms[0]), omar.post(f"/{LIFT}", forms[1]))
    assert sorted(status for status, _, _ in answers) == [303, 409]
    text = next(text for status, text, _ in answers if status == 409)
    assert "did this: Lift the boom, sent, no answer yet. Nothing more was done." in text
    assert len(rig.role.desk.book.actions) == 1
    status, text, _ = await omar.act(AT, LIFT)  # he looks again, and wants it all the same
    assert status == 409
    assert "is doing the same; no answer yet" in text
    assert len(rig.role.desk.book.actions) == 1


async def test_an_action_on_a_visit_that_has_ended_does_nothing(rig: DeskRig) -> None:
    await rig.arrives()
    amal = await rig.person()
    form = {**await amal.form(AT, LIFT), "reason": "emergency"}
    end = {**await amal.form(AT, f"lanes/{LANE}/reset"), "reason": "equipment"}
    await rig.arrives(session=ELSE)
    for path, fields in ((LIFT, form), (f"lanes/{LANE}/reset", end)):
        status, text, _ = await amal.post(f"/{path}", fields)
        assert status == 409
        assert "That visit has ended" in text
    assert rig.role.desk.book.actions == {}
    assert rig.times == 0


async def test_a_session_that_ends_in_mid_action_does_nothing_and_says_so(rig: DeskRig) -> None:
    await rig.arrives()
    amal = await rig.person()
    form = {**await amal.form(AT, LIFT), "reason": "emergency"}
    amal.http.cookie_jar.clear()
    amal.http.cookie_jar.update_cookies({"desk": "ended"})
    status, _, to = await amal.post(f"/{LIFT}", form)
    assert (status, to) == (303, "/desk/sign-in?to=&ended=1")
    _, text = await amal.get("/sign-in?ended=1")
    assert "Your sign-in has ended, and nothing was done." in text
    assert rig.role.desk.book.actions == {}


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"reason": ""}, "A reason is needed"),
        ({"reason": "because"}, "A reason is needed"),
        ({"reason": "other", "note": " "}, "A reason is needed"),
        ({"reason": "other", "note": "a|b"}, "takes up to 200 characters on one line, without |"),
        ({"reason": "other", "note": "x" * 201}, "takes up to 200 characters"),
        ({"reason": "other", "note": "\u202egnorw"}, "takes up to 200 characters"),
    ],
)
async def test_a_lift_needs_a_reason_in_words_that_can_be_signed(rig: DeskRig, more: dict[str, str], said: str) -> None:
    await rig.arrives()
    status, text, _ = await (await rig.person()).act(AT, LIFT, **more)
    assert status == 409
    assert said in text
    assert rig.role.desk.book.actions == {}


@pytest.mark.parametrize(
    ("what", "fields", "said"),
    [
        ("vehicle", {"waiting": False, "under_boom": False}, "No vehicle waits."),
        ("barrier", {"state": "up"}, "The boom is not down."),
        ("health/barrier", {}, "The barrier is not there."),
    ],
)
async def test_a_lift_that_the_barrier_would_refuse_is_not_asked_for(
    rig: DeskRig, what: str, fields: dict[str, Any], said: str
) -> None:
    await rig.arrives()
    amal = await rig.person()
    form = {**await amal.form(AT, LIFT), "reason": "emergency"}
    if what == "health/barrier":
        await rig.health("barrier", state="offline")
        await eventually(lambda: (role := rig.role.desk.role("barrier", LANE)) and not role.is_there)
    else:
        await rig.say(what, **fields)
        await eventually(lambda: said in str(rig.role.actions.why_not("lift", rig.role.desk.monitor.lanes[LANE])) or
                         rig.role.actions.why_not("lift", rig.role.desk.monitor.lanes[LANE]))  # fmt: skip
    status, text, _ = await amal.post(f"/{LIFT}", form)
    assert status == 409
    assert said in text
    assert said in (await amal.get(AT))[1]
    assert rig.role.desk.book.actions == {}


async def test_the_lane_is_closed_and_opened_and_the_worker_says_so(rig: DeskRig) -> None:
    omar = await rig.person("omar")
    assert (await omar.act(AT, f"lanes/{LANE}/close-lane", reason="maintenance", note=""))[0] == 303
    command = await rig.command()
    assert (command.command, command.by, command.reason) == ("close-lane", "omar", "maintenance")
    await rig.say("receipt", command=command.id, outcome="done")
    assert await rig.stage() == "done"
    await rig.say("screen", state="closed", reason="operator")
    await eventually(lambda: rig.screen() == "closed")
    assert (await omar.act(AT, f"lanes/{LANE}/open-lane", reason="clear"))[0] == 303
    await eventually(lambda: len(rig.commands) == 2)
    assert (await rig.command()).command == "open-lane"


async def test_the_worker_is_asked_to_end_a_visit_and_to_cancel_its_order(rig: DeskRig) -> None:
    await rig.arrives()
    await rig.say("order", status="created", session=SESSION, order_no=NUMBER, amount="20.00", currency="AED")
    amal = await rig.person()
    await eventually(lambda: rig.role.desk.monitor.lanes[LANE].order)
    assert (await amal.act(AT, f"lanes/{LANE}/cancel"))[0] == 303
    cancel = await rig.command()
    assert (cancel.command, cancel.order_no, cancel.session) == ("cancel", NUMBER, SESSION)
    await rig.say("receipt", command=cancel.id, outcome="refused", why="that order is no longer open")
    assert await rig.stage() == "refused"
    assert "refused: that order is no longer open" in (await amal.get(AT))[1]
    assert (await amal.act(AT, f"lanes/{LANE}/reset"))[0] == 303
    await eventually(lambda: len(rig.commands) == 2)
    assert ((await rig.command()).command, (await rig.command()).session) == ("reset", SESSION)


async def test_without_a_worker_a_command_is_refused_at_once(rig: DeskRig) -> None:
    amal = await rig.person()
    form = {**await amal.form(AT, f"lanes/{LANE}/close-lane"), "reason": "maintenance"}
    await rig.health("worker", "garage", "offline")
    await eventually(lambda: (role := rig.role.desk.role("worker")) and not role.is_there)
    status, text, _ = await amal.post(f"/lanes/{LANE}/close-lane", form)
    assert status == 409
    assert "The worker is not there." in text


# Money


async def refunds(person: Person, **more: str) -> tuple[int, str, str]:
    return await person.act(VISIT, f"lanes/{LANE}/refund", reason="overcharged", note="", **more)


async def test_a_refund_is_followed_to_its_end(rig: DeskRig) -> None:
    await rig.paid()
    amal = await rig.person()
    assert (await refunds(amal, amount="5"))[0] == 303
    command = await rig.command()
    assert (command.command, command.order_no, command.amount) == ("refund", NUMBER, "5.00")
    assert command.reason == "overcharged"
    await rig.say("receipt", command=command.id, outcome="done")
    money = {"order_no": NUMBER, "refund_no": refund_no(command.id), "amount": "5.00", "currency": "AED"}
    for status in ("asked", "created", "settled", "success", "success"):
        await rig.say("refund", status=status, **money)
    action = rig.role.desk.book.actions[command.id]
    await eventually(lambda: action.stage == "success")
    assert [stage for _, stage, _ in action.stages] == ["asked", "asked-payby", "created", "settled", "success"]
    _, text = await amal.get(VISIT)
    assert "AED 5.00 given back" in text
    assert "AED 15.00" in text  # what is left


async def test_a_refund_of_more_than_is_left_is_the_workers_to_refuse(rig: DeskRig) -> None:
    await rig.paid()
    amal = await rig.person()
    assert (await refunds(amal, amount="21.00"))[0] == 303
    command = await rig.command()
    why = "the amount is more than is left of the payment"
    await rig.say("receipt", command=command.id, outcome="refused", why=why)
    assert await rig.stage() == "refused"
    assert why in (await amal.get(VISIT))[1]


@pytest.mark.parametrize("amount", ["50.01", "", "1000"])
async def test_a_refund_above_the_limit_needs_a_manager(rig: DeskRig, amount: str) -> None:
    await rig.paid(amount="2000.00")
    status, text, _ = await refunds(await rig.person(), amount=amount)
    assert status == 409
    assert "A refund above AED 50.00, or of all that is left, needs a manager" in text
    assert (await refunds(await rig.person("maha"), amount=amount))[0] == 303
    assert (await rig.command()).amount == ({"": None, "1000": "1000.00"}.get(amount, amount))


async def test_a_payment_that_waits_for_a_person_is_a_managers_to_decide(rig: DeskRig) -> None:
    await rig.paid()
    await rig.say("alert", severity="critical", code="lift-unknown", state="raised", text="nobody knows",
                  session=SESSION, order_no=NUMBER)  # fmt: skip
    await eventually(lambda: rig.role.desk.waits_for_person(NUMBER))
    amal, maha = await rig.person(), await rig.person("maha")
    assert "waits for a person" in (await amal.get(VISIT))[1]
    status, text, _ = await refunds(amal, amount="5")
    assert status == 409
    assert "waits for a person is a manager" in text
    assert (await refunds(maha))[0] == 303
    command = await rig.command()
    assert command.amount is None  # all that is left
    await rig.say("receipt", command=command.id, outcome="done")
    await eventually(lambda: not rig.role.desk.waits_for_person(NUMBER))


@pytest.mark.parametrize("amount", ["0", "-5", "5.001", "five", "5,00", "1e3"])
async def test_an_amount_that_is_none_asks_for_nothing(rig: DeskRig, amount: str) -> None:
    await rig.paid()
    status, text, _ = await refunds(await rig.person("maha"), amount=amount)
    assert status == 409
    assert "The amount takes dirhams above 0" in text
    assert rig.role.desk.book.actions == {}


@pytest.mark.parametrize("order_no", ["", "x", NUMBER.replace("marina", "other"), NUMBER.replace("exit-1", "exit-2")])
async def test_a_refund_of_another_garages_or_lanes_order_asks_for_nothing(rig: DeskRig, order_no: str) -> None:
    await rig.paid()
    status, text, _ = await refunds(await rig.person("maha"), order_no=order_no)
    assert status == 409
    assert "There is no such order" in text


# Time


async def test_what_nobody_answers_in_time_says_so_and_a_late_answer_still_counts(
    embedded: EmbeddedBroker, tmp_path: Path
) -> None:
    clock = TurnedClock()
    async with open_desk(embedded, tmp_path / "console", clock) as rig:
        await rig.opens()
        await rig.arrives()
        amal = await rig.person()
        assert (await lifts(amal))[0] == 303
        await rig.lift()
        clock.wall += 31_000
        assert await rig.stage() == "unanswered"
        assert "nobody answered in time" in (await amal.get(AT))[1]
        await rig.answers("raised")
        await eventually(lambda: next(iter(rig.role.desk.book.actions.values())).stage == "raised")


async def test_a_start_does_not_say_again_what_an_earlier_one_had_asked_for(
    embedded: EmbeddedBroker, tmp_path: Path
) -> None:
    async with open_desk(embedded, tmp_path / "console") as rig:
        await rig.opens()
        await rig.arrives()
        await lifts(await rig.person())
        lift = await rig.lift()
    async with open_desk(embedded, tmp_path / "console") as rig:
        await rig.opens()
        assert await rig.stage() == "unanswered"
        amal = await rig.person()
        assert "paid in cash" in (await amal.get(AT))[1]
        assert rig.times == 0
        await rig.say("barrier", state="down", answer={"lift": lift.id, "outcome": "raised"})
        await eventually(lambda: next(iter(rig.role.desk.book.actions.values())).stage == "raised")


async def test_a_desk_without_a_key_looks_and_does_nothing(embedded: EmbeddedBroker, tmp_path: Path) -> None:
    async with open_desk(embedded, tmp_path / "console", signer=None) as rig:
        await rig.opens()
        await rig.arrives()
        amal = await rig.person()
        assert "console.lift_private_key is not set" in (await amal.get(AT))[1]
        status, text, _ = await lifts(amal)
        assert status == 409
        assert "console.lift_private_key is not set" in text


async def test_without_its_journal_the_desk_does_nothing_and_begins_anew(
    embedded: EmbeddedBroker, tmp_path: Path
) -> None:
    with pytest.raises(BaseExceptionGroup) as ended:
        async with open_desk(embedded, tmp_path / "console") as rig:
            await rig.opens()
            await rig.arrives()
            amal = await rig.person()
            form = {**await amal.form(AT, LIFT), "reason": "emergency"}
            rig.role._journal.journal.close()
            status, text, _ = await amal.post(f"/{LIFT}", form)
            assert status == 503
            assert "nothing was done" in text
            assert rig.times == 0
            with suppress(TimeoutError):
                await asyncio.wait_for(asyncio.Event().wait(), 5)
    assert ended.group_contains(JournalError)


async def test_a_damaged_journal_is_kept_and_its_whole_rows_go_on(embedded: EmbeddedBroker, tmp_path: Path) -> None:
    async with open_desk(embedded, tmp_path / "console") as rig:
        await rig.opens()
        await rig.arrives()
        await lifts(await rig.person())
        await rig.answers("raised")
        await rig.stage()
    path = tmp_path / "console" / JOURNAL
    data = bytearray(path.read_bytes())
    at = data.find(b"paid in cash")
    assert at > 0
    data[at] ^= 1
    path.write_bytes(data)
    journal = DeskJournal.open(path, 1_795_000_000_000)
    try:
        assert "damaged at row 2" in journal.damaged
        kinds = [row.kind for row in journal.journal.replay()]
        assert kinds[0] == "signed"
        assert "repaired" in kinds
    finally:
        journal.close()
