"""What stands at a lane: arm, loops, scanner and LCD, as machines; and the cars on it as they are.

Machines fail here: an arm sticks or comes down early, a loop bounces, sticks or falls silent. What the loops see and
what is there are two things, and only the checks know both.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from terminal.contract.messages import Health, Vehicle
from tests.sim.lcd import Lcd
from tests.sim.loop import Handle
from tests.sim.net import SimBus
from tests.sim.reader import Reader

if TYPE_CHECKING:
    from tests.sim.world import World
EVERY_S = 11.0
"""Vehicle and barrier speak so often without cause: the contract says every 5 s, and 15 s of silence mean absence."""


@dataclass(eq=False)
class Car:
    """A car as it is. ``sessions``: the stays whose tickets its driver has held under a scanner here, copies too."""

    name: str
    sessions: set[str] = field(default_factory=set)
    read: str | None = None
    """The stay whose ticket was read last."""
    owned: set[str] = field(default_factory=set)
    """The stays whose original tickets its driver holds."""
    has_passed: bool = False
    is_seen: bool = True
    """No loop notices some motorcycles."""


class Arm:
    """A barrier's own controller: a closed relay raises it, and it comes down by itself. Nothing drives it down."""

    def __init__(self, world: "World", *, rise_s: float, close_s: float) -> None:
        self.state: Literal["down", "rising", "up", "lowering"] = "down"
        self.is_stuck = False
        self.is_hasty = False
        """It comes down soon, even if a car still waits before it."""
        self.is_held = False
        """By hand, or by the fire alarm: it rises, and stays up."""
        self.lift: str | None = None
        """The lift by which it rose, until it is down again."""
        self.pulses = 0
        self.moved: Callable[[], None] = lambda: None
        self.covered = False
        """A car is under it; its own safety loop knows."""
        self.on_up: Callable[[], None] = lambda: None
        """The cars that wait for it."""
        self._world = world
        self._rise_s, self._close_s = rise_s, close_s
        self._next: Handle | None = None

    def pulse(self, lift: str | None = None) -> None:
        self.pulses += 1
        if not self.is_stuck:
            if self.state == "down":
                self.lift = lift
            self._rise()

    def forced_up(self) -> None:
        """By hand, or by the fire alarm."""
        self._rise()

    def hold(self, held: bool) -> None:
        """Keep it up, or let go of it."""
        self.is_held = held
        self._rise()

    def cover(self, covered: bool) -> None:
        self.covered = covered
        if covered and self.state == "lowering":
            self._rise()
        elif self.state == "up":
            self._enter("up", 1.0 if not covered else self._close_s)

    def _rise(self) -> None:
        if self.state == "up":
            self._enter("up", self._close_s)
        else:
            self._enter("rising", self._rise_s)

    def _enter(self, state: Literal["down", "rising", "up", "lowering"], for_s: float) -> None:
        if self._next:
            self._next.cancel()
        if state == "down":
            self.lift = None
        before, self.state = self.state, state
        self._next = None if state == "down" else self._world.loop.after(for_s, self._on)
        if state != before:
            self.moved()
            if state == "up":
                self.on_up()

    def _on(self) -> None:
        match self.state:
            case "rising":
                self._enter("up", self._close_s * (0.2 if self.is_hasty else 1.0))
            case "up" if self.covered or self.is_held:
                self._enter("up", 1.0)
            case "up":
                self._enter("lowering", self._rise_s)
            case "lowering" if self.covered:
                self._enter("rising", self._rise_s)
            case "lowering":
                self._enter("down", 0.0)


class Loops:
    """Two loops and the device that tells of them."""

    def __init__(self, world: "World", lane: str) -> None:
        self.stuck: bool | None = None
        """What the waiting loop says whatever is on it."""
        self.is_silent = False
        self.is_blind_below = False
        """The loop under the boom is dead: no vehicle is ever on it."""
        self.lied_until = -1.0
        self.car: str | None = None
        self.dice = world.dice_for(f"loops {lane}")
        self._world, self._lane = world, lane
        self._bus = SimBus(world.broker, f"loops {lane}", world.ids(world.true_ms()))
        self._topic = f"parking/{world.garage}/{lane}/vehicle"
        self._health = f"parking/{world.garage}/{lane}/health/loops"
        self._present = self._under = False
        self._said: tuple[bool, bool] = (False, False)
        self._changed_at = self._spoke_at = 0.0
        self._every: Handle | None = None
        self._bus.on_change(lambda connected: self._speak() if connected else None)
        self._speak()

    def sees(self, present: bool, under: bool) -> None:
        """What is on the loops now."""
        self._present, self._under = present, under and not self.is_blind_below
        if self._said != (self._waiting, self._under):
            self._speak()

    def sticks(self, level: bool | None) -> None:
        self.stuck = level
        self.lies()
        self.sees(self._present, self._under)

    def bounces(self) -> None:
        """The relay contact opens for a moment."""
        if self._present and self.stuck is None:
            self.stuck = False
            self.sees(self._present, self._under)
            self.stuck = None
            self._world.loop.after(0.3 + self.dice.random(), lambda: self.sees(self._present, self._under))
            self.lies()

    def silence(self, silent: bool) -> None:
        self.is_silent = silent
        self.lies()
        if self._world.loops_beat:
            self._beat("offline" if silent else "online")
        if not silent:
            self._speak()

    def blinds(self, blind: bool) -> None:
        """The loop under the boom is dead, or mended."""
        self.is_blind_below = blind

    def power(self, on: bool) -> None:
        """The lane's machine. When it is back, whatever waits there is a new vehicle to it."""
        if on:
            self._said = (False, False)
        self.silence(not on)

    def lies(self) -> None:
        """From now until the loop has been free once more, nobody can say which car it is."""
        self.lied_until = float("inf")

    @property
    def now(self) -> float:
        return self._world.loop.now

    @property
    def lost_s(self) -> float:
        """When the device lost its connection last."""
        return self._bus.lost_s

    @property
    def is_plain(self) -> bool:
        """Does everybody hear, just so, what is there?"""
        world = self._world
        clear = not world.weather.is_rough and world.loop.now > world.mended_at + world.weather.late_s
        heard = self._spoke_at > world.mended_at  # what was said in rough weather may have been lost
        return clear and heard and self._bus.connected and self.lied_until < world.loop.now

    @property
    def is_honest(self) -> bool:
        """The same, and not within a moment of a change."""
        return self.is_plain and self._world.loop.now - self._changed_at > 0.1

    @property
    def _waiting(self) -> bool:
        return self._present if self.stuck is None else self.stuck

    def _speak(self) -> None:
        world = self._world
        waiting = self._waiting
        if waiting != self._said[0]:
            self._changed_at = world.loop.now
        if waiting and not self._said[0]:
            self.car = world.ids(world.true_ms())
        if not waiting:
            self.car = None
            if self.stuck is None and not self._present and not self.is_silent:
                self.lied_until = min(self.lied_until, world.loop.now)
        self._said = (waiting, self._under)
        if self._every:
            self._every.cancel()
        self._every = world.loop.after(EVERY_S + self.dice.random(), self._speak)
        self.says_again()

    def says_again(self) -> None:
        """What it said last, as the contract's loops do every 5 s and these only where somebody needs it."""
        world = self._world
        if self.is_silent:
            return
        self._spoke_at = world.loop.now
        vehicle = Vehicle(**world.head(), waiting=self._said[0], under_boom=self._said[1], car=self.car)
        self._bus.says(self._topic, vehicle, retain=True, latest_only=True)
        if world.loops_beat:
            self._beat("online")

    def _beat(self, state: Literal["online", "offline"]) -> None:
        head = self._world.head()
        health = Health(**head, state=state, version="sim", instance=self._bus.instance, since=head["at"])
        self._bus.says(self._health, health, retain=True, latest_only=True)


@dataclass
class Site:
    """One lane, its machines, and who stands there."""

    name: str
    arm: Arm
    loops: Loops
    reader: Reader
    lcd: Lcd
    spot: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held by the car on the waiting loop."""
    front: Car | None = None
    under: Car | None = None
    since: float = 0.0
    """Since when this car stands there."""
    driver: Any = None
    """The car whose turn it is there."""
    barrier: Any = None
    log: list[tuple[float, str, str]] = field(default_factory=list)
    """Who passed when: (time, car, "passed" or "tailgated")."""
    on_clear: Callable[[], None] | None = None
    """A car that follows bumper to bumper: called at the moment when the car under the boom drives on."""

    def stands(self, car: Car | None) -> None:
        self.front, self.since = car, self.loops.now
        self._felt()

    def beneath(self, car: Car | None) -> None:
        self.under = car
        self.arm.cover(car is not None)
        self._felt()

    def clears(self) -> None:
        """The car under the boom is out."""
        follow, self.on_clear = self.on_clear, None
        if follow:
            follow()
        else:
            self.beneath(None)

    def power(self, on: bool) -> None:
        """The lane's machine: loops, scanner and screen; the arm has a controller of its own."""
        if on is not self.lcd.is_off:
            return
        self.loops.power(on)
        self.reader.power(on)
        self.lcd.is_off = not on

    def _felt(self) -> None:
        present, under = (car is not None and car.is_seen for car in (self.front, self.under))
        self.loops.sees(present, under)
