"""A RabbitMQ for the tests of what is larger than one machine: `make cluster`."""

import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from terminal.contract.access import all_users
from tests.cluster.rabbitmq_server import RabbitMq, of_page

GARAGE, LANES, PASSWORD = "marina", ("exit-1", "exit-2"), "unused"


@pytest.fixture
def rabbitmq(tmp_path: Path) -> Iterator[RabbitMq]:
    """One that the page's commands have told of the garage marina; every user has the same password."""
    folder, passwords = tmp_path / "rabbitmq", tmp_path / "passwords"
    folder.mkdir()
    passwords.mkdir()
    for user in all_users(GARAGE, LANES):
        (passwords / user).write_text(f"{PASSWORD}\n")
    [command] = [line for block in of_page("sh") for line in block.splitlines() if "contract.rabbitmq" in line]
    _, *words = shlex.split(command.partition(" > ")[0])
    (folder / "marina.json").write_bytes(
        subprocess.run(
            [sys.executable, *words, "--passwords", str(passwords)], check=True, stdout=subprocess.PIPE
        ).stdout
    )
    server = RabbitMq(folder)
    try:
        server.start()
        server.imports(folder / "marina.json")
        yield server
    finally:
        server.stop()
