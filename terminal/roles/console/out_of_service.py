"""What the desk's address says while the console cannot write its journal: that nothing can be done here."""

from aiohttp import web

from terminal.mqtt.endpoint import Endpoint
from terminal.payby.sandbox.http_site import HttpSite

WORDS = (
    "The desk cannot write its journal, so nothing can be done here. Go to the lane. On the server,"
    " exit-terminal check says what to do.\n"
    "تعذّرت الكتابة في سجل المكتب، فلا يمكن تنفيذ شيء هنا. توجّه إلى المسار.\n"
)


class OutOfService:
    """run() answers every request with 503 until cancelled; where it cannot listen it only waits."""

    def __init__(self, endpoint: Endpoint, host: str, port: int) -> None:
        self._endpoint, self._host, self.port = endpoint, host, port

    async def run(self) -> None:
        """Serve, and beat, until cancelled."""
        app = web.Application()
        app.router.add_route("*", "/{tail:.*}", self._answer)
        server = HttpSite(app, shutdown_s=0.5)
        try:
            try:
                self.port = await server.start(self._host, self.port)
            except OSError:
                await server.stop()
            await self._endpoint.run_heartbeat()
        finally:
            await server.stop()

    async def _answer(self, _: web.Request) -> web.Response:
        return web.Response(status=503, text=WORDS, headers={"Retry-After": "5", "Cache-Control": "no-store"})
