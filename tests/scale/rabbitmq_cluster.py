"""Three RabbitMQ nodes of one cluster on this machine, set up by deploy/cluster/rabbitmq.md, each at its own address.

``root``: the root of a Debian release that has RabbitMQ 4, in which they run; without one they are this machine's. Both
need root's rights, because each garage must find the three addresses under one name, in an order of its own.
"""

import json
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from itertools import count
from pathlib import Path

from terminal.contract.rabbitmq import definitions, name_of
from tests.cluster.rabbitmq_server import HOME, START_S, of_page
from tests.scale.gauges import processes, trees
from tests.support.eventually import soon
from tests.support.leash import LEASH
from tests.support.ports import free_port, listens

NODES = ("a", "b", "c")
HOSTS = ("127.0.3.1", "127.0.3.2", "127.0.3.3")
VHOST = "dunes"
CONF = """\
listeners.tcp.1 = {host}:{amqp}
mqtt.listeners.tcp.1 = {host}:{mqtt}
cluster_formation.peer_discovery_backend = classic_config
{peers}
{page}
"""
INSIDE = """\
mount -t proc proc "$0/proc" && mount --bind "$1" "$0/srv" && root=$0 && shift && exec chroot "$root" "$@"
"""
NAMED = 'mount --bind "$0" /etc/hosts && exec "$@"'


class RabbitMqCluster:
    """See cell.Broker. ``users``: of each garage its lanes."""

    clean_session = True
    password = "unused"

    def __init__(self, folder: Path, root: Path | None, garages: Mapping[str, Sequence[str]]) -> None:
        if os.geteuid():
            raise RuntimeError("three nodes at addresses of one name need root: mount namespaces")
        folder.mkdir()
        self._folder, self._root, self._garages = folder, root, garages
        self._inside = Path("/srv") if root else folder
        self._port, self._epmd, self._serial = free_port(), free_port(), count(1)
        self._amqp, self._dist = free_port(), [free_port() for _ in NODES]
        self._started: dict[str, subprocess.Popen[bytes]] = {}
        cookie = folder / ".erlang.cookie"
        cookie.write_text("scale")
        cookie.chmod(0o400)
        peers = "\n".join(
            f"cluster_formation.classic_config.nodes.{n} = {node}@localhost" for n, node in enumerate(NODES, 1)
        )
        for node, host in zip(NODES, HOSTS, strict=True):
            text = CONF.format(host=host, amqp=self._amqp, mqtt=self._port, peers=peers, page=of_page("ini")[0])
            (folder / f"{node}.conf").write_text(text)
        (folder / "plugins").write_text("[rabbitmq_mqtt].")
        self.name = "RabbitMQ"

    # What it runs

    def _words(self, *words: str) -> list[str]:
        if not self._root:
            return [*LEASH, *words]
        own = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", INSIDE]
        return [*LEASH, *own, str(self._root), str(self._folder), *words]

    def _env(self, node: str = "a") -> dict[str, str]:
        here = self._inside
        return {
            "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
            "LANG": "C.UTF-8",
            "HOME": str(here),
            "RABBITMQ_CONFIG_FILE": str(here / f"{node}.conf"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(here / "plugins"),
            "RABBITMQ_MNESIA_BASE": str(here / "mnesia"),
            "RABBITMQ_LOGS": "-",
            "RABBITMQ_NODENAME": f"{node}@localhost",
            "RABBITMQ_DIST_PORT": str(self._dist[NODES.index(node)]),
            "ERL_EPMD_PORT": str(self._epmd),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
        }

    def _run(self, name: str, *words: str, node: str = "a") -> None:
        with (self._folder / f"{name}.log").open("ab") as out:
            self._started[name] = subprocess.Popen(
                self._words(*words), stdout=out, stderr=out, stdin=subprocess.DEVNULL, env=self._env(node)
            )

    def control(self, *words: str, node: str = "a") -> bytes:
        """What one of RabbitMQ's programs prints."""
        whole = self._words(str(HOME / words[0]), *words[1:])
        done = subprocess.run(whole, env=self._env(node), capture_output=True, check=False, timeout=START_S)
        if done.returncode:
            raise RuntimeError(f"{words}: {done.stdout.decode()}{done.stderr.decode()}")
        return done.stdout

    def start(self) -> None:
        """Return once all three serve, and know the garages' users."""
        self._run("epmd", "epmd", "-address", "127.0.0.1", "-port", str(self._epmd))
        for node in NODES:
            self._run(node, str(HOME / "rabbitmq-server"), node=node)
        for node in NODES:
            self._serves(node)
        running = json.loads(self.control("rabbitmqctl", "cluster_status", "--formatter", "json"))["running_nodes"]
        if len(running) != len(NODES):
            raise RuntimeError(f"the nodes did not join: {running}")
        version = self.control("rabbitmqctl", "version").decode().split()[-1]
        self.name = f"RabbitMQ {version}"
        self._import()

    def _import(self) -> None:
        whole: dict[str, list[dict[str, object]]] = {}
        for garage, lanes in self._garages.items():
            used = {name_of(garage, user) for user in ("worker", "listener", *(f"lane.{lane}" for lane in lanes))}
            found = definitions(garage, lanes, vhost=VHOST, password=lambda user: self.password)
            for part, entries in found.items():
                kept = [one for one in entries if part == "vhosts" or one.get("user", one.get("name")) in used]
                whole.setdefault(part, []).extend(one for one in kept if one not in whole[part])
        (self._folder / "users.json").write_text(json.dumps(whole))
        self.control("rabbitmqctl", "import_definitions", str(self._inside / "users.json"))
        last = str(whole["topic_permissions"][-1]["user"]).encode()
        soon(lambda: last in self.control("rabbitmqctl", "list_topic_permissions", "-p", VHOST), limit_s=START_S)

    # What a cell asks of it

    def addresses(self, garage: int, lane: int) -> Sequence[tuple[str, int]]:
        first = (garage + lane) % len(HOSTS)
        return [(host, self._port) for host in (*HOSTS[first:], *HOSTS[:first])]

    def user(self, garage: str, user: str) -> str:
        return name_of(garage, user)

    client_id = user

    def url(self, garage: int) -> str:
        return f"mqtt://cell.example:{self._port}"

    def before(self, garage: int) -> list[str]:
        """The words before a program that finds the nodes by their name, its own one first."""
        hosts = self._folder / f"hosts-{garage % len(HOSTS)}"
        lines = (f"{host} cell.example\n" for host, _ in self.addresses(garage, 0))
        hosts.write_text("127.0.0.1 localhost\n" + "".join(lines))
        return ["unshare", "--mount", "sh", "-c", NAMED, str(hosts)]

    def pids(self) -> list[int]:
        return [process.pid for process in self._started.values() if process.poll() is None]

    def kill(self, garage: int) -> str:
        """kill -9 of the node at which that garage's worker is."""
        node = NODES[garage % len(NODES)]
        os.kill(self._beam(node), signal.SIGKILL)
        return f"node {node}"

    def settle(self, garage: int) -> None:
        """Start the node that was killed, and wait until it serves."""
        node = NODES[garage % len(NODES)]
        self._end(node)
        self._run(node, str(HOME / "rabbitmq-server"), node=node)
        self._serves(node)

    def _serves(self, node: str) -> None:
        """Wait until it does."""
        host = HOSTS[NODES.index(node)]
        listens(self._started[node], self._port, self._folder / f"{node}.log", limit_s=START_S, host=host)
        self.control("rabbitmqctl", "await_startup", node=node)

    def _beam(self, node: str) -> int:
        for pid in trees([self._started[node].pid], processes()):
            if Path(f"/proc/{pid}/comm").read_text().strip() == "beam.smp":
                return pid
        raise RuntimeError(f"node {node} has no Erlang")

    def stop(self) -> None:
        for name in reversed(self._started):
            self._end(name)

    def _end(self, name: str) -> None:
        process = self._started[name]
        for pid in trees([process.pid], processes()):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        process.wait(10)
