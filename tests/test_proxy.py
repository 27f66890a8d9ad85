"""The reverse proxies of deploy/proxy on Debian's nginx and Caddy: what reaches the listener, and what does not."""

import asyncio
import contextlib
import os
import shutil
import signal
import ssl
import subprocess
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from tests.support.authority import Authority
from tests.support.leash import LEASH, bring_down
from tests.support.ports import free_port, listens

PROXY = Path(__file__).parents[1] / "deploy/proxy"
NAME = "pay.example.com"
LARGEST = 64 * 1024
TIMES_S = 5.0
"""How long a proxy waits for a slow client, as both files have it."""


@dataclass
class Proxied:
    """A proxy, and the listener behind it."""

    port: int
    ca: Path
    came: list[tuple[str, str, bytes, str | None]] = field(default_factory=list)

    @contextlib.asynccontextmanager
    async def session(self) -> AsyncIterator[aiohttp.ClientSession]:
        """A client that finds the proxy under its public name."""

        class Here(aiohttp.abc.AbstractResolver):
            async def resolve(self, host: str, port: int = 0, family: int = 0) -> list[aiohttp.abc.ResolveResult]:
                return [{"hostname": host, "host": "127.0.0.1", "port": port, "family": 2, "proto": 0, "flags": 0}]

            async def close(self) -> None:
                return None

        context = ssl.create_default_context(cafile=self.ca)
        connector = aiohttp.TCPConnector(ssl=context, resolver=Here(), limit=0)
        async with aiohttp.ClientSession(f"https://{NAME}:{self.port}", connector=connector) as session:
            yield session


def nginx(folder: Path, port: int, upstream: int, certificate: Path, key: Path) -> list[str]:
    text = (PROXY / "nginx.conf").read_text(encoding="utf-8")
    text = text.replace("    listen [::]:443 ssl default_server;\n", "").replace("    listen [::]:443 ssl;\n", "")
    text = text.replace("listen 443 ssl", f"listen 127.0.0.1:{port} ssl")
    text = text.replace(f"/etc/letsencrypt/live/{NAME}/fullchain.pem", str(certificate))
    text = text.replace(f"/etc/letsencrypt/live/{NAME}/privkey.pem", str(key)).replace(":8080", f":{upstream}")
    places = "".join(
        f"{name}_temp_path {folder}/{name};\n" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    own = "user root;\n" if os.geteuid() == 0 else ""
    (folder / "nginx.conf").write_text(
        f"{own}daemon off;\nmaster_process off;\npid {folder}/pid;\nerror_log stderr;\nevents {{}}\n"
        f"http {{\naccess_log off;\n{places}{text}\n}}\n"
    )
    return ["nginx", "-p", str(folder), "-c", str(folder / "nginx.conf")]


def caddy(folder: Path, port: int, upstream: int, certificate: Path, key: Path) -> list[str]:
    text = (PROXY / "Caddyfile").read_text(encoding="utf-8")
    text = text.replace("admin off\n", "admin off\n\tauto_https disable_redirects\n", 1)
    text = text.replace(f"{NAME} {{", f"https://{NAME}:{port} {{\n\tbind 127.0.0.1\n\ttls {certificate} {key}\n")
    text = text.replace(":8080", f":{upstream}")
    (folder / "Caddyfile").write_text(text)
    return ["caddy", "run", "--config", str(folder / "Caddyfile"), "--adapter", "caddyfile"]


@pytest.fixture(params=[nginx, caddy], ids=["nginx", "caddy"])
async def proxied(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Proxied]:
    if shutil.which(request.param.__name__) is None:
        pytest.skip(f"no {request.param.__name__} here")
    authority = Authority(tmp_path)
    certificate, key = authority.issue(NAME, NAME)
    found = Proxied(free_port(), authority.file)

    async def answer(asked: web.Request) -> web.Response:
        found.came.append((asked.method, asked.path, await asked.read(), asked.headers.get("X-Sign")))
        return web.json_response({"response": "SUCCESS"})

    app = web.Application(client_max_size=1 << 20)
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await (site := web.TCPSite(runner, "127.0.0.1", 0)).start()
    upstream = int(site._server.sockets[0].getsockname()[1])  # type: ignore[union-attr]
    words = request.param(tmp_path, found.port, upstream, certificate, key)
    with (tmp_path / "log").open("wb") as log:
        own = {**os.environ, "HOME": str(tmp_path), "XDG_DATA_HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path)}
        process = subprocess.Popen([*LEASH, *words], stdout=log, stderr=log, env=own)
    try:
        await asyncio.to_thread(listens, process, found.port, tmp_path / "log")
        yield found
    finally:
        bring_down(process, signal.SIGKILL)
        await runner.cleanup()


async def test_a_notification_reaches_the_listener_byte_for_byte_with_its_headers(proxied: Proxied) -> None:
    body = bytes(range(256)) * 256
    assert len(body) == LARGEST
    async with (
        proxied.session() as session,
        session.post("/payby/notify", data=body, headers={"X-Sign": "a+/="}) as answer,
    ):
        assert (answer.status, await answer.json()) == (200, {"response": "SUCCESS"})
    assert proxied.came == [("POST", "/payby/notify", body, "a+/=")]


async def test_nothing_else_gets_through(proxied: Proxied) -> None:
    async with proxied.session() as session:
        for method, path, size in (
            ("GET", "/payby/notify", 0), ("PUT", "/payby/notify", 1), ("GET", "/healthz", 0), ("GET", "/metrics", 0),
            ("POST", "/", 1), ("POST", "/payby/notify/x", 1), ("POST", "/payby/notify/../metrics", 1),
            ("POST", "/payby/notify", LARGEST + 1),
        ):  # fmt: skip
            async with session.request(method, path, data=b"x" * size) as answer:
                assert answer.status in ((413, 502) if size > LARGEST else (403, 404, 405)), (
                    method,
                    path,
                    answer.status,
                )
    assert [came[1] for came in proxied.came if came[0] == "GET" or came[1] != "/payby/notify"] == []
    assert all(len(came[2]) < LARGEST for came in proxied.came)


async def test_a_drivers_invoice_gets_through_by_its_address_alone(proxied: Proxied) -> None:
    address = "/receipt/" + "0123456789" * 6 + "01234567"
    async with proxied.session() as session:
        async with session.get(address) as answer:
            assert answer.status == 200
        for method, path in (
            ("POST", address), ("DELETE", address), ("GET", "/receipt/"), ("GET", address[:-1]), ("GET", address + "1"),
            ("GET", address + "/"), ("GET", address + "/../../metrics"), ("GET", "/receipt/../metrics"),
        ):  # fmt: skip
            async with session.request(method, path) as answer:
                assert answer.status in (403, 404, 405), (method, path, answer.status)
    assert [came[:2] for came in proxied.came] == [("GET", address)]


HEAD = f"POST /payby/notify HTTP/1.1\r\nHost: {NAME}\r\n"


@pytest.mark.slow
@pytest.mark.parametrize("sent", [HEAD, f"{HEAD}Content-Length: 9\r\n\r\nx"], ids=["headers", "body"])
async def test_who_is_slow_is_not_waited_for(proxied: Proxied, sent: str) -> None:
    context = ssl.create_default_context(cafile=proxied.ca)
    reader, writer = await asyncio.open_connection("127.0.0.1", proxied.port, ssl=context, server_hostname=NAME)
    writer.write(sent.encode())
    async with asyncio.timeout(2 * TIMES_S):
        with contextlib.suppress(ConnectionResetError):
            await reader.read()
    writer.transport.abort()
    assert proxied.came in ([], [("POST", "/payby/notify", b"x", None)])


async def test_a_flood_from_one_address_is_cut_short_and_the_next_notification_still_passes(proxied: Proxied) -> None:
    async with proxied.session() as session:

        async def one() -> int:
            async with session.post("/payby/notify", data=b"{}") as answer:
                return answer.status

        statuses = await asyncio.gather(*(one() for _ in range(250)))
        assert set(statuses) <= {200, 429, 503}
        assert statuses.count(200) >= 50
    assert len(proxied.came) == statuses.count(200)
