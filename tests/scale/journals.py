"""Where the workers' journals are: a file each, or a database each in PostgreSQL under Patroni, behind HAProxy."""

import re
import signal
import sqlite3
import subprocess
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from tempfile import mkdtemp

import psycopg

from terminal.journal import reading
from terminal.journal.postgres.connection import DatabaseAddress
from terminal.journal.postgres.reading import DatabaseHistory
from terminal.journal.rows import Row
from tests.cluster.patroni_cluster import NAMES, PatroniCluster
from tests.support.leash import LEASH
from tests.support.page_blocks import CLUSTER
from tests.support.ports import free_port, listens

HALTED_S = 40.0
"""Twice as long as the leader's key lives at etcd."""
OWNER, PASSWORD, HOST = "exit_terminal", "unused", "db.garage.example"


class FileJournals:
    """SQLite, as one box has it."""

    name = "SQLite"

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self._folder = folder

    def start(self) -> None:
        pass

    def section(self, garage: str) -> str:
        return f'path = "{self._folder}/{garage}.db"'

    def rows(self, garage: str) -> Iterator[Row]:
        return reading.read(self._folder / f"{garage}.db")

    def commits(self) -> int | None:
        return None

    def disk(self) -> int:
        """Bytes of the files, once their logs are written into them."""
        return sum(map(self._bytes, self._folder.glob("*.db")))

    @staticmethod
    def _bytes(file: Path) -> int:
        with closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            sql = "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size"
            return int(connection.execute(sql).fetchone()[0])

    def pids(self) -> Sequence[int]:
        return []

    def stop(self) -> None:
        pass


class PatroniJournals:
    """Three servers, one of them the synchronous standby, each garage with a database of its own."""

    def __init__(self, garages: Sequence[str]) -> None:
        self._cluster = PatroniCluster(Path(mkdtemp(prefix="scale-patroni-")))
        self._folder, self._garages = self._cluster.folder, garages
        self._port = free_port()
        self._leader, self._alive = "a", "".join(NAMES)
        self._proxy: subprocess.Popen[bytes] | None = None
        for name in NAMES:
            file = self._folder / f"{name}.yml"
            text = file.read_text()
            file.write_text(text.replace("hostssl marina exit_terminal", "hostssl all exit_terminal"))
        version = self._cluster.control("patronictl version").split()
        self.name = f"PostgreSQL under Patroni {version[-1]}"

    def start(self) -> None:
        """Return once all databases are there and the proxy leads to them."""
        self._cluster.start()
        with psycopg.connect(self._url("postgres", "postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE ROLE {OWNER} LOGIN PASSWORD '{PASSWORD}'".encode())
            for garage in self._garages:
                made = f"CREATE DATABASE {garage} OWNER {OWNER} TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C'"
                connection.execute(made.encode())
        passfile = self._folder / "workers.pgpass"
        passfile.write_text(f"{HOST}:{self._port}:*:{OWNER}:{PASSWORD}\n")
        passfile.chmod(0o600)
        self._start_proxy()

    def _url(self, database: str, user: str, name: str = "") -> str:
        port = self._cluster.ports[5432]
        return f"postgresql://{user}:{PASSWORD}@{NAMES[name or self._leader]}:{port}/{database}?sslmode=require"

    def _start_proxy(self) -> None:
        """HAProxy with what haproxy-hosted.cfg says of the database."""
        whole = (CLUSTER / "haproxy-hosted.cfg").read_text(encoding="utf-8")
        text = whole.partition("# One public name")[0]
        text = re.sub(r"    (user|group) haproxy\n|    log /dev/log local0\n|    log global\n", "", text)
        text = text.replace("192.0.2.2", "127.0.2.1").replace("/etc/haproxy/", f"{self._folder}/")
        for port, here in ((5432, self._cluster.ports[5432]), (8008, self._cluster.ports[8008]), (5000, self._port)):
            text = re.sub(rf"(:|port ){port}\b", rf"\g<1>{here}", text)
        (self._folder / "haproxy.cfg").write_text(text)
        log = self._folder / "haproxy.log"
        with log.open("wb") as out:
            words = [*LEASH, "haproxy", "-db", "-f", str(self._folder / "haproxy.cfg")]
            self._proxy = subprocess.Popen(words, stdout=out, stderr=out)
        listens(self._proxy, self._port, log)

    def _address(self, garage: str) -> DatabaseAddress:
        place = f"{OWNER}@{HOST}:{self._port}/{garage}?hostaddr=127.0.0.1"
        url = f"postgresql://{place}&sslmode=verify-full&sslrootcert={self._folder}/db-ca.crt"
        return DatabaseAddress(url, garage, self._folder / "workers.pgpass")

    def section(self, garage: str) -> str:
        address = self._address(garage)
        return f'url = "{address.url}"\npassfile = "{address.passfile}"'

    def rows(self, garage: str) -> Iterator[Row]:
        return DatabaseHistory(self._address(garage)).read()

    def commits(self) -> int | None:
        """Of all databases, as the primary counts them."""
        return self._asked("SELECT sum(xact_commit)::bigint FROM pg_stat_database")

    def disk(self) -> int:
        """Bytes of all databases on the primary."""
        return self._asked("SELECT sum(pg_database_size(datname))::bigint FROM pg_database")

    def _asked(self, sql: str) -> int:
        with psycopg.connect(self._url("postgres", "postgres"), autocommit=True) as connection:
            found = connection.execute(sql.encode()).fetchone()
        return int(found[0]) if found else 0

    def pids(self) -> Sequence[int]:
        """Servers, agents, etcd and the proxy."""
        servers = [int(file.read_text().split()[0]) for file in self._folder.glob("data-*/postmaster.pid")]
        proxy = [self._proxy.pid] if self._proxy and self._proxy.poll() is None else []
        return list({*servers, *self._cluster.pids(), *proxy})

    def kill(self, garage: int) -> str:
        """As if the primary's machine died: agent and server at once."""
        killed = self._leader
        self._alive = self._alive.replace(killed, "")
        self._cluster.kill(killed)
        return f"the primary, {killed}"

    def halt(self) -> str:
        """As if the primary's machine stood still."""
        self._cluster.halt(self._leader)
        return self._leader

    def go_on(self, name: str) -> None:
        """As if that machine went on, which led when it stood still."""
        self._cluster.halt(name, signal.SIGCONT)

    def settle(self, garage: int) -> None:
        """Wait until another leads, with a standby."""
        self._leader = self._cluster.until(self._alive.replace(self._leader, ""), "leader")
        self._cluster.until(self._alive, "sync_standby")

    def follows(self, name: str) -> None:
        """Wait until one that led follows the one that leads."""
        self._cluster.until(name, "replica", "sync_standby")

    def stop(self) -> None:
        if self._proxy:
            self._proxy.terminate()
            self._proxy.wait(10)
        self._cluster.stop()
        self._cluster.remove()


class HaltedPrimary:
    """A killer: the primary's machine stands still, and goes on while another leads and cars come. Nothing of what it
    held in its hands may count then."""

    def __init__(self, journals: PatroniJournals) -> None:
        self._journals, self._halted = journals, ""
        self._wakes = threading.Timer(HALTED_S, lambda: journals.go_on(self._halted))

    def kill(self, garage: int) -> str:
        self._halted = self._journals.halt()
        self._wakes.start()
        return f"the primary, {self._halted}, halted for {HALTED_S:.0f} s"

    def settle(self, garage: int) -> None:
        """Wait until another leads, and the one that stood still follows it."""
        self._wakes.join()
        self._journals.settle(garage)
        self._journals.follows(self._halted)
