"""`exit-terminal console` as a process, and what its address says while its journal cannot be written."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from broker.embedded import EmbeddedBroker
from terminal.clock import SystemClock
from terminal.mqtt.endpoint import Endpoint
from terminal.roles.console.out_of_service import OutOfService
from tests.conftest import embedded_bus
from tests.support.console_desk import PASSWORD, write_users
from tests.support.console_process import answers, console_file
from tests.support.eventually import eventually
from tests.support.leash import LEASH
from tests.support.ports import free_port


@asynccontextmanager
async def console(
    folder: Path, broker: EmbeddedBroker, port: int, key: str = "console.pem"
) -> AsyncIterator[asyncio.subprocess.Process]:
    file = console_file(folder, broker.url, broker.password_file("console"), port, key)
    process = await asyncio.create_subprocess_exec(
        *(*LEASH, sys.executable, "-m", "terminal", "--config", str(file), "console"),
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def test_the_console_serves_by_its_own_user_and_ends_when_it_is_told_to(
    embedded: EmbeddedBroker, tmp_path: Path
) -> None:
    write_users(tmp_path / "console")
    url = f"http://127.0.0.1:{(port := free_port())}"
    async with console(tmp_path, embedded, port) as process:
        await eventually(lambda: answers(f"{url}/desk/sign-in"), limit_s=30, every_s=0.1)
        async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as http:
            async with http.get(url) as answer:
                assert answer.url.path == "/desk/sign-in"
            form = {"name": "maha", "password": PASSWORD}
            async with http.post(f"{url}/desk/sign-in", data=form) as answer:
                assert (answer.status, answer.url.path) == (200, "/desk/")
                assert "Marina Garage" in await answer.text()
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), 20) == 0
    assert {file.name for file in (tmp_path / "console").iterdir()} >= {"users.json", "console.db", "heard.db"}
    for file in (tmp_path / "console").iterdir():
        assert not file.stat().st_mode & 0o007, file.name


@pytest.mark.parametrize(
    ("wrong", "said"),
    [("port", "console.port: 127.0.0.1, port"), ("key", "lift.trusted has no console with its public half")],
)
async def test_what_must_be_set_right_is_one_line_and_status_2(
    embedded: EmbeddedBroker, tmp_path: Path, wrong: str, said: str
) -> None:
    port = embedded.port if wrong == "port" else free_port()
    key = "worker.pem" if wrong == "key" else "console.pem"
    async with console(tmp_path, embedded, port, key) as process:
        _, stderr = await asyncio.wait_for(process.communicate(), 30)
        assert process.returncode == 2
    lines = [line for line in stderr.decode().splitlines() if line.startswith("exit-terminal: ")]
    assert len(lines) == 1
    assert said in lines[0]


async def test_without_a_journal_every_page_says_that_nothing_can_be_done(embedded: EmbeddedBroker) -> None:
    async with embedded_bus(embedded, "console", clean=True) as bus:
        endpoint = Endpoint(bus, garage="marina", lane=None, role="console", version="1", clock=SystemClock())
        service = OutOfService(endpoint, "127.0.0.1", 0)
        running = asyncio.create_task(service.run())
        await eventually(lambda: service.port)
        async with aiohttp.ClientSession() as http:
            for path in ("/", "/desk/", "/desk/lanes/exit-1/lift"):
                async with http.post(f"http://127.0.0.1:{service.port}{path}") as answer:
                    assert answer.status == 503
                    assert "so nothing can be done here" in await answer.text()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_a_console_without_room_for_its_journal_stays_and_says_so(
    embedded: EmbeddedBroker, tmp_path: Path
) -> None:
    if os.geteuid() == 0:
        (tmp_path / "console").write_text("a file in the folder's place")
    else:
        (tmp_path / "console").mkdir(mode=0o500)
    url = f"http://127.0.0.1:{(port := free_port())}/desk/"

    async def refuses() -> bool:
        try:
            async with aiohttp.ClientSession() as http, http.get(url) as answer:
                return answer.status == 503
        except aiohttp.ClientError:
            return False

    async with console(tmp_path, embedded, port) as process:
        await eventually(refuses, limit_s=30, every_s=0.1)
        assert process.returncode is None
