"""Who may publish and subscribe to what: the broker's access rules, the second wall after signatures.

A user is one of these: a role (``reader``); a kerb-side role of one lane (``reader.exit-1``, where one broker serves
several lanes and client ids must differ); ``lane`` with the rights of all roles, for ``run``; ``lane.exit-2`` with
those of the kerb-side roles, for a ``run`` whose worker is elsewhere; ``watch``, which may read everything and publish
nothing. No user may publish in the garage's place what belongs to a lane.
``python -m terminal.contract.access GARAGE [LANE ...]`` prints the rules as an ACL file for Mosquitto.
"""

import sys
from collections.abc import Iterable
from dataclasses import dataclass

from terminal.contract.messages import MESSAGES
from terminal.contract.topics import GARAGE_WIDE, OF_A_LANE, TopicError, check_garage, check_lane, parse

EVERYTHING = frozenset(MESSAGES)


@dataclass(frozen=True, slots=True)
class Rights:
    """Kinds of message (keys of MESSAGES). Besides these, every role says and hears its own health: ``health`` in
    ``says`` means health in other names as well; in ``hears``, every role's."""

    says: frozenset[str]
    hears: frozenset[str]


def _rights(says: str, hears: str) -> Rights:
    return Rights(frozenset(says.split()), frozenset(hears.split()))


ROLES = {
    "reader": _rights("fee alert", "order screen vehicle health"),
    "worker": _rights("order screen receipt lift refund alert", "fee paid refund barrier vehicle command lift health"),
    "listener": _rights("paid refund alert", "receipt health"),
    "barrier": _rights("barrier alert", "lift vehicle health"),
    "lcd": _rights("alert", "screen health"),
    "loops": _rights("vehicle alert", "vehicle"),
    "console": Rights(frozenset({"lift", "command", "alert"}), EVERYTHING),
    "broker": _rights("alert", ""),
}
"""What each role needs for its work, and no more. The worker subscribes to ``lift`` for the console's, the loops to
``vehicle`` to find the waiting car's id again after a restart."""

KERB = ("reader", "barrier", "lcd", "loops")
"""The roles that stand at a lane, and may be bound to one."""


def _union(*roles: Rights) -> Rights:
    """The rights of all roles, and health in every role's name."""
    return Rights(
        frozenset({"health"}).union(*(r.says for r in roles)), frozenset({"health"}).union(*(r.hears for r in roles))
    )


USERS = {**ROLES, "lane": _union(*ROLES.values()), "watch": Rights(frozenset(), EVERYTHING)}
"""Every user that is bound to no lane, with its rights."""
BOUND = {**{role: ROLES[role] for role in KERB}, "lane": _union(*(ROLES[role] for role in KERB))}
"""What may stand before the dot in the name of a user bound to a lane, with the user's rights there."""


def _user(name: str) -> tuple[str, Rights, str] | None:
    """A user's role, rights and lane; the lane is ``+`` for a user bound to none."""
    role, dot, lane = name.partition(".")
    if not dot:
        return (role, USERS[role], "+") if role in USERS else None
    try:
        return (role, BOUND[role], check_lane(lane)) if role in BOUND else None
    except TopicError:
        return None


def may_publish(user: str, topic: str, *, garage: str) -> bool:
    """May ``user`` publish on ``topic`` in this garage? False for every topic outside the contract."""
    who = _user(user)
    try:
        where = parse(topic)
    except TopicError:
        return False
    if (
        who is None
        or where.garage != garage
        or where.kind not in MESSAGES
        or (where.kind == "health") != bool(where.role)
        or where.is_misplaced
        or (where.lane == GARAGE_WIDE and where.role in KERB)
    ):
        return False
    role, rights, lane = who
    if lane not in ("+", where.lane) and not (where.kind == "alert" and where.lane == GARAGE_WIDE):
        return False
    return where.kind in rights.says or (where.kind == "health" and where.role == role and role != "watch")


def may_subscribe(user: str, text: str, *, garage: str) -> bool:
    """May ``user`` subscribe to the filter ``text``? Only if it may read everything that the filter can match."""
    return any(_covers(allowed, text) for allowed in readable(user, garage=garage))


def readable(user: str, *, garage: str) -> list[str]:
    """The filters that together match everything that ``user`` may read."""
    who = _user(user)
    if who is None:
        return []
    role, rights, lane = who
    place = f"parking/{garage}"
    if rights.hears == EVERYTHING:
        return [f"{place}/#"]
    kinds = [f"{place}/{lane}/{kind}" for kind in sorted(rights.hears - {"health"})]
    return [*kinds, f"{place}/+/health/+" if "health" in rights.hears else f"{place}/{lane}/health/{role}"]


def writable(user: str, *, garage: str) -> list[str]:
    """The filters that together match everything that ``user`` may publish, and also what withheld() takes away."""
    who = _user(user)
    if who is None or who[0] == "watch":
        return []
    role, rights, lane = who
    place = f"parking/{garage}"
    topics = [f"{place}/{lane}/{kind}" for kind in sorted(rights.says - {"health"})]
    if lane != "+" and "alert" in rights.says:
        topics.append(f"{place}/{GARAGE_WIDE}/alert")
    return [*topics, f"{place}/{lane}/health/{'+' if 'health' in rights.says else role}"]


def lacks(user: str, roles: Iterable[str], *, garage: str, lane: str | None, process: str) -> str:
    """The first topic that ``process`` (a role, or ``run`` with all of ``roles``) needs and ``user`` may not publish or
    subscribe to; empty if there is none. ``lane`` is the lane of its kerb-side roles."""
    own = f"parking/{garage}/{lane if lane and not {*KERB}.isdisjoint(roles) else GARAGE_WIDE}/health/{process}"
    if not may_publish(user, own, garage=garage):
        return own
    for role in roles:
        place = f"parking/{garage}/{lane if role in KERB else '+'}"
        said = [f"{place}/{kind}" for kind in sorted(ROLES[role].says)]
        for text in said:
            if not any(_covers(allowed, text) for allowed in writable(user, garage=garage)):
                return text
        hears = ROLES[role].hears
        for text in (
            [f"{place}/#"] if hears == EVERYTHING else [f"{place}/{kind}" for kind in sorted(hears - {"health"})]
        ):
            if not may_subscribe(user, text, garage=garage):
                return text
    return ""


def knows(user: str) -> bool:
    """Is it one of our users, whose rights are known?"""
    return _user(user) is not None


def withheld(user: str, *, garage: str) -> list[str]:
    """The topics that writable() matches but ``user`` may not publish: a lane's, in the garage's place."""
    allowed = writable(user, garage=garage)
    kinds = [*sorted(OF_A_LANE), *(f"health/{role}" for role in KERB)]
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


def mosquitto_acl(garage: str, lanes: "list[str] | tuple[str, ...]" = ()) -> str:
    """The text of an ACL file for Mosquitto: USERS, and BOUND for each of ``lanes``."""
    check_garage(garage)
    users = [*USERS, *(f"{role}.{check_lane(lane)}" for lane in lanes for role in BOUND)]
    blocks = [
        "# Who may publish and read what. Generated, do not edit:\n"
        f"# python -m terminal.contract.access {' '.join([garage, *lanes])} > acl\n"
        "# A user who is not named here may do nothing.\n"
    ]
    for user in users:
        rules = [f"topic deny {text}" for text in withheld(user, garage=garage)]
        rules += [f"topic write {text}" for text in writable(user, garage=garage)]
        rules += [f"topic read {text}" for text in readable(user, garage=garage)]
        blocks.append("\n".join([f"user {user}", *rules, ""]))
    return "\n".join(blocks)


if __name__ == "__main__":
    sys.stdout.write(mosquitto_acl(sys.argv[1], sys.argv[2:]))
