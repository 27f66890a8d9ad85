"""etcd and three servers under Patroni, configured by deploy/cluster, with the certificates that the page makes."""

import json
import os
import pwd
import re
import shutil
import signal
import ssl
import subprocess
import time
import urllib.error
import urllib.request
from contextlib import suppress
from pathlib import Path

from tests.support.leash import LEASH, bring_down
from tests.support.page_blocks import CLUSTER, block_with, run
from tests.support.ports import free_port
from tests.support.postgres import programs

PAGE = CLUSTER / "garage.md"
START_S = 60.0
NAMES = {"a": "127.0.2.11", "b": "127.0.2.12", "c": "127.0.2.13"}
PASSWORDS = {f"PATRONI_{who}_PASSWORD": "unused" for who in ("SUPERUSER", "REPLICATION", "REWIND")}


class PatroniCluster:
    """Servers a, b and c at 127.0.2.11 to 127.0.2.13, in ``folder``, as the user postgres. One etcd has all the votes:
    what several do is etcd's own matter."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ports = {port: free_port() for port in (2379, 2380, 8008, 5432)}
        self._user = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"] if os.geteuid() == 0 else []
        self._env = {**os.environ, **PASSWORDS, "HOME": str(folder)}  # libpq looks for certificates there
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._certificates()
        for name in NAMES:
            self._configure(name)
        self._etcd_file()
        if os.geteuid() == 0:
            owner = pwd.getpwnam("postgres")
            for path in (folder, *folder.rglob("*")):
                os.chown(path, owner.pw_uid, owner.pw_gid)

    def url(self, name: str) -> str:
        """Of a server's Patroni."""
        return f"https://{NAMES[name]}:{self.ports[8008]}"

    def start(self) -> None:
        """Return once a leads, b is its synchronous standby, and c has a copy."""
        self._run("etcd", "etcd", "--config-file", str(self.folder / "etcd.yml"))
        for name, role in (("a", "leader"), ("b", "sync_standby"), ("c", "replica")):
            self._run(f"patroni-{name}", "patroni", str(self.folder / f"{name}.yml"))
            self.until(name, role)

    def kill(self, name: str) -> None:
        """As if its machine died: agent and server at once."""
        os.kill(int((self.folder / f"data-{name}/postmaster.pid").read_text().split()[0]), signal.SIGKILL)
        bring_down(self._processes.pop(f"patroni-{name}"), signal.SIGKILL)

    def halt(self, name: str, how: int = signal.SIGSTOP) -> None:
        """As if its machine stood still: agent, server, and each process of the server's. SIGCONT: it goes on."""
        server = int((self.folder / f"data-{name}/postmaster.pid").read_text().split()[0])
        own = Path(f"/proc/{server}/task/{server}/children").read_text().split()
        for pid in (self._processes[f"patroni-{name}"].pid, server, *map(int, own)):
            with suppress(ProcessLookupError):  # one of the server's has ended meanwhile
                os.kill(pid, how)

    def until(self, names: str, *wanted: str) -> str:
        """Wait until one of the members (by their letters) has one of these roles; which one."""
        began = time.monotonic()
        while True:
            roles = self._roles()
            if found := [name for name in names if roles.get(name) in wanted]:
                return found[0]
            if time.monotonic() - began > START_S:
                raise RuntimeError(
                    f"none of {names} is {' or '.join(wanted)}: {roles}\n{self._log(f'patroni-{names[0]}')}"
                )
            time.sleep(0.2)  # nothing tells

    def pids(self) -> list[int]:
        """Of etcd and the agents; the servers are their children, or have none."""
        return [process.pid for process in self._processes.values() if process.poll() is None]

    def control(self, line: str) -> str:
        """A line of the page that calls a program of Patroni's, as Debian has it."""
        word, *rest = line.replace("/etc/patroni/patroni.yml", str(self.folder / "a.yml")).split()
        ended = subprocess.run(
            [*self._user, Path(word).name, *rest], capture_output=True, text=True, check=False, timeout=60, cwd="/",
            env=self._env,
        )  # fmt: skip
        return f"{ended.returncode} {ended.stdout}{ended.stderr}"

    def stop(self) -> None:
        for process in reversed(self._processes.values()):
            bring_down(process, signal.SIGTERM)

    def _roles(self) -> dict[str, str]:
        """Of the members that work, by whichever agent answers."""
        context = ssl.create_default_context(cafile=self.folder / "db-ca.crt")
        for name in NAMES:
            try:
                with urllib.request.urlopen(f"{self.url(name)}/cluster", timeout=2, context=context) as answer:
                    members = json.load(answer)["members"]
                break
            except (OSError, ValueError, urllib.error.URLError):
                continue
        else:
            return {}
        return {one["name"]: one["role"] for one in members if one.get("state") in ("running", "streaming")}

    def _certificates(self) -> None:
        block = block_with(PAGE, "sh", "subjectAltName")
        authority, *own = block.splitlines()
        run(authority, self.folder)
        for name, address in NAMES.items():
            lines = "\n".join(own).replace("192.0.2.11", address).replace("/CN=a", f"/CN={name}")
            run(re.sub(r"\ba\.(key|csr|ext|crt)", rf"{name}.\1", lines), self.folder)

    def _configure(self, name: str) -> None:
        text = self._here((CLUSTER / "patroni.yml").read_text(encoding="utf-8"))
        own = NAMES[name]
        text = text.replace("name: a\n", f"name: {name}\n", 1)
        text = re.sub(r"(listen|connect_address): 127\.0\.2\.11", rf"\1: {own}", text)
        text = re.sub(r"127\.0\.2\.1[23]:(\d+)\n(?= +-|  protocol)", r"127.0.2.11:\1\n", text)
        text = text.replace("/etc/patroni/server.", f"{self.folder}/{name}.").replace(
            "/etc/patroni/", f"{self.folder}/"
        )
        text = text.replace("/var/lib/postgresql/15/patroni", f"{self.folder}/data-{name}")
        text = text.replace("/usr/lib/postgresql/15/bin", str(programs()))
        text = text.replace("/var/lib/postgresql/.pgpass-patroni", f"{self.folder}/pgpass-{name}")
        text = text.replace("192.0.2.0/24", "127.0.0.0/8").replace("mode: automatic", "mode: 'off'")
        (self.folder / f"socket-{name}").mkdir()
        socket = f"  parameters:\n    unix_socket_directories: {self.folder}/socket-{name}\n    shared_buffers: 32MB\n"
        text = text.replace("  authentication:\n", f"{socket}  authentication:\n")
        (self.folder / f"{name}.yml").write_text(text)

    def _etcd_file(self) -> None:
        text = self._here((CLUSTER / "etcd.yml").read_text(encoding="utf-8"))
        text = re.sub(r",b=\S+", "", text).replace("/var/lib/etcd/marina", f"{self.folder}/etcd")
        text = text.replace("/etc/etcd/server.", f"{self.folder}/a.").replace("/etc/etcd/", f"{self.folder}/")
        (self.folder / "etcd.yml").write_text(text)

    def _here(self, text: str) -> str:
        text = text.replace("192.0.2.1", "127.0.2.1")
        for port, here in self.ports.items():
            text = re.sub(rf":{port}\b", f":{here}", text)
        return text

    def _run(self, log: str, *words: str) -> None:
        with (self.folder / f"{log}.log").open("wb") as out:
            process = subprocess.Popen(
                [*LEASH, *self._user, *words], stdout=out, stderr=out, cwd=self.folder, env=self._env
            )
        self._processes[log] = process

    def _log(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text(errors="replace")[-3000:]

    def remove(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)
