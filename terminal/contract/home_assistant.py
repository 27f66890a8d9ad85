"""The topics of Home Assistant's MQTT discovery that are ours, outside ``parking/``.

``homeassistant/<component>/exit_terminal_<garage>/<lane>_<what>/config`` announces an entity, retained; what no
message of the contract says as a value stands on ``homeassistant/exit_terminal/<garage>/<lane>/<what>``, retained too.
https://www.home-assistant.io/integrations/mqtt/#mqtt-discovery
"""

PREFIX = "homeassistant"
"""Where Home Assistant looks, unless it is set up otherwise."""
COMPONENTS = ("binary_sensor", "sensor")


def config_topic(component: str, garage: str, lane: str, what: str) -> str:
    """Where an entity is announced."""
    return f"{PREFIX}/{component}/exit_terminal_{garage}/{lane}_{what}/config"


def state_topic(garage: str, lane: str, what: str) -> str:
    """Where one of our own values stands."""
    return f"{PREFIX}/exit_terminal/{garage}/{lane}/{what}"


def written(garage: str) -> list[str]:
    """The filters that match all of them."""
    configs = [f"{PREFIX}/{component}/exit_terminal_{garage}/+/config" for component in COMPONENTS]
    return [*configs, state_topic(garage, "+", "+")]
