"""Who may publish and subscribe to what: the broker's access rules, the second wall after signatures.

A user is one of these: a role (``reader``); a kerb-side role of one lane (``reader.exit-1``, where one broker serves
several lanes and client ids must differ); ``lane`` with the rights of all roles, for ``run``; ``lane.exit-2`` with
those of the kerb-side roles, for a ``run`` whose worker is elsewhere; a second listener (``listener.b``), which keeps
no state and so may run on several servers, each with a client id of its own; a watcher (``watch``, or the users that
the configuration names in ``broker.watchers``), which may read everything and publish nothing. No user may publish in
the garage's place what belongs to a lane.
``python -m terminal.contract.access GARAGE [LANE ...] [--watcher NAME ...] [--discovery] [--server NAME ...]`` prints
the rules as an ACL file for Mosquitto; ``terminal.contract.rabbitmq`` prints them for RabbitMQ,
``terminal.contract.bridge`` a feed's.
"""

import argparse
import sys
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from terminal.contract import home_assistant
from terminal.contract.messages import MESSAGES
from terminal.contract.topics import BY_ROLE, GARAGE_WIDE, OF_A_LANE, TopicError, check_garage, check_lane, parse

EVERYTHING = frozenset(MESSAGES)


@dataclass(frozen=True, slots=True)
class Rights:
    """Kinds of message (keys of MESSAGES). Besides these, every role says and hears what is BY_ROLE in its own name:
    ``health`` in ``says`` means health in other names as well; in ``hears``, every role's. So with ``alerts``."""

    says: frozenset[str]
    hears: frozenset[str]


def _rights(says: str, hears: str) -> Rights:
    return Rights(frozenset(says.split()), frozenset(hears.split()))


ROLES = {
    "reader": _rights("fee alert", "order screen vehicle health"),
    "worker": _rights(
        "order screen receipt lift refund lookup invoice alert",
        "fee plate found paid refund barrier vehicle command credit enquiry lift health",
    ),
    "listener": _rights("paid refund enquiry alert", "receipt invoice health"),
    "barrier": _rights("barrier alert", "lift vehicle health"),
    "lcd": _rights("alert", "screen health"),
    "loops": _rights("vehicle alert", "vehicle"),
    "console": Rights(frozenset({"lift", "command", "enquiry", "alert"}), EVERYTHING),
    "broker": _rights("alert", ""),
    "camera": _rights("plate alert", ""),
    "tickets": _rights("found alert", "lookup health"),
    "paystation": _rights("credit alert", "receipt health"),
}
"""What each role needs for its work, and no more. The worker subscribes to ``lift`` for the console's, the loops to
``vehicle`` to find the waiting car's id again after a restart. ``camera`` and ``tickets`` are other vendors' systems: a
camera that reads plates, and a system that knows its own tickets. Both are believed about entries, so no machine of a
lane has their rights. So is ``paystation``, for pay stations and who validates tickets; what it says is signed."""

KERB = ("reader", "barrier", "lcd", "loops")
"""The roles that stand at a lane, and may be bound to one."""


def _union(*roles: Rights) -> Rights:
    """The rights of all roles, and everything BY_ROLE in every role's name."""
    return Rights(BY_ROLE.union(*(r.says for r in roles)), BY_ROLE.union(*(r.hears for r in roles)))


OUTWARD = {
    "alerts": _rights("alert", "alert alerts"),
    "discovery": _rights("alert", "order screen barrier vehicle alerts health"),
}
"""Roles that pass on what they hear to somebody outside: no lane needs them."""
FEED = ("alert", "alerts", "barrier", "health", "order", "vehicle")
"""What of a garage may be said to a broker outside it, for an operator's overview of many garages: no ticket, no plate,
none of PayBy's words, nothing that a device or a worker would act on, and no screen."""
RIGHTS = {**ROLES, **OUTWARD}
"""Of each role that this program has, and of other vendors' systems."""
REFUND = _rights("command alert", "receipt refund health")
"""Of the command `refund`, which has a user of its own so that it pushes no role off the broker."""
USERS = {**RIGHTS, "refund": REFUND, "lane": _union(*RIGHTS.values())}
"""Every user that is bound to no lane, with its rights; watchers besides."""
DISCOVERERS = ("discovery", "lane")
"""Who may announce the garage to Home Assistant, where `[discovery]` is there."""
WATCHERS = ("watch",)
"""The watchers where the configuration names no others."""
_WATCHER = Rights(frozenset(), EVERYTHING)
BOUND = {**{role: ROLES[role] for role in (*KERB, "camera")}, "lane": _union(*(ROLES[role] for role in KERB))}
"""What may stand before the dot in the name of a user bound to a lane, with the user's rights there."""
SEVERAL = ("listener",)
"""Roles of which a garage may have several at once, each on a server of its own: ``listener.b``."""


def is_reserved(name: str) -> bool:
    """Is ``name`` a role's user, or could it become one? No watcher may have such a name."""
    return name.partition(".")[0] in USERS or name.partition("-")[0] in USERS


def _user(name: str, watchers: Collection[str]) -> tuple[str, Rights, str] | None:
    """A user's role (empty for a watcher), rights and lane; the lane is ``+`` for a user bound to none."""
    if name in watchers and not is_reserved(name):
        return "", _WATCHER, "+"
    role, dot, lane = name.partition(".")
    if not dot:
        return (role, USERS[role], "+") if role in USERS else None
    try:
        if role in SEVERAL:
            return (role, ROLES[role], "+") if check_lane(lane) else None
        return (role, BOUND[role], check_lane(lane)) if role in BOUND else None
    except TopicError:
        return None


def may_publish(
    user: str, topic: str, *, garage: str, watchers: Collection[str] = WATCHERS, discovery: bool = False
) -> bool:
    """May ``user`` publish on ``topic`` in this garage? False for every topic outside the contract. ``discovery``: the
    garage announces itself to Home Assistant."""
    who = _user(user, watchers)
    announced = home_assistant.written(garage) if discovery and user in DISCOVERERS else []
    if any(_covers(allowed, topic) for allowed in announced):
        return True
    try:
        where = parse(topic)
    except TopicError:
        return False
    if (
        who is None
        or where.garage != garage
        or where.kind not in MESSAGES
        or (where.kind in BY_ROLE) != bool(where.role)
        or where.is_misplaced
        or (where.lane == GARAGE_WIDE and where.role in KERB)
    ):
        return False
    role, rights, lane = who
    if lane not in ("+", where.lane) and not (where.kind == "alert" and where.lane == GARAGE_WIDE):
        return False
    return where.kind in rights.says or (where.kind in BY_ROLE and where.role == role)


def may_subscribe(
    user: str, text: str, *, garage: str, watchers: Collection[str] = WATCHERS, discovery: bool = False
) -> bool:
    """May ``user`` subscribe to the filter ``text``? Only if it may read everything that the filter can match."""
    allowed = readable(user, garage=garage, watchers=watchers, discovery=discovery)
    return any(_covers(one, text) for one in allowed)


def readable(user: str, *, garage: str, watchers: Collection[str] = WATCHERS, discovery: bool = False) -> list[str]:
    """The filters that together match everything that ``user`` may read. A watcher may be Home Assistant."""
    who = _user(user, watchers)
    if who is None:
        return []
    role, rights, lane = who
    place = f"parking/{garage}"
    announced = [f"{home_assistant.PREFIX}/#"] if discovery and who[1] == _WATCHER else []
    if discovery and user in DISCOVERERS:
        announced = home_assistant.written(garage)
    if rights.hears == EVERYTHING:
        return [f"{place}/#", *announced]
    kinds = [f"{place}/{lane}/{kind}" for kind in sorted(rights.hears - BY_ROLE)]
    for kind in sorted(BY_ROLE):
        kinds.append(f"{place}/+/{kind}/+" if kind in rights.hears else f"{place}/{lane}/{kind}/{role}")
    return kinds + announced


def writable(user: str, *, garage: str, watchers: Collection[str] = WATCHERS, discovery: bool = False) -> list[str]:
    """The filters that together match everything that ``user`` may publish, and also what withheld() takes away."""
    who = _user(user, watchers)
    if who is None or who[1] == _WATCHER:
        return []
    role, rights, lane = who
    place = f"parking/{garage}"
    topics = [f"{place}/{lane}/{kind}" for kind in sorted(rights.says - BY_ROLE)]
    if lane != "+" and "alert" in rights.says:
        topics.append(f"{place}/{GARAGE_WIDE}/alert")
    topics += [f"{place}/{lane}/{kind}/{'+' if kind in rights.says else role}" for kind in sorted(BY_ROLE)]
    return topics + (home_assistant.written(garage) if discovery and user in DISCOVERERS else [])


def fed(garage: str) -> list[str]:
    """The filters that together match everything that leaves the garage in a feed; raises TopicError for its name."""
    place = f"parking/{check_garage(garage)}/+"
    return [f"{place}/{kind}/+" if kind in BY_ROLE else f"{place}/{kind}" for kind in FEED]


def lacks(user: str, roles: Iterable[str], *, garage: str, lane: str | None, process: str) -> str:
    """The first topic that ``process`` (a role, or ``run`` with all of ``roles``) needs and ``user`` may not publish or
    subscribe to; empty if there is none. ``lane`` is the lane of its kerb-side roles."""
    own = f"parking/{garage}/{lane if lane and not {*KERB}.isdisjoint(roles) else GARAGE_WIDE}/health/{process}"
    if not may_publish(user, own, garage=garage):
        return own
    for role in roles:
        place = f"parking/{garage}/{lane if role in KERB else '+'}"
        said = [f"{place}/{kind}" for kind in sorted(RIGHTS[role].says)]
        for text in said:
            if not any(_covers(allowed, text) for allowed in writable(user, garage=garage)):
                return text
        hears = RIGHTS[role].hears
        for text in [f"{place}/#"] if hears == EVERYTHING else [f"{place}/{kind}" for kind in sorted(hears - BY_ROLE)]:
            if not may_subscribe(user, text, garage=garage):
                return text
    return ""


def knows(user: str) -> bool:
    """Is it one of our users, whose rights are known?"""
    return _user(user, WATCHERS) is not None


def withheld(user: str, *, garage: str, watchers: Collection[str] = WATCHERS) -> list[str]:
    """The topics that writable() matches but ``user`` may not publish: a lane's, in the garage's place."""
    allowed = writable(user, garage=garage, watchers=watchers)
    kinds = [*sorted(OF_A_LANE), *(f"{kind}/{role}" for kind in sorted(BY_ROLE) for role in KERB)]
    topics = (f"parking/{garage}/{GARAGE_WIDE}/{kind}" for kind in kinds)
    return [text for text in topics if any(_covers(wide, text) for wide in allowed)]


def _covers(allowed: str, text: str) -> bool:
    """Does ``allowed`` match every topic that the filter ``text`` matches?"""
    wide, narrow = allowed.split("/"), text.split("/")
    for at, level in enumerate(wide):
        if level == "#":
            return True
        if at >= len(narrow) or narrow[at] == "#" or (level != "+" and level != narrow[at]):
            return False
    return len(wide) == len(narrow)


def all_users(
    garage: str, lanes: Collection[str] = (), watchers: Collection[str] = WATCHERS, servers: Collection[str] = ()
) -> list[str]:
    """USERS, BOUND for each of ``lanes``, SEVERAL for each of ``servers``, and ``watchers``; raises TopicError for a
    name that none of them may have."""
    check_garage(garage)
    for name in watchers:
        if is_reserved(name) or not name.isprintable() or not name.strip() == name != "":
            raise TopicError(f"watcher {name!r}: a name is needed that is no role's")
    bound = [f"{role}.{check_lane(lane)}" for lane in lanes for role in BOUND]
    return [*USERS, *bound, *(f"{role}.{check_lane(server)}" for server in servers for role in SEVERAL), *watchers]


def mosquitto_acl(
    garage: str,
    lanes: Collection[str] = (),
    watchers: Collection[str] = WATCHERS,
    *,
    discovery: bool = False,
    servers: Collection[str] = (),
) -> str:
    """The text of an ACL file for Mosquitto, for all_users()."""
    users = all_users(garage, lanes, watchers, servers)
    named = [] if tuple(watchers) == WATCHERS else [f"--watcher {name}" for name in watchers]
    named += ["--discovery"] if discovery else []
    named += [f"--server {name}" for name in servers]
    blocks = [
        "# Who may publish and read what. Generated, do not edit:\n"
        f"# python -m terminal.contract.access {' '.join([garage, *lanes, *named])} > acl\n"
        "# A user who is not named here may do nothing.\n"
    ]
    for user in users:
        rules = [f"topic deny {text}" for text in withheld(user, garage=garage, watchers=watchers)]
        may = writable(user, garage=garage, watchers=watchers, discovery=discovery)
        rules += [f"topic write {text}" for text in may]
        may = readable(user, garage=garage, watchers=watchers, discovery=discovery)
        rules += [f"topic read {text}" for text in may]
        blocks.append("\n".join([f"user {user}", *rules, ""]))
    return "\n".join(blocks)


def main(argv: list[str]) -> None:
    """Print the ACL file that ``argv`` asks for; ends with status 2 and a line for a name that is none."""
    parser = argparse.ArgumentParser(prog="python -m terminal.contract.access", description=mosquitto_acl.__doc__)
    parser.add_argument("garage", metavar="GARAGE")
    parser.add_argument("lanes", metavar="LANE", nargs="*", help="that has users of its own")
    parser.add_argument("--watcher", metavar="NAME", action="append", help="(default: watch)")
    parser.add_argument("--discovery", action="store_true", help="the garage announces itself to Home Assistant")
    parser.add_argument("--server", metavar="NAME", action="append", default=[], help="that has a listener of its own")
    asked = parser.parse_args(argv)
    try:
        watchers = asked.watcher or WATCHERS
        acl = mosquitto_acl(asked.garage, asked.lanes, watchers, discovery=asked.discovery, servers=asked.server)
        sys.stdout.write(acl)
    except TopicError as error:
        parser.error(str(error))


if __name__ == "__main__":
    main(sys.argv[1:])
