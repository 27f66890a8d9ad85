"""The floor of a listener: aiohttp, which checks a notification and tells nobody, ``python -m ... PORT``."""

import asyncio
import sys

from aiohttp import web

from tests.bench.peers.notices import REPLY, checked


async def notified(request: web.Request) -> web.Response:
    checked(await request.read(), request.headers["sign"])
    return web.Response(body=REPLY, content_type="application/json")


async def main(port: int) -> None:
    app = web.Application()
    app.router.add_post("/payby/notify", notified)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
