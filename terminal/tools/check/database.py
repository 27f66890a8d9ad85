"""The database of the worker's journal: is it ours, can it be written, and would its rows outlive the server?"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from urllib.parse import parse_qs, urlsplit

from terminal import build
from terminal.config.schema import ConfigError, JournalSettings, Settings
from terminal.tools.check.finding import Finding, Machine

_KEY = "journal.url"
_NAME = f"database {_KEY}"
_APART_S = 2.0
_HOW = "see deploy/postgresql.md"


async def database(settings: Settings, _: Machine) -> AsyncIterator[Finding]:
    """A line for each matter; the first that fails may be the last."""
    journal = settings.journal
    if journal is None or not journal.url:
        return
    for finding in await asyncio.to_thread(lambda: list(_findings(settings, journal))):
        yield finding


def _findings(settings: Settings, journal: JournalSettings) -> Iterator[Finding]:
    if journal.passfile and (wrong := _passfile(journal)):
        yield wrong
    try:
        address = build.journal_database(settings)
        keys = build.trusted(settings.lift).fingerprints("worker") if settings.lift else frozenset[str]()
    except ConfigError as error:
        yield Finding(_NAME, False, error.text, error.advice or _HOW, about=_KEY)
        return
    from terminal.journal.postgres.server import ServerFacts, examine
    from terminal.journal.postgres.tables import JournalOwner
    from terminal.journal.rows import JournalError, JournalForeign

    try:
        facts: ServerFacts = examine(address, JournalOwner("worker", address.garage, keys))
    except JournalError as error:
        refused = build.cannot_open(_KEY, error) if isinstance(error, JournalForeign) else None
        text, advice = (refused.text, refused.advice) if refused else (str(error), f"mend the database; {_HOW}")
        yield Finding(_NAME, False, text, advice, about=_KEY)
        return
    said = facts.settings
    if said["transaction_read_only"] != "off":
        text = f"{address.name} is read-only: it is a standby, or was set so"
        yield Finding(_NAME, False, text, "name the primary, or a proxy that leads to it", about=_KEY)
        return
    if said["server_encoding"] != "UTF8":
        text = f"the encoding of {address.name} is {said['server_encoding']}, takes UTF8"
        yield Finding(_NAME, False, text, "make one with TEMPLATE template0 ENCODING 'UTF8'", about=_KEY)
        return
    if facts.lease is None:
        work = "no worker has run on it yet"
    elif facts.lease.holder:
        work = f"{facts.lease.holder} works at row {facts.lease.seq}, {facts.standbys} standing by"
    else:
        work = f"nobody works, {facts.standbys} standing by"
    yield Finding(_NAME, True, f"{address.name}, PostgreSQL {said['server_version'].split()[0]}: {work}", about=_KEY)
    for name in ("fsync", "full_page_writes"):
        if said[name] != "on":
            text = f"{name} is {said[name]}: a power cut may lose rows that were acknowledged"
            yield Finding(f"database {name}", False, text, f"ALTER SYSTEM SET {name} = on, and reload", about=_KEY)
    yield _standby(facts.replicas, said["synchronous_standby_names"])
    if facts.replicas[0] and not journal.patroni:
        text = "who promotes the standby, and whether that loses nothing: no Patroni is named"
        yield Finding("database fail-over", True, text, "name it in journal.patroni", but="unproven", about=_KEY)
    if facts.collation_changed:
        text = "the system's collation is another than when this database was made"
        advice = "ALTER DATABASE … REFRESH COLLATION VERSION; the journal itself sorts no text"
        yield Finding("database collation", True, text, advice, but="warning", about=_KEY)
    if abs(facts.ahead_s) > _APART_S:
        where = "ahead of" if facts.ahead_s > 0 else "behind"
        text = f"the server's clock is {abs(facts.ahead_s):.0f} s {where} ours; the lease does not go by it"
        yield Finding("database clock", True, text, "set it by NTP", but="warning", about=_KEY)
    if not _is_private(journal.url or ""):
        text = "the connection to another host is not proved by a certificate"
        advice = "add ?sslmode=verify-full&sslrootcert=… to it"
        yield Finding("database TLS", True, text, advice, but="warning", about=_KEY)


def _standby(replicas: tuple[int, int, int], names: str) -> Finding:
    every, synchronous, unknown = replicas
    name = "database standby"
    if not names:
        if not every:
            text = "none, so the rows are on one disk, as those of a file are"
            return Finding(name, True, text, but="unproven", about=_KEY)
        text = f"{every}, none of them synchronous: a promoted one may lack rows that were acknowledged"
        return Finding(name, False, text, f"set synchronous_standby_names; {_HOW}", about=_KEY)
    if unknown:
        text = "this user may not see whether it is synchronous"
        return Finding(name, True, text, "GRANT pg_monitor to it", but="unproven", about=_KEY)
    if not synchronous:
        text = f"synchronous_standby_names is {names[:60]}, and no standby of that name is there: each commit waits"
        return Finding(name, False, text, "start the standby", about=_KEY)
    return Finding(name, True, f"{synchronous} of {every} synchronous", about=_KEY)


def _is_private(url: str) -> bool:
    parts = urlsplit(url)
    query = parse_qs(parts.query)
    hosts = (query.get("host") or [parts.netloc.rpartition("@")[2]])[-1].split(",")
    local = all(not host or host.startswith(("/", "%2F", "localhost", "127.", "[::1]", "::1")) for host in hosts)
    return local or query.get("sslmode", [""])[-1] == "verify-full"


def _passfile(journal: JournalSettings) -> Finding | None:
    path = journal.passfile
    assert path
    name = "password journal.passfile"
    if not path.is_file():
        return Finding(name, False, f"{path} is not there", "write it as deploy/postgresql.md says")
    if path.stat().st_mode & 0o077:  # libpq passes over such a file
        return Finding(name, False, f"others may read {path}, so libpq does not take it", f"sudo chmod 600 {path}")
    return None
