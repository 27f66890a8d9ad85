"""What a world may be full of: more of one kind of trouble, or of people, than a usual one has."""

from dataclasses import replace
from typing import TYPE_CHECKING

from tests.sim.foreign import ForeignSystem
from tests.sim.net import Weather
from tests.sim.outside import Outside
from tests.sim.plans import KINDS
from tests.sim.trouble import FAULTS

if TYPE_CHECKING:
    from tests.sim.world import World

CALM = Weather()
"""What the loops say arrives: then it is known who stands where."""


def fill(world: "World", climate: str) -> None:
    """Make ``world`` full of ``climate``, one of CLIMATES; empty for a bit of all."""
    match climate:
        case "storm":
            world.weather = Weather(lost=0.05, twice=0.15, late=0.2, late_s=3.0)
            world.troubles_every_s = 15.0
        case "intruder":
            world.intruder_every_s = 3.0
        case "payer":
            world.kinds, world.mood.revives = {"slow": 4.0, "two phones": 1.0}, 1.0
            world.rules = replace(world.rules, cancel_after=20_000)
        case "operator":
            world.faults, world.troubles_every_s = {"command": 1.0}, 4.0
        case "barrier":
            world.faults = {k: v for k, v in FAULTS.items() if "barrier" in k} | {"arm is hasty": 2.0}
            world.troubles_every_s, world.flush_s, world.restarts_s = 6.0, 0.4, 0.5
            world.weather = Weather(lost=0.05, twice=0.2, late=0.1, late_s=3.0)
        case "copies":
            _copies(world)
        case "held open":
            world.kinds = {"pays": 4.0, "pays first": 8.0, "lingers": 5.0, "follows": 6.0, "free": 2.0, "short": 1.0}
            world.faults = {"held open": 3.0, "forced open": 2.0, "barrier dies": 0.3, "loop under boom dead": 0.5}
            world.weather, world.troubles_every_s = replace(CALM), 15.0
        case "power":
            world.kinds = {"pays": 6.0, "free": 3.0, "pays and backs out": 1.0, "wavers": 2.0, "slow": 2.0, "copy": 1.0}
            world.faults = {"lane loses power": 1.0, "lane loses power at a step": 5.0, "worker dies": 0.5}
            world.faults |= {"arm is hasty": 3.0, "barrier dies": 2.0, "barrier's line": 2.0}
            world.weather, world.troubles_every_s = replace(CALM), 12.0
        case "put back":
            world.kinds = {"pays": 6.0, "free": 2.0, "slow": 1.0, "pays and backs out": 2.0, "two phones": 1.0}
            head = world.dice_for("put back").random() < 0.7
            world.faults = {"journal put back" if head else "journal put back without its head": 3.0}
            world.faults["worker dies"] = 0.5
            world.weather, world.troubles_every_s = replace(CALM), 40.0
        case "stolen lane":
            world.kinds = {**KINDS, "copy": 5.0, "lost": 8.0}
            world.faults = {"worker dies": 1.0, "listener dies": 0.3}
            world.weather, world.troubles_every_s, world.stolen_every_s = replace(CALM), 120.0, 1.5
        case "look-ups":
            world.foreign = ForeignSystem(world, world.dice_for("look-ups"))
            world.faults = {**FAULTS, "worker dies": 20.0}
        case "allowances":
            world.outside = Outside(world, world.dice_for("allowances"))
            world.kinds = {**KINDS, "lost": 4.0}
            world.faults = {**FAULTS, "worker dies": 20.0}
        case "all tickets":
            world.foreign = ForeignSystem(world, world.dice_for("look-ups"))
            world.outside = Outside(world, world.dice_for("allowances"))
            world.kinds = {**KINDS, "lost": 6.0}
            world.faults = {**FAULTS, "worker dies": 10.0}
        case "pair":
            world.has_pair = world.folder is None
            world.faults = {**FAULTS, "worker freezes": 6.0, "worker freezes at a step": 12.0}
            world.faults |= {"worker loses its database": 6.0, "journal put back": 0.5}
            world.troubles_every_s = 20.0
        case "clocks":
            world.faults = {"worker starts with a wrong clock": 3.0, "barrier's clock": 1.0, "worker's clock": 1.0}
            world.troubles_every_s = 20.0


def _copies(world: "World") -> None:
    """Tickets' copies everywhere, loops that have gaps or do not see below the boom, arms that come down early."""
    dice = world.dice_for("copies")
    world.kinds = {
        "pays": 5.0,
        "free": 3.0,
        "copy": 10.0,
        "short": 3.0,
        "fumbles": 2.0,
        "wavers": 1.0,
        "lingers": 1.0,
        "follows": 1.0,
        "slow": 1.0,
        "pays and backs out": 1.0,
    }
    world.faults = {"arm is hasty": 3.0, "loop under boom dead": 2.0, "barrier's line": 1.0, "arm sticks": 1.0}
    world.weather, world.troubles_every_s = replace(CALM), dice.choice((10.0, 30.0, 300.0))
    world.are_blind_below = dice.random() < 0.3
