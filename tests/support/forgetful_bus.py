"""A broker that retains nothing, as a cluster of RabbitMQ does for whoever subscribes with a wildcard."""

from tests.support.memory_bus import MemoryBus


class ForgetfulBus(MemoryBus):
    """Its roles say what they say, and who comes later has heard none of it."""

    async def publish(self, topic: str, payload: bytes, *, retain: bool = False, latest_only: bool = False) -> None:
        await super().publish(topic, payload, latest_only=latest_only)
