"""The barrier's decisions: messages and the boom's state in, effects out. No wait, no socket, no pin.

``role.py`` performs the effects in their order; a simulator can do the same with clocks of its own.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from terminal.clock import Clock
from terminal.contract.lift_rules import BarrierSituation, BarrierTrust, refusal
from terminal.contract.messages import Answer, Barrier, Health, Lift, RefusalReason, Vehicle, moment
from terminal.contract.topics import SILENT_MS, Topic
from terminal.core.model import BoomState
from terminal.mqtt.presence import Presence
from terminal.mqtt.throttle import Throttle
from terminal.roles.barrier.spent_lifts import LastRaise, SpentLifts

HOLD_MS = 5_500
"""How long after a connect a lift for a car waits for the first ``vehicle``, which comes every 5 s."""
LASTING = frozenset({"car"})
"""Reasons that may pass while the lift is still valid; its sender passes the payment on for them."""
FORGEABLE = frozenset({"signature", "proof"})
"""Reasons that anybody can provoke with a copy of a genuine lift, by its unsigned parts: they have no consequence."""
KEPT_MS = 1_000
"""How long after a connect a lift that names no car waits for caught_up(), while it is unknown whether there are loops:
the broker delivers the lifts of the cut before the retained ``vehicle`` that shows that there are loops."""
HELD = 16
"""How many lifts may wait at once."""
FORGED_EVERY_MS = 60_000
"""The least time between two alerts about forged lifts; those between are counted."""


@dataclass(frozen=True, slots=True)
class PublishBarrier:
    """Publish ``barrier``, with an answer if one is due."""

    answer: Answer | None = None


@dataclass(frozen=True, slots=True)
class RaiseBoom:
    """Journal the intent, call intended(), pulse the relay once, then tell the controller the outcome by raised(),
    failed() or unwritten()."""

    lift: Lift


@dataclass(frozen=True, slots=True)
class RefuseLift:
    """Journal the refusal, then tell the controller the outcome by refused() or unrefused()."""

    lift: Lift
    why: RefusalReason


@dataclass(frozen=True, slots=True)
class ReportForgery:
    """Alert a person that somebody tries to open the boom."""

    text: str


Effect = PublishBarrier | RaiseBoom | RefuseLift | ReportForgery


class BarrierController:
    """``mistrust_ms``: how long to refuse every lift, because what was spent before may be forgotten. After 60 s every
    lift signed before has expired."""

    def __init__(
        self, trust: BarrierTrust, spent: SpentLifts, clock: Clock, *, state: BoomState, mistrust_ms: int = 0
    ) -> None:
        self.state = state
        self._trust = trust
        self._spent = spent
        self._clock = clock
        self._raising: LastRaise | None = None
        self._pulsing: LastRaise | None = None
        self._vehicle: Vehicle | None = None
        self._vehicle_ms = 0
        self._presence = Presence(clock)
        self._held: dict[str, Lift] = {}
        self._has_loops = False
        self._heard_since_ms = clock.steady_ms()
        self._kept_until_ms = self._heard_since_ms
        self._trusted_from_ms = clock.steady_ms() + mistrust_ms
        self._refusing: set[str] = set()
        self._forgeries = Throttle(FORGED_EVERY_MS)

    @property
    def mistrusts(self) -> bool:
        """Is every lift still refused, because spent lifts may be forgotten?"""
        return self._clock.steady_ms() < self._trusted_from_ms

    @property
    def under_boom(self) -> bool:
        """Do the loops say that a vehicle is under the boom?"""
        vehicle = self._live_vehicle()
        return vehicle is not None and vehicle.under_boom

    def message(self, head: dict[str, Any], answer: Answer | None = None) -> Barrier:
        """``barrier`` as it stands now."""
        last = (self._pulsing if self.state != "down" else None) or self._spent.last
        if last is None:
            return Barrier(**head, state=self.state, answer=answer)
        return Barrier(
            **head, state=self.state, lift=last.lift, session=last.session, reason=last.reason, answer=answer
        )

    def on_lift(self, lift: Lift) -> Sequence[Effect]:
        """A lift came, for the first time or again."""
        why = refusal(lift, self._trust, self._situation())
        if why == "spent" and lift.id in self._spent.ids:
            if self._raising and self._raising.lift == lift.id:
                return []  # the pulse brings its answer
            return [PublishBarrier(Answer(lift.id, self._spent.outcome(lift.id), None, lift.order_no))]
        if lift.id in self._refusing:
            return []  # the flush brings its answer
        if why not in ("spent", "expired", *FORGEABLE) and (before := self._spent.refused_before(lift)):
            return [PublishBarrier(Answer(lift.id, "refused", before, lift.order_no))]
        if self._waits_for_loops(lift, why):
            held = self._held.setdefault(lift.id, lift)
            if moment(lift.not_after) > moment(held.not_after):  # signed anew; an older copy may follow it
                self._held[lift.id] = lift
            return []
        if why is None and self.mistrusts:
            why = "journal"
        if why is not None:
            return self._refuse(lift, why)
        self._spent.intend(lift)
        self._raising = LastRaise(lift.id, lift.session, lift.reason)
        return [RaiseBoom(lift)]

    def on_vehicle(self, vehicle: Vehicle, *, retained: bool) -> Sequence[Effect]:
        """The loops spoke. A retained message tells what was, not what is, and that there are loops."""
        self._has_loops = True
        if retained:
            return []
        self._vehicle, self._vehicle_ms = vehicle, self._clock.steady_ms()
        return self._judge_held()

    def on_health(self, topic: Topic, health: Health, *, retained: bool) -> None:
        """A role of this lane came or went."""
        self._presence.take(topic, health, retained=retained)

    def on_boom(self, state: BoomState) -> Sequence[Effect]:
        """The boom moved."""
        self.state = state
        return [PublishBarrier()]

    def on_connected(self) -> None:
        """There is a connection: from now on the loops can be heard."""
        self._heard_since_ms = self._clock.steady_ms()
        self._kept_until_ms = self._heard_since_ms + KEPT_MS

    def caught_up(self) -> Sequence[Effect]:
        """Everything that the broker had retained has arrived."""
        self._kept_until_ms = self._clock.steady_ms()
        return self._judge_held()

    @property
    def due_ms(self) -> int | None:
        """When on_time() must be called (ms, steady clock); None: never."""
        return min(map(self._held_until_ms, self._held.values()), default=None)

    def on_time(self) -> Sequence[Effect]:
        """Answer the lifts that waited in vain for the loops; the others go on waiting."""
        return self._judge_held()

    def intended(self) -> None:
        """The intent is journaled and the pulse follows: if the boom moves from now on, this lift moved it."""
        self._pulsing = self._raising

    def raised(self, lift: Lift) -> Sequence[Effect]:
        """The pulse was given."""
        self._raising = self._pulsing = None
        self._spent.done(lift)
        return [PublishBarrier(Answer(lift.id, "raised", None, lift.order_no))]

    def failed(self, lift: Lift) -> Sequence[Effect]:
        """The relay failed: whether the boom got the pulse is unknown, and stays so."""
        self._raising = self._pulsing = None
        return [PublishBarrier(Answer(lift.id, "unknown", None, lift.order_no))]

    def unwritten(self, lift: Lift) -> Sequence[Effect]:
        """The intent could not be journaled, so there was no pulse."""
        self._raising = None
        self._spent.withdraw(lift)
        return [PublishBarrier(Answer(lift.id, "refused", "journal", lift.order_no))]

    def refused(self, lift: Lift, why: RefusalReason) -> Sequence[Effect]:
        """The refusal is journaled: it stands, whatever happens."""
        self._refusing.discard(lift.id)
        self._spent.refuse(lift, why, self._clock.wall_ms())
        return [PublishBarrier(Answer(lift.id, "refused", why, lift.order_no))]

    def unrefused(self, lift: Lift) -> None:
        """The refusal could not be journaled, so it is not published: the lift expires, or its next copy is judged."""
        self._refusing.discard(lift.id)

    def _situation(self) -> BarrierSituation:
        vehicle, news = self._live_vehicle(), self._news()
        return BarrierSituation(
            self._clock.wall_ms(),
            news.car if news is not None and news.waiting else None,
            self.state == "down" and self._raising is None,
            self._spent.ids,
            self._spent.numbers,
            None if vehicle is None else vehicle.waiting,
        )

    def _live_vehicle(self) -> Vehicle | None:
        """The last live message of the loops; None if it is old or they are offline. Another vendor's device may
        publish ``vehicle`` without a health; then only the message's age counts."""
        if self._vehicle is None or self._clock.steady_ms() - self._vehicle_ms > SILENT_MS:
            return None
        beats = any(peer.role == "loops" and peer.at_ms is not None for peer in self._presence.all())
        return None if beats and not self._presence.online("loops") else self._vehicle

    def _news(self) -> Vehicle | None:
        """The same, if it came since the last connect: during a cut another car may have driven up unnoticed."""
        return self._live_vehicle() if self._vehicle_ms >= self._heard_since_ms else None

    def _waits_for_loops(self, lift: Lift, why: RefusalReason | None) -> bool:
        """Is it too early to know whether its car, or any car, waits? After a connect the lift may come before the
        loops' next message."""
        if why != "car" and not (why is None and lift.car is None):
            return False
        unheard = self._news() is None
        return unheard and self._clock.steady_ms() < self._held_until_ms(lift) and len(self._held) < HELD

    def _held_until_ms(self, lift: Lift) -> int:
        if lift.car is None and not self._has_loops:
            return self._kept_until_ms
        return self._heard_since_ms + HOLD_MS

    def _judge_held(self) -> Sequence[Effect]:
        held, self._held = self._held, {}
        return [effect for lift in held.values() for effect in self.on_lift(lift)]

    def _refuse(self, lift: Lift, why: RefusalReason) -> Sequence[Effect]:
        """Refuse a lift. Its sender then passes the payment on, so no copy of it may raise any more: if one might,
        later or after a restart, the refusal is journaled first."""
        if why == "signature":  # nothing of such a lift is believed, not even its order number
            return [
                PublishBarrier(Answer(lift.id, "refused", why)),
                *self._count_forged("no trusted key signed it"),
            ]
        if why in LASTING:
            self._refusing.add(lift.id)
            answer: Effect = RefuseLift(lift, why)
        else:
            answer = PublishBarrier(Answer(lift.id, "refused", why, lift.order_no))
        if why == "proof":
            return [answer, *self._count_forged("PayBy's signed words do not prove what it says")]
        return [answer]

    def _count_forged(self, text: str) -> Sequence[Effect]:
        if not (count := self._forgeries.take(self._clock.steady_ms())):
            return []
        more = f" ({count - 1} more since the last alert)" if count > 1 else ""
        return [ReportForgery(f"a lift was refused: {text}{more}")]
