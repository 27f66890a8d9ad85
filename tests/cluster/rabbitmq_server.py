"""A RabbitMQ of Debian's package on this machine, with its MQTT plug-in and the product's own access rules."""

import os
import re
import shlex
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
{page}
"""
PAGE = Path(__file__).parents[2] / "deploy/cluster/rabbitmq.md"


def of_page(language: str) -> list[str]:
    """The page's blocks in this language."""
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


class RabbitMq:
    """Configured by the page. start() takes some ten seconds; it knows nobody before definitions are imported."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port, amqp = free_port(), free_port()
        (folder / "rabbitmq.conf").write_text(CONF.format(amqp=amqp, mqtt=self.port, page=of_page("ini")[0]))
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

    def imports(self, definitions: Path) -> None:
        """By the page's command; waits until it is done, for the node says at once that it has begun."""
        [command] = [line for block in of_page("sh") for line in block.splitlines() if "import_definitions" in line]
        _, ctl, word, _ = shlex.split(command)
        self._control(ctl, "await_startup")
        self._control(ctl, word, str(definitions))
        soon(lambda: b"marina.watch" in self._control(ctl, "list_permissions", "-p", "dunes"), limit_s=START_S)
        soon(lambda: b"marina.watch" in self._control(ctl, "list_topic_permissions", "-p", "dunes"), limit_s=START_S)

    def exports(self, folder: Path) -> list[Path]:
        """What the page's commands print of this node, its queues and its cluster, in files."""
        lines = [line for block in of_page("sh") for line in block.splitlines() if "--formatter json >" in line]
        made = []
        for line in lines:
            command, _, name = line.removeprefix("sudo ").partition(" > ")
            (folder / name).write_bytes(self._control(*shlex.split(command)))
            made.append(folder / name)
        return made

    def types(self, line: str) -> None:
        """A line of a page; fails if it does."""
        self._control(*shlex.split(line.removeprefix("sudo ")))

    def _control(self, *words: str) -> bytes:
        whole = [str(HOME / words[0]), *words[1:]]
        return subprocess.run(whole, env=self._env, check=True, stdout=subprocess.PIPE, timeout=START_S).stdout

    def stop(self) -> None:
        if self.process:
            os.killpg(self.process.pid, signal.SIGKILL)
            bring_down(self.process, signal.SIGKILL)
            self.process = None
        subprocess.run(["epmd", "-kill"], env=self._env, capture_output=True, check=False)
