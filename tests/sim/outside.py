"""Who lessens fees: a pay station before the exit, a shop that hands out coupons, some of them twice, and season passes
that several drivers share."""

import asyncio
import random
from typing import TYPE_CHECKING, Any, cast

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from terminal.contract.messages import Receipt, stamp
from terminal.contract.signatures import TrustedKeys, sign_credit
from terminal.contract.topics import GARAGE_WIDE
from terminal.core.coupon import CouponKind, is_coupon, read_coupon, sign_coupon
from terminal.core.ids import moment_of, parse_order_no
from terminal.core.model import Stay
from tests.sim.keys import HashKey
from tests.sim.net import Payload, SimBus, read

if TYPE_CHECKING:
    from tests.sim.payby_book import Order
    from tests.sim.plans import Plan
    from tests.sim.world import World

HOLDERS = frozenset({"pays", "slow", "backs out", "rescans", "two phones", "lingers", "wavers", "short"})
"""Drivers who may have been at the station, or in the shop."""
WORTH: tuple[tuple[CouponKind, int], ...] = (("free", 0), ("percent", 5000), ("amount", 500), ("minutes", 60))
TOLD_S, TIMES = 1.0, 20
"""How often the station says a credit again until it is answered, and at most how many times."""
LEAVES_S, SURELY_S = 3000.0, 600.0
"""How long a driver who paid may leave, and how long no clock of these worlds makes him pay again."""
SKEW_MS = 60_000


class Outside:
    """``coupon_keys`` and ``trusted`` are what the worker believes."""

    def __init__(self, world: "World", dice: random.Random) -> None:
        self._world, self._dice = world, dice
        is_real = world.options.real
        self._key = (
            Ed25519PrivateKey.generate() if is_real else cast(Ed25519PrivateKey, HashKey(dice.randbytes(32), 64))
        )
        self.trusted = TrustedKeys({"station": self._key.public_key()})
        self.coupon_keys = {"c1": dice.randbytes(32)}
        self._bus: SimBus | None = None
        self._handed: list[str] = []
        self._given: set[str] = set()
        """Ids of what was really given: coupons, and credits of the station."""
        self._answered: dict[str, str] = {}
        self._passes: dict[str, str] = {}
        self._passed: dict[str, list[tuple[str, int]]] = {}
        """By pass: the stays that it let out, and when it did."""
        self._noted_s: dict[str, float] = {}
        """When the worker had noted that a stay was paid at the station."""
        self._used: dict[str, str] = {}
        """For which stay each was counted."""

    @property
    def counted(self) -> int:
        """How many lessened a fee."""
        return len(self._used)

    @property
    def counts(self) -> dict[str, int]:
        """How many of each kind did, and for how many stays of another system's tickets."""
        foreign = self._world.foreign
        theirs = set().union(*foreign.stays.values()) if foreign else set()
        passes = sum(len(uses) for uses in self._passed.values())
        stations = len(self._noted_s.keys() & set(self._used.values()))
        return {
            "allowances": self.counted,
            "allowed by passes": passes,
            "allowed by the station": stations,
            "allowed by coupons": self.counted - passes - stations,
            **({"allowed to others' tickets": len(theirs & set(self._used.values()))} if foreign else {}),
        }

    def equips(self, plan: "Plan") -> None:
        """What a driver has in his hand when he comes to the exit."""
        if plan.kind == "lost" and self._world.foreign:
            plan.coupons = [self._coupon()]  # which nobody takes from him
            return
        if plan.kind not in HOLDERS or plan.is_free:
            return
        where = self._dice.random()
        theirs = self._world.foreign is not None and self._world.foreign.is_ours(plan.ticket)
        plan.was_at_station = where < 0.3 and not theirs  # it knows our tickets' stays alone
        if where > 0.85:
            plan.coupons = [self._pass()]
        if 0.3 <= where < 0.8:
            plan.coupons = [self._coupon() for _ in range(self._dice.choice((1, 1, 2, 3)))]

    def _coupon(self) -> str:
        """A fresh one, or the copy of one that was handed out before."""
        if self._handed and self._dice.random() < 0.3:
            return self._dice.choice(self._handed[-8:])
        world, (kind, value) = self._world, self._dice.choice(WORTH)
        until_ms = world.true_ms() + 86_400_000
        key = self.coupon_keys["c1"]
        text = sign_coupon(world.garage, self._dice.randbytes(10).hex(), kind, value, until_ms, "c1", key)
        self._given.add(read_coupon(text, self.coupon_keys, world.garage, world.true_ms()).id)
        self._handed.append(text)
        return text

    def _pass(self) -> str:
        """A new one, or one that another driver has too."""
        if self._passes and self._dice.random() < 0.7:
            return self._dice.choice(list(self._passes.values()))
        world, now = self._world, self._world.true_ms()
        serial, key = self._dice.randbytes(10).hex(), self.coupon_keys["c1"]
        text = sign_coupon(world.garage, serial, "pass", now // 60_000 - 60, now + 86_400_000, "c1", key)
        self._passes[read_coupon(text, self.coupon_keys, world.garage, now).id] = text
        return text

    @staticmethod
    def is_coupon(text: str) -> bool:
        return is_coupon(text)

    # The station

    async def is_paid(self, plan: "Plan") -> None:
        """A driver pays, and goes to his car once the worker has noted it, or when he has had enough."""
        world = self._world
        if self._bus is None:
            self._bus = SimBus(world.broker, "station", world.ids(world.true_ms()))
            self._bus.hears(self._hear, f"parking/{world.garage}/+/receipt")
        name = world.ids(world.true_ms())
        self._given.add(name)
        world.note("pays at the station", plan.session)
        for _ in range(TIMES):
            self._says(name, plan.session)
            await asyncio.sleep(TOLD_S)
            if self._answered.get(name) in ("noted", "duplicate"):
                self._noted_s[plan.session] = world.loop.now
                return

    def _says(self, name: str, session: str) -> None:
        world, bus = self._world, self._bus
        assert bus is not None
        now = world.true_ms()
        fields: dict[str, Any] = {
            "id": name, "at": stamp(now), "session": session, "kind": "paid", "by": "level 1", "amount": "20.00",
            "until": stamp(now + round(LEAVES_S * 1000)), "not_after": stamp(now + 50_000),
        }  # fmt: skip
        credit = sign_credit(self._key, world.garage, GARAGE_WIDE, key="station", **fields)
        bus.says(f"parking/{world.garage}/{GARAGE_WIDE}/credit", world.packed(credit))

    def _hear(self, _: str, payload: Payload, __: bool) -> None:
        said = read(Receipt, payload)
        if said.command in self._given:
            self._answered[said.command] = said.outcome

    # What must hold

    def looks(self, stay: Stay) -> None:
        """Each counts for one stay alone, and only what was given."""
        checks = self._world.checks
        if stay.lost is not None and stay.allowances:
            checks.wrong(f"I4: {stay.session} is a lost ticket's, and {stay.allowances[0].kind} counts for it")
        for one in stay.allowances:
            if one.by.startswith("pass "):
                self._by_pass(one.by.removeprefix("pass "), stay.session)
                self._given.add(one.id)
            owner = self._used.setdefault(one.id, stay.session)
            if owner != stay.session and not {owner, stay.session} & checks.forgotten:
                checks.wrong(f"I4: {one.kind} {one.id} counts for {owner} and for {stay.session}")
            if one.id not in self._given:
                checks.wrong(f"I1: {one.kind} {one.id} counts for {stay.session}, and nobody gave it")

    def _by_pass(self, name: str, session: str) -> None:
        """A pass lets out one car at a time; it is the worker's clock that tells what came first."""
        world, uses = self._world, self._passed.setdefault(name, [])
        if any(session == other for other, _ in uses):
            return
        if name not in self._passes:
            world.checks.wrong(f"I1: pass {name} counts for {session}, and nobody has it")
        for other, used_ms in uses:
            inside = moment_of(session) < used_ms - 2 * SKEW_MS
            if inside and abs(world.worker.clock.ahead_ms) < SKEW_MS and not {session, other} & world.checks.forgotten:
                world.checks.wrong(f"I4: pass {name} lets out {other} and {session}, which were inside at once")
        uses.append((session, world.true_ms()))

    def lets_out(self, session: str) -> bool:
        """May it leave free by what it was given?"""
        return session in self._used.values()

    def shown(self, order: "Order") -> None:
        """Nobody who has paid at the station is asked again while he may leave."""
        world = self._world
        name = parse_order_no(order.no)
        noted_s = self._noted_s.get(name.session if name else "")
        if name is None or noted_s is None or name.session in world.checks.forgotten:
            return
        if abs(world.worker.clock.ahead_ms) < SKEW_MS and world.loop.now < noted_s + SURELY_S:
            world.checks.wrong(f"I4: {order.no} is shown, and its driver has paid at the station")
