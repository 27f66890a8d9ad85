"""What grows with what others say has a bound: each is filled beyond it here, and does what its page says then.

Some bounds are tested beside what they belong to: messages that wait for a connection (test_mqtt_reconnects.py) or for
their consumer (test_mqtt_subscription.py, test_broker_sessions.py), connections (test_listener_connections.py,
test_broker.py), alerts (test_mqtt_alerts.py), lines of a scanner (test_line_reader.py), pictures on a disk
(test_panel_png.py) and stays in memory (test_eventstore_resting.py).
"""

import asyncio
import gc
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from PIL import Image

from broker import guard, outbox
from broker.connection import WATCHERS
from broker.embedded import EmbeddedBroker
from broker.outbox import Outbox, Parcel
from broker.packets import encode_publish
from terminal.clock import SystemClock, new_id
from terminal.contract.messages import Alert, Health, Screen, Vehicle, stamp
from terminal.contract.topics import parse
from terminal.core import events
from terminal.core.ids import derived_id, order_no
from terminal.core.model import PaymentProof, Rules
from terminal.eventstore import store
from terminal.eventstore.store import EventStore
from terminal.mqtt import presence, router
from terminal.mqtt.presence import KEPT_MS, Presence
from terminal.mqtt.router import SubscriptionRouter
from terminal.mqtt.subscription import Arrival, Subscription
from terminal.payby import key_files
from terminal.payby.sandbox.faults import Fault
from terminal.payby.sandbox.server import Sandbox
from terminal.roles.barrier.spent_lifts import REFUSALS, SpentLifts
from terminal.roles.worker import inbox, lane_budget
from terminal.screen.layouts import LAYOUTS
from terminal.screen.renderer import Renderer
from terminal.screen.sample_views import SITE
from terminal.screen.view import View
from tests.support.eventually import eventually
from tests.support.lifts import GARAGE, LANE, NOW, lift
from tests.support.memory_journal import MemoryJournal
from tests.support.pay_screens import PAY
from tests.support.raw_mqtt import Raw
from tests.support.rsa_keys import rsa_key
from tests.support.turned_clock import TurnedClock
from tests.support.worker_lane import sandbox, working

__all__ = ["sandbox"]
CLOCK = SystemClock()


def health(instance: str = "one") -> Health:
    now = stamp(CLOCK.wall_ms())
    return Health(id=new_id(CLOCK), at=now, since=now, state="online", version="test", instance=instance)


def role_at(lane: str, role: str = "lcd") -> str:
    return f"parking/{GARAGE}/{lane}/health/{role}"


def test_roles_that_somebody_invents_push_out_none_that_beats(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(presence, "PEERS", 50)
    clock = TurnedClock()
    known = Presence(clock)
    known.take(parse(role_at("exit-1", "barrier")), health(), retained=False)
    for n in range(100):
        known.take(parse(role_at(f"invented-{n}")), health(f"i{n}"), retained=False)
    assert len(known.all()) == 50
    assert known.online("barrier", "exit-1")
    assert not known.online("lcd", "invented-99")
    clock.turn(KEPT_MS + 1)
    known.take(parse(role_at("exit-1", "barrier")), health(), retained=False)
    known.take(parse(role_at("exit-2")), health("two"), retained=False)
    assert known.online("barrier", "exit-1") and known.online("lcd", "exit-2"), "a silent one has made room"
    assert len(known.all()) == 50


async def test_what_nobody_takes_yet_is_parked_to_a_bound_and_the_rest_stays_with_the_broker(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(router, "PARKED", 10)
    routes, acknowledged = SubscriptionRouter(grace_s=60), list[int]()
    routes.begin(asyncio.get_running_loop())
    for n in range(15):
        assert routes.route(Arrival("t", b"%d" % n, False, lambda n=n: acknowledged.append(n)))  # type: ignore[misc]
    assert len(routes._parked) == 10
    taker = Subscription({"t": 1}, lambda _: None)
    routes.add(taker)
    for _ in range(10):
        (await anext(taker)).ack()
    assert acknowledged == list(range(10)), "what was not parked is not acknowledged either"
    routes.forget_parked()


def test_refusals_are_remembered_to_a_bound_and_the_oldest_forgotten() -> None:
    spent, why = SpentLifts(), "busy"
    lifts = [lift("free", id=derived_id(NOW, "lift", str(n))) for n in range(REFUSALS + 5)]
    for one in lifts:
        spent.refuse(one, why, NOW)  # type: ignore[arg-type]
    assert [spent.refused_before(one) for one in lifts] == [None] * 5 + [why] * REFUSALS


class StuckJournal(MemoryJournal):
    """Its disk hangs until ``goes`` is set."""

    def __init__(self) -> None:
        super().__init__()
        self.goes = asyncio.Event()
        self.goes.set()

    async def append(self, rows: Sequence[tuple[str, bytes]], at_ms: int) -> int:
        await self.goes.wait()
        return await super().append(rows, at_ms)


async def test_while_the_disk_hangs_the_worker_hears_no_more_than_it_can_keep(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inbox, "MOST", 20)
    log = StuckJournal()
    async with working(sandbox, log) as lane:
        await lane.boom_is_down()
        await eventually(lambda: lane.worker._inbox.qsize() == 0)
        log.goes.clear()
        await lane.reads(lane.fee())
        for n in range(80):
            seen = Vehicle(**lane.head(), waiting=bool(n % 2), under_boom=False)
            await lane.bus.hears(lane.topic("vehicle"), seen)
        assert lane.worker._inbox.qsize() <= 25
        log.goes.set()
        await lane.until(Screen, state="pay")
        await eventually(lambda: lane.worker._inbox.qsize() == 0)
        assert lane.bus.unacknowledged == 0, "what waited was heard then"


async def test_a_garage_has_so_many_lanes_and_somebody_who_invents_more_gets_nothing(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lane_budget, "LANES", 5)
    async with working(sandbox) as lane:
        await lane.boom_is_down()
        for n in range(20):
            await lane.bus.hears(role_at(f"invented-{n}"), health(f"i{n}"))
            await lane.boom_is_down(f"invented-{n}")
        alert = await lane.until(Alert, code="bad-message")
        assert "a garage has at most" in alert.text
        worker = lane.worker
        assert len(worker.event_store.garage.lanes) <= 5
        for kept in (worker._screens._said, worker._newcomers._known, worker._devices._timers, worker._budget._buckets):
            assert len(kept) <= 5 * len(lane_budget.BUDGETS)
        await lane.pays_at_the_qr()  # and the lane that was there before is served


async def test_orders_that_nobody_pursues_leave_nothing_behind(sandbox: Sandbox) -> None:
    async with working(sandbox) as lane:
        worker, pursuits = lane.worker, lane.worker._pursuits
        for n in range(20):
            no = order_no(GARAGE, LANE, derived_id(CLOCK.wall_ms(), "stay", str(n)), 1)
            asked = asyncio.Event()

            async def answered(_: object, asked: asyncio.Event = asked) -> None:
                asked.set()

            await pursuits.look(no, answered)
            await asked.wait()
            worker.post(events.OrderReported(worker.now(), no, "CREATED", 2_000, PaymentProof("{}", "sign")))
        await eventually(lambda: worker._inbox.qsize() == 0)
        assert (worker._screens.confirmed, pursuits._asked, pursuits._looking) == (set(), {}, set())


async def test_an_order_that_is_given_up_while_it_is_placed_leaves_nothing_behind(sandbox: Sandbox) -> None:
    sandbox.fail("placeOrder", Fault(delay_s=30))
    async with working(sandbox) as lane:
        await lane.boom_is_down()
        pursuits = lane.worker._pursuits
        await lane.reads(lane.fee())
        await eventually(lambda: pursuits._running and sandbox.calls_of("placeOrder"))
        ((session, running),) = pursuits._running.items()
        tasks = [record.task for record in running.values()]
        pursuits.follow(session, [])
        await asyncio.wait(tasks)
        assert (pursuits._running, pursuits._reached) == ({}, {})


async def test_what_loops_show_waits_for_a_flush_to_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "NOTED", 10)
    log = MemoryJournal()
    kept = EventStore(Rules(GARAGE), log, lambda _: b"")
    kept.replay()
    for n in range(25):
        await kept.take(events.VehicleSeen(1_000 + n, LANE, bool(n % 2), False, None))
    assert len(log.rows) >= 20, "every eleventh is flushed with what waits"


def test_what_waits_for_a_client_has_a_bound_in_bytes_and_the_oldest_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox, "LIMIT_BYTES", 1_000)
    box, sent = Outbox(), list[bytes]()
    for n in range(30):
        box.push(Parcel(b"t", b"%02d" % n + bytes(98), False), 1)
    assert (len(box), box.dropped) == (10, 20)
    box.attach(sent.append)
    assert [frame[-100:-98] for frame in sent] == [b"%02d" % n for n in range(20, 30)]
    for n in range(1, 11):
        box.acknowledge(n)
    box.push(Parcel(b"t", bytes(1_000), False), 1)
    assert len(box) == 1, "what was sent counts no more"


async def test_retained_messages_have_a_bound_in_bytes_and_what_is_beyond_is_not_kept(
    embedded: EmbeddedBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guard, "RETAINED_BYTES", 1_000)
    tables = embedded._guard.tables
    tables.retained.clear()
    tables.retained_bytes = 0
    async with Raw(embedded) as lane:
        await lane.ask(lane.hello())
        for n in range(5):
            await lane.ask(encode_publish(role_at(f"exit-{n}").encode(), bytes(300), 1, qos=1, retain=True))
        assert sorted(tables.retained) == [role_at(f"exit-{n}") for n in range(3)]
        await lane.ask(encode_publish(role_at("exit-0").encode(), bytes(900), 1, qos=1, retain=True))
        assert role_at("exit-0") not in tables.retained, "what it said before is no longer true"
        await lane.ask(encode_publish(role_at("exit-1").encode(), bytes(100), 1, qos=1, retain=True))
        assert tables.retained_bytes == sum(len(kept.data) for kept in tables.retained.values()) == 400


async def test_watchers_come_to_a_bound_and_keep_no_role_out(embedded: EmbeddedBroker) -> None:
    async with AsyncExitStack() as stack:
        for n in range(WATCHERS):
            watcher = await stack.enter_async_context(Raw(embedded))
            assert await watcher.ask(watcher.hello("watch", client=f"watch-{n}", clean=True)) == b"\0\0"
        late = await stack.enter_async_context(Raw(embedded))
        assert await late.ask(late.hello("watch", client="watch-late", clean=True)) == b"\0\3"
        async with Raw(embedded) as again, Raw(embedded) as lane:
            assert await again.ask(again.hello("watch", client="watch-0", clean=True)) == b"\0\0"
            assert await lane.ask(lane.hello()) == b"\0\0"
    await eventually(lambda: not embedded._guard.tables.watching)


def test_keys_are_remembered_to_a_bound_and_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(key_files, "_found", known := dict[bytes, key_files.KeyFile]())
    key = rsa_key("merchant").private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    first = key_files.find_key(key)
    assert first.kind == key_files.PRIVATE
    for number in range(50):
        key_files.find_key(b"no key %d" % number)
        assert key_files.find_key(key) is first, "what is asked for again stays"
    assert len(known) == 8
    assert not any(key in one for one in known), "the key's text is not kept"


def test_after_a_visit_its_pictures_are_let_go_and_those_of_the_next_stay() -> None:
    layout = replace(LAYOUTS["ili9488"], width=481)  # a size that no other picture has

    def held() -> int:
        return sum(isinstance(one, Image.Image) and one.size == (481, layout.height) for one in gc.get_objects())

    renderer = Renderer(layout, SITE)
    idle = View("idle")
    for view in (idle, View("wait"), View("wait", amount="20.00", tail="AAAA"), PAY, View("paid", amount="20.00")):
        renderer.compose(view)
    assert held() == 5
    renderer.forget(idle)
    assert held() == 2
    renderer.compose(View("wait"))
    assert held() == 2, "it was there still"
    renderer.compose(PAY)
    renderer.forget(PAY)
    assert held() == 3, "what is shown stays"
