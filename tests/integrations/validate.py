"""Judges announcements by Home Assistant's own schemas of MQTT discovery. Run by its Python, not by ours: reads a JSON
list of [component, config] and writes a list of what is wrong with each, empty for nothing."""

import json
import sys

import voluptuous
from homeassistant.components.mqtt import binary_sensor, sensor

LATER = {"origin", "options"}
"""`origin` is read before the schema; `options` is known since 2024.10, whose Python is newer than ours, and ignored
before."""
SCHEMAS = {"sensor": sensor.DISCOVERY_SCHEMA, "binary_sensor": binary_sensor.DISCOVERY_SCHEMA}


def fault(component: str, config: dict[str, object]) -> str:
    try:
        taken = SCHEMAS[component](config)
    except voluptuous.Invalid as error:
        return str(error) or type(error).__name__
    unknown = config.keys() - {str(key) for key in taken} - LATER
    return f"not known: {', '.join(sorted(unknown))}" if unknown else ""


json.dump([fault(*one) for one in json.load(sys.stdin)], sys.stdout)
