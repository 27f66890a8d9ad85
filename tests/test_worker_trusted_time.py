"""terminal/roles/worker/trusted_time.py: by whose clock the worker reckons, and when it reckons at all."""

import asyncio
from collections.abc import Callable

from terminal.clock import Clock
from terminal.contract.messages import Alert, Health
from terminal.core.clock_turn import BACK_MS
from terminal.mqtt.endpoint import Endpoint
from terminal.payby.errors import OutcomeUnknown
from terminal.roles.worker import trusted_time
from terminal.roles.worker.payby_health import PayByHealth, WorkerTroubles
from terminal.roles.worker.trusted_time import TrustedTime
from tests.support.lifts import GARAGE
from tests.support.memory_bus import MemoryBus
from tests.support.turned_clock import TurnedClock

HOUR = 3_600_000


class PayBy:
    """Answers a probe with how far its clock is ahead; None: does not answer, ``hangs``: not even with an error.

    Not the client with the sandbox: how the client learns of PayBy's time is test_payby_server_clock.py's."""

    def __init__(self, tells: int | None = None, *, hangs: bool = False) -> None:
        self.skew_ms: int | None = None
        self.tells, self.hangs = tells, hangs
        self.probes = 0

    async def probe(self) -> None:
        self.probes += 1
        if self.hangs:
            await asyncio.Event().wait()
        if self.tells is None:
            raise OutcomeUnknown("acquire2/getOrder", why="not connected")
        self.skew_ms = self.tells


class Rig:
    """A timekeeper, and what it says."""

    def __init__(self, payby: PayBy, kept: Callable[[int], bool] = lambda _: False) -> None:
        self.clock: Clock = TurnedClock(1_790_000_000_000)
        self.bus, self.payby, self.changes = MemoryBus(), payby, 0
        endpoint = Endpoint(self.bus.as_bus(), garage=GARAGE, lane=None, role="worker", version="1", clock=self.clock)
        troubles = WorkerTroubles(endpoint)
        self.health = PayByHealth(
            troubles, payby, changed=self.changed, spawn=lambda work, _: asyncio.create_task(work)
        )
        self.time = TrustedTime(self.clock, payby, kept, troubles, self.health, changed=self.changed)

    async def changed(self) -> None:
        self.changes += 1

    def alerts(self) -> list[tuple[str, str]]:
        return [(alert.code, alert.state) for alert in self.bus.of(Alert)]


async def test_a_clock_that_payby_contradicts_by_a_minute_is_corrected_by_payby_s() -> None:
    for tells, skew in ((59_999, 0), (60_000, 60_000), (-3 * HOUR, -3 * HOUR)):
        rig = Rig(PayBy(tells))
        await rig.time.first_word()
        assert (rig.time.skew, rig.time.hindrance()) == (skew, "")


async def test_a_clock_that_nobody_confirms_keeps_new_visits_from_beginning() -> None:
    rig = Rig(PayBy(None))
    await rig.time.first_word()
    assert (rig.time.hindrance(), rig.time.skew) == ("clock", 0)


async def test_the_kernel_s_word_is_enough_and_payby_is_asked_all_the_same() -> None:
    rig = Rig(PayBy(-HOUR), kept=lambda _: True)
    await rig.time.first_word()
    assert (rig.payby.probes, rig.time.hindrance()) == (0, "")
    await rig.time.run()
    assert (rig.payby.probes, rig.time.skew) == (1, -HOUR)
    async with asyncio.timeout(5):
        await rig.bus.until(Alert, 1)
    assert rig.alerts() == [("clock-skew", "raised")]


async def test_what_was_confirmed_once_stays_so() -> None:
    word = [True]
    rig = Rig(PayBy(None), kept=lambda _: word[0])
    assert rig.time.confirmed
    word[0] = False
    assert rig.time.confirmed


async def test_an_unconfirmed_clock_is_told_and_payby_asked_until_somebody_confirms_it() -> None:
    word = [False]
    rig = Rig(PayBy(None), kept=lambda _: word[0])
    await rig.time.first_word()
    task = asyncio.create_task(rig.time.run())
    async with asyncio.timeout(5):
        await rig.bus.until(Alert, 1)
    assert rig.alerts() == [("clock-unconfirmed", "raised")]
    word[0] = True
    async with asyncio.timeout(5):
        await task
    assert rig.alerts() == [("clock-unconfirmed", "raised"), ("clock-unconfirmed", "cleared")]
    assert rig.changes >= 2
    assert not rig.bus.of(Health)


async def test_a_start_waits_for_payby_no_longer_than_its_limit() -> None:
    rig = Rig(PayBy(hangs=True))
    async with asyncio.timeout(trusted_time.FIRST_WORD_S + 2):
        await rig.time.first_word()
    assert (rig.time.hindrance(), rig.health.trouble) == ("clock", "")
    rig.payby.skew_ms = 0
    assert rig.time.hindrance() == "", "its answer counts as well when it comes later"


async def test_the_steady_time_begins_at_the_true_time_and_never_before_the_journal_but_for_a_wrong_clock() -> None:
    rig = Rig(PayBy(-HOUR))
    await rig.time.first_word()
    true = rig.clock.wall_ms() - HOUR
    assert rig.time.begin(0) == true
    assert rig.time.begin(true - HOUR) == true
    assert rig.time.begin(true + BACK_MS) == true + BACK_MS, "clocks differ by seconds"
    assert rig.time.begin(true + BACK_MS + 1) == true, "the clock was ahead when that was written"


async def test_an_unconfirmed_clock_goes_on_where_the_journal_ends_until_it_is_confirmed() -> None:
    payby = PayBy(None)
    rig = Rig(payby)
    now = rig.clock.wall_ms()
    for last_at in (now - 8 * HOUR, now + 8 * HOUR):
        assert rig.time.begin(last_at) == last_at
        assert not rig.time.is_apart(last_at)
    assert rig.time.begin(0) == now
    payby.skew_ms = 0
    assert rig.time.is_apart(now + 8 * HOUR)
    assert not rig.time.is_apart(now + BACK_MS)
    assert rig.time.begin(now + 8 * HOUR) == now
    assert not rig.time.is_apart(now + 8 * HOUR), "only what began with an unconfirmed clock is put right"
