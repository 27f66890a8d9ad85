"""The access rules as definitions that RabbitMQ imports: users, virtual host, permissions and topic permissions.

Users of RabbitMQ are known to the whole cluster, so that a garage's are called ``<garage>.<user>``, in the virtual host
of its operator. A user is let in by a certificate whose name (SAN) is the user's, or by a password; its client id is
its name, as everywhere. It may declare, fill and empty the queues of its own client id alone.
``python -m terminal.contract.rabbitmq GARAGE [LANE ...] [--watcher NAME ...] [--server NAME ...] [--discovery]
[--vhost NAME] [--passwords FOLDER]`` prints them for ``rabbitmqctl import_definitions``. Source: RabbitMQ's pages on
MQTT, access control and passwords.
"""

import argparse
import base64
import hashlib
import json
import re
import secrets
import sys
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

from terminal.contract.access import ROLES, WATCHERS, all_users, readable, withheld, writable
from terminal.contract.topics import TopicError

EXCHANGE = "amq.topic"
"""Where RabbitMQ's MQTT plug-in publishes, unless it is told otherwise."""
HASHING, SALT_BYTES = "rabbit_password_hashing_sha256", 4
NOTHING = "^$"
SUFFIXES = (*ROLES, "run", "check")
"""What may follow a user's name and a dash in its client id: which of its processes it is."""


def name_of(garage: str, user: str) -> str:
    """What RabbitMQ calls a garage's user."""
    return f"{garage}.{user}"


def password_hash(password: str) -> str:
    """As RabbitMQ keeps a password: four bytes of salt, and SHA-256 over them and the password, in Base64."""
    salt = secrets.token_bytes(SALT_BYTES)
    return base64.b64encode(salt + hashlib.sha256(salt + password.encode()).digest()).decode()


def pattern(topic_filter: str) -> str:
    """A regular expression for the routing keys, and for the narrower binding keys, that an MQTT filter matches.

    ``+`` is one level and ``#`` all that follow, the level itself included; a dot stands where MQTT has a slash."""
    whole, _, rest = topic_filter.partition("/#")
    levels = [r"[^.#]+" if level == "+" else re.escape(level).replace(r"\-", "-") for level in whole.split("/")]
    return r"\.".join(levels) + (r"(\..+)?" if topic_filter.endswith("#") else rest)


def _topics(allowed: Collection[str], *, but: Collection[str] = ()) -> str:
    if not allowed:
        return NOTHING
    except_these = f"(?!({'|'.join(map(pattern, but))})$)" if but else ""
    return f"^{except_these}({'|'.join(map(pattern, allowed))})$"


def definitions(
    garage: str,
    lanes: Collection[str] = (),
    watchers: Collection[str] = WATCHERS,
    *,
    vhost: str,
    servers: Collection[str] = (),
    discovery: bool = False,
    password: Callable[[str], str | None] = lambda user: None,
) -> dict[str, Any]:
    """What RabbitMQ imports for this garage; raises TopicError for a name that none of them may have. ``password``
    gives a user's (by the name that it has elsewhere); a user without one is let in by its certificate alone."""
    for lane in lanes:
        if taken := {f"{lane}-{suffix}" for suffix in SUFFIXES} & {*lanes}:
            raise TopicError(f"lane {taken.pop()!r}: its client id could be one of lane {lane!r}")
    made: dict[str, Any] = {
        "vhosts": [{"name": vhost}],
        "users": [],
        "permissions": [],
        "topic_permissions": [],
    }
    for user in all_users(garage, lanes, watchers, servers):
        name, secret = name_of(garage, user), password(user)
        known = "" if secret is None else password_hash(secret)
        made["users"].append({"name": name, "password_hash": known, "hashing_algorithm": HASHING, "tags": []})
        suffix = ".+" if user in watchers else "|".join(SUFFIXES)
        ids = rf"{re.escape(name)}(-({suffix}))?".replace(r"\-", "-")
        queue = rf"mqtt-subscription-{ids}qos[01]"
        here = {"user": name, "vhost": vhost}
        through = rf"^({queue}|{re.escape(EXCHANGE)})$"
        made["permissions"].append(here | {"configure": f"^{queue}$", "write": through, "read": through})
        ours, but, hears = (
            writable(user, garage=garage, watchers=watchers, discovery=discovery),
            withheld(user, garage=garage, watchers=watchers),
            readable(user, garage=garage, watchers=watchers, discovery=discovery),
        )
        write, read = _topics(ours, but=but), _topics(hears)
        made["topic_permissions"].append(here | {"exchange": EXCHANGE, "write": write, "read": read})
    return made


def main(argv: list[str]) -> None:
    """Print what ``argv`` asks for; ends with status 2 and a line for a name or a file that will not do."""
    parser = argparse.ArgumentParser(prog="python -m terminal.contract.rabbitmq", description=__doc__)
    parser.add_argument("garage", metavar="GARAGE")
    parser.add_argument("lanes", metavar="LANE", nargs="*", help="that has users of its own")
    parser.add_argument("--watcher", metavar="NAME", action="append", help="(default: watch)")
    parser.add_argument("--server", metavar="NAME", action="append", default=[], help="that has a listener of its own")
    parser.add_argument("--discovery", action="store_true", help="the garage announces itself to Home Assistant")
    parser.add_argument("--vhost", metavar="NAME", help="the operator's virtual host (default: the garage)")
    parser.add_argument("--passwords", metavar="FOLDER", type=Path, help="one file a user, as in broker.users")
    asked = parser.parse_args(argv)

    def password(user: str) -> str | None:
        file = asked.passwords / user if asked.passwords else None
        return file.read_text(encoding="utf-8").removesuffix("\n") if file and file.is_file() else None

    try:
        found = definitions(
            asked.garage,
            asked.lanes,
            asked.watcher or WATCHERS,
            vhost=asked.vhost or asked.garage,
            servers=asked.server,
            discovery=asked.discovery,
            password=password,
        )
    except (TopicError, OSError, UnicodeDecodeError) as error:
        parser.error(str(error))
    sys.stdout.write(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
