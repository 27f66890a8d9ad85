"""What Home Assistant is told of a garage and its lanes: the entities, as its MQTT discovery takes them.

https://www.home-assistant.io/integrations/mqtt/, /integrations/binary_sensor.mqtt/, /integrations/sensor.mqtt/
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, get_args

from terminal.contract.home_assistant import config_topic, state_topic
from terminal.contract.topics import GARAGE_WIDE, topic
from terminal.core.model import BoomState, ScreenState

EXPIRES_S = 20
"""`barrier` and `vehicle` are repeated every 5 s: what is older says nothing about now."""
UNIT = "AED"
_OFFLINE = "{{ 'offline' if value_json.state == 'offline' else 'online' }}"


@dataclass(frozen=True, slots=True)
class Entity:
    """One announcement: its retained topic and its payload."""

    topic: str
    config: dict[str, Any]

    @property
    def payload(self) -> bytes:
        """As it is published; the same each time."""
        return json.dumps(self.config, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode()


@dataclass(frozen=True, slots=True)
class AnnouncedGarage:
    """``name``: for people. ``alive``: the health topics of this role and of its process; what is shown is unavailable
    while either says offline."""

    garage: str
    name: str
    version: str
    alive: tuple[str, str]

    def of_garage(self) -> Iterator[Entity]:
        """What concerns the garage as a whole."""
        yield self._takings(GARAGE_WIDE)
        yield self._alerts(GARAGE_WIDE)
        yield self._health(GARAGE_WIDE)

    def of_lane(self, lane: str) -> Iterator[Entity]:
        """What there is at each lane."""
        barrier, screen = topic(self.garage, lane, "barrier"), topic(self.garage, lane, "screen")
        yield self._entity(
            "binary_sensor",
            lane,
            "boom",
            "Boom",
            state_topic=barrier,
            value_template="{{ 'OFF' if value_json.state == 'down' else 'ON' if value_json.state in"
            " ('rising', 'up', 'lowering') else None }}",
            device_class="opening",
            expire_after=EXPIRES_S,
        )
        yield self._entity(
            "sensor",
            lane,
            "barrier",
            "Barrier",
            state_topic=barrier,
            value_template="{{ value_json.state }}",
            device_class="enum",
            options=list(get_args(BoomState)),
            expire_after=EXPIRES_S,
            icon="mdi:boom-gate",
        )
        yield self._entity(
            "sensor",
            lane,
            "screen",
            "Screen",
            state_topic=screen,
            value_template="{{ value_json.state }}",
            json_attributes_topic=screen,
            json_attributes_template="{{ {'reason': value_json.reason, 'help_code': value_json.help_code,"
            " 'amount': value_json.amount} | tojson }}",
            device_class="enum",
            options=list(get_args(ScreenState)),
            icon="mdi:monitor",
        )
        yield self._entity(
            "binary_sensor",
            lane,
            "vehicle",
            "Vehicle waits",
            state_topic=topic(self.garage, lane, "vehicle"),
            value_template="{{ 'ON' if value_json.waiting else 'OFF' }}",
            device_class="occupancy",
            expire_after=EXPIRES_S,
        )
        yield self._takings(lane)
        yield self._alerts(lane)
        yield self._health(lane)

    def _takings(self, lane: str) -> Entity:
        return self._own(
            "sensor",
            lane,
            "takings",
            "Takings today",
            "value_json.amount",
            "{'payments': value_json.payments, 'day': value_json.day}",
            last_reset_value_template="{{ value_json.since }}",
            device_class="monetary",
            state_class="total",
            unit_of_measurement=UNIT,
        )

    def _alerts(self, lane: str) -> Entity:
        raised = "{'raised': value_json.raised}"
        return self._own(
            "sensor", lane, "alerts", "Alerts", "value_json.count", raised, state_class="measurement", icon="mdi:alert"
        )

    def _health(self, lane: str) -> Entity:
        return self._own(
            "binary_sensor",
            lane,
            "health",
            "Problem",
            "value_json.problem",
            "value_json.roles",
            device_class="problem",
            entity_category="diagnostic",
        )

    def _own(self, component: str, lane: str, what: str, name: str, value: str, attributes: str, **more: Any) -> Entity:
        """Of what this role says itself; ``value`` and ``attributes`` are expressions over its message."""
        where = state_topic(self.garage, lane, what)
        return self._entity(
            component, lane, what, name, state_topic=where, value_template=f"{{{{ {value} }}}}",
            json_attributes_topic=where, json_attributes_template=f"{{{{ {attributes} | tojson }}}}", **more,
        )  # fmt: skip

    def _entity(self, component: str, lane: str, what: str, name: str, **more: Any) -> Entity:
        garage_id = f"exit_terminal_{self.garage}"
        device: dict[str, Any] = {"identifiers": [garage_id], "name": self.name}
        if lane != GARAGE_WIDE:
            device = {
                "identifiers": [f"{garage_id}_{lane}"],
                "name": f"{self.name} {lane}",
                "via_device": garage_id,
            }
        config = {
            "name": name,
            "unique_id": f"{garage_id}_{lane}_{what}",
            "object_id": f"{self.garage}_{lane}_{what}",
            "availability": [{"topic": one, "value_template": _OFFLINE} for one in dict.fromkeys(self.alive)],
            "availability_mode": "all",
            "device": device | {"model": "Parking exit terminal", "sw_version": self.version},
            "origin": {"name": "exit-terminal", "sw_version": self.version},
            "qos": 1,
            **more,
        }
        return Entity(config_topic(component, self.garage, lane, what), config)
