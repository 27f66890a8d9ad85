"""A barrier's controller at a desk: clocks that a test turns, rows that it journals, pulses that it counts."""

from collections.abc import Iterable
from typing import Any

from terminal.contract.messages import Answer, Health, Lift, stamp
from terminal.contract.topics import parse
from terminal.core.model import BoomState
from terminal.journal.rows import Row
from terminal.roles.barrier.controller import BarrierController, Effect, PublishBarrier, RaiseBoom, RefuseLift
from terminal.roles.barrier.spent_lifts import SpentLifts, done_row, intent_row, refused_row
from tests.support.lifts import GARAGE, HEAD, LANE, NOW, trust, vehicle
from tests.support.turned_clock import TurnedClock


def loops_health(state: Any = "online") -> Health:
    return Health(**HEAD, state=state, version="1", instance="loops", since=stamp(NOW))


LOOPS = parse(f"parking/{GARAGE}/{LANE}/health/loops")


class Desk:
    """A gate with a car before it, a journal of rows, and the pulses that were given."""

    def __init__(self, *, state: BoomState = "down", heard: bool = True, mistrust_ms: int = 0) -> None:
        self.clock = TurnedClock(NOW)
        self.rows: list[tuple[str, bytes]] = []
        self.pulsed: list[str] = []
        self.start(state=state, mistrust_ms=mistrust_ms)
        if heard:
            self.controller.on_vehicle(vehicle(), retained=False)

    def start(self, *, state: BoomState = "down", mistrust_ms: int = 0) -> None:
        spent = SpentLifts()
        spent.replay(Row(n, NOW, kind, data) for n, (kind, data) in enumerate(self.rows, 1))
        self.controller = BarrierController(trust(), spent, self.clock, state=state, mistrust_ms=mistrust_ms)

    def journal(self, tried: Lift) -> None:
        self.rows.append(intent_row(tried))

    def pulse(self, tried: Lift) -> list[Effect]:
        self.controller.intended()
        self.pulsed.append(tried.id)
        return list(self.controller.raised(tried))

    def serve(self, tried: Lift) -> Answer | None:
        """Everything that a lift leads to when nothing fails."""
        return self.perform(self.controller.on_lift(tried))

    def perform(self, effects: Iterable[Effect]) -> Answer | None:
        """The same of what a lift or the loops' word led to."""
        said: list[Effect] = []
        for effect in effects:
            if isinstance(effect, RaiseBoom):
                self.journal(effect.lift)
                said += self.pulse(effect.lift)
                self.rows.append(done_row(effect.lift))
            else:
                said += self.refuse([effect])
        return answer_in(said)

    def refuse(self, effects: Iterable[Effect]) -> list[Effect]:
        """Journal what is refused for good."""
        said: list[Effect] = []
        for effect in effects:
            if isinstance(effect, RefuseLift):
                self.rows.append(refused_row(effect.lift, effect.why))
                said += self.controller.refused(effect.lift, effect.why)
            else:
                said.append(effect)
        return said


def answer_in(effects: Iterable[Effect]) -> Answer | None:
    found = [effect.answer for effect in effects if isinstance(effect, PublishBarrier)]
    assert len(found) <= 1
    return found[0] if found else None
