"""May this user do at the broker what its role or `run` does? A broker that accepts the user may still drop all that it
publishes: Mosquitto grants every subscription, says nothing, and then delivers nothing. So the check says what its
own will would say (that this process is offline, which is true) and waits until it hears that."""

import asyncio

from terminal import __version__
from terminal.clock import SystemClock
from terminal.config.schema import MqttSettings, Settings
from terminal.contract.access import KERB, USERS
from terminal.mqtt.client import MqttClient
from terminal.mqtt.errors import MqttError
from terminal.mqtt.heartbeat import last_will
from terminal.tools.check.finding import Finding

ECHO_S = 3.0
"""How long a broker has to deliver one message."""


async def heard_back(client: MqttClient, settings: Settings, mqtt: MqttSettings) -> Finding | None:
    """None if the broker delivers what this user publishes, or if there is nothing to publish; otherwise what is wrong.
    ``client`` is connected as the user of ``mqtt``."""
    roles = [role for role in settings.roles() if role != "broker"]
    if not settings.garage or not roles:
        return None
    process = mqtt.username.partition(".")[0]
    lane = settings.lane.id if settings.lane and not {*KERB}.isdisjoint(roles) else None
    will = last_will(
        garage=settings.garage.id,
        lane=lane,
        role=process if process in USERS and process != "lane" else "run",
        version=__version__,
        instance=client.instance,
        clock=SystemClock(),
    )()
    echo = client.subscribe(fleeting=[will.topic])
    try:
        async with asyncio.timeout(ECHO_S):
            await echo.granted()
            await client.publish(will.topic, will.payload)
            async for delivery in echo:
                delivery.ack()
                if client.instance.encode() in delivery.payload:
                    return None
    except (TimeoutError, MqttError):
        pass
    finally:
        echo.close()
    text = f"{mqtt.url} accepts {mqtt.username}, and does not deliver what it publishes on {will.topic}"
    advice = (
        "correct mqtt.username (with client certificates: mqtt.cert_file), or the broker's access rules: copy"
        " mosquitto/acl to /etc/mosquitto/ again and reload Mosquitto: deploy/install.md, 4"
    )
    return Finding("broker", False, text, advice, about="mqtt.username")
