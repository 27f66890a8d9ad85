"""How a connection to a broker can fail, and the will that it leaves behind.

MqttError
├── ConnectionRefused    the broker does not accept this user: waiting is no use, exit status 2
└── SubscriptionRefused  the broker does not let this user read a filter
"""

from dataclasses import dataclass

REFUSALS = {
    "Unsupported protocol version": "it does not speak MQTT 3.1.1",
    "Client identifier not valid": "it does not take this client id (our own broker takes the user's name only)",
    "Bad user name or password": "user or password is wrong",
    "Not authorized": "this user may not connect",
}
"""A CONNACK's refusals of this client, by paho's names, in our words. Any other refusal is the broker's own trouble."""
CORRECT_USER = "correct mqtt.username, or the password in mqtt.password_file"
"""What to do about them."""


class MqttError(Exception):
    """The connection cannot be made as it was asked for."""


class ConnectionRefused(MqttError):
    """The broker answered, and refused this user, password or client id: ``text`` says so, ``advice`` what to do."""

    def __init__(self, text: str, advice: str = "") -> None:
        super().__init__(f"{text}; {advice}" if advice else text)
        self.text, self.advice = text, advice


class SubscriptionRefused(MqttError):
    """The broker does not let this user read ``filters``."""

    def __init__(self, filters: tuple[str, ...]) -> None:
        super().__init__(f"the broker refuses the subscription to {', '.join(filters)}")
        self.filters = filters


@dataclass(frozen=True, slots=True)
class Will:
    """What the broker publishes, QoS 1, when the connection ends without a goodbye."""

    topic: str
    payload: bytes
    retain: bool = True
