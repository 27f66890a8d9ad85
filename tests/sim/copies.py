"""Drivers with a copy of somebody's ticket: read at his lane after him or at another one, at any moment of his visit,
and again and again.
"""

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.sim.drivers import Driver

LOOKS_S = 0.2
PATIENCE_S = 45.0
"""How long a driver with a copy waits for the right moment."""


async def tries_copies(driver: "Driver") -> bool:
    """Read the copy; drive out if the boom rises, else leave or go on with one's own ticket. True once out."""
    dice = driver.dice
    ticket = await _waits_for_copy(driver)
    pays = dice.random() < 0.3
    for _ in range(dice.choice((1, 2, 4, 10))):
        if ticket:
            driver.scan(ticket)
        began = driver.world.loop.now
        wait_s = dice.choice((0.5, 3.0, 12.0, 25.0))
        while driver.world.loop.now - began < wait_s:
            if driver.may_drive(began):
                if dice.random() < 0.8:
                    driver.plan.kind = "pays"
                    return await driver.drives()
                break  # he lets it come down, and reads again
            if pays and (token := driver.site.lcd.token()):
                driver.scans_code(token)
            await driver.looks_again(dice.uniform(0.5, 2.0))
    driver.plan.kind = "pays"
    return dice.random() < 0.6 and await driver.goes_on()


async def _waits_for_copy(driver: "Driver") -> str:
    """Whose ticket it is, and until what of his visit; empty where nobody is there."""
    world, dice = driver.world, driver.dice
    others = [site.driver for site in world.sites.values() if site is not driver.site and site.driver]
    if not others or dice.random() < 0.3:
        await asyncio.sleep(dice.uniform(0, 3))
        return dice.choice(world.seen_tickets[-4:]) if world.seen_tickets else ""
    victim: Driver = dice.choice(others)
    stage, began = dice.randrange(7), world.loop.now
    while victim.stage < stage and world.loop.now - began < PATIENCE_S and victim.site.driver is victim:
        await asyncio.sleep(LOOKS_S)
    await asyncio.sleep(dice.choice((0.0, 0.1, 1.0, 5.0)) * dice.random())
    return victim.plan.ticket
