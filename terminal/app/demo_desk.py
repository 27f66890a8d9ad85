"""The operator's desk in the demo: the real console role at the demo's own broker, and whoever opens it is signed in
as its manager."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

from aiohttp import web

from terminal import __version__, build
from terminal.app.console_options import console_options
from terminal.clock import SystemClock
from terminal.config import schema as sections
from terminal.config.schema import Settings
from terminal.config.users import FILE, JOURNAL, UsersFile
from terminal.mqtt.endpoint import Endpoint
from terminal.roles.console.desk_journal import DeskJournal
from terminal.roles.console.role import ConsoleRole
from terminal.roles.console.sign_in import SignIn, SignIns

MANAGER = "demo"


def _admit(_: web.Request, sign_ins: SignIns) -> tuple[str, SignIn]:
    return sign_ins.begin(MANAGER, "demo")


@asynccontextmanager
async def demo_desk(settings: Settings, folder: Path) -> AsyncIterator[web.Application]:
    """The desk's application, to be mounted at its path; its role runs until the block ends."""
    options, clock = replace(console_options(settings), admit=_admit), SystemClock()
    users = UsersFile(options.folder / FILE)
    await asyncio.to_thread(users.add, MANAGER, "manager", secrets.token_urlsafe(32), day="2026-01-01")
    url = settings.need(sections.MqttSettings).url
    mqtt = sections.MqttSettings(url, "console", folder / "secrets" / "mqtt" / "console")
    async with build.mqtt_client(mqtt, mqtt.username, clean=True) as mqtt_client:
        endpoint = Endpoint(
            mqtt_client,
            garage=settings.need(sections.GarageSettings).id,
            lane=None,
            role="console",
            version=__version__,
            clock=clock,
        )
        journal = await asyncio.to_thread(DeskJournal.open, options.folder / JOURNAL, clock.wall_ms())
        try:
            role = ConsoleRole(endpoint, journal, options, is_mounted=True)
            running = asyncio.create_task(role.run(), name="demo desk")
            try:
                yield role.app
            finally:
                running.cancel()
                await asyncio.gather(running, return_exceptions=True)
        finally:
            await asyncio.to_thread(journal.close)
