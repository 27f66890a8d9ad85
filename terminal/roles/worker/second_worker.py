"""Exactly one worker serves a garage: of two that hear each other's live heartbeats, the later one stops. But one that
holds the lease of a journal in a database stays: its epoch in each append is what keeps others off.

Anybody who may publish on the broker can publish a heartbeat, so only one that a trusted worker signed counts. And
anybody can repeat a recorded one later, so the later worker stops only for an older worker's heartbeat that names it,
which no heartbeat from before its start can do.
"""

from msgspec.structs import replace

from terminal.contract.messages import Health
from terminal.contract.signatures import TrustedKeys, check_health, sign_health
from terminal.contract.topics import GARAGE_WIDE, SILENT_MS
from terminal.mqtt.endpoint import Endpoint
from terminal.mqtt.presence import SecondWorker
from terminal.mqtt.throttle import Throttle
from terminal.roles.worker.message_builder import WorkerSigner

ALERT_EVERY_MS = 600_000


class RivalWorkers:
    """The other workers of this garage, by their heartbeats; an instance's id, a UUIDv7, tells when it began."""

    def __init__(
        self, endpoint: Endpoint, signer: WorkerSigner, trusted: TrustedKeys, *, holds_lease: bool = False
    ) -> None:
        self._holds_lease = holds_lease
        self._endpoint, self._signer, self._trusted = endpoint, signer, trusted
        self._later: tuple[str, int] | None = None
        """The later worker that was last heard, and when."""
        self._forgeries, self._strangers = Throttle(ALERT_EVERY_MS), Throttle(ALERT_EVERY_MS)
        endpoint.seal = self._seal

    async def note_health(self, health: Health, *, retained: bool) -> None:
        """Raise SecondWorker if an older worker is alive and has heard this one, unless this one holds the lease."""
        own, now_ms = self._endpoint.mqtt_client.instance, self._endpoint.clock.steady_ms()
        if retained or health.state == "offline" or health.instance == own:
            return
        if check_health(health, self._endpoint.garage, GARAGE_WIDE, self._trusted):
            await self._alert(now_ms)
        elif health.instance > own:
            before = self._later
            is_news = before is None or before[0] != health.instance or now_ms - before[1] > SILENT_MS
            self._later = health.instance, now_ms
            if is_news:
                self._endpoint.send_heartbeat()
        elif health.rival == own:
            if self._holds_lease:
                if self._strangers.take(now_ms):
                    text = "another worker runs without the lease of the journal, which this one holds: stop that one"
                    await self._endpoint.alert("second-worker", text)
                return
            await self._endpoint.alert("second-worker", "a second worker was started for this garage; it stops")
            raise SecondWorker("another worker already serves this garage, and there may be only one: stop one of them")

    async def _alert(self, now_ms: int) -> None:
        if count := self._forgeries.take(now_ms):
            text = f"{count} heartbeats of a worker were dropped, because no trusted key signed them"
            await self._endpoint.alert("forged-worker", text)

    def _seal(self, health: Health) -> Health:
        if self._later and self._endpoint.clock.steady_ms() - self._later[1] > SILENT_MS:
            self._later = None
        named = replace(health, rival=self._later[0] if self._later else None)
        return sign_health(self._signer.key, self._endpoint.garage, GARAGE_WIDE, named, key=self._signer.name)
