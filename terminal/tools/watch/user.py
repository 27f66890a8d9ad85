"""As whom `watch` connects: always as a watcher, so that it throws no role off the broker and can say nothing."""

import os
from pathlib import Path

from msgspec.structs import replace
from uuid_utils import uuid7

from terminal import build
from terminal.config import schema as sections
from terminal.config.schema import ConfigError, Settings
from terminal.contract import access
from terminal.mqtt.client import MqttClient


def watcher(
    settings: Settings, user: str | None, password_file: Path | None, url: str | None = None
) -> sections.MqttSettings:
    """How to connect: to ``url``, else where the configuration says; as ``user``, else the first of
    ``broker.watchers``, else `watch`; with the password in ``password_file``, else in the file of that name beside the
    configuration's. Raises ConfigError."""
    broker, mqtt = settings.broker, settings.mqtt
    name = user or (broker.watchers[0] if broker and broker.watchers else access.WATCHERS[0])
    if access.is_reserved(name):
        raise ConfigError(f"watch --user: {name} is a role's user, and would be thrown off; takes a watcher's")
    if broker:
        if name not in broker.watchers:
            names = ", ".join(broker.watchers) or "nobody"
            raise ConfigError(f"watch --user: {name} is not in broker.watchers, which has {names}")
        found = build.embedded_user(broker, mqtt, name)
    else:
        mqtt = mqtt or settings.need(sections.MqttSettings)
        found = replace(mqtt, username=name, password_file=mqtt.password_file.with_name(name))
    if url:
        found = replace(found, url=url)
    if password_file:
        found = replace(found, password_file=password_file.absolute())
    if not found.password_file.exists():
        mend = "start the broker once, which makes it" if broker else f"put the password of its user {name} there"
        raise ConfigError(f"watch: {found.password_file} is not there: {mend}, or name another by --password-file")
    return found


def connection(mqtt: sections.MqttSettings) -> MqttClient:
    """A connection with an id of its own, not entered yet: several may watch at once."""
    return build.mqtt_client(mqtt, f"{mqtt.username}-{os.getpid()}-{str(uuid7())[-6:]}", clean=True)
