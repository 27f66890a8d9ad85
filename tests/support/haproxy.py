"""HAProxy with a configuration of deploy/cluster; each server behind it has a loopback address of its own."""

import asyncio
import json
import re
import signal
import ssl
import subprocess
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from aiohttp import web

from tests.support.authority import Authority
from tests.support.leash import LEASH, bring_down
from tests.support.ports import free_port, listens

CLUSTER = Path(__file__).parents[2] / "deploy/cluster"
PORTS = (8883, 5000, 5432, 8008, 443, 8080, 8101, 8102)


class Haproxy:
    """The configuration called ``name``, with loopback addresses for the servers', other ports and shorter checks."""

    def __init__(self, name: str, folder: Path) -> None:
        self.folder = folder
        self.authority = Authority(folder, "db-ca")
        certificate, key = self.authority.issue("pay.example.com", "pay.example.com", "127.0.2.10", "127.0.0.1")
        (folder / "pay.example.com.pem").write_bytes(certificate.read_bytes() + key.read_bytes())
        self.ports = {port: free_port() for port in PORTS}
        text = (CLUSTER / f"haproxy-{name}.cfg").read_text(encoding="utf-8")
        (folder / "garages.map").write_text((CLUSTER / "garages.map").read_text(encoding="utf-8"))
        text = (
            text.replace("192.0.2.", "127.0.2.")
            .replace("/etc/haproxy/", f"{folder}/")
            .replace("inter 1s", "inter 50ms")
        )
        text = text.replace("inter 2s", "inter 50ms").replace("bind :443", "bind 127.0.0.1:443")
        text = re.sub(r"    (user|group) haproxy\n|    log /dev/log local0\n", "", text)
        for port, here in self.ports.items():
            text = re.sub(rf"(:|port ){port}\b", rf"\g<1>{here}", text)
        self.file = folder / "haproxy.cfg"
        self.file.write_text(text)
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        log = self.folder / "haproxy.log"
        with log.open("wb") as out:
            words = [*LEASH, "haproxy", "-db", "-f", str(self.file)]
            self._process = subprocess.Popen(words, stdout=out, stderr=out)
        listens(self._process, self.ports[5000], log)

    def stop(self) -> None:
        if self._process:
            bring_down(self._process, signal.SIGTERM)


def server_tls(haproxy: Haproxy, *hosts: str) -> ssl.SSLContext:
    """The context of a server with a certificate of the databases' authority."""
    certificate, key = haproxy.authority.issue("server", *hosts)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    return context


class NamedServer:
    """A server at one address that says its name to each connection, and holds it."""

    def __init__(self, name: str, host: str, port: int) -> None:
        self.name, self._host, self._port = name, host, port
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._greet, self._host, self._port)

    async def _greet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        writer.write(self.name.encode())
        try:
            await reader.read()
        except ConnectionError:
            pass
        finally:
            self._open.discard(writer)
            writer.close()

    async def stop(self) -> None:
        if self._server:
            self._server.close()
            for writer in list(self._open):
                writer.close()
            await self._server.wait_closed()
            self._server = None


class HttpServer:
    """Answers GET and OPTIONS of the paths in ``answers`` with their (status, JSON), and keeps what was posted."""

    def __init__(self, answers: Mapping[str, tuple[int, object]]) -> None:
        self.answers = dict(answers)
        self.posted: list[tuple[str, bytes, str]] = []

    async def _answer(self, request: web.Request) -> web.Response:
        if request.method == "POST":
            self.posted.append((request.path, await request.read(), request.headers.get("X-Forwarded-For", "")))
            return web.json_response({"response": "SUCCESS"})
        status, said = self.answers.get(request.path, (404, None))
        return web.Response(status=status, text=json.dumps(said))

    @asynccontextmanager
    async def serving(self, host: str, port: int, tls: ssl.SSLContext | None = None) -> AsyncIterator["HttpServer"]:
        """Until the block ends."""
        app = web.Application()
        app.add_routes([web.route("*", "/{path:.*}", self._answer)])
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        try:
            await web.TCPSite(runner, host, port, ssl_context=tls).start()
            yield self
        finally:
            await runner.cleanup()
