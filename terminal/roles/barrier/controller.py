"""What the barrier decides: messages and the boom's state in, effects out. No wait, no socket, no pin.

The shell (``__init__.py``) performs the effects in their order; a simulator can do the same with clocks of its own.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from terminal.clock import Clock
from terminal.contract.lift_rules import BarrierSituation, BarrierTrust, refusal
from terminal.contract.messages import Answer, Barrier, Health, LastLift, Lift, RefusalReason, Vehicle, moment
from terminal.contract.topics import SILENT_MS, Topic
from terminal.core.model import BoomState
from terminal.mqtt.presence import Presence
from terminal.mqtt.throttle import Throttle
from terminal.roles.barrier.spent_lifts import LastRaise, SpentLifts

HOLD_MS = 5_500
"""How long after a connect a lift for a car waits for the first ``vehicle``, which comes every 5 s."""
LASTING = frozenset({"car"})
"""Reasons that may pass while the lift is still valid, and for which its sender passes its payment on."""
FORGEABLE = frozenset({"signature", "proof"})
"""Reasons that anybody can draw for a copy of a genuine lift, by what is not signed of it: they have no consequence."""
KEPT_MS = 1_000
"""How long after a connect one for no named car waits, where nothing is known of loops, until caught_up(): the broker
hands out the lifts of meanwhile before the ``vehicle`` that it keeps, by which there are loops."""
HELD = 16
"""Lifts that may wait so at once."""
FORGED_EVERY_MS = 60_000
"""One alert about forged lifts in so much time; the others are counted."""


@dataclass(frozen=True, slots=True)
class PublishBarrier:
    """Publish ``barrier``; with an answer, if one is due. ``ended``: the raise that is over with the arm's being down,
    which is named once more."""

    answer: Answer | None = None
    ended: LastRaise | None = None


NOTHING_NEW = PublishBarrier()


@dataclass(frozen=True, slots=True)
class RaiseBoom:
    """Journal the intent, say so by intended(), pulse the relay once, then tell the gate what came of it: raised(),
    failed(), or unwritten()."""

    lift: Lift


@dataclass(frozen=True, slots=True)
class RefuseLift:
    """Journal the refusal, then tell the gate what came of it: refused(), unrefused()."""

    lift: Lift
    why: RefusalReason


@dataclass(frozen=True, slots=True)
class ReportForgery:
    """Tell a person that somebody tries to open the boom."""

    text: str


Effect = PublishBarrier | RaiseBoom | RefuseLift | ReportForgery


class BarrierController:
    """``mistrust_ms``: refuse every lift for so long, because what was spent before may be forgotten. With 60 s,
    every lift signed before has expired by then."""

    def __init__(
        self, trust: BarrierTrust, spent: SpentLifts, clock: Clock, *, state: BoomState, mistrust_ms: int = 0
    ) -> None:
        self.state = state
        self._trust = trust
        self._spent = spent
        self._clock = clock
        self._raising: LastRaise | None = None
        self._pulsing: LastRaise | None = None
        self._risen_by = spent.last if state != "down" else None
        """The raise that the arm is about; None at rest, and of an arm that was raised by hand."""
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
        """Is every lift still refused, for what may be forgotten?"""
        return self._clock.steady_ms() < self._trusted_from_ms

    @property
    def under_boom(self) -> bool:
        """Do the loops say that a vehicle is under the boom?"""
        vehicle = self._live_vehicle()
        return vehicle is not None and vehicle.under_boom

    def message(self, head: dict[str, Any], say: PublishBarrier = NOTHING_NEW) -> Barrier:
        """``barrier`` as it stands now."""
        if by := (self._pulsing if self.state != "down" else None) or self._risen_by or say.ended:
            return Barrier(
                **head, state=self.state, lift=by.lift, session=by.session, reason=by.reason, answer=say.answer
            )
        last = LastLift(*self._spent.last) if self._spent.last else None
        return Barrier(**head, state=self.state, answer=say.answer, last=last)

    def on_lift(self, lift: Lift) -> Sequence[Effect]:
        """A lift came; the first time or again."""
        why = refusal(lift, self._trust, self._situation())
        if why == "spent" and lift.id in self._spent.ids:
            if self._raising and self._raising.lift == lift.id:
                return []  # its answer follows the pulse
            return [PublishBarrier(Answer(lift.id, self._spent.outcome(lift.id), None, lift.order_no))]
        if lift.id in self._refusing:
            return []  # its answer follows the flush
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
        """The loops spoke; a retained message says what was, not what is, and that there are loops."""
        self._has_loops = True
        if retained:
            return []
        self._vehicle, self._vehicle_ms = vehicle, self._clock.steady_ms()
        return self._judge_held()

    def on_health(self, topic: Topic, health: Health, *, retained: bool) -> None:
        """A role of this lane is there, or no longer."""
        self._presence.take(topic, health, retained=retained)

    def on_boom(self, state: BoomState) -> Sequence[Effect]:
        """The boom moved."""
        self.state = state
        ended = None
        if state == "down":
            ended, self._risen_by = self._risen_by, None
        return [PublishBarrier(ended=ended)]

    def on_connected(self) -> None:
        """From now on the loops can be heard (again)."""
        self._heard_since_ms = self._clock.steady_ms()
        self._kept_until_ms = self._heard_since_ms + KEPT_MS

    def caught_up(self) -> Sequence[Effect]:
        """What the broker had kept is heard."""
        self._kept_until_ms = self._clock.steady_ms()
        return self._judge_held()

    @property
    def due_ms(self) -> int | None:
        """When on_time() must be called, by the steady clock; None for never."""
        return min(map(self._held_until_ms, self._held.values()), default=None)

    def on_time(self) -> Sequence[Effect]:
        """Lifts that waited for a vehicle's word in vain are answered; the others go on waiting."""
        return self._judge_held()

    def intended(self) -> None:
        """The intent is journaled, and the pulse follows: if the boom moves from now on, it is by this lift."""
        self._pulsing = self._raising

    def raised(self, lift: Lift) -> Sequence[Effect]:
        """The pulse was given."""
        self._raising = self._pulsing = None
        self._risen_by = LastRaise(lift.id, lift.session, lift.reason)
        self._spent.done(lift)
        return [PublishBarrier(Answer(lift.id, "raised", None, lift.order_no))]

    def failed(self, lift: Lift) -> Sequence[Effect]:
        """The relay failed: whether the boom heard of it is unknown, and stays so."""
        self._raising = self._pulsing = None
        return [PublishBarrier(Answer(lift.id, "unknown", None, lift.order_no))]

    def unwritten(self, lift: Lift) -> Sequence[Effect]:
        """The intent could not be journaled, and nothing was pulsed."""
        self._raising = None
        self._spent.withdraw(lift)
        return [PublishBarrier(Answer(lift.id, "refused", "journal", lift.order_no))]

    def refused(self, lift: Lift, why: RefusalReason) -> Sequence[Effect]:
        """The refusal is journaled: it stands, whatever happens."""
        self._refusing.discard(lift.id)
        self._spent.refuse(lift, why, self._clock.wall_ms())
        return [PublishBarrier(Answer(lift.id, "refused", why, lift.order_no))]

    def unrefused(self, lift: Lift) -> None:
        """The refusal could not be journaled, so it is not said: the lift runs out, or its next copy is judged."""
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
        """The last live message of the loops, unless it is old or they are offline. Another vendor's device may
        publish ``vehicle`` and no health; then its age alone counts."""
        if self._vehicle is None or self._clock.steady_ms() - self._vehicle_ms > SILENT_MS:
            return None
        beats = any(peer.role == "loops" and peer.at_ms is not None for peer in self._presence.all())
        return None if beats and not self._presence.online("loops") else self._vehicle

    def _news(self) -> Vehicle | None:
        """The same, said since the last connect: during a cut another car may have driven up unheard."""
        return self._live_vehicle() if self._vehicle_ms >= self._heard_since_ms else None

    def _waits_for_loops(self, lift: Lift, why: RefusalReason | None) -> bool:
        """Is it too early to say whether its car waits, or anybody? After a connect the lift may well come before the
        loops' next word."""
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
        """Say no. Whoever sent the lift then passes its payment on, so that no copy of it may raise any more: where one
        might, later or after a restart, the refusal is journaled first."""
        if why == "signature":  # of such a lift nothing is believed, its order number neither
            return [
                PublishBarrier(Answer(lift.id, "refused", why)),
                *self._count_forged("its signature is not one that counts"),
            ]
        if why in LASTING:
            self._refusing.add(lift.id)
            answer: Effect = RefuseLift(lift, why)
        else:
            answer = PublishBarrier(Answer(lift.id, "refused", why, lift.order_no))
        if why == "proof":
            return [answer, *self._count_forged("PayBy's words do not bear out what it says")]
        return [answer]

    def _count_forged(self, text: str) -> Sequence[Effect]:
        if not (count := self._forgeries.take(self._clock.steady_ms())):
            return []
        more = f" ({count - 1} more since the last alert)" if count > 1 else ""
        return [ReportForgery(f"a lift was refused: {text}{more}")]
