"""A lane's machine loses its power between the relay's pulse and the barrier's answer, and comes back minutes later."""

import asyncio
import contextlib
import time

from tests.chaos.drivers import PATIENCE_S, Driver, session_of
from tests.chaos.history import Car
from tests.chaos.reading import holder
from tests.chaos.scene import Scene

MACHINE = "barrier", "loops", "reader", "lcd"
ROUNDS = (
    ("done", 4.0),
    ("pin:1:1", 4.0),
    ("done", 240.0),
    ("pin:0:1", 95.0),
    ("pin:1:1", 240.0),
    ("done", 300.0),
    ("before:done:1", 230.0),
)
"""Where the barrier dies, and how long the machine stays away. ``done``: its journal has all, and its answer is lost. A
lift is signed anew for 155 s, and its payment is held for 60 s more; then it is credit, for a minute here."""
LATE_S = 235.0
"""Who comes back so late finds that the payment has passed on."""
DIES_S = 20.0
"""After its pulse a barrier has died by then, however busy the machine is."""
TOLD_S = 15.0
KNOWN = frozenset({"raised", "used", "person"})
"""Who may hold a payment that raised."""


async def power_cuts(scene: Scene, count: int, until: float, slack: float) -> list[str]:
    """The car drives out in the dark. When the machine is back, its payment has raised or is a person's: nobody else
    leaves by it, a copy of the ticket is refused, and the next driver is served."""
    wrong: list[str] = []
    for step, away_s in ROUNDS[:count]:
        if time.monotonic() > until:
            break
        mark = len(scene.ears.alerts)
        car, ticket, is_known = await _cut(scene, step, away_s)
        if not car.out or not car.paid:
            wrong.append(f"{step}: the car before the cut did not leave")
            continue
        number = car.paid[0]
        if not await _known(scene, number, slack):
            wrong.append(f"{step}, away for {away_s:g} s: {number} raised, and is held by {holder(scene, number)}")
        codes = {alert["code"] for alert in scene.ears.alerts[mark:] if alert.get("session") == car.session}
        late, person = away_s >= LATE_S, holder(scene, number) == "person"
        if ((late and not is_known) or person) and not codes & {"raised-late", "lift-unknown"}:
            wrong.append(f"{step}, away for {away_s:g} s: no person was told of {number}, but {sorted(codes)}")
        before = "its raise was heard of" if is_known else "nobody had heard of its raise"
        scene.note(f"{step}, away for {away_s:g} s, {before}: {holder(scene, number)}, {sorted(codes)}")
        if (await scene.car("copies", ticket=ticket)).out:
            wrong.append(f"{step}: a copy of a ticket whose car had left in the dark let another out")
        if not (await scene.car()).out:
            wrong.append(f"{step}: the next car did not leave after the power was back")
    return wrong


async def _cut(scene: Scene, step: str, away_s: float) -> tuple[Car, str, bool]:
    """One car pays, and the machine dies as the boom rises for it. When it is back, returns the car, its ticket, and
    whether its raise was heard of before."""
    kerb = scene.kerbs[0]
    dies = "after:done:1" if step == "done" else step
    pulses, died, tickets = len(kerb.pulses), kerb.hits[f"barrier {dies}"], list[str]()
    scene.spare("barrier")
    kerb.arm("barrier", dies)

    async def readied(driver: Driver) -> None:
        tickets.append(driver.ticket)

    driving = asyncio.create_task(scene.car(readied=readied), name="the car before the cut")
    said = len(kerb.said)

    def heard(what: str) -> bool:
        return any(w == what and m.get("session") == session_of(tickets[-1]) for w, m in kerb.said[said:] if tickets)

    if step == "done" and await scene.bell.until(lambda: heard("lift") or driving.done(), PATIENCE_S):
        scene.line.mute()  # the switch goes first: nobody hears of the raise
    await scene.bell.until(lambda: len(kerb.pulses) > pulses or driving.done(), PATIENCE_S)
    await scene.bell.until(lambda: kerb.hits[f"barrier {dies}"] > died or driving.done(), DIES_S)
    kerb.disarm()
    roles = [role for role in MACHINE if role in scene.roles]
    scene.off(*roles)
    scene.line.flow()
    car = await driving
    is_known = heard("barrier")
    await asyncio.sleep(away_s)
    scene.on(*roles)
    await scene.online()
    return car, tickets[0] if tickets else "", is_known


async def _known(scene: Scene, number: str, slack: float) -> bool:
    """Does the worker come to know, soon after the barrier is back, that the payment has raised, or may have?"""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(TOLD_S * slack):
            while holder(scene, number) not in KNOWN:
                await scene.bell.beyond(scene.bell.rung, 1.0)
    return holder(scene, number) in KNOWN
