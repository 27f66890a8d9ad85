"""A feed of a garage for an overview elsewhere: Mosquitto's bridge that says what leaves, and the rules at its far end.

The bridge of an on-site broker only sends: it subscribes to nothing at the far end, whose rules let it read nothing
either, so that nobody there can say anything into the garage. What it sends is ``access.FEED``.
``python -m terminal.contract.bridge GARAGE --to HOST:PORT [--certs FOLDER]`` prints the bridge for Mosquitto's
configuration; ``python -m terminal.contract.bridge --centre GARAGE [GARAGE ...] [--watcher NAME ...]`` prints the ACL
file of the broker at the far end. Source: mosquitto.conf(5), version 2.0.
"""

import argparse
import re
import sys
from collections.abc import Collection

from terminal.contract.access import WATCHERS, all_users, fed
from terminal.contract.topics import FLEETING, TopicError, check_garage, parse

CERTS = "/etc/mosquitto/certs"
_ADDRESS = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+):([0-9]{1,5})")


def feed_user(garage: str) -> str:
    """What the far end calls this garage's bridge: the name in its certificate, and its client id there."""
    return f"feed.{check_garage(garage)}"


def bridge(garage: str, to: str, certs: str = CERTS) -> str:
    """The bridge's part of mosquitto.conf; ``to`` is the far end as HOST:PORT. Raises TopicError, and ValueError for an
    address or a folder that would be more than one word."""
    host, port = _address(to)
    if not re.fullmatch(r"[\w./-]+", certs):
        raise ValueError(f"{certs[:40]!r} is no folder that can stand here")
    user = feed_user(garage)
    lines = [
        "# What leaves this garage for the overview, and nothing comes in. Generated, do not edit:",
        f"# python -m terminal.contract.bridge {garage} --to {to} --certs {certs} > bridge.conf",
        "connection overview",
        f"address {host}:{port}",
        f"bridge_cafile {certs}/overview-ca.crt",
        f"bridge_certfile {certs}/{user}.crt",
        f"bridge_keyfile {certs}/{user}.key",
        f"remote_clientid {user}",
        "bridge_protocol_version mqttv311",
        "bridge_attempt_unsubscribe false",
        "notifications false",
        "# What was said while the line was down is sent when it is back, up to max_queued_messages.",
        "cleansession false",
        "keepalive_interval 15",
        "restart_timeout 2 60",
    ]
    for topic_filter in fed(garage):
        quality = 0 if _kind(topic_filter) in FLEETING else 1
        lines.append(f"topic {topic_filter} out {quality}")
    return "\n".join([*lines, ""])


def centre_acl(garages: Collection[str], watchers: Collection[str] = WATCHERS) -> str:
    """The ACL file of the far end; raises TopicError for a garage or watcher that may not be called so."""
    blocks = [
        "# Who may publish and read what at an overview of several garages. Generated, do not edit:\n"
        f"# python -m terminal.contract.bridge --centre {' '.join([*garages, *(f'--watcher {w}' for w in watchers)])}"
        " > acl\n# A user who is not named here may do nothing.\n"
    ]
    for garage in garages:
        all_users(garage, watchers=watchers)
        writes = [f"topic write {topic_filter}" for topic_filter in fed(garage)]
        blocks.append("\n".join([f"user {feed_user(garage)}", *writes, ""]))
    for watcher in watchers:
        reads = [f"topic read parking/{garage}/#" for garage in garages]
        blocks.append("\n".join([f"user {watcher}", *reads, ""]))
    return "\n".join(blocks)


def _kind(topic_filter: str) -> str:
    return parse(topic_filter.replace("+", "x")).kind


def _address(text: str) -> tuple[str, int]:
    found = _ADDRESS.fullmatch(text)
    if not found or not 0 < int(found[2]) < 65536:
        raise ValueError(f"{text[:60]!r} is no HOST:PORT")
    return found[1], int(found[2])


def main(argv: list[str]) -> None:
    """Print what ``argv`` asks for; ends with status 2 and a line for what will not do."""
    parser = argparse.ArgumentParser(prog="python -m terminal.contract.bridge", description=__doc__)
    parser.add_argument("garages", metavar="GARAGE", nargs="+")
    parser.add_argument("--to", metavar="HOST:PORT", help="the broker of the overview")
    parser.add_argument(
        "--certs", metavar="FOLDER", default=CERTS, help="of the bridge's certificate (default: %(default)s)"
    )
    parser.add_argument("--centre", action="store_true", help="the rules at the far end, for all its garages")
    parser.add_argument("--watcher", metavar="NAME", action="append", help="who may look there (default: watch)")
    asked = parser.parse_args(argv)
    try:
        if asked.centre:
            text = centre_acl(asked.garages, asked.watcher or WATCHERS)
        elif asked.to and len(asked.garages) == 1:
            text = bridge(asked.garages[0], asked.to, asked.certs)
        else:
            parser.error("one GARAGE and --to HOST:PORT, or --centre")
    except (TopicError, ValueError) as error:
        parser.error(str(error))
    sys.stdout.write(text)


if __name__ == "__main__":
    main(sys.argv[1:])
