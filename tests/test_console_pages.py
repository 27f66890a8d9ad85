"""What the desk shows: lanes, visits, search, alerts, the day, the audit."""

import asyncio
import re
from collections.abc import AsyncIterator
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from broker.embedded import EmbeddedBroker
from terminal.core.ids import derived_id, help_code
from terminal.core.ticket import sign_ticket
from terminal.roles.console.alert_inbox import MOST
from terminal.screen.view import View
from tests.support.console_desk import CODE, LANE, NUMBER, SESSION, DeskRig, open_desk
from tests.support.eventually import eventually

ELSE = derived_id(1_795_000_000_000, "another stay")


@pytest.fixture
async def rig(embedded: EmbeddedBroker, tmp_path: Path) -> AsyncIterator[DeskRig]:
    async with open_desk(embedded, tmp_path / "console") as opened:
        await opened.opens()
        yield opened


# Lanes


async def test_all_lanes_are_seen_with_screen_boom_and_vehicle(rig: DeskRig) -> None:
    await rig.opens("exit-2")
    await rig.arrives()
    _, text = await (await rig.person()).get("/")
    for seen in (LANE, "exit-2", CODE, "Please ask for help: Ticket not recognised", "waiting", "Scan your ticket"):
        assert seen in text


async def test_in_arabic_the_page_runs_from_right_to_left(rig: DeskRig) -> None:
    await rig.arrives()
    _, text = await (await rig.person()).get("/?lang=ar")
    assert '<html lang="ar" dir="rtl">' in text
    assert "يرجى طلب المساعدة" in text
    assert "مواقف المارينا" in text
    assert "Please ask" not in text


async def test_the_picture_is_what_the_lane_s_lcd_shows(rig: DeskRig) -> None:
    amal = await rig.person()
    pictures = []
    for _ in range(2):
        async with amal.http.get(f"{rig.url}/lanes/{LANE}/glass.png") as answer:
            assert answer.headers["Content-Type"] == "image/png"
            pictures.append(await answer.read())
        await rig.arrives()
    assert pictures[0] != pictures[1]
    with Image.open(BytesIO(pictures[0])) as image:
        assert image.size == (480, 320)
    assert (await amal.get("/lanes/nowhere/glass.png"))[0] == 404


async def test_a_code_that_no_worker_signed_is_not_shown(rig: DeskRig) -> None:
    before = rig.role.desk.glasses.view(LANE)
    qr = {"size": 21, "bits": "A" * 74 + "=="}
    await rig.say("screen", state="pay", session=SESSION, amount="5.00", currency="AED", expires="2030-01-01T00:00:00Z",
                  remaining=100, qr=qr, key="worker", sign="AAAA")  # fmt: skip
    await eventually(lambda: rig.screen() == "pay")
    assert rig.role.desk.glasses.view(LANE) == before


# Visits


@pytest.mark.parametrize(
    "text",
    [
        CODE,
        CODE.lower(),
        f"  {CODE} ",
        NUMBER,
        NUMBER[-12:],
        SESSION,
        SESSION[14:],
        SESSION[-4:],
        "another system's ticket",
    ],
)
async def test_a_visit_is_found_by_whatever_a_driver_can_say(rig: DeskRig, text: str) -> None:
    await rig.say("fee", ticket="another system's ticket", reason="lost", session=SESSION, amount="20.00",
                  currency="AED", exited="2026-11-30T10:00:00Z")  # fmt: skip
    await rig.arrives()
    await rig.paid()
    await rig.arrives("exit-2", ELSE)
    amal = await rig.person()
    async with amal.http.get(f"{rig.url}/search", params={"q": text}, allow_redirects=False) as answer:
        assert (answer.status, answer.headers["Location"]) == (303, f"/desk/visits/{SESSION}")


async def test_a_ticket_of_our_own_leads_to_its_visit_and_is_not_kept(rig: DeskRig) -> None:
    ticket = sign_ticket("marina", SESSION, 1_795_000_000_000, "k1", b"x" * 32)
    await rig.say("fee", ticket=ticket, reason="refused", why="ticket-used")
    await rig.arrives()
    amal = await rig.person()
    async with amal.http.get(f"{rig.url}/search", params={"q": ticket}, allow_redirects=False) as answer:
        assert answer.headers["Location"] == f"/desk/visits/{SESSION}"
    await rig.role.desk.flush()
    kept = b"".join(file.read_bytes() for file in rig.folder.glob("heard.db*"))
    assert ticket.rpartition(".")[2].encode() not in kept


@pytest.mark.parametrize("text", ["7K3QF", " 7k3qf "])
async def test_the_code_of_a_ticket_that_was_refused_leads_to_the_lane_that_shows_it(rig: DeskRig, text: str) -> None:
    """It names no visit, and its driver needs help all the same."""
    await rig.say("screen", state="help", reason="ticket-unknown", help_code="7K3QF")
    await eventually(lambda: rig.screen() == "help")
    amal = await rig.person()
    async with amal.http.get(f"{rig.url}/search", params={"q": text}, allow_redirects=False) as answer:
        assert (answer.status, answer.headers["Location"]) == (303, f"/desk/lanes/{LANE}")
    await rig.say("screen", state="idle")
    await eventually(lambda: rig.screen() == "idle")
    assert "Nothing found" in (await amal.get("/search?q=7K3QF"))[1]


async def test_the_picture_of_a_driver_who_needs_help_has_the_name_of_his_own_lane(rig: DeskRig) -> None:
    glasses = rig.role.desk.glasses
    idle, needs_help = View("idle"), View("help", "ticket-used", help_code="7K3QF")
    assert await glasses.picture(LANE, idle) is await glasses.picture("exit-2", idle)
    assert await glasses.picture(LANE, needs_help) != await glasses.picture("exit-2", needs_help)


async def test_what_nobody_has_heard_of_is_not_found(rig: DeskRig) -> None:
    amal = await rig.person()
    for text in ("ZZZZZ", "%%%%", "____", "'; DROP TABLE heard; --", "<b>x</b>"):
        async with amal.http.get(f"{rig.url}/search", params={"q": text}) as answer:
            assert answer.status == 200
            said = await answer.text()
            assert "Nothing found" in said
            assert "<b>x</b>" not in said


async def test_a_visit_has_every_message_order_and_payment(rig: DeskRig) -> None:
    await rig.arrives()
    await rig.say("order", status="created", session=SESSION, order_no=NUMBER, amount="20.00", currency="AED")
    await rig.paid()
    await rig.say("receipt", order_no=NUMBER, notify_id="1", outcome="lifting")
    amal = await rig.person()
    status, text = await amal.get(f"/visits/{SESSION}")
    assert status == 200
    for seen in (CODE, "AED 20.00", NUMBER, "created, AED 20.00", "paid, AED 20.00", "journaled, lifting", "At exit-1"):
        assert seen in text.replace("</", " </").replace("now  <a", "now <a") or seen == "At exit-1"
    assert (await amal.get("/visits/x"))[0] == 404
    assert (await amal.get(f"/visits/{ELSE}"))[0] == 200


async def test_what_was_said_on_the_broker_is_never_taken_for_html(rig: DeskRig) -> None:
    evil = "<img src=x onerror=alert(1)>"
    await rig.say("alert", severity="critical", code="x" + evil, state="raised", text=evil, session=SESSION)
    await rig.say("screen", state="help", reason=evil, session=SESSION, help_code=CODE)
    await rig.health("lcd", state="degraded", reason=evil)
    await eventually(lambda: rig.role.desk.inbox.all(rig.clock.wall_ms()))
    amal = await rig.person()
    for page in ("/", f"/lanes/{LANE}", f"/visits/{SESSION}", "/alerts", "/day", "/part/alerts"):
        assert "<img src=x" not in (await amal.get(page))[1]


# Alerts


async def raised(rig: DeskRig, code: str = "relay", since: str = "2026-11-30T10:00:00.000Z") -> None:
    alert = {"code": code, "severity": "critical", "text": "the relay's pin failed", "since": since}
    await rig.say("alerts/barrier", raised=[alert])
    await eventually(lambda: rig.role.desk.monitor.raised())


async def test_an_alert_is_seen_by_somebody_with_a_note_until_it_is_raised_again(rig: DeskRig) -> None:
    await raised(rig)
    amal = await rig.person()
    _, text = await amal.get("/alerts")
    assert "relay" in text
    assert "Check the wiring, then restart the barrier" in text
    form = await amal.form("/alerts", "alerts/seen")
    assert (await amal.post("/alerts/seen", {**form, "note": "the electrician comes at 5"}))[0] == 303
    for page in ("/alerts", "/"):
        assert "seen by amal: the electrician comes at 5" in (await amal.get(page))[1]
    await raised(rig, since="2026-11-30T12:00:00.000Z")
    await eventually(lambda: rig.role.desk.monitor.raised()[0].alert.since.endswith("12:00:00.000Z"))
    assert "seen by amal: the electrician" not in (await amal.get("/part/alerts"))[1]


async def test_what_was_told_once_waits_until_somebody_has_seen_it_also_over_a_restart(
    embedded: EmbeddedBroker, tmp_path: Path
) -> None:
    async with open_desk(embedded, tmp_path / "console") as rig:
        await rig.opens()
        for code in ("forged-lift", "paid-twice"):
            await rig.say("alert", severity="critical", code=code, state="raised", text="look at once")
        await eventually(lambda: len(rig.role.desk.inbox.all(rig.clock.wall_ms())) == 2)
        amal = await rig.person()
        form = await amal.form("/alerts", "alerts/seen")
        seen = form["code"]
        await amal.post("/alerts/seen", {**form, "note": ""})
    async with open_desk(embedded, tmp_path / "console") as rig:
        waiting = [one.code for one in rig.role.desk.inbox.all(rig.clock.wall_ms())]
        assert waiting == [code for code in ("forged-lift", "paid-twice") if code != seen]


async def test_a_call_for_help_ends_with_the_help_on_the_screen(rig: DeskRig) -> None:
    await rig.arrives()
    await rig.say("alert", severity="warning", code="help", state="raised", text="unpaid", session=SESSION)
    await eventually(lambda: rig.role.desk.inbox.all(rig.clock.wall_ms()))
    await rig.say("screen", state="idle")
    await eventually(lambda: not rig.role.desk.inbox.all(rig.clock.wall_ms()))


async def test_ten_thousand_alerts_are_counted_and_not_listed(rig: DeskRig) -> None:
    for number in range(10_000):
        session = derived_id(1_795_000_000_000, str(number % (MOST * 2)))
        await rig.say("alert", severity="warning", code="lift-refused", state="raised", text="busy", session=session)
        if number % 200 == 0:
            await asyncio.sleep(0)
    heard = rig.role.desk
    await eventually(lambda: heard.inbox.unlisted + len(heard.inbox._waiting) >= MOST, limit_s=60)
    await rig.say("screen", state="closed", reason="operator")
    amal = await rig.person()
    await eventually(lambda: rig.screen() == "closed", limit_s=60)
    status, text = await amal.get("/alerts")
    assert status == 200
    assert len(text) < 300_000
    assert text.count("<form method") <= 102
    assert "more" in text


# The day


async def test_the_day_s_figures_are_what_was_heard(rig: DeskRig) -> None:
    await rig.arrives()
    await rig.paid()
    await rig.paid()  # said again
    await rig.say("lift", session=SESSION, reason="paid", by="worker", not_after="2030-01-01T00:00:00Z", key="worker",
                  sign="x", order_no=NUMBER, amount="20.00")  # fmt: skip
    await rig.say("barrier", state="rising", session=SESSION, reason="paid", lift=ELSE)
    await rig.say("fee", ticket="x", reason="refused", why="ticket-foreign")
    await eventually(lambda: rig.role.desk.monitor.lanes[LANE].opened)
    maha = await rig.person("maha")
    await eventually(lambda: rig.role.desk.feed.last_id.rpartition("-")[2] > "5")
    _, text = await maha.get("/day")
    assert "20.00" in text
    assert "ticket refused" in text
    _, table = await maha.get("/day.csv")
    rows = dict(line.split(",")[1:3] for line in table.splitlines())
    assert (rows["takings"], rows["payments"], rows["exception refused"]) == ("20.00", "1", "1")
    assert float(rows["payment to boom p50"]) >= 0
    assert float(rows["at the boom p95"]) >= 0
    assert (await maha.get("/day?date=nonsense"))[0] == 400
    _, empty = await maha.get("/day?date=2020-01-01")
    assert "No exceptions." in empty


async def test_the_audit_as_a_table_is_no_formula(rig: DeskRig) -> None:
    await rig.arrives()
    amal, maha = await rig.person(), await rig.person("maha")
    await amal.act(f"/lanes/{LANE}", f"lanes/{LANE}/lift", reason="other", note="=HYPERLINK(1)")
    await rig.answers("raised")
    await rig.stage()
    _, table = await maha.get("/audit.csv")
    assert "'=HYPERLINK(1)" in table
    assert ",=HYPERLINK" not in table
    _, page = await maha.get("/audit")
    for seen in ("amal", "Lift the boom", "=HYPERLINK(1)", "the barrier raised the boom", "signed in"):
        assert seen in page


async def test_a_history_that_cannot_be_kept_is_said_and_stops_nothing(
    embedded: EmbeddedBroker, tmp_path: Path
) -> None:
    (tmp_path / "console" / "heard.db").mkdir(parents=True)
    async with open_desk(embedded, tmp_path / "console") as rig:
        await rig.opens()
        await rig.arrives()
        amal = await rig.person()
        assert "What happens is not being recorded here" in (await amal.get("/"))[1]
        assert (await amal.act(f"/lanes/{LANE}", f"lanes/{LANE}/lift", reason="emergency"))[0] == 303
        await rig.answers("raised")
        assert await rig.stage() == "raised"
        found = (await amal.get(f"/search?q={help_code(SESSION)}"))[0]
        assert found == 303, "what the lane shows now needs no history"


async def test_what_may_be_asked_for_follows_the_lane(rig: DeskRig) -> None:
    amal, vera = await rig.person(), await rig.person("vera")

    async def asked(query: str = f"lane={LANE}") -> list[str]:
        return re.findall(r'id="dialog-([a-z-]+)', (await amal.get(f"/part/acts?{query}"))[1])

    assert await asked() == ["lift", "close-lane"]
    await rig.say("vehicle", waiting=True, under_boom=False)
    await eventually(lambda: rig.role.desk.monitor.lanes[LANE].vehicle.data["waiting"])  # type: ignore[union-attr]
    assert await asked() == ["lift", "lost-ticket", "damaged-ticket", "close-lane"]
    await rig.arrives()
    assert await asked() == ["lift", "reset", "close-lane"]
    await rig.say("order", status="created", session=SESSION, order_no=NUMBER, amount="20.00", currency="AED")
    await eventually(lambda: rig.role.desk.monitor.lanes[LANE].order)
    assert await asked() == ["lift", "cancel", "reset", "close-lane"]
    assert await asked(f"session={SESSION}") == ["lift", "cancel", "reset"]
    await rig.paid()
    assert await asked(f"session={SESSION}") == ["lift", "reset", "refund-"]
    await rig.say("screen", state="closed", reason="operator")
    await rig.say("order", status="none")
    await eventually(
        lambda: rig.screen() == "closed" and not rig.role.desk.session_at(rig.role.desk.monitor.lanes[LANE])
    )
    assert await asked() == ["lift", "open-lane"]
    assert "<dialog" not in (await vera.get(f"/part/acts?lane={LANE}"))[1]
    assert (await amal.get("/part/acts?lane=nowhere"))[0] == 404
