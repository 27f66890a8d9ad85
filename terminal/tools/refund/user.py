"""As whom `refund` connects: as a user of its own, so that it throws no role off the broker."""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

from msgspec.structs import replace

from terminal import build
from terminal.config import schema as sections
from terminal.config.schema import ConfigError, Settings
from terminal.contract import access
from terminal.contract.topics import topic
from terminal.mqtt.client import MqttClient
from terminal.mqtt.errors import REFUSALS, ConnectionRefused

USER = "refund"
RECIPE = 'deploy/operations.md, "Giving money back"'
_ANOTHER_ID = REFUSALS["Client identifier not valid"]


@contextlib.asynccontextmanager
async def connected(settings: Settings, lane: str) -> AsyncIterator[MqttClient]:
    """A connection that may send commands for ``lane``. Raises ConfigError, MqttError."""
    mqtt = refunder(settings)
    garage, user = settings.need(sections.GarageSettings).id, mqtt.username
    known = user.partition(".")[0] in access.USERS or user in access.WATCHERS
    if known and not access.may_publish(user, topic(garage, lane, "command"), garage=garage):
        raise ConfigError(f"mqtt.username: {user} may not send commands; use console or lane")
    async with contextlib.AsyncExitStack() as stack:
        try:
            opened = await stack.enter_async_context(build.mqtt_client(mqtt, f"{user}-refund", clean=True))
        except ConnectionRefused as error:  # a broker that binds ids to users, as the embedded one
            if _ANOTHER_ID not in str(error):
                raise
            opened = await stack.enter_async_context(build.mqtt_client(mqtt, user, clean=True))
        yield opened


def refunder(settings: Settings) -> sections.MqttSettings:
    """How to connect: as `refund`, whose password and certificate are beside the configuration's. Without them: on this
    machine's own broker as the console, elsewhere as the configuration's user under an id of our own. A broker that is
    reached by TLS may set each client's id to its user's name (the Mosquitto that we ship does), so there the user is
    needed. Raises ConfigError."""
    broker, mqtt = settings.broker, settings.mqtt
    if broker:
        return build.embedded_user(broker, mqtt, USER if (broker.users / USER).exists() else "console")
    mqtt = mqtt or settings.need(sections.MqttSettings)
    if mqtt.username == USER:
        return mqtt
    own = replace(
        mqtt,
        username=USER,
        password_file=mqtt.password_file.with_name(USER),
        cert_file=_beside(mqtt.cert_file),
        key_file=_beside(mqtt.key_file),
    )
    missing = [path for path in (own.password_file, own.cert_file, own.key_file) if path and not path.exists()]
    if not missing:
        return own
    known = mqtt.username.partition(".")[0] in access.USERS or mqtt.username in access.WATCHERS
    garage, lane = settings.need(sections.GarageSettings).id, settings.lane.id if settings.lane else "exit-1"
    if known and not access.may_publish(mqtt.username, topic(garage, lane, "command"), garage=garage):
        raise ConfigError(f"mqtt.username: {mqtt.username} may not send commands; use console or lane")
    if mqtt.url.startswith("mqtts:"):
        raise ConfigError(
            f"refund: {missing[0]} is not there, and as {mqtt.username} it could push that role off the broker;"
            f" make the broker's user {USER}: {RECIPE}"
        )
    return mqtt


def _beside(path: Path | None) -> Path | None:
    return path.with_name(USER + path.suffix) if path else None
