"""One stock Mosquitto for all garages of a run."""

import signal
from collections.abc import Sequence
from pathlib import Path

from tests.conftest import Mosquitto


class MosquittoBroker:
    """See cell.Broker."""

    name, clean_session = "Mosquitto", False
    password = "unused"

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self._server = Mosquitto(folder)

    def start(self) -> None:
        self._server.start()

    def addresses(self, garage: int, lane: int) -> Sequence[tuple[str, int]]:
        return [("127.0.0.1", self._server.port)]

    def user(self, garage: str, user: str) -> str:
        return f"{garage}.{user}"

    client_id = user

    def url(self, garage: int) -> str:
        return self._server.url

    def before(self, garage: int) -> list[str]:
        return []

    def pids(self) -> list[int]:
        return [self._server.process.pid] if self._server.process else []

    def stop(self) -> None:
        self._server.stop(signal.SIGKILL)
