"""The discovery role itself. The package's docstring says what it does."""

import asyncio
import contextlib
import json
from collections.abc import Mapping
from typing import Any
from zoneinfo import ZoneInfo

from terminal.contract.alerts import ALERTS
from terminal.contract.home_assistant import state_topic, written
from terminal.contract.topics import GARAGE_WIDE
from terminal.monitor.garage import GarageMonitor, Observation
from terminal.mqtt.endpoint import Endpoint
from terminal.mqtt.errors import SubscriptionRefused
from terminal.mqtt.heartbeat import SELDOM_S
from terminal.mqtt.subscription import Subscription
from terminal.roles.discovery.entities import AnnouncedGarage
from terminal.roles.discovery.takings import Takings

LANES_MOST = 200
"""Lanes that are announced; a user who may publish for all lanes can invent more."""
LOOK_S = 5.0
"""How often it is looked who has fallen silent."""
LISTED_MOST = 20
"""Alerts that stand in an entity's attributes; all are counted."""
KEPT_S = 1.0
"""How long what the broker kept may take to come."""
AGAIN_S = SELDOM_S
"""How often everything is announced again where the broker retains nothing, for a Home Assistant that has started."""
HEARD = ("order", "screen", "barrier", "vehicle")
_REMEDIES: Mapping[str, str] = {code: kind.remedy for code, kind in ALERTS.items()}


class DiscoveryRole:
    """Announces each lane that it hears of, and keeps its values. ``announce`` False: takes back what was announced."""

    def __init__(
        self, endpoint: Endpoint, announced: AnnouncedGarage, zone: ZoneInfo, *, announce: bool = True
    ) -> None:
        self._endpoint, self._announced, self._announce = endpoint, announced, announce
        self._garage = endpoint.garage
        self._monitor = GarageMonitor(endpoint.garage, endpoint.clock)
        self._takings = Takings(zone)
        self._places: dict[str, None] = {}
        self._told: set[str] = set()
        """Places whose entities were announced over this connection."""
        self._kept = False
        """Has the broker handed out over this connection what it retained?"""
        self._said: dict[str, bytes] = {}
        """What was published last on each topic of ours."""

    async def run(self) -> None:
        """Announce until cancelled."""
        mqtt_client, place = self._endpoint.mqtt_client, f"parking/{self._garage}"
        ours = mqtt_client.subscribe(*written(self._garage))
        heard = mqtt_client.subscribe(
            fleeting=[*(f"{place}/+/{kind}" for kind in HEARD), f"{place}/+/alerts/+", f"{place}/+/health/+"]
        )
        undo = mqtt_client.on_change(self._changed)
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._endpoint.run_heartbeat(), name="discovery health")
                if not self._announce:
                    tasks.create_task(self._take_back(ours), name="discovery ends")
                    return
                await self._restore(ours)
                tasks.create_task(self._hear(heard), name="discovery hears")
                tasks.create_task(self._look(), name="discovery looks")
                tasks.create_task(self._announce_again(), name="discovery again")
        finally:
            undo()
            ours.close()
            heard.close()

    def _changed(self, connected: bool) -> None:
        """A broker that keeps nothing may have begun anew."""
        self._kept = False
        self._forget()

    def _forget(self) -> None:
        """Everything is to be said again."""
        self._said.clear()
        self._told.clear()

    async def _announce_again(self) -> None:
        """Where nothing is retained, say everything once a minute; elsewhere it would only wear the broker's disk."""
        while True:
            await asyncio.sleep(AGAIN_S)
            if self._kept or not self._endpoint.mqtt_client.connected:
                continue
            self._kept = await self._is_kept()
            if not self._kept:
                self._forget()

    async def _is_kept(self) -> bool:
        """Does the broker hand out what this role has announced? By a wildcard, as Home Assistant asks for it."""
        some = state_topic(self._garage, GARAGE_WIDE, "+")
        with (
            contextlib.closing(self._endpoint.mqtt_client.subscribe(some)) as ours,
            contextlib.suppress(TimeoutError, SubscriptionRefused),
        ):
            async with asyncio.timeout(KEPT_S):
                async for delivery in ours:
                    delivery.ack()
                    if delivery.retained:
                        return True
        return False

    async def _restore(self, ours: Subscription) -> None:
        """The day's takings go on from what was said before this start."""
        await ours.granted()
        try:
            async with asyncio.timeout(KEPT_S):
                async for delivery in ours:
                    delivery.ack()
                    parts = delivery.topic.split("/")
                    if delivery.retained and parts[-1] == "takings" and len(parts) == 5:
                        now_ms = self._endpoint.clock.wall_ms()
                        self._takings.restore(parts[3], _json(delivery.payload), now_ms)
        except TimeoutError:
            pass
        ours.close()

    async def _take_back(self, ours: Subscription) -> None:
        """Delete whatever the broker has kept of ours."""
        async for delivery in ours:
            delivery.ack()
            if delivery.payload:
                await self._endpoint.mqtt_client.publish(delivery.topic, b"", retain=True)

    async def _hear(self, heard: Subscription) -> None:
        async for delivery in heard:
            delivery.ack()
            seen = self._monitor.take(delivery.topic, delivery.payload, retained=delivery.retained)
            if seen is None:
                continue
            await self._place(seen.lane)
            if seen.lane not in self._places:
                continue
            if seen.kind == "order":
                await self._order(seen)
            elif seen.kind == "alerts":
                await self._alerts(seen.lane)
            elif seen.kind == "health" and seen.is_news:
                await self._health()

    async def _look(self) -> None:
        """Silence is no message, nor is midnight."""
        await self._place(GARAGE_WIDE)
        while True:
            for place in list(self._places):
                if place not in self._told:
                    await self._tell(place)
                await self._tell_takings(place)
                await self._alerts(place)
            await self._health()
            now_ms = self._endpoint.clock.wall_ms()
            await asyncio.sleep(min(LOOK_S, self._takings.until_midnight_s(now_ms) + 0.1))

    async def _place(self, place: str) -> None:
        """Announce a lane that is new, and the garage itself."""
        if place in self._places or len(self._places) >= LANES_MOST:
            return
        self._places[place] = None
        await self._tell(place)
        await self._tell_takings(place)
        await self._alerts(place)

    async def _tell(self, place: str) -> None:
        self._told.add(place)
        announced = self._announced
        for entity in announced.of_garage() if place == GARAGE_WIDE else announced.of_lane(place):
            await self._say(entity.topic, entity.payload)

    async def _order(self, seen: Observation) -> None:
        if seen.data.get("status") != "paid" or not seen.order_no or not seen.is_news:
            return  # one that is said again may be of yesterday
        now_ms = self._endpoint.clock.wall_ms()
        if seen.retained and not self._takings.is_of_today(seen.at_ms, now_ms):
            return
        for place in (seen.lane, GARAGE_WIDE):
            if self._takings.paid(place, seen.order_no, str(seen.data.get("amount")), now_ms):
                await self._tell_takings(place)

    async def _tell_takings(self, place: str) -> None:
        day = self._takings.today(place, self._endpoint.clock.wall_ms())
        await self._say_state(place, "takings", day.state(self._takings.zone))

    async def _alerts(self, place: str) -> None:
        raised = [there for there in self._monitor.raised() if there.lane == place]
        listed = [
            {
                "code": there.alert.code,
                "severity": there.alert.severity,
                "text": there.alert.text,
                "since": there.alert.since,
                "help_code": there.alert.help_code,
                "what_to_do": _REMEDIES.get(there.alert.code, "").replace("`", ""),
            }
            for there in raised[:LISTED_MOST]
        ]
        await self._say_state(place, "alerts", {"count": len(raised), "raised": listed})

    async def _health(self) -> None:
        roles = self._monitor.roles()
        for place in list(self._places):
            states = {one.role: one.state for one in roles if one.lane == place}
            problem = any(state != "online" for state in states.values()) or not states
            await self._say_state(place, "health", {"problem": "ON" if problem else "OFF", "roles": states})

    async def _say_state(self, place: str, what: str, state: dict[str, Any]) -> None:
        payload = json.dumps(state, ensure_ascii=False, separators=(",", ":")).encode()
        await self._say(state_topic(self._garage, place, what), payload)

    async def _say(self, topic: str, payload: bytes) -> None:
        """Publish what is not known yet; the broker keeps it for Home Assistant's next start."""
        if self._said.get(topic) == payload:
            return
        self._said[topic] = payload
        await self._endpoint.mqtt_client.publish(topic, payload, retain=True, latest_only=True)


def _json(payload: bytes) -> Any:
    try:
        return json.loads(payload)
    except (ValueError, RecursionError):
        return None
