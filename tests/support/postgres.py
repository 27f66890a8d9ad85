"""A PostgreSQL cluster for tests, of Debian's package: made in a folder of its own, with its defaults, on a socket.

It runs as a user other than root, as it must, and ends with the process that started it, whatever that one's end is.
"""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path

import psycopg

from terminal.journal.postgres.connection import DatabaseAddress
from tests.support.eventually import eventually

INSTALL = "apt-get install postgresql"
PORT = 5432
"""Its socket's name has it; nothing listens on the network."""
_VERSIONS = Path("/usr/lib/postgresql")


def programs() -> Path:
    """The folder of the newest server's programs; an error where there is none, and no skip."""
    found = sorted(_VERSIONS.glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    if not found:
        raise RuntimeError(f"no PostgreSQL server here; run: {INSTALL}")
    return found[-1].parent


class Cluster:
    """A running server. ``database()`` makes an empty one and returns its URL."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.data, self._numbers = folder, folder / "data", count(1)
        self._user = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"] if os.geteuid() == 0 else []
        self.owner = "postgres" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name

    def make(self) -> None:
        """initdb."""
        words = [
            "--username=postgres",
            "--auth=trust",
            "--encoding=UTF8",
            "--locale=C.UTF-8",
            "--data-checksums",
            "--no-sync",
        ]
        self.run("initdb", *words, f"--pgdata={self.data}")

    def start(self, *settings: str) -> None:
        """Return once it takes connections. ``settings``: as ``name=value``."""
        options = " ".join(f"-c {setting}" for setting in (*self._settings(), *settings))
        self.run("pg_ctl", "start", "--wait", "-D", str(self.data), "-l", str(self.folder / "log"), "-o", options)

    def promote(self) -> None:
        """A standby becomes the primary."""
        self.run("pg_ctl", "promote", "--wait", "-D", str(self.data))

    def stop(self, mode: str = "immediate") -> None:
        """Stop it: ``immediate`` as a crash would."""
        self.run("pg_ctl", "stop", "--wait", "-D", str(self.data), "-m", mode)

    def run(self, program: str, *words: str) -> None:
        """One of PostgreSQL's programs, as the cluster's user; raises RuntimeError with what it says."""
        command = [*self._user, str(programs() / program), *words]
        with (self.folder / "said").open("wb") as said:  # a pipe would stay open in the server
            done = subprocess.run(
                command, cwd=self.folder, stdin=subprocess.DEVNULL, stdout=said, stderr=said, timeout=60
            )
        if done.returncode:
            raise RuntimeError(f"{program}: {(self.folder / 'said').read_text(errors='replace')}")

    def restore(self, *words: str) -> None:
        """pg_restore, which reads a file of this process's user."""
        subprocess.run([str(programs() / "pg_restore"), *words], check=True, timeout=60)

    def url(self, database: str, user: str = "postgres") -> str:
        """Where a database of the cluster is."""
        return f"postgresql:///{database}?host={self.folder}&port={PORT}&user={user}"

    def database(self, options: str = "") -> str:
        """An empty database of its own; returns its name. ``options``: as CREATE DATABASE takes them."""
        name = f"garage{next(self._numbers)}"
        self.execute("postgres", f"CREATE DATABASE {name} {options}")
        return name

    def drop(self, name: str) -> None:
        """Whoever is still connected is cut off."""
        self.execute("postgres", f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    def cut(self, name: str) -> None:
        """End every connection to a database."""
        self.execute("postgres", f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'")

    def execute(self, database: str, sql: str) -> list[tuple[object, ...]]:
        """Run a statement as the cluster's owner; returns its rows."""
        with psycopg.connect(self.url(database), autocommit=True) as connection:
            cursor = connection.execute(sql.encode())
            return cursor.fetchall() if cursor.description else []

    def configure(self, **settings: str) -> None:
        """Change settings of the running server, as ALTER SYSTEM takes them, and wait until they hold."""
        for name, value in settings.items():
            self.execute("postgres", f"ALTER SYSTEM SET {name} = {value}")
        self.execute("postgres", "SELECT pg_reload_conf()")
        for name, value in settings.items():
            while self.execute("postgres", f"SHOW {name}") != [(value.strip("'"),)]:
                time.sleep(0.01)  # nothing tells when a server has read them

    @contextmanager
    def replica(self, name: str = "twin") -> Iterator["Cluster"]:
        """A standby of this server under that name, until the block is left."""
        folder = owned(self.folder / name)
        twin = Cluster(folder)
        twin.follow(self, name)
        try:
            yield twin
        finally:
            if (twin.data / "postmaster.pid").exists():
                twin.stop()
            shutil.rmtree(folder)

    def follow(self, primary: "Cluster", name: str) -> None:
        """Become the standby of that name, whatever was here before; returns once it takes connections. While it is
        copied it has another name, or the copying itself would count as the standby that commits wait for."""
        shutil.rmtree(self.data, ignore_errors=True)
        source = f"host={primary.folder} port={PORT} user=postgres"
        self.run("pg_basebackup", "-D", str(self.data), "-d", source, "-R", "-X", "stream", "-c", "fast", "--no-sync")
        self.start(f"cluster_name={name}")

    async def synchronous(self, name: str) -> None:
        """Until the standby of that name is."""
        sql = f"SELECT count(*) FROM pg_stat_replication WHERE application_name = '{name}' AND sync_state = 'sync'"
        await eventually(lambda: self.execute("postgres", sql) == [(1,)])

    def address(self, database: str, garage: str = "marina") -> DatabaseAddress:
        return DatabaseAddress(self.url(database), garage)

    def signal(self, number: signal.Signals) -> None:
        """To its first process."""
        os.kill(self._first(), number)

    def kill(self) -> None:
        """kill -9, all of its processes at once, as the end of its machine would; nothing is left behind in memory."""
        first, *_ = noted = (self.data / "postmaster.pid").read_text().split("\n")
        self.signal(signal.SIGSTOP)  # so that it neither starts another nor buries one
        children = Path(f"/proc/{first}/task/{first}/children").read_text().split()
        for pid in (*children, first):
            with suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGKILL)
        shared = noted[6].split()[1]
        subprocess.run(["ipcrm", "-m", shared], capture_output=True, timeout=10)
        (self.folder / f".s.PGSQL.{PORT}.lock").unlink()  # names a number that may be somebody else's soon

    def _first(self) -> int:
        return int((self.data / "postmaster.pid").read_text().split()[0])

    def _settings(self) -> list[str]:
        return [
            "listen_addresses=", f"unix_socket_directories={self.folder}", f"port={PORT}", "max_connections=60",
            "shared_buffers=32MB", "log_min_messages=warning", "autovacuum=off",
            "wal_retrieve_retry_interval=200ms",
        ]  # fmt: skip


@contextmanager
def cluster() -> Iterator[Cluster]:
    """A cluster that runs until the block is left."""
    programs()
    with clusters_folder() as folder:
        made = Cluster(folder)
        made.make()
        made.start()
        yield made


@contextmanager
def clusters_folder() -> Iterator[Path]:
    """A folder for clusters, of their user; whatever runs in it ends with the block."""
    folder = Path(tempfile.mkdtemp(prefix="pg-"))
    try:
        with _ended_with_us(_given(folder)):
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def owned(folder: Path) -> Path:
    """Make a folder of the clusters' user."""
    folder.mkdir()
    return _given(folder)


def _given(folder: Path) -> Path:
    if os.geteuid() == 0:
        shutil.chown(folder, "postgres", "postgres")
    return folder


@contextmanager
def _ended_with_us(folder: Path) -> Iterator[None]:
    """Whatever runs in ``folder/*`` ends with the block, or with this process: then a pipe closes that a shell, which
    is nobody's child, reads. A child of ours would be ended by the first test that looks what it leaves behind."""
    ends, held = os.pipe()
    pids = f"{folder}/*/postmaster.pid {folder}/*/*/postmaster.pid"
    stop = f'for pid in {pids}; do [ -e "$pid" ] && kill -QUIT "$(head -n 1 "$pid")"; done'
    subprocess.run(
        ["sh", "-c", f"exec 3<&0; (cat <&3 >/dev/null; {stop}; sleep 1; rm -rf {folder}) >/dev/null 2>&1 &"],
        stdin=ends, start_new_session=True, check=True,
    )  # fmt: skip
    os.close(ends)
    try:
        yield
    finally:
        for file in folder.glob("**/postmaster.pid"):
            with suppress(ProcessLookupError):  # a test killed it
                os.kill(int(file.read_text().split()[0]), signal.SIGQUIT)
        os.close(held)
