"""`run` says once that it is ready: which version serves which roles, by which broker and PayBy."""

import asyncio
import logging
from collections.abc import Collection

from terminal import __version__, allocator
from terminal.app.service_manager import ServiceManager
from terminal.config.schema import MqttSettings, Settings
from terminal.contract.messages import Health
from terminal.mqtt.endpoint import Endpoint

logger = logging.getLogger(__name__)

PATIENCE_S = 20.0
"""After this long it is said who is missing; it is waited for all the same."""


async def tell_when_ready(
    endpoint: Endpoint,
    roles: Collection[str],
    settings: Settings,
    manager: ServiceManager | None = None,
    *,
    patience_s: float = PATIENCE_S,
) -> None:
    """Log one line when each of ``roles`` of this process was heard back from the broker, and which of them
    are degraded; before that, once, who is missing. What is heard has gone all the way that a lane's messages go.
    ``manager`` is told the same."""
    manager = manager or ServiceManager({})
    states: dict[str, Health] = {}
    with endpoint.subscribe("health") as stream:

        async def hear() -> None:
            async for received in stream:
                received.ack()
                health = received.message
                own = isinstance(health, Health) and health.instance == endpoint.mqtt_client.instance
                if own and not received.retained and received.topic.role in roles:
                    assert isinstance(health, Health)
                    states[received.topic.role] = health
                    if len(states) == len(roles):
                        return

        hearing = asyncio.create_task(hear(), name="ready")
        try:
            await asyncio.wait([hearing], timeout=patience_s)
            if not hearing.done():
                missing = ", ".join(role for role in roles if role not in states)
                why = endpoint.mqtt_client.trouble or "they have not said that they are there"
                logger.warning("not ready yet: no word from %s: %s", missing, why)
                manager.status(f"not ready yet: no word from {missing}: {why}")
            await hearing
        finally:
            hearing.cancel()
    line = ready_line(endpoint, roles, settings, states)
    logger.info("%s", line)
    manager.ready(line)
    allocator.give_back()


def ready_line(endpoint: Endpoint, roles: Collection[str], settings: Settings, states: dict[str, Health]) -> str:
    """What is said."""
    where = f"{endpoint.garage} {endpoint.lane}" if endpoint.lane else endpoint.garage
    payby = settings.payby.base_url if settings.payby and "worker" in roles else "not from here"
    url = settings.need(MqttSettings).url
    broker = f"{url} (embedded)" if "broker" in roles else url
    line = f"ready: version {__version__} serves {where} as {', '.join(roles)}; broker {broker}; PayBy {payby}"
    troubles = [f"{role}: {states[role].reason or 'degraded'}" for role in roles if states[role].state == "degraded"]
    return f"{line}; degraded: {'; '.join(troubles)}" if troubles else line
