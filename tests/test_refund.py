"""The refund command: what it asks and shows, how it is sent, followed and ended; and once through real processes."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from broker.embedded import EmbeddedBroker
from terminal.clock import SystemClock
from terminal.config.load import load
from terminal.config.schema import ConfigError
from terminal.contract.messages import Command, Receipt, Refund
from terminal.contract.signatures import check_command, load_trusted
from terminal.core.ids import refund_no
from terminal.core.model import VisitOrder
from terminal.journal.journal import Journal
from terminal.mqtt.client import MqttClient
from terminal.mqtt.errors import ConnectionRefused, MqttError
from terminal.tools.refund.command import read_wish
from terminal.tools.refund.follow_up import FollowUpLimits
from terminal.tools.refund.lookup import about
from tests.conftest import Mosquitto
from tests.support.day import Told
from tests.support.garage import Garage
from tests.support.leaving import leaves
from tests.support.refunding import (
    ORDER,
    QUICK,
    SESSION,
    Spoken,
    Worker,
    at_work,
    configured,
    on,
    with_console,
)

# -- sent and followed -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("end", ["success", "settled"])
async def test_a_refund_is_signed_followed_and_ends_well(embedded: EmbeddedBroker, tmp_path: Path, end: str) -> None:
    settings, spoken = on(embedded, tmp_path), Spoken()

    def answers(worker: Worker, command: Command, _: int) -> list[Receipt | Refund]:
        return [worker.receipt(command), *(worker.refund(command, s) for s in ("asked", "created", "created", end))]

    status, worker = await at_work(embedded, answers, spoken.give_back(settings, amount="12.5"))
    command = worker.commands[0]
    no = refund_no(command.id)
    assert status == 0
    assert spoken.said == [f"refund {no}: asked", f"refund {no}: created", f"refund {no}: {end}"]
    assert spoken.complaints == []
    assert (command.command, command.order_no, command.session) == ("refund", ORDER, SESSION)
    assert (command.amount, command.reason, command.key) == ("12.50", "overcharged", "console")
    assert command.by.startswith("console")
    trusted = load_trusted({"console": tmp_path / "console.pub.pem"})
    assert check_command(command, "marina", "exit-1", trusted, SystemClock().wall_ms()) is None


async def test_the_same_command_is_repeated_until_the_receipt_and_not_after_it(
    embedded: EmbeddedBroker, tmp_path: Path
) -> None:
    settings, spoken = on(embedded, tmp_path), Spoken()

    def answers(worker: Worker, command: Command, count: int) -> list[Receipt | Refund]:
        return [worker.receipt(command)] if count == 3 else []

    limits = FollowUpLimits(answer_s=20.0, end_s=0.5, repeat_s=0.05)
    status, worker = await at_work(embedded, answers, spoken.give_back(settings, limits))
    assert len({(command.id, command.sign) for command in worker.commands}) == 1
    assert 3 <= len(worker.commands) <= 5  # one may have been on its way
    no = refund_no(worker.commands[0].id)
    assert (status, spoken.said) == (1, [f"refund {no}: asked"])
    assert spoken.complaints == [
        f"refund {no}: asked, not finished within 0.5 s; the worker goes on with it, and"
        " reconcile shows what came of it"
    ]


async def test_without_an_amount_the_worker_decides_what_is_left(embedded: EmbeddedBroker, tmp_path: Path) -> None:
    settings, spoken = on(embedded, tmp_path), Spoken()
    status, worker = await at_work(
        embedded, lambda w, c, _: [w.receipt(c), w.refund(c, "success")], spoken.give_back(settings)
    )
    assert (status, worker.commands[0].amount) == (0, None)


async def test_a_refund_message_without_its_receipt_shows_that_the_command_was_taken(
    embedded: EmbeddedBroker, tmp_path: Path
) -> None:
    settings, spoken = on(embedded, tmp_path), Spoken()
    status, _ = await at_work(embedded, lambda w, c, _: [w.refund(c, "success")], spoken.give_back(settings))
    assert (status, len(spoken.said)) == (0, 1)


async def test_what_is_said_about_other_commands_and_refunds_decides_nothing(
    embedded: EmbeddedBroker, tmp_path: Path
) -> None:
    settings, spoken = on(embedded, tmp_path), Spoken()
    other = "0190d3f0-7c1e-7a52-9d2f-ffffffffffff"

    def answers(worker: Worker, command: Command, _: int) -> list[Receipt | Refund]:
        return [
            worker.receipt(command, command=other),
            worker.receipt(command, "refused", command=None, order_no=ORDER, notify_id="1"),
            worker.refund(command, "success", refund_no=refund_no(other)),
        ]

    status, _ = await at_work(embedded, answers, spoken.give_back(settings, QUICK))
    assert (status, spoken.said) == (1, [])
    assert "no answer from the worker within 1 s" in spoken.complaints[0]


async def test_a_refund_that_fails_is_status_1_and_one_line(embedded: EmbeddedBroker, tmp_path: Path) -> None:
    settings, spoken = on(embedded, tmp_path), Spoken()
    status, worker = await at_work(
        embedded, lambda w, c, _: [w.receipt(c), w.refund(c, "failed")], spoken.give_back(settings)
    )
    no = refund_no(worker.commands[0].id)
    complaint = f"refund {no}: PayBy will not make this refund: a person must give the money back"
    assert (status, spoken.complaints) == (1, [complaint])


@pytest.mark.parametrize(
    ("why", "line"),
    [
        ("no payment is known for that order", "refund: the worker refused: no payment is known for that order"),
        ("expired", "refund: the worker refused: expired (do the clocks of both machines agree?)"),
        (None, "refund: the worker refused: refused"),
    ],
)
async def test_a_refusal_is_status_1_and_says_why(
    embedded: EmbeddedBroker, tmp_path: Path, why: str | None, line: str
) -> None:
    settings, spoken = on(embedded, tmp_path), Spoken()
    status, _ = await at_work(embedded, lambda w, c, _: [w.receipt(c, "refused", why)], spoken.give_back(settings))
    assert (status, spoken.said, spoken.complaints) == (1, [], [line])


async def test_without_a_worker_there_is_a_limit_and_a_line(embedded: EmbeddedBroker, tmp_path: Path) -> None:
    spoken = Spoken()
    assert await spoken.give_back(on(embedded, tmp_path), QUICK) == 1
    assert spoken.complaints == [
        "refund: no answer from the worker within 1 s (is it running, and may this user send commands?);"
        " the command has expired"
    ]


async def test_without_a_broker_the_line_says_so(tmp_path: Path) -> None:
    spoken = Spoken()
    assert await spoken.give_back(configured(tmp_path), QUICK) == 1
    assert "Connection refused" in spoken.complaints[0]


async def test_the_journal_of_this_machine_knows_an_end_that_was_not_heard(
    embedded: EmbeddedBroker, tmp_path: Path
) -> None:
    """The worker takes the command and ends the refund while the command cannot hear it."""
    settings, spoken = on(embedded, tmp_path), Spoken()
    story = Told()
    order = story.visits()

    def answers(worker: Worker, command: Command, count: int) -> list[Receipt | Refund]:
        if count == 1:
            story.command("refund", id=command.id, order_no=order.no)
            story.tell_refund("success")
            story.write(tmp_path)
        return []

    status, _ = await at_work(embedded, answers, spoken.give_back(settings, QUICK, order=order.no))
    assert status == 0
    assert spoken.said == [f"refund {story.refund().no}: success"]


# -- the connection --------------------------------------------------------------------------------------------------


async def test_a_running_role_of_the_same_user_is_not_pushed_out(mosquitto: Mosquitto, tmp_path: Path) -> None:
    settings, spoken = configured(tmp_path, mosquitto.url, user="lane"), Spoken()
    async with MqttClient(mosquitto.url, username="lane") as role:
        changes: list[bool] = []
        role.on_change(changes.append)
        assert await spoken.give_back(settings, QUICK) == 1
        assert role.connected
        assert False not in changes


async def test_a_wrong_password_is_the_brokers_refusal(embedded: EmbeddedBroker, tmp_path: Path) -> None:
    with pytest.raises(ConnectionRefused):
        await Spoken().give_back(configured(tmp_path, embedded.url, user="console"))


async def test_a_url_that_is_none_is_an_error_of_the_configuration(tmp_path: Path) -> None:
    settings = configured(tmp_path, more='[broker]\nport = 1\nusers = "users"\n')
    with pytest.raises((ConfigError, MqttError), match="users/console"):
        await Spoken().give_back(settings)


@pytest.mark.parametrize("user", ["watch", "worker", "reader.exit-1", "lane.exit-2"])
async def test_a_user_that_may_not_give_commands_is_refused_at_once(tmp_path: Path, user: str) -> None:
    with pytest.raises(ConfigError, match=f"mqtt.username: {user} may not send commands"):
        await Spoken().give_back(configured(tmp_path, user=user))


# -- what is asked of the person -------------------------------------------------------------------------------------


def journal_of(folder: Path, story: Told) -> None:
    for name in ("journal.db", "journal.db.head", "barrier.db", "barrier.db.head"):
        (folder / name).unlink(missing_ok=True)
    story.write(folder)


@pytest.mark.parametrize(
    ("order", "more", "text"),
    [
        ("", {}, "takes an order number, such as marina-exit-1-<32 hex digits>"),
        ("marina-exit-1", {}, "refund: got 'marina-exit-1', takes an order number"),
        (ORDER.upper(), {}, "takes an order number"),
        (ORDER + "\n", {}, "takes an order number"),
        (ORDER.replace("exit-1", "garage"), {}, "takes an order number"),
        (ORDER.replace("marina", "tower"), {}, "belongs to garage tower, and this is marina"),
        *((ORDER, {"amount": amount}, "takes dirhams above 0") for amount in ("0", "0.00", "-1", "1.005", "x", "")),
        *((ORDER, {"reason": reason}, "--reason: takes up to 64") for reason in ("a|b", "a\nb", "x" * 65)),
        (ORDER, {"yes": False}, "run it from a terminal, or with --yes"),
    ],
)  # fmt: skip
def test_wrong_use_is_one_line_and_nothing_is_sent(tmp_path: Path, order: str, more: dict[str, Any], text: str) -> None:
    with pytest.raises(ConfigError) as raised:
        Spoken().run(configured(tmp_path), order, **{"yes": True} | more)
    assert text in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_key_that_no_barrier_trusts_as_a_consoles_is_refused(tmp_path: Path) -> None:
    for key in ("worker", "stranger"):
        with pytest.raises(ConfigError, match=r"lift\.trusted has no console with its public half"):
            Spoken().run(configured(tmp_path, key=key), yes=True)
    with pytest.raises(ConfigError, match=r"^console\.lift_private_key: .*absent\.pem: no such file"):
        Spoken().run(configured(tmp_path, key="absent"), yes=True)
    settings = configured(tmp_path)
    (tmp_path / "console.toml").write_text((tmp_path / "console.toml").read_text().replace("lift_private_key", "#"))
    assert settings.console is not None
    with pytest.raises(
        ConfigError, match=r"console\.lift_private_key: missing; .*operations.md, \"Giving money back\""
    ):
        Spoken().run(load(tmp_path / "console.toml", {}), yes=True)


@pytest.mark.parametrize("answer", ["no", "", "n", "yess", EOFError])
def test_whoever_does_not_say_yes_is_asked_once_and_nothing_is_sent(tmp_path: Path, answer: Any) -> None:
    asked: list[str] = []

    def prompt(text: str) -> str:
        asked.append(text)
        if answer is EOFError:
            raise EOFError
        return str(answer)

    spoken = Spoken()
    assert spoken.run(configured(tmp_path), prompt=prompt) == 1
    assert (asked, spoken.complaints) == (["Give the money back? (yes/no) "], ["refund: nothing was asked for"])


def test_yes_is_a_word_a_person_types(tmp_path: Path) -> None:
    for answer in ("yes", " Y ", "YES"):
        spoken = Spoken()
        assert spoken.run(configured(tmp_path), prompt=lambda _, said=answer: said, limits=FollowUpLimits(0.1)) == 1
        assert "no answer from the worker" in spoken.complaints[0]


def test_the_person_sees_what_the_journal_knows_first(tmp_path: Path) -> None:
    settings, story = configured(tmp_path), Told()
    order = story.visits()
    story.command("refund", order_no=order.no, amount=500, reason="overcharged", by="Amal")
    story.tell_refund("success")
    journal_of(tmp_path, story)
    lines = list(about(settings, read_wish(settings, order.no, "7.5", "goodwill")))
    assert lines[0].startswith(f"order {order.no} (help code ")
    assert lines[1:] == [
        "AED 20.00 paid on 2026-09-21 at 18:13:30; refunded",
        f"refund {story.refund().no}: AED 5.00 success, overcharged (by Amal)",
        "left of it: AED 15.00",
        "to give back: AED 7.50, goodwill",
    ]


def test_the_journal_is_read_while_its_worker_writes(tmp_path: Path) -> None:
    settings, story = configured(tmp_path), Told()
    order = story.visits()
    journal_of(tmp_path, story)
    with Journal.open(tmp_path / "journal.db", role="worker"):
        assert "the boom rose" in "\n".join(about(settings, read_wish(settings, order.no, None, "")))


def test_what_the_journal_does_not_know_is_said(tmp_path: Path) -> None:
    settings, story = configured(tmp_path), Told()
    wish = read_wish(settings, ORDER, None, "")
    assert "the worker's journal is not on this machine" in list(about(settings, wish))
    unpaid: VisitOrder = story.shows_qr()
    journal_of(tmp_path, story)
    assert "the worker's journal does not hold this order" in list(about(settings, wish))
    lines = list(about(settings, read_wish(settings, unpaid.no, None, "")))
    assert lines[1:] == ["AED 20.00, created: no payment is known", "to give back: all that is left"]
    (tmp_path / "journal.db").write_bytes(b"no journal at all, and long enough to look like one" * 100)
    assert "cannot be read" in list(about(settings, wish))[1]


# -- real processes --------------------------------------------------------------------------------------------------


async def test_money_goes_back_through_a_real_worker_and_payby(tmp_path: Path, mosquitto: Mosquitto) -> None:
    async with Garage(tmp_path, mosquitto.url) as lane:
        settings = with_console(lane)
        await lane.start("worker", "listener", "barrier", "reader")
        mark = lane.scan(lane.ticket())
        order = await lane.order(since=mark)
        await lane.sandbox.pay(order["token_url"])
        await leaves(lane, mark)
        lane.sandbox.book.refund_status = "CREATED"
        spoken, again = Spoken(), Spoken()
        work = asyncio.create_task(spoken.give_back(settings, amount="12.50", order=order["order_no"]))
        created = await lane.heard.until("refund", since=mark, status="created")
        await lane.sandbox.finish_refund(created["refund_no"])
        assert await asyncio.wait_for(work, 30) == 0, spoken.complaints
        assert [line.rpartition(" ")[2] for line in spoken.said] == ["asked", "created", "success"]
        (book,) = lane.sandbox.refunds.values()
        assert (book.no, str(book.amount), book.asked["reason"]) == (created["refund_no"], "12.50", "overcharged")
        assert await again.give_back(settings, amount="12.50", order=order["order_no"]) == 1
        assert again.complaints == ["refund: the worker refused: the amount is more than is left of the payment"]


async def test_an_order_that_nobody_paid_is_refused_by_a_real_worker(tmp_path: Path, mosquitto: Mosquitto) -> None:
    async with Garage(tmp_path, mosquitto.url) as lane:
        settings, spoken = with_console(lane), Spoken()
        await lane.start("worker")
        assert await spoken.give_back(settings) == 1
        assert spoken.complaints == ["refund: the worker refused: no payment is known for that order"]
        assert lane.sandbox.refunds == {}
