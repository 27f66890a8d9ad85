"""What `check` says of Patroni, which it asks over HTTP."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from terminal.config.load import parse
from terminal.payby.sandbox.http_site import HttpSite
from terminal.tools.check.finding import Finding
from terminal.tools.check.patroni import patroni
from tests.support.installation import machine
from tests.support.ports import free_port

AGENT = {"state": "running", "role": "primary", "patroni": {"version": "4.1.5", "scope": "marina", "name": "a"}}
RULES = {"ttl": 20, "loop_wait": 1, "synchronous_mode": True, "synchronous_mode_strict": True}
TWO = [{"name": "a", "role": "leader"}, {"name": "b", "role": "sync_standby"}]
MEMBERS = {"members": [*TWO, {"name": "c", "role": "replica"}]}


@asynccontextmanager
async def agent(**answers: Any) -> AsyncIterator[str]:
    """A Patroni that answers so; a text stands for what is not JSON."""

    async def answer(request: web.Request) -> web.Response:
        said = answers.get(request.path.strip("/"))
        if said is None:
            raise web.HTTPNotFound
        if request.path == "/moved":
            raise web.HTTPFound(said)
        status = 503 if isinstance(said, dict) and said.get("state") == "stopped" else 200
        return web.Response(status=status, text=said if isinstance(said, str) else json.dumps(said))

    app = web.Application()
    app.add_routes([web.get("/{path}", answer)])
    site = HttpSite(app, shutdown_s=1.0)
    port = await site.start("127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        await site.stop()


async def asked(folder: Path, *urls: str) -> list[Finding]:
    text = f'[garage]\nid = "marina"\n[journal]\nurl = "postgresql://db/marina"\npatroni = {json.dumps(list(urls))}\n'
    return [finding async for finding in patroni(parse(text, folder / "exit-terminal.toml"), machine(folder))]


async def test_a_strict_synchronous_cluster_is_proved(tmp_path: Path) -> None:
    async with agent(patroni=AGENT, config=RULES, cluster=MEMBERS) as first, agent(patroni=AGENT) as second:
        found = await asked(tmp_path, first, second + "/")
    assert [finding.outcome for finding in found] == ["proved"] * 4
    assert "Patroni 4.1.5, primary, running" in found[0].text and "20 s" in found[2].text
    assert all(finding.key == "journal.patroni" for finding in found)


async def test_two_members_are_a_warning_because_either_one_s_death_stops_the_garage(tmp_path: Path) -> None:
    async with agent(patroni=AGENT, config=RULES, cluster={"members": TWO}) as url:
        found = await asked(tmp_path, url)
    assert found[-1].outcome == "warning" and "the death of either" in found[-1].text


@pytest.mark.parametrize(("version", "ok"), [("3.0.2", False), ("2.1.7", False), ("3.0.3", True), ("4.0.7", True)])
async def test_a_version_that_loses_rows_fails_at_whichever_agent_it_is(version: str, ok: bool, tmp_path: Path) -> None:
    old = {**AGENT, "patroni": {"version": version}}
    async with agent(patroni=AGENT, config=RULES, cluster=MEMBERS) as first, agent(patroni=old) as second:
        found = await asked(tmp_path, first, second)
    assert [finding.ok for finding in found] == [True, ok, True, True]
    assert ok or "can lose rows" in found[1].text


@pytest.mark.parametrize(
    ("config", "cluster", "words"),
    [
        ({**RULES, "synchronous_mode": False}, MEMBERS, "synchronous_mode is not on"),
        ({"synchronous_mode": True}, MEMBERS, "synchronous_mode_strict is not on"),
        ({}, MEMBERS, "synchronous_mode is not on"),
        (RULES, {"members": [{"role": "leader"}, {"role": "replica"}]}, "each commit waits"),
        (RULES, {"members": [{"role": "replica"}]}, "nobody can write"),
        (RULES, {}, "nobody can write"),
        ("<html>", MEMBERS, "not Patroni's"),
        ([1], MEMBERS, "not Patroni's"),
        (None, MEMBERS, "not Patroni's"),
    ],
)
async def test_rules_or_members_that_lose_rows_or_stand_still_fail(
    config: Any, cluster: Any, words: str, tmp_path: Path
) -> None:
    async with agent(patroni=AGENT, config=config, cluster=cluster) as url:
        found = await asked(tmp_path, url)
    wrong = [finding for finding in found if not finding.ok]
    assert len(wrong) == 1 and words in wrong[0].text and wrong[0].advice


@pytest.mark.parametrize(
    "answer", [{}, {"patroni": "4.1.5"}, {"patroni": {"version": "new"}}, {"patroni": {"version": None}}]
)
async def test_what_tells_no_version_is_no_patroni(answer: dict[str, Any], tmp_path: Path) -> None:
    async with agent(patroni=answer, config=RULES, cluster=MEMBERS) as url:
        found = await asked(tmp_path, url)
    assert not found[0].ok and "no version" in found[0].text


async def test_an_agent_whose_server_is_stopped_still_tells_its_version(tmp_path: Path) -> None:
    async with agent(patroni={**AGENT, "state": "stopped"}, config=RULES, cluster=MEMBERS) as url:
        found = await asked(tmp_path, url)
    assert found[0].ok and "stopped" in found[0].text


async def test_an_agent_that_is_away_fails_and_the_others_are_asked(tmp_path: Path) -> None:
    away = f"http://127.0.0.1:{free_port()}"
    async with agent(patroni=AGENT, config=RULES, cluster=MEMBERS) as url:
        found = await asked(tmp_path, away, url)
    assert [finding.ok for finding in found] == [False, True, True, True]
    assert "connection refused" in found[0].text
    assert [finding.ok for finding in await asked(tmp_path, away)] == [False]
