"""What is said of a file that a key names and that cannot be used: by every command the same, with what to do."""

from terminal.config.schema import SECTIONS, ConfigError

_MADE = "`exit-terminal init` makes it: deploy/install.md, 2"
_MADE_FOR_TLS = "`exit-terminal init` makes it: deploy/install.md, 4"
_REMEDIES = {
    "configuration": "`exit-terminal init` writes one: deploy/install.md, 2",
    "mqtt.password_file": "write the password of mqtt.username at the broker into that file",
    "mqtt.ca_file": _MADE_FOR_TLS,
    "mqtt.cert_file": _MADE_FOR_TLS,
    "mqtt.key_file": _MADE_FOR_TLS,
    "broker.users": "give the folder and its files to the service's user, and close them to others",
    "payby.private_key": _MADE,
    "payby.payby_public_key": "download PayBy's public key from its portal: deploy/payby.md, 2",
    "lift.private_key": _MADE,
    "lift.trusted": _MADE,
    "console.lift_private_key": _MADE,
    "ticket.keys": "`exit-terminal init` makes one; the entry terminal has the same",
    "coupon.keys": "make one with `openssl rand -hex 32`, and close it to others: chmod o=",
    "paystation.trusted": "put the station's public key there, in PEM: deploy/operations.md",
    "lookup.token_file": "write the other system's token into it, or leave it out",
    "lookup.ca_file": "name the certificate of the other system's authority, or leave it out",
    "lcd.wifi_password_file": "write the network's password into it, or leave lcd.wifi out too",
    "console.metrics_token_file": "write a token into it, such as `openssl rand -hex 32` makes, or leave it out",
}


class ConfigFileError(ConfigError):
    """A file that ``key`` names cannot be used: ``text`` says why, and names the file; never any of what is in it.
    ``advice`` is what to do where the key alone does not tell it."""

    def __init__(self, key: str, text: str, advice: str = "") -> None:
        name = ".".join(key.split(".")[:2])
        remedy = _REMEDIES.get(name, f"correct {name}" if key.partition(".")[0] in SECTIONS else "")
        super().__init__(f"{key}: {text}", advice or remedy)
