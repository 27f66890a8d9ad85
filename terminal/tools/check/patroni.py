"""Patroni, which picks the primary of the journal's database: is it one that never loses what was acknowledged?

Its REST interface tells version, rules and members (``/patroni``, ``/config``, ``/cluster``), to anybody who asks.
Version 3.0.2 with etcd3 lost acknowledged rows after its primary was frozen (patroni/patroni PR #2689, 3.0.3).
"""

import asyncio
import json
import re
import ssl
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

from terminal.config.schema import JournalSettings, Settings
from terminal.payby.plain_text import plain
from terminal.tools.check.finding import Finding, Machine

_KEY = "journal.patroni"
_NAME = f"database {_KEY}"
_LIMIT_S = 3.0
_MOST_BYTES = 1024 * 1024
_LEAST = (3, 0, 3)
_MEMBERS = 3
"""Of so many one may die, and each row is still on two before it is acknowledged."""
_HOW = "see deploy/postgresql.md"


async def patroni(settings: Settings, _: Machine) -> AsyncIterator[Finding]:
    """A line for each agent, and one for each rule that loses rows; nothing where none is named."""
    if (journal := settings.journal) is None or not journal.patroni:
        return
    for finding in await asyncio.to_thread(lambda: list(_findings(journal))):
        yield finding


def _findings(journal: JournalSettings) -> Iterator[Finding]:
    """Every agent is asked, for each may become the one that decides; the rules are the cluster's."""
    authority = parse_qs(urlsplit(journal.url or "").query).get("sslrootcert", [""])[-1]
    answered = ""
    for url in journal.patroni:
        try:
            yield _agent(url, _asked(f"{url.rstrip('/')}/patroni", authority))
        except (OSError, ValueError) as error:
            text = f"{url} does not answer: {_why(error)}"
            yield Finding(_NAME, False, text, "start the agent, or correct the address", about=_KEY)
        else:
            answered = answered or url.rstrip("/")
    if not answered:
        return
    try:
        yield _rules(_asked(f"{answered}/config", authority))
        yield _members(_asked(f"{answered}/cluster", authority))
    except (OSError, ValueError) as error:
        yield Finding(_NAME, False, f"{answered} does not tell its rules: {_why(error)}", _HOW, about=_KEY)


def _agent(url: str, said: dict[str, Any]) -> Finding:
    told = said.get("patroni")
    text = plain(str(told.get("version", "")), 20) if isinstance(told, dict) else ""
    if not (found := re.match(r"(\d+)\.(\d+)\.(\d+)", text)):
        return Finding(_NAME, False, f"{url} tells no version of Patroni", "correct the address", about=_KEY)
    if tuple(map(int, found.groups())) < _LEAST:
        advice = "take 3.0.3 or newer: Debian 13 has 4.0, PyPI has more"
        text = f"{url} is Patroni {text}, which can lose rows that were acknowledged, when a frozen primary wakes up"
        return Finding(_NAME, False, text, advice, about=_KEY)
    role, state = plain(str(said.get("role", "?")), 20), plain(str(said.get("state", "?")), 20)
    return Finding(_NAME, True, f"{url}: Patroni {text}, {role}, {state}", about=_KEY)


def _rules(said: dict[str, Any]) -> Finding:
    for name in ("synchronous_mode", "synchronous_mode_strict"):
        if said.get(name) is not True:
            text = f"{name} is not on: a promoted standby may lack rows that were acknowledged"
            advice = f"patronictl edit-config --set {name}=true"
            return Finding("database Patroni rules", False, text, advice, about=_KEY)
    ttl = said.get("ttl", 30)
    text = f"strictly synchronous; a dead host is replaced after {plain(str(ttl), 10)} s"
    return Finding("database Patroni rules", True, text, about=_KEY)


def _members(said: dict[str, Any]) -> Finding:
    members = said.get("members")
    roles = [str(one.get("role")) for one in members if isinstance(one, dict)] if isinstance(members, list) else []
    leaders, synchronous = (sum(role in kind for role in roles) for kind in (("leader",), ("sync_standby",)))
    name, text = "database Patroni members", f"{len(roles)}, of them {leaders} leader and {synchronous} synchronous"
    if leaders != 1 or not synchronous:
        why = "each commit waits for a standby" if leaders else "nobody can write"
        return Finding(name, False, f"{text}: {why}", "patronictl list tells who is away; start it", about=_KEY)
    if len(roles) < _MEMBERS:
        text = f"{text}: the death of either stops every decision, for no row would be on two machines"
        return Finding(name, True, text, "add a third; see deploy/cluster/garage.md", but="warning", about=_KEY)
    return Finding(name, True, text, about=_KEY)


def _asked(url: str, authority: str) -> dict[str, Any]:
    """The JSON object at this address; raises OSError or ValueError. A redirect would lead elsewhere, so it is none."""
    context = ssl.create_default_context(cafile=authority or None) if url.startswith("https:") else None
    handlers = [urllib.request.ProxyHandler({}), _NoRedirect()]
    if context:
        handlers.append(urllib.request.HTTPSHandler(context=context))
    try:
        with urllib.request.build_opener(*handlers).open(url, timeout=_LIMIT_S) as answer:
            body = answer.read(_MOST_BYTES)
    except (
        urllib.error.HTTPError
    ) as error:  # /patroni of an agent that is not running its server answers 503, with words
        with error:
            body = error.read(_MOST_BYTES)
    found = json.loads(body)
    if not isinstance(found, dict):
        raise ValueError("its answer is no object")
    return found


def _why(error: Exception) -> str:
    cause = getattr(error, "reason", error)
    if isinstance(error, ValueError) and not isinstance(error, OSError):
        return "its answer is not Patroni's"
    return plain(str(getattr(cause, "strerror", None) or cause or type(error).__name__), 120).lower()


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        return None
