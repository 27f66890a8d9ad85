"""Does ``notify_url`` lead to the listener? What is found out from here, and what is not."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from aiohttp import web

from terminal.tools.check import notifications as notify
from terminal.tools.check.finding import Finding
from terminal.tools.check.notifications import notifications
from tests.support.installation import configured, machine, place
from tests.support.listening import Client, PlayedWorker, client, worker
from tests.support.ports import free_port

__all__ = ["client", "place", "worker"]


async def found(place: Path, url: str, *, serves: bool = True) -> list[Finding]:
    settings = configured(place, "http://127.0.0.1:1", "mqtt://127.0.0.1:1", payby_notify_url=url, listener_port="1")
    return [finding async for finding in notifications(settings, replace(machine(place), serves=lambda: serves))]


@asynccontextmanager
async def answering(status: int, **headers: str) -> AsyncIterator[str]:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(status=status, headers=headers)

    app = web.Application()
    app.router.add_post("/notify", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/notify"
    finally:
        await runner.cleanup()


async def test_the_real_listener_is_known_by_its_refusal(place: Path, client: Client, worker: PlayedWorker) -> None:
    (finding,) = await found(place, f"{client.url}/payby/notify")
    assert finding.ok and "leads to the listener" in finding.text
    assert worker.heard == []
    (finding,) = await found(place, f"{client.url}/payby")
    assert not finding.ok


@pytest.mark.parametrize("status", [200, 302, 401, 404])
async def test_another_server_is_no_listener(place: Path, status: int) -> None:
    async with answering(status, Location="http://127.0.0.1:1/") as url:
        (finding,) = await found(place, url)
    assert not finding.ok
    assert f"answers {status}" in finding.text and "deploy/proxy" in finding.advice


async def test_a_proxy_with_nobody_behind_it_proves_nothing(place: Path) -> None:
    async with answering(502) as url:
        (finding,) = await found(place, url, serves=False)
    assert finding.ok and finding.text.startswith("not proven") and "is not running" in finding.text


async def test_what_is_not_answered_from_here_is_said_and_is_no_failure(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notify, "LIMIT_S", 1.0)
    (finding,) = await found(place, f"http://127.0.0.1:{free_port()}/payby/notify")
    assert finding.ok and finding.text.startswith("not proven")


async def test_without_an_address_or_a_listener_nothing_is_asked(place: Path) -> None:
    for changes in ({"listener_port": "1"}, {"payby_notify_url": "http://127.0.0.1:1/x"}):
        settings = configured(place, "http://127.0.0.1:1", "mqtt://127.0.0.1:1", **changes)
        assert [finding async for finding in notifications(settings, machine(place))] == []
