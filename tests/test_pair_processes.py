"""Two workers of one garage, as processes, with a journal in a database: one serves, the other takes over in time."""

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from terminal.journal.kinds import OPENED
from terminal.journal.postgres.connection import BoundedConnection
from terminal.journal.postgres.lease import standbys
from terminal.journal.postgres.reading import DatabaseHistory
from tests.conftest import Mosquitto
from tests.support.eventually import eventually
from tests.support.garage import Garage, Process
from tests.support.leaving import leaves
from tests.support.line import Line, by_port
from tests.support.postgres import PORT, Cluster

TAKE_OVER_S = 5.0
"""What a driver may rely on; see deploy/postgresql.md."""
SLACK_S = 5.0
"""What a machine may take on top that runs all tests at once."""


class Pair(Garage):
    """A garage whose journal is in a database. Each worker has lines of its own to the broker, to PayBy and to the
    database."""

    def __init__(self, folder: Path, broker: Mosquitto, postgres: Cluster, database: str) -> None:
        super().__init__(folder, broker.url)
        self._postgres, self._database, self._mosquitto = postgres, database, broker
        self.lines: dict[str, dict[str, Line]] = {}

    async def _open(self) -> None:
        await super()._open()
        text = self.file.read_text(encoding="utf-8")
        url = self._postgres.url(self._database)
        self.file.write_text(
            text.replace('[journal]\npath = "journal.db"', f'[journal]\nurl = "{url}"'), encoding="utf-8"
        )

    async def worker(self, name: str) -> Process:
        """Start a worker; what it sends is counted."""
        folder = self._postgres.folder / name
        folder.mkdir()
        socket = f"{folder}/.s.PGSQL.{PORT}"
        real = f"{self._postgres.folder}/.s.PGSQL.{PORT}"
        lines = {
            "broker": Line(by_port(self._mosquitto.port)),
            "payby": Line(by_port(int(self.sandbox.base_url.split(":")[2].split("/")[0]))),
            "database": Line(lambda: asyncio.open_unix_connection(real), socket),
        }
        for line in lines.values():
            await self._stack.enter_async_context(line)
        self._stack.callback(folder.rmdir)
        self._stack.callback(Path(socket).unlink, missing_ok=True)
        self.lines[name] = lines
        process = await self.spawn(
            "worker",
            env={
                "EXIT_TERMINAL_MQTT_URL": f"mqtt://127.0.0.1:{lines['broker'].port}",
                "EXIT_TERMINAL_PAYBY_BASE_URL": self.sandbox.base_url.replace(
                    self.sandbox.base_url.split(":")[2].split("/")[0], str(lines["payby"].port)
                ),
                "EXIT_TERMINAL_JOURNAL_URL": self._postgres.url(self._database).replace(
                    f"host={self._postgres.folder}", f"host={folder}"
                ),
            },
        )
        self.running[name] = self.running.pop("worker")
        return process

    async def stands_by(self) -> None:
        """Until a worker stands by."""
        await eventually(lambda: asyncio.to_thread(self._standbys), limit_s=30, every_s=0.1)

    async def nobody_stands_by(self) -> None:
        await eventually(lambda: asyncio.to_thread(lambda: not self._standbys()), limit_s=30, every_s=0.1)

    def _standbys(self) -> int:
        with BoundedConnection.open(self._postgres.address(self._database), "test") as connection:
            return standbys(connection)

    async def both(self) -> None:
        """`first` serves, `second` stands by, and the lane's roles are there."""
        await self.worker("first")
        await self.online("worker")
        await self.worker("second")
        await self.start("listener", "barrier", "lcd", "reader")
        await self.stands_by()

    def instance(self) -> Any:
        """Who spoke last as the worker."""
        return self.heard.of("health/worker")[-1]["instance"]

    async def taken_over(self, since: int, before: str) -> dict[str, Any]:
        """The first heartbeat of another worker than ``before``."""
        return await self.heard.until(
            "health/worker", since=since, state="online", instance=lambda name: name != before
        )

    def sent(self, name: str) -> tuple[int, int]:
        """Bytes to the broker and to PayBy."""
        return self.lines[name]["broker"].sent, self.lines[name]["payby"].sent

    def epochs(self) -> list[int]:
        rows = DatabaseHistory(self._postgres.address(self._database)).read()
        return [int(row.data.split(b",")[0].split()[1]) for row in rows if row.kind == OPENED]


@pytest.fixture
async def pair(tmp_path: Path, mosquitto: Mosquitto, postgres: Cluster, database: str) -> AsyncIterator[Pair]:
    async with Pair(tmp_path, mosquitto, postgres, database) as garage:
        await garage.both()
        yield garage


async def visit_until_order(pair: Pair) -> tuple[int, dict[str, Any]]:
    mark = pair.scan(pair.ticket())
    order = await pair.order(since=mark)
    await pair.code_on_glass(order["token_url"])
    return mark, order


async def paid_and_left(pair: Pair, mark: int, order: dict[str, Any]) -> None:
    await pair.sandbox.pay(order["token_url"])
    await leaves(pair, mark)


def signalled(process: Process, number: signal.Signals) -> None:
    process._process.send_signal(number)


async def released(pair: Pair) -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *pair.words("worker"),
        "--release",
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate()
    return process.returncode or 0, said.decode()


@pytest.mark.timeout(240)
@pytest.mark.fault("worker-frozen")
async def test_one_that_is_frozen_in_a_visit_is_replaced_says_nothing_once_thawed_and_takes_over_again(
    pair: Pair,
) -> None:
    loop = asyncio.get_running_loop()
    mark, order = await visit_until_order(pair)
    assert pair.sent("second") == (0, 0), "who stands by says nothing"
    before, first, since = pair.instance(), pair.running["first"], len(pair.heard.all)
    signalled(first, signal.SIGSTOP)
    began = loop.time()
    await pair.taken_over(since, before)
    assert loop.time() - began < TAKE_OVER_S + SLACK_S
    await paid_and_left(pair, mark, order)
    sent, thawed = pair.sent("first"), len(pair.heard.all)
    signalled(first, signal.SIGCONT)
    await pair.stands_by()
    await paid_and_left(pair, *await visit_until_order(pair))
    assert pair.sent("first") == sent, "not a byte, neither to the broker nor to PayBy"
    assert before not in {m["instance"] for t, m in pair.heard.all[thawed:] if t == "health/worker"}
    assert not first.ended

    # a planned stop of the other hands over at once, in a visit too
    mark, order = await visit_until_order(pair)
    before, since = pair.instance(), len(pair.heard.all)
    assert await pair.running.pop("second").kill(signal.SIGTERM) == 0
    began = loop.time()
    await pair.taken_over(since, before)
    assert loop.time() - began < 1.0 + SLACK_S
    assert any(m["state"] == "offline" for t, m in pair.heard.all[since:] if t == "health/worker")
    await paid_and_left(pair, mark, order)
    assert pair.epochs() == [1, 2, 3]


@pytest.mark.timeout(240)
@pytest.mark.fault("database-cut")
async def test_the_seat_is_handed_over_and_back_and_left_by_one_that_lost_the_database_or_was_killed(
    pair: Pair,
) -> None:
    for _ in range(2):
        await pair.stands_by()
        before, since = pair.instance(), len(pair.heard.all)
        status, said = await released(pair)
        assert (status, "handed over to" in said) == (0, True), said
        await pair.taken_over(since, before)
    await pair.stands_by()

    # the first one is cut off from the database, and from nothing else
    mark, order = await visit_until_order(pair)
    before, since = pair.instance(), len(pair.heard.all)
    pair.lines["first"]["database"].black_hole = True
    await pair.taken_over(since, before)
    sent = pair.sent("first")
    await paid_and_left(pair, mark, order)
    pair.lines["first"]["database"].black_hole = False
    await pair.stands_by()
    assert pair.sent("first") == sent

    # the second one is killed
    mark, order = await visit_until_order(pair)
    before, since = pair.instance(), len(pair.heard.all)
    await pair.kill("second")
    await pair.taken_over(since, before)
    await paid_and_left(pair, mark, order)
    epochs = pair.epochs()
    assert epochs == sorted(set(epochs))
    assert len(epochs) == 5
    await pair.nobody_stands_by()
    status, said = await released(pair)
    assert status == 1
    assert "Nobody stands by" in said


@pytest.mark.timeout(240)
async def test_run_serves_a_lane_with_its_worker_s_journal_in_a_database(
    tmp_path: Path, mosquitto: Mosquitto, postgres: Cluster, database: str
) -> None:
    async with Pair(tmp_path, mosquitto, postgres, database) as garage:
        await garage.start("run")
        await paid_and_left(garage, *await visit_until_order(garage))
        assert not (tmp_path / "journal.db").exists()
        postgres.cut(database)  # the worker gets up, and sits down again beside roles that go on
        since = len(garage.heard.all)
        mark = garage.scan(garage.ticket())
        await garage.heard.until("order", since=mark, status="created")
        assert "offline" not in {m["state"] for t, m in garage.heard.all[since:] if t == "health/run"}
        assert await garage.running.pop("run").kill(signal.SIGTERM) == 0
        assert len(garage.epochs()) == 2
