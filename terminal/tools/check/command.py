"""``exit-terminal check``: is this installation ready? Prints a line for each part, and what to do about a failure.

Each check is a function from the settings to findings. None of them changes anything, so a running lane may be checked.
A machine is checked only for the sections that it has.
"""

import asyncio
from collections.abc import AsyncIterator

from terminal import build
from terminal.config import tokens
from terminal.config.schema import ConfigError, Settings
from terminal.tools.check.alert_receivers import alert_receivers
from terminal.tools.check.broker import broker
from terminal.tools.check.database import database
from terminal.tools.check.desk_users import desk_users
from terminal.tools.check.finding import Finding, Machine
from terminal.tools.check.journals import disk
from terminal.tools.check.keys import certificates, keys, passwords
from terminal.tools.check.lost_fee import lost_fee
from terminal.tools.check.machine import panel, pins, scanner
from terminal.tools.check.notifications import notifications
from terminal.tools.check.patroni import patroni
from terminal.tools.check.ports import ports
from terminal.tools.check.rabbitmq import rabbitmq
from terminal.tools.check.report import CheckReport
from terminal.tools.check.screens import fonts, idle_picture, lane_wifi, screens
from terminal.tools.check.services import payby_and_clock
from terminal.tools.check.user import user

LONGEST_S = 120.0


async def check(settings: Settings, machine: Machine, report: CheckReport) -> bool:
    """Report each finding as it comes; returns whether all are good. Raises TimeoutError after LONGEST_S."""
    good = True
    async with asyncio.timeout(LONGEST_S):
        for part in _PARTS:
            async for finding in part(settings, machine):
                good = good and finding.ok
                report.found(finding)
    report.judge(good)
    return good


async def configuration(settings: Settings, _: Machine) -> AsyncIterator[Finding]:
    """Does every role whose section is there have all that it needs?"""
    roles = settings.roles()
    try:
        settings.require(*roles)
        if not {"reader", "worker"}.isdisjoint(roles):
            build.tariff(settings)
        if settings.lookup and "worker" in roles:
            tokens.lookup_token(settings.lookup)
            build.lookup_tls(settings.lookup)
        if settings.console:
            tokens.metrics_token(settings.console)
    except ConfigError as error:
        yield Finding("configuration", False, error.text, error.advice)
        return
    text = f"{settings.file or 'from the environment'}; run starts {', '.join(roles)}"
    if roles:
        yield Finding("configuration", True, text)
    else:
        yield Finding(
            "configuration", False, "the configuration has no section for any role", "see deploy/exit-terminal.toml"
        )


_PARTS = (
    user, configuration, lost_fee, keys, passwords, certificates, desk_users, disk, database, patroni, fonts, pins,
    panel, screens, idle_picture, lane_wifi, scanner, ports, broker, rabbitmq, payby_and_clock, notifications,
    alert_receivers,
)  # fmt: skip
