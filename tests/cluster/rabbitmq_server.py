"""A RabbitMQ of Debian's package on this machine, with its MQTT plug-in and the product's own access rules."""

import os
import signal
import subprocess
from pathlib import Path

from tests.support.eventually import soon
from tests.support.leash import LEASH, bring_down
from tests.support.ports import free_port, listens

HOME = Path("/usr/lib/rabbitmq/bin")
START_S = 90.0
CONF = """\
listeners.tcp.1 = 127.0.0.1:{amqp}
mqtt.listeners.tcp.1 = 127.0.0.1:{mqtt}
mqtt.vhost = {vhost}
mqtt.allow_anonymous = false
load_definitions = {folder}/definitions.json
"""


class RabbitMq:
    """start() takes some ten seconds. ``definitions`` is the JSON that it imports; ``vhost`` where MQTT users are."""

    def __init__(self, folder: Path, definitions: str, *, vhost: str) -> None:
        self.folder = folder
        self.port, amqp = free_port(), free_port()
        (folder / "definitions.json").write_text(definitions, encoding="utf-8")
        (folder / "rabbitmq.conf").write_text(CONF.format(amqp=amqp, mqtt=self.port, vhost=vhost, folder=folder))
        (folder / "plugins").write_text("[rabbitmq_mqtt].")
        self._env = {
            **os.environ,
            "HOME": str(folder),
            "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq.conf"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "plugins"),
            "RABBITMQ_MNESIA_BASE": str(folder / "mnesia"),
            "RABBITMQ_LOGS": "-",
            "RABBITMQ_NODENAME": f"test{self.port}@localhost",
            "RABBITMQ_DIST_PORT": str(free_port()),
            "ERL_EPMD_PORT": str(free_port()),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
        }
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"mqtt://127.0.0.1:{self.port}"

    def start(self) -> None:
        log = self.folder / "log"
        with log.open("ab") as out:
            words = [*LEASH, str(HOME / "rabbitmq-server")]
            self.process = subprocess.Popen(words, stdout=out, stderr=out, env=self._env, start_new_session=True)
        listens(self.process, self.port, log, limit_s=START_S)
        soon(
            lambda: b"Server startup complete" in log.read_bytes(), limit_s=START_S
        )  # it listens before it knows users

    def stop(self) -> None:
        if self.process:
            os.killpg(self.process.pid, signal.SIGKILL)
            bring_down(self.process, signal.SIGKILL)
            self.process = None
        subprocess.run(["epmd", "-kill"], env=self._env, capture_output=True, check=False)
