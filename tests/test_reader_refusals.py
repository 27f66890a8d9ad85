"""Readings that are refused: garbage, strangers' tickets, and rows of them that mean a broken scanner."""

import os
import re
from pathlib import Path

import pytest
from evdev import ecodes

from drivers.scanner import HidScanner
from terminal.contract.messages import Alert, Fee, Screen, stamp
from terminal.core.ticket import sign_ticket
from terminal.roles.reader import REFUSED_EVERY_MS, REFUSED_ROW, SAME_MS
from tests.support.keyboard import event, typed
from tests.support.reader_kerb import CAR, LANE, NOW, SESSIONS, Kerb, kerb, ticket


@pytest.mark.fault("ticket-again")
@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("nonsense", "ticket-unknown"),
        (ticket(90)[:-1], "ticket-unknown"),
        (ticket(90, garage="harbour"), "ticket-foreign"),
        (ticket(-1), "ticket-future"),
    ],
)
async def test_a_refused_ticket_is_told_with_the_reason_and_at_most_64_characters(text: str, why: str) -> None:
    async with kerb() as at:
        at.scanner.feed(text)
        (fee,) = await at.fees(1)
    assert (fee.reason, fee.why, fee.ticket) == ("refused", why, text[:64])
    assert (fee.session, fee.amount, fee.minutes) == (None, None, None)


async def test_a_ticket_that_nobody_signed_is_told_by_its_form_for_the_worker_to_judge() -> None:
    async with kerb() as at:
        at.scanner.feed(sign_ticket("marina", SESSIONS[0], NOW - 90 * 60_000, "k1", b"\0" * 32))
        (fee,) = await at.fees(1)
        assert (fee.reason, fee.session, fee.amount) == ("due", SESSIONS[0], "20.00")
        assert at.alerts() == []


async def test_a_reader_whose_clock_nobody_keeps_calls_no_ticket_one_from_the_future() -> None:
    async with kerb(kept=False) as at:
        at.scanner.feed(ticket(-60))
        (fee,) = await at.fees(1)
    assert (fee.reason, fee.minutes, fee.amount, fee.ticket) == ("free", 0, "0.00", ticket(-60))


@pytest.mark.fault("reader-garbage")
@pytest.mark.parametrize("data", [b"x" * 10_000 + b"\r\n", b"\xff\xfe\x80\r\n", b"\x00\x1b[2J\r\n"])
async def test_garbage_is_refused_with_an_alert(data: bytes) -> None:
    async with kerb() as at:
        at.scanner.feed_bytes(data)
        (fee,) = await at.fees(1)
    assert (fee.reason, fee.why) == ("refused", "ticket-unknown")
    assert len(fee.ticket) <= 64
    assert at.alerts() == [("ticket-garbage", "raised")]


@pytest.mark.fault("reader-garbage")
async def test_garbage_ten_times_a_second_is_told_once_a_second_and_alerted_once() -> None:
    async with kerb() as at:
        for number in range(50):
            at.scanner.feed(f"garbage {number}")
            await at.settled()
            at.clock.turn(100)
        assert len(at.bus.of(Fee)) == 50 * 100 // REFUSED_EVERY_MS
        assert at.alerts() == [("ticket-garbage", "raised")]
        at.scanner.feed(ticket())
        await at.fees(6)
        assert at.alerts() == [("ticket-garbage", "raised"), ("ticket-garbage", "cleared")]


@pytest.mark.fault("scanner-ends", "scanner-keys")
@pytest.mark.parametrize(
    ("text", "says"),
    [
        (ticket()[5:], "nobody we know signed it"),
        (ticket() * 2, "nobody we know signed it"),
        (ticket().lower(), "its letters are lower case"),
        (ticket()[:30] + "\x1d" + ticket()[30:], "not printable ASCII (byte 0x1d)"),
    ],
)
async def test_the_alert_of_garbage_says_what_is_wrong_and_how_a_scanner_is_set(text: str, says: str) -> None:
    async with kerb() as at:
        at.scanner.feed(text)
        [alert] = await at.bus.until(Alert, 1)
        [fee] = await at.fees(1)
    assert alert.text.startswith(f"the scanner read something that is not a ticket: {says}; ")
    assert "CR as its suffix" in alert.text and "8 data bits" in alert.text and "US layout" in alert.text
    assert (fee.reason, fee.why) == ("refused", "ticket-unknown")


@pytest.mark.fault("scanner-ends")
async def test_a_ticket_without_a_line_end_becomes_a_fee() -> None:
    async with kerb() as at:
        at.scanner.feed_bytes(b"\x02]Q1" + ticket().encode())
        (fee,) = await at.fees(1)
    assert (fee.reason, fee.ticket) == ("due", ticket())


@pytest.mark.fault("scanner-keys")
async def test_a_good_reading_is_not_taken_for_the_bad_one_before_it_that_shows_the_same_text(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "event0")
    keys = os.open(tmp_path / "event0", os.O_RDWR)
    async with HidScanner(str(tmp_path / "event0"), grab=lambda fd: None) as scanner, kerb(scanner=scanner) as at:
        os.write(keys, typed("LOST") + event(ecodes.EV_SYN, ecodes.SYN_DROPPED, 0) + typed("\rLOST\r"))
        assert [fee.reason for fee in await at.fees(1)] == ["lost"]
        assert at.alerts() == [("ticket-garbage", "raised"), ("ticket-garbage", "cleared")]
    os.close(keys)


# A scanner that reads nothing good


async def refusals(at: Kerb, count: int, text: str = "garbage {}") -> None:
    for number in range(count):
        at.scanner.feed(text.format(number))
        await at.settled()
        at.clock.turn(max(SAME_MS, REFUSED_EVERY_MS))


async def test_a_number_of_another_system_is_for_the_worker_to_look_up() -> None:
    async with kerb(numbers=re.compile("[0-9]{12}")) as at:
        await at.vehicle()
        at.scanner.feed("000123456789")
        (fee,) = await at.fees(1)
        assert (fee.reason, fee.ticket, fee.car, fee.exited) == ("number", "000123456789", CAR, stamp(NOW))
        assert (fee.session, fee.amount, fee.why) == (None, None, None)
        for text, reason in (("00012345678", "refused"), ("lost", "lost"), (ticket(), "due")):
            at.scanner.feed(text)
            await at.settled()
            assert at.bus.of(Fee)[-1].reason == reason
            at.clock.turn(SAME_MS)


async def test_without_such_a_form_a_number_is_no_ticket() -> None:
    async with kerb() as at:
        at.scanner.feed("000123456789")
        assert (await at.fees(1))[0].reason == "refused"


def rows(at: Kerb) -> list[str]:
    return [alert.state for alert in at.bus.of(Alert) if alert.code == "reader-refuses"]


@pytest.mark.fault("scanner-ends", "scanner-keys")
@pytest.mark.parametrize("text", ["garbage {}", "P1.MARINA."])
async def test_ten_refused_tickets_in_a_row_are_told_once_until_a_good_one_comes(text: str) -> None:
    async with kerb() as at:
        await refusals(at, REFUSED_ROW - 1, text)
        assert rows(at) == []
        await refusals(at, REFUSED_ROW, text)
        assert rows(at) == ["raised"]
        [told] = [alert for alert in at.bus.of(Alert) if alert.code == "reader-refuses"]
        assert told.severity == "warning"
        assert "ticket-unknown" in told.text and "CR as its suffix" in told.text and "garage.id" in told.text
        at.scanner.feed(ticket())
        await at.settled()
        assert rows(at) == ["raised", "cleared"]
        await refusals(at, REFUSED_ROW - 1, text)
        assert rows(at) == ["raised", "cleared"]


async def test_one_good_ticket_among_refused_ones_ends_their_row() -> None:
    async with kerb() as at:
        await refusals(at, REFUSED_ROW - 1)
        await refusals(at, 1, ticket())
        await refusals(at, REFUSED_ROW - 1)
        assert rows(at) == []


async def shown(at: Kerb, fee: Fee, state: str, reason: str | None = None) -> None:
    screen = Screen(**at.head(2), state=state, fee=fee.id, reason=reason)  # type: ignore[arg-type]
    await at.bus.hears(LANE + "screen", screen)
    await at.settled()


async def judged(at: Kerb, number: int, state: str, reason: str | None = None) -> None:
    """A well-formed ticket, and what the worker shows for it, more than once."""
    at.scanner.feed(ticket(number=number % 10))
    await at.settled()
    for _ in range(2):
        await shown(at, at.bus.of(Fee)[-1], state, reason)
    at.clock.turn(SAME_MS)


async def test_tickets_that_the_worker_refuses_count_too_and_only_one_that_it_takes_ends_their_row() -> None:
    async with kerb() as at:
        for number in range(REFUSED_ROW - 1):
            await judged(at, number, "help", "ticket-unknown")
        assert rows(at) == []
        for number in range(3):
            await judged(at, number, "help", "ticket-foreign")
        assert rows(at) == ["raised"]
        await judged(at, 5, "help", "ticket-used")
        assert rows(at) == ["raised", "cleared"]
        await judged(at, 6, "help", "ticket-future")
        await judged(at, 7, "wait")
        assert rows(at) == ["raised", "cleared"]
