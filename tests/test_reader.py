import asyncio
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from evdev import ecodes

from drivers.scanner import HidScanner
from drivers.simulated import SimulatedScanner
from terminal.clock import SystemClock
from terminal.contract.messages import Alert, Fee, Health, Message, Order, Screen, Vehicle, decode, encode
from terminal.contract.topics import SILENT_MS
from terminal.core.money import Fils
from terminal.core.tariff import Tariff
from terminal.core.ticket import sign_ticket
from terminal.mqtt.endpoint import Endpoint
from terminal.roles.reader import PAUSES_S, REFUSED_EVERY_MS, REFUSED_ROW, SAME_MS, ReaderRole
from tests.conftest import NewBus
from tests.sim.memorybus import MemoryBus, TestClock
from tests.support.keyboard import event, typed

KEYS = {"k1": bytes(range(32))}
TARIFF = Tariff(10, 60, Fils(1000), Fils(10000), Fils(15000), "5", 15)
NOW = 1_795_000_000_000
LANE = "parking/marina/exit-1/"
CAR = "01a1ec96-3c00-7000-8000-000000000001"
OTHER_CAR = "01a1ec96-3c00-7000-8000-000000000002"
SESSIONS = [f"01a1ec96-0000-7000-8000-00000000000{n}" for n in range(10)]
FOREVER_S = (60.0,)


def ticket(minutes_ago: int = 90, number: int = 0, garage: str = "marina") -> str:
    return sign_ticket(garage, SESSIONS[number], NOW - minutes_ago * 60_000, "k1", KEYS["k1"])


@dataclass
class Kerb:
    """A reader role at work, with all that stands around it."""

    bus: MemoryBus
    scanner: SimulatedScanner
    clock: TestClock

    async def fees(self, count: int) -> list[Fee]:
        return await self.bus.until(Fee, count)

    async def settled(self) -> None:
        """Let the role do whatever it can do without being told anything more."""
        for _ in range(20):
            await asyncio.sleep(0)

    def head(self, number: int = 1) -> dict[str, Any]:
        return {"id": f"01a1ec96-3c00-7000-9000-00000000000{number}", "at": "2026-11-18T11:06:40.000Z"}

    async def vehicle(self, car: str | None = CAR, waiting: bool = True) -> None:
        await self.bus.hears(LANE + "vehicle", Vehicle(**self.head(), waiting=waiting, under_boom=False, car=car))
        await self.settled()

    async def answer(self, fee: Fee, message: str = "screen") -> None:
        answers: dict[str, Message] = {
            "screen": Screen(**self.head(2), state="wait", fee=fee.id),
            "order": Order(**self.head(3), status="none", fee=fee.id),
        }
        await self.bus.hears(LANE + message, answers[message])
        await self.settled()

    def alerts(self) -> list[tuple[str, str]]:
        return [(alert.code, alert.state) for alert in self.bus.of(Alert)]

    def health(self) -> Health:
        return decode(Health, self.bus.retained[LANE + "health/reader"])


@asynccontextmanager
async def kerb(
    pauses_s: Sequence[float] = FOREVER_S,
    bus: MemoryBus | None = None,
    *,
    plugged: bool = True,
    scanner: HidScanner | None = None,
    kept: bool = True,
) -> AsyncIterator[Kerb]:
    bus, clock, simulated = bus or MemoryBus(), TestClock(NOW), SimulatedScanner()
    if not plugged:
        simulated.unplug()
    endpoint = Endpoint(bus.as_bus(), garage="marina", lane="exit-1", role="reader", version="1", clock=clock)
    role = asyncio.create_task(
        ReaderRole(endpoint, scanner or simulated, tariff=TARIFF, pauses_s=pauses_s, kept=lambda _: kept).run()
    )
    made = Kerb(bus, simulated, clock)
    try:
        await made.settled()
        yield made
        assert not role.done(), role.exception()
    finally:
        role.cancel()
        await asyncio.wait([role])
    assert bus.unacknowledged == 0


async def test_a_ticket_is_told_with_what_is_due_and_for_which_car() -> None:
    async with kerb() as at:
        await at.vehicle()
        at.scanner.feed(ticket(90))
        (fee,) = await at.fees(1)
    assert [retain for topic, _, retain in at.bus.said if topic == LANE + "fee"] == [False]
    assert (fee.reason, fee.ticket, fee.session, fee.car) == ("due", ticket(90), SESSIONS[0], CAR)
    assert (fee.entered, fee.exited) == ("2026-11-18T09:36:40.000Z", "2026-11-18T11:06:40.000Z")
    assert (fee.minutes, fee.amount, fee.currency, fee.why) == (90, "20.00", "AED", None)


async def test_a_short_stay_is_told_as_free() -> None:
    async with kerb() as at:
        at.scanner.feed(ticket(10))
        (fee,) = await at.fees(1)
    assert (fee.reason, fee.minutes, fee.amount, fee.currency) == ("free", 10, "0.00", "AED")


async def test_a_lost_ticket_has_its_price_and_neither_entry_nor_minutes() -> None:
    async with kerb() as at:
        at.scanner.feed("lost")
        (fee,) = await at.fees(1)
    assert (fee.reason, fee.amount, fee.entered, fee.minutes) == ("lost", "150.00", None, None)


async def test_the_lost_ticket_of_one_waiting_car_is_one_stay_also_after_a_restart() -> None:
    sessions = []
    for _ in range(2):
        async with kerb() as at:
            for _ in range(2):
                await at.vehicle()
                at.scanner.feed("LOST")
                await at.settled()
                at.clock.turn(SAME_MS)
            sessions += [fee.session for fee in at.bus.of(Fee)]
    assert len(sessions) == 4
    assert len(set(sessions)) == 1


async def test_lost_tickets_of_two_cars_or_of_unseen_ones_are_stays_of_their_own() -> None:
    async with kerb() as at:
        for car in (CAR, OTHER_CAR, None, None):
            await at.vehicle(car)
            at.scanner.feed("LOST")
            await at.settled()
            at.clock.turn(SAME_MS)
        fees = await at.fees(4)
    assert len({fee.session for fee in fees}) == 4


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
        (ticket()[5:], "nobody we know has signed it"),
        (ticket() * 2, "nobody we know has signed it"),
        (ticket().lower(), "its letters are small ones"),
        (ticket()[:30] + "\x1d" + ticket()[30:], "not printable ASCII (byte 0x1d)"),
    ],
)
async def test_the_alert_of_garbage_says_what_is_wrong_and_how_a_scanner_is_set(text: str, says: str) -> None:
    async with kerb() as at:
        at.scanner.feed(text)
        [alert] = await at.bus.until(Alert, 1)
        [fee] = await at.fees(1)
    assert alert.text.startswith(f"read what is no ticket: {says}; ")
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


async def test_a_ticket_that_stays_under_the_scanner_is_read_once() -> None:
    async with kerb() as at:
        for _ in range(10):
            at.scanner.feed(ticket())
            await at.settled()
            at.clock.turn(SAME_MS - 1)
        assert len(at.bus.of(Fee)) == 1
        at.clock.turn(1)
        at.scanner.feed(ticket())
        one, two = await at.fees(2)
        assert (one.session, one.id != two.id) == (two.session, True)


@pytest.mark.fault("cut-before-fee")
@pytest.mark.parametrize("message", ["screen", "order"])
async def test_a_fee_is_repeated_unchanged_until_it_is_answered(message: str) -> None:
    async with kerb(pauses_s=[0.001] * 3 + [60]) as at:
        at.scanner.feed(ticket())
        fees = await at.fees(4)
        assert fees == [fees[0]] * 4
        await at.answer(fees[0], message)
        assert not tasks_of("reader fee")


def tasks_of(name: str) -> list[str]:
    return [task.get_name() for task in asyncio.all_tasks() if task.get_name().startswith(name)]


async def test_an_answer_to_another_fee_ends_nothing() -> None:
    async with kerb() as at:
        at.scanner.feed(ticket())
        (fee,) = await at.fees(1)
        await at.answer(Fee(**at.head(9), ticket="", reason="refused", why="x"))
        assert tasks_of("reader fee") == [f"reader fee {fee.id}"]


async def test_a_retained_answer_counts_as_well() -> None:
    async with kerb(pauses_s=[0.001] * 3 + [60]) as at:
        at.scanner.feed(ticket())
        (fee, *_) = await at.fees(4)
        at.bus.retained[LANE + "order"] = encode(Order(**at.head(), status="none", fee=fee.id))
        at.bus.redeliver()
        await at.settled()
        assert not tasks_of("reader fee")


@pytest.mark.fault("cut-before-fee")
async def test_a_fee_that_nobody_answers_ends_in_an_alert() -> None:
    async with kerb(pauses_s=[0.001] * 3) as at:
        at.scanner.feed(ticket())
        await at.bus.until(Alert, 1)
        await at.settled()
        assert len(at.bus.of(Fee)) == 3
        assert at.alerts() == [("fee-unanswered", "raised")]
        assert not tasks_of("reader fee")


async def test_the_next_answer_clears_the_alert_of_an_unanswered_fee() -> None:
    async with kerb(pauses_s=[0.5]) as at:
        at.scanner.feed(ticket())
        await at.bus.until(Alert, 1)
        at.clock.turn(SAME_MS)
        at.scanner.feed(ticket())
        *_, fee = await at.fees(2)
        await at.answer(fee)
        assert at.alerts() == [("fee-unanswered", "raised"), ("fee-unanswered", "cleared")]


def test_a_fee_is_given_up_after_thirty_seconds_and_never_pauses_longer_than_four() -> None:
    assert sum(PAUSES_S) == 30
    assert list(PAUSES_S[:3]) == [0.5, 1.0, 2.0]
    assert max(PAUSES_S) == 4


async def test_the_newest_ticket_ends_the_repetition_of_the_one_before() -> None:
    async with kerb() as at:
        at.scanner.feed(ticket(number=1))
        await at.fees(1)
        at.scanner.feed(ticket(number=2))
        fees = await at.fees(2)
        await at.settled()
        assert [fee.session for fee in fees] == [SESSIONS[1], SESSIONS[2]]
        assert tasks_of("reader fee") == [f"reader fee {fees[1].id}"]


@pytest.mark.fault("reader-garbage")
async def test_garbage_does_not_make_the_reader_forget_a_genuine_ticket() -> None:
    async with kerb() as at:
        at.scanner.feed(ticket())
        at.scanner.feed("garbage")
        good, bad = await at.fees(2)
        assert sorted(tasks_of("reader fee")) == sorted([f"reader fee {good.id}", f"reader fee {bad.id}"])
        await at.answer(bad)
        assert tasks_of("reader fee") == [f"reader fee {good.id}"]


async def test_a_genuine_ticket_ends_the_repetition_of_a_refused_one() -> None:
    async with kerb() as at:
        at.scanner.feed("garbage")
        await at.fees(1)
        at.scanner.feed(ticket())
        _, good = await at.fees(2)
        await at.settled()
        assert tasks_of("reader fee") == [f"reader fee {good.id}"]


async def test_nothing_is_said_into_a_lost_connection_and_at_once_when_it_is_back() -> None:
    async with kerb() as at:
        at.bus.connect(False)
        at.scanner.feed(ticket())
        await at.settled()
        assert at.bus.of(Fee) == []
        at.bus.connect(True)
        await at.fees(1)


@pytest.mark.parametrize(
    ("waiting", "silence_ms", "car"), [(True, SILENT_MS, CAR), (True, SILENT_MS + 1, None), (False, 0, None)]
)
async def test_only_a_car_that_the_loops_see_now_is_named(waiting: bool, silence_ms: int, car: str | None) -> None:
    async with kerb() as at:
        await at.vehicle(waiting=waiting)
        at.clock.turn(silence_ms)
        at.scanner.feed(ticket())
        (fee,) = await at.fees(1)
    assert fee.car == car


async def test_a_car_that_only_a_retained_message_names_is_not_named() -> None:
    async with kerb() as at:
        at.bus.retained[LANE + "vehicle"] = encode(Vehicle(**at.head(), waiting=True, under_boom=False, car=CAR))
        at.bus.redeliver()
        await at.settled()
        at.scanner.feed(ticket())
        (fee,) = await at.fees(1)
    assert fee.car is None


async def test_a_car_that_loops_gone_offline_have_seen_is_not_named() -> None:
    async with kerb() as at:
        await at.vehicle()
        gone = Health(**at.head(), state="offline", version="1", instance="x", since=at.head()["at"])
        await at.bus.hears(LANE + "health/loops", gone)
        await at.settled()
        at.scanner.feed(ticket())
        (fee,) = await at.fees(1)
    assert fee.car is None


async def test_an_unplugged_scanner_degrades_the_reader_until_it_is_back() -> None:
    async with kerb() as at:
        assert at.health().state == "online"
        at.scanner.unplug()
        await at.settled()
        assert (at.health().state, at.health().reason) == ("degraded", at.scanner.trouble)
        at.scanner.plug()
        await at.settled()
        assert at.health().state == "online"
        assert at.alerts() == [("scanner", "raised"), ("scanner", "cleared")]
    assert at.health().state == "offline"


async def test_the_reader_is_online_only_once_its_scanner_is_open() -> None:
    async with kerb(plugged=False) as at:
        assert at.bus.of(Health) == []
        at.scanner.plug()
        await at.settled()
        assert [health.state for health in at.bus.of(Health)] == ["online"]


async def test_over_a_real_broker_a_fee_reaches_the_worker_and_its_answer_the_reader(new_bus: NewBus) -> None:
    scanner, clock = SimulatedScanner(), SystemClock()
    async with new_bus("reader") as kerbside, new_bus("worker") as garage:
        reader = Endpoint(kerbside, garage="marina", lane="exit-1", role="reader", version="1", clock=clock)
        worker = Endpoint(garage, garage="marina", lane=None, role="worker", version="1", clock=clock)
        role = ReaderRole(reader, scanner, tariff=TARIFF, pauses_s=[0.05] * 3 + [60])
        task = asyncio.create_task(role.run())
        with worker.subscribe("fee") as fees:
            await fees.granted()
            scanner.feed(ticket())
            heard = []
            for _ in range(4):
                heard.append(await anext(fees))
                heard[-1].ack()
        (repeating,) = (t for t in asyncio.all_tasks() if t.get_name().startswith("reader fee"))
        assert {message.message.id for message in heard} == {heard[0].message.id}
        await worker.publish(Order(**worker.head(), status="none", fee=heard[0].message.id), lane="exit-1")
        async with asyncio.timeout(5):
            await repeating
        task.cancel()
        await asyncio.wait([task])
