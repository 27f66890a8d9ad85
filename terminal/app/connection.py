"""A process's connection to its broker: as which user, on behalf of which roles; and the embedded broker itself."""

import errno
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from functools import partial
from typing import TYPE_CHECKING

from terminal import __version__, build
from terminal.clock import Clock
from terminal.config import schema as sections
from terminal.config.broker_files import check_own_password, check_user_files
from terminal.config.file_errors import ConfigFileError
from terminal.config.schema import ConfigError, Settings, present
from terminal.mqtt.client import MqttClient
from terminal.mqtt.heartbeat import last_will

if TYPE_CHECKING:
    from broker.embedded import EmbeddedBroker

GARAGE_ROLES = ("broker", "worker", "listener", "console", "alerts", "discovery")
"""These serve a whole garage; the others stand at one lane."""

_ONE_FOR_RUN = 'mqtt.username = "{}" is the one for run'


async def enter_broker(stack: AsyncExitStack, settings: Settings, process: str) -> None:
    """Open the embedded broker in ``stack``. Raises ConfigError that names the key; BrokerError if no setting is
    wrong."""
    from broker.errors import BadUsers, PortInUse
    from terminal.contract.access import USERS

    broker, mqtt = settings.need(sections.BrokerSettings), settings.mqtt
    check_user_files(broker, (*USERS, *broker.watchers), mqtt.password_file if mqtt else None)
    made_here = mqtt and mqtt.password_file == broker.users / mqtt.username and not mqtt.password_file.exists()
    if mqtt and process == "run" and not made_here:
        build.password(mqtt)
        check_own_password(broker, mqtt, USERS)
    try:
        await stack.enter_async_context(open_broker(settings))
    except BadUsers as error:
        raise ConfigFileError("broker.users", str(error)) from None
    except PortInUse:
        in_use = OSError(errno.EADDRINUSE, "in use")
        key, why, advice = build.cannot_listen("broker", "127.0.0.1", broker.port, in_use)
        raise ConfigError(f"{key}: {why}", advice) from None


def open_broker(settings: Settings) -> "EmbeddedBroker":
    """The embedded broker of ``[broker]``, not entered yet."""
    from broker.embedded import EmbeddedBroker
    from terminal.contract import access

    broker, garage = settings.need(sections.BrokerSettings), settings.need(sections.GarageSettings).id
    announces = settings.discovery is not None
    return EmbeddedBroker(
        broker.users,
        access.USERS,
        watchers=broker.watchers,
        may_publish=partial(access.may_publish, garage=garage, watchers=broker.watchers, discovery=announces),
        may_subscribe=partial(access.may_subscribe, garage=garage, watchers=broker.watchers, discovery=announces),
        port=broker.port,
    )


def process_client(
    settings: Settings, roles: Sequence[str], process: str, clock: Clock, may_speak: Callable[[], bool] | None = None
) -> MqttClient:
    """The connection of a process that has these roles, not entered yet; raises ConfigError for a user that would never
    be served."""
    garage = settings.need(sections.GarageSettings).id
    broker, mqtt = settings.broker, settings.mqtt
    if broker and (mqtt is None or process != "run"):  # on our own broker, a role that runs alone has its own user
        mqtt = build.embedded_user(broker, mqtt, process)
    mqtt = present(mqtt, "mqtt.url")
    _check_user(settings, roles, process, mqtt.username)
    lane = None if set(roles) <= set(GARAGE_ROLES) or settings.lane is None else settings.lane.id
    # On another broker one user may serve several roles, which would push each other out under one client id.
    own = mqtt.username if process == "run" or mqtt.username.split(".")[0] == process else f"{mqtt.username}-{process}"
    client = build.mqtt_client(mqtt, own, will=lambda: will(), may_speak=may_speak)
    will = last_will(garage=garage, lane=lane, role=process, version=__version__, instance=client.instance, clock=clock)
    return client


def _check_user(settings: Settings, roles: Sequence[str], process: str, user: str) -> None:
    """A broker refuses a user whose will it may not publish, or drops what that user publishes, and does not say why.
    So this raises ConfigError that says what is wrong, instead of letting the role connect for ever. Of a user who is
    none of ours nothing is known here."""
    asks = [role for role in roles if role != "broker"]
    if not settings.broker and (process != "run" or not asks):
        return
    from terminal.contract import access

    garage, lane = settings.need(sections.GarageSettings).id, settings.lane.id if settings.lane else None
    if settings.broker and user not in access.USERS:
        text = f"mqtt.username: the embedded broker knows no {user}; there are {', '.join(access.USERS)}"
        raise ConfigError(text, _ONE_FOR_RUN.format("lane"))
    if process != "run" or not asks or not access.knows(user):
        return
    if topic := access.lacks(user, asks, garage=garage, lane=lane, process=process):
        right = "lane" if lane is None or not {*asks} <= {*access.KERB} else f"lane.{lane}"
        text = f"mqtt.username: {user} may not use {topic}, which run needs"
        raise ConfigError(text, f"{_ONE_FOR_RUN.format(right)}: deploy/install.md, 4")
