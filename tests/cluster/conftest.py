"""A RabbitMQ for the tests of what is larger than one machine: `make cluster`."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from terminal.contract.rabbitmq import definitions
from tests.cluster.rabbitmq_server import RabbitMq

GARAGE, VHOST, PASSWORD = "marina", "dunes", "unused"


@pytest.fixture
def rabbitmq(tmp_path: Path) -> Iterator[RabbitMq]:
    """One that knows the garage marina with its lanes exit-1 and exit-2, and lets every user in by one password."""
    folder = tmp_path / "rabbitmq"
    folder.mkdir()
    found = definitions(GARAGE, ("exit-1", "exit-2"), vhost=VHOST, password=lambda user: PASSWORD)
    server = RabbitMq(folder, json.dumps(found), vhost=VHOST)
    try:
        server.start()
        yield server
    finally:
        server.stop()
