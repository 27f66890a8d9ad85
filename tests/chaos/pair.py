"""A garage with two workers and one lease; each worker has lines of its own to broker, PayBy and both databases."""

import asyncio
import re
import signal
import time
from collections.abc import Iterator
from typing import Any

from terminal.journal.kinds import OPENED
from terminal.journal.postgres.connection import BoundedConnection
from terminal.journal.postgres.reading import DatabaseHistory, pages
from terminal.journal.rows import HashChain, JournalError, Row
from tests.chaos import databases
from tests.chaos.history import History, Intent
from tests.chaos.kerb import Tail
from tests.chaos.scene import APART, STARTS_S, Scene
from tests.chaos.seats import SeatHistory, SeatRecords, StoredRow, Taking, judge_seats, unanswered
from tests.chaos.witness import SEATED
from tests.support.line import Line, by_port

WORKERS = tuple(f"{SEATED}{name}" for name in "ab")


class PairScene(Scene):
    """Mosquitto alone. The roles of the first lane run apart, as in any scene."""

    quiet_s = 600.0
    """PayBy waits for minutes before it repeats what was refused through several take-overs."""
    databases: databases.DatabasePair
    """From the start on."""

    def __init__(self, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self.seats = SeatRecords()
        self.lines: dict[str, dict[str, Line]] = {}
        """Of each worker: ``broker``, ``payby``, and the databases ``a`` and ``b``."""
        self._tails: dict[str, Tail] = {}

    @property
    def roles(self) -> tuple[str, ...]:
        others = tuple(role for role in APART if role != "worker")
        return (*WORKERS, *others, *(("loops",) if self.kerbs[0].has_loops else ()))

    async def _configured(self) -> None:
        self.databases = await self._stack.enter_async_context(databases.opened())
        own = self.garage.file
        text = own.read_text(encoding="utf-8")
        file = '[journal]\npath = "journal.db"'
        own.write_text(text.replace(file, f'[journal]\nurl = "{self.databases.url}"'), encoding="utf-8")
        payby = re.search(r'base_url = "http://127.0.0.1:(\d+)/', text)
        broker = re.search(r'url = "mqtt://127.0.0.1:(\d+)"', text)
        assert payby and broker
        for worker in WORKERS:
            lines = self.lines[worker] = {
                "broker": Line(by_port(int(broker[1]))),
                "payby": Line(by_port(int(payby[1]))),
            } | {name: Line(self._dials(name)) for name in databases.NAMES}
            for line in lines.values():
                await self._stack.enter_async_context(line)
            hosts = ",".join(f"127.0.0.1:{lines[name].port}" for name in databases.NAMES)
            url = f"postgresql://postgres@{hosts}/{self.databases.database}?target_session_attrs=read-write"
            worked = text.replace(file, f'[journal]\nurl = "{url}"')
            worked = worked.replace(payby[0], payby[0].replace(payby[1], str(lines["payby"].port)))
            worked = worked.replace(broker[0], broker[0].replace(broker[1], str(lines["broker"].port)))
            (self.folder / f"{worker}.toml").write_text(worked, encoding="utf-8")
            self._tails[worker] = Tail(self.folder / f"{worker}.seat.log")

    def _dials(self, name: str) -> Any:
        return lambda: asyncio.open_unix_connection(self.databases.socket(name))

    def journal(self) -> Iterator[Row]:
        return DatabaseHistory(self.databases.address).read()

    # Who works

    def look(self) -> SeatRecords:
        """What the workers have done until now."""
        for worker, tail in self._tails.items():
            self.seats.read(worker, tail.more())
        return self.seats

    def active(self) -> Taking | None:
        """The life that took the lease last, if it still runs."""
        taking = self.look().holder
        return taking if taking and self._lives(taking.worker) == taking.pid else None

    def other(self, worker: str) -> str:
        return WORKERS[worker == WORKERS[0]]

    def stands_by(self, worker: str) -> bool:
        return self.look().standing.get(self._lives(worker), False)

    def _lives(self, worker: str) -> int:
        process = self.garage.running.get(worker)
        return process.pid if process and not process.ended else 0

    async def paired(self, limit_s: float = STARTS_S) -> Taking | None:
        """Until one works, as its heartbeats say, and the other stands by; who works. None where that does not come."""

        def whole() -> bool:
            taking = self.active()
            if not taking or self.seats.standing.get(taking.pid) or taking.epoch in self.seats.releases:
                return False
            return self.stands_by(self.other(taking.worker)) and self.heard(taking) is not None

        return self.active() if await self.bell.until(whole, limit_s) else None

    def heard(self, taking: Taking) -> int | None:
        """The ms at which its first heartbeat came."""
        spoke = self.seats.spoke.get(taking.epoch)
        return next((at for at in self.ears.workers.values() if at >= spoke), None) if spoke else None

    async def taken_over(self, epoch: int, limit_s: float) -> Taking | None:
        """The next taking after ``epoch`` whose life wrote a row and is heard; None where that does not come."""

        def found() -> Taking | None:
            later = (taking for taking in self.look().takings if taking.epoch > epoch)
            return next((t for t in later if t.epoch in self.seats.wrote and self.heard(t)), None)

        await self.bell.until(lambda: found() is not None, limit_s)
        return found()

    # What is done to them

    def signal(self, worker: str, number: signal.Signals) -> None:
        self.garage.running[worker]._process.send_signal(number)

    def hole(self, worker: str, *lines: str) -> None:
        """Nothing passes on these lines, and nobody is told."""
        for line in lines:
            self.lines[worker][line].black_hole = True

    def heal(self, worker: str, *, late: bool) -> None:
        """All lines pass again; what hung arrives ``late``, or is lost with its connections."""
        for line in self.lines[worker].values():
            if line.black_hole:
                if not late:
                    line.cut()
                line.black_hole = False

    async def release(self) -> tuple[int, int]:
        """``worker --release``: its exit status, and the ms at which it began."""
        words = [*self.garage.words(WORKERS[0])[:2], "release", "worker", "--config", str(self.garage.file)]
        began = time.time_ns() // 1_000_000
        child = await self.garage.mother.bear(self.folder / "release.log", [*words, "--release"])
        return int(await child.wait()), began

    # What has become of it

    def judged(self, history: History) -> list[str]:
        seats = self._seat_history([intent for gate in history.gates for intent in gate.intents])
        self.figures["rows that were written and never acknowledged"] = [float(unanswered(seats))]
        return [*super().judged(history), *judge_seats(seats)]

    def _seat_history(self, intents: list[Intent]) -> SeatHistory:
        rows: list[StoredRow] = []
        broken = ""
        with BoundedConnection.open(self.databases.address, "test") as connection:
            chain = HashChain(self.databases.address.name)
            try:
                for sealed in pages(connection, 0):
                    seq, _, kind, data, _, end = sealed
                    chain.follow(sealed)
                    rows.append(
                        StoredRow(seq, end.hex(), int(data.split(b",")[0].split()[1]) if kind == OPENED else None)
                    )
            except JournalError as error:
                broken = str(error)
        hosts = {f"127.0.0.1:{lines['payby'].port}": worker for worker, lines in self.lines.items()}
        calls = [(hosts[call.headers["Host"]], call.at_ms) for call in self.garage.sandbox.calls]
        return SeatHistory(self.look(), rows, broken, calls, intents)
