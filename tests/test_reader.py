import asyncio

import pytest

from drivers.simulated_scanner import SimulatedScanner
from terminal.clock import SystemClock
from terminal.contract.messages import Alert, Fee, Health, Order, Vehicle, encode
from terminal.contract.topics import SILENT_MS
from terminal.mqtt.endpoint import Endpoint
from terminal.roles.reader import PAUSES_S, SAME_MS, ReaderRole
from tests.conftest import NewBus
from tests.support.reader_kerb import CAR, LANE, OTHER_CAR, SESSIONS, TARIFF, kerb, ticket


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
