"""The broker: does it answer, by TLS if it should, and may this user do there what `run` does?

It goes step by step, so that each fault gets its own message: the user's rights as they are known, the socket, the
handshake, then the connection. If a process of ours is connected, the check makes no second connection: some brokers
(our configuration of Mosquitto binds client ids to users) would end the first, and with it a lane at work.
"""

import asyncio
from collections.abc import AsyncIterator

from terminal import build
from terminal.config.schema import ConfigError, MqttSettings, Settings
from terminal.contract.access import USERS, knows, lacks
from terminal.mqtt.dial_faults import dial_fault
from terminal.mqtt.errors import REFUSALS, ConnectionRefused, MqttError
from terminal.mqtt.transport import dialled, tls_context, where
from terminal.tools.check.finding import Finding, Machine
from terminal.tools.check.rights import heard_back

_WRONG_ID = REFUSALS["Client identifier not valid"]
_LIMIT_S = 5.0
_LOOPBACK = ("127.0.0.1", "localhost")


async def broker(settings: Settings, machine: Machine) -> AsyncIterator[Finding]:
    """Does the broker let this user in, and may it do there what `run` does? Unproven while the embedded broker is not
    running, or the running service is connected."""
    if not (mqtt := settings.mqtt):
        return
    try:
        host, port, secure = where(mqtt.url)
    except ValueError:
        advice = "write mqtt://HOST:PORT, or mqtts://HOST:PORT for TLS"
        yield Finding("broker", False, "mqtt.url names no host and port", advice, about="mqtt.url")
        return
    if "broker" in settings.absent:
        yield Finding("broker", True, "not asked: [broker] must be completed first", but="unproven", about="mqtt.url")
        return
    if wrong := _user(settings, mqtt):
        yield wrong
        if not wrong.ok:
            return
    if settings.broker:
        if settings.broker.port != port:
            text = f"mqtt.url has port {port}, but the embedded broker listens on {settings.broker.port}"
            yield Finding("broker", False, text, "make mqtt.url and broker.port agree")
            return
        if host not in _LOOPBACK or secure:
            text = f"mqtt.url is {mqtt.url}, but the embedded broker is at mqtt://127.0.0.1:{port}"
            yield Finding("broker", False, text, "correct mqtt.url, or leave [broker] out", about="mqtt.url")
            return
        if not machine.listens(port):
            yield Finding("broker", True, "embedded, not running; run starts it", but="unproven", about="mqtt.url")
            return
    yield await _reach(settings, mqtt, host, port, secure, machine)


def _user(settings: Settings, mqtt: MqttSettings) -> Finding | None:
    """What is known of its rights without asking the broker; None if they are enough."""
    roles = tuple(role for role in settings.roles() if role not in ("broker",))
    garage, lane = settings.garage, settings.lane.id if settings.lane else None
    name, user, about = "user mqtt.username", mqtt.username, "mqtt.username"
    if settings.broker and user not in USERS:
        text = f"the embedded broker knows no {user}; there are {', '.join(USERS)}"
        return Finding(name, False, text, 'mqtt.username = "lane" is the one for run')
    if not garage or not roles:
        return None
    if not knows(user):
        text = f"{user} is none of the users whose rights are known here: the broker's own rules say what it may"
        return Finding(name, True, text, but="unproven", about=about)
    topic = lacks(user, roles, garage=garage.id, lane=lane, process="run")
    if not topic:
        return None
    if len(roles) == 1 and not lacks(user, roles, garage=garage.id, lane=lane, process=roles[0]):
        text = f"{user} may serve as `exit-terminal {roles[0]}`, and not by run"
        return Finding(name, True, text, but="warning", about=about)
    right = "lane" if "worker" in roles or lane is None else f"lane.{lane}"
    advice = f'mqtt.username = "{right}" is the one for run: deploy/install.md, 4'
    return Finding(name, False, f"{user} may not use {topic}, which run needs", advice, about=about)


async def _reach(
    settings: Settings, mqtt: MqttSettings, host: str, port: int, secure: bool, machine: Machine
) -> Finding:
    try:
        build.check_certificate_files(mqtt)
        context = tls_context(mqtt.ca_file, mqtt.cert_file, mqtt.key_file) if secure else None
        build.password(mqtt)
    except ConfigError:  # their own lines report it
        return Finding("broker", True, "not asked: [mqtt] names a file that must be corrected first", but="unproven")
    try:
        (await asyncio.to_thread(dialled, host, port, context, _LIMIT_S)).close()
    except (OSError, UnicodeError) as error:
        fault = dial_fault(error, mqtt.ca_file)
        return Finding("broker", False, f"{mqtt.url} {fault.words}", fault.advice, about=fault.about)
    if await asyncio.to_thread(machine.connected_to, host, port):
        text = (
            f"{mqtt.url} answers, and the running service is connected there; whether {mqtt.username} is, health tells"
        )
        return Finding("broker", True, text, but="unproven", about="mqtt.url")
    return await _knock(settings, mqtt)


async def _knock(settings: Settings, mqtt: MqttSettings) -> Finding:
    """Connect under a client id that no role has, because this check would push out a role that has it."""
    try:
        async with build.mqtt_client(mqtt, f"{mqtt.username}-check", clean=True) as mqtt_client:
            connected, why = mqtt_client.connected, mqtt_client.trouble
            if connected and (unheard := await heard_back(mqtt_client, settings, mqtt)):
                return unheard
    except ConnectionRefused as error:
        if _WRONG_ID not in str(error):  # a broker that binds ids to users has checked the password first
            return Finding("broker", False, error.text, error.advice, about="mqtt.username")
        connected, why = True, ""
    except (MqttError, ConfigError) as error:
        return Finding("broker", False, str(error), "correct [mqtt]")
    if connected:
        return Finding("broker", True, f"{mqtt.url} accepts {mqtt.username}", about="mqtt.url")
    if mqtt.url.startswith("mqtts:") and not mqtt.cert_file:
        advice = (
            "correct mqtt.cert_file and mqtt.key_file, if the broker asks for a client certificate, or mqtt.username"
            " and mqtt.password_file"
        )
        return Finding("broker", False, f"{mqtt.url} ends the connection: {why}", advice, about="mqtt.cert_file")
    advice = "correct mqtt.username and mqtt.password_file, or look into the broker's log"
    return Finding("broker", False, f"{mqtt.url} ends the connection: {why}", advice, about="mqtt.url")
