"""The console role: it hears the whole garage, serves the desk, and says what operators ask for."""

import asyncio
import hmac
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from zoneinfo import ZoneInfo

from aiohttp import web

from terminal.build import cannot_listen
from terminal.config.schema import ConfigError
from terminal.config.users import FILE, UsersFile
from terminal.contract.messages import BadMessage, Barrier, Receipt, Refund, decode
from terminal.contract.signatures import TrustedKeys
from terminal.invoice.enquiries import InvoiceEnquiries
from terminal.monitor.garage import Observation
from terminal.mqtt.endpoint import Endpoint
from terminal.mqtt.subscription import Subscription
from terminal.payby.sandbox.http_site import HttpSite
from terminal.roles.console.actions import AGAIN_S, Actions, DeskSigner
from terminal.roles.console.alert_inbox import KEPT_MS
from terminal.roles.console.application import Admit, application
from terminal.roles.console.desk import Desk
from terminal.roles.console.desk_journal import DeskJournal
from terminal.roles.console.drawing import Drawing
from terminal.roles.console.glass import Glasses
from terminal.roles.console.history import DeskHistory
from terminal.roles.console.invoice_files import InvoiceFiles
from terminal.roles.console.live import LiveFeed
from terminal.roles.console.metrics import GarageMetrics
from terminal.screen.view import Site

HISTORY = "heard.db"
"""The files in the console's folder, beside the users'."""
TICK_S = 1.0
"""How often it is looked whether anything has become old."""
BASE = "/desk"
LOOPBACK = ("127.0.0.1", "::1")
PASSED_ON = frozenset({"forwarded", "x-forwarded-for", "x-real-ip", "via"})
"""The headers by which a proxy tells that a request is another's."""


@dataclass(frozen=True, slots=True)
class ConsoleOptions:
    """``size``: the LCDs' pixels. ``signer`` None: the desk can look, not act. ``refund_limit``: fils. ``again_s``, and
    ``tick_s``, are for tests. ``metrics_token``: whoever has it may scrape; empty: this machine alone."""

    folder: Path
    site: Site
    zone: ZoneInfo
    signer: DeskSigner | None = None
    trusted: TrustedKeys | None = None
    panel: str = "ili9488"
    size: tuple[int, int] = (480, 320)
    refund_limit: int = 5_000
    idle_ms: int = 30 * 60_000
    host: str = "127.0.0.1"
    port: int = 0
    again_s: float = AGAIN_S
    tick_s: float = TICK_S
    admit: Admit | None = field(default=None, repr=False)
    metrics_token: bytes = field(default=b"", repr=False)
    issues_invoices: bool = False


class ConsoleRole:
    """Serves one garage's desk with an opened journal. ``app`` is the desk as an application; run() also serves it at
    ``options.host`` and ``port``, unless ``is_mounted`` says that another server does."""

    def __init__(
        self, endpoint: Endpoint, journal: DeskJournal, options: ConsoleOptions, *, is_mounted: bool = False
    ) -> None:
        self._endpoint, self._journal, self._options = endpoint, journal, options
        self._is_mounted = is_mounted
        self.started = asyncio.Event()
        self.port = options.port
        mqtt_client, clock = endpoint.mqtt_client, endpoint.clock
        glasses = Glasses(endpoint.garage, clock, options.site, options.trusted, options.panel, options.size)
        self._history, trouble = _history(options.folder / HISTORY)
        feed = LiveFeed(mqtt_client.instance)
        self.desk = Desk(
            endpoint.garage, clock, glasses, journal.book, self._history, feed,
            connected=lambda: mqtt_client.connected, trouble=lambda: mqtt_client.trouble,
        )  # fmt: skip
        if trouble:
            self.desk.history_trouble = trouble
        self.actions = Actions(
            self.desk, endpoint, journal, options.signer, options.refund_limit, again_s=options.again_s
        )
        self._metrics = GarageMetrics(self.desk.monitor, self.desk.roles, self.desk.away_ms)
        self.users = UsersFile(options.folder / FILE)
        self._invoices = InvoiceFiles(InvoiceEnquiries(endpoint), options.zone) if options.issues_invoices else None
        self.desk.issues_invoices = options.issues_invoices
        drawing = Drawing(options.site.name or endpoint.garage, options.site.name_ar, options.zone, BASE)
        self.app = application(
            self.desk, self.actions, journal, drawing, self.users, clock, idle_ms=options.idle_ms, admit=options.admit,
            invoices=self._invoices,
        )  # fmt: skip

    async def run(self) -> None:
        """Hear and serve until cancelled. Raises ConfigError if it cannot listen, JournalError when the journal
        fails."""
        undo = self._endpoint.mqtt_client.on_change(self.desk.connection)
        subscription = self._endpoint.mqtt_client.subscribe(fleeting=[f"parking/{self._endpoint.garage}/#"])
        try:
            await self._restore()
            if self._journal.damaged:
                await self._endpoint.alert("journal-damaged", self._journal.damaged)
            async with self._served(), asyncio.TaskGroup() as tasks:
                tasks.create_task(self._endpoint.run_heartbeat(), name="console health")
                tasks.create_task(self._hear(subscription), name="console hears")
                tasks.create_task(self.desk.write(), name="console history")
                tasks.create_task(self._tick(), name="console ages")
                tasks.create_task(self._journal_fails(), name="console journal")
                if self._invoices:
                    tasks.create_task(self._invoices.run(), name="console invoices")
                self.started.set()
        finally:
            undo()
            subscription.close()
            await self.actions.end()
            if self._history:
                await asyncio.to_thread(self._history.close)

    async def _restore(self) -> None:
        self.actions.settle_old()
        now = self.desk.clock.wall_ms()
        lines = await self.desk.read(lambda history: history.between(now - 7 * KEPT_MS, now + 1, "alert"))
        self.desk.restore(lines or [])

    async def _hear(self, subscription: Subscription) -> None:
        async for delivery in subscription:
            delivery.ack()
            if seen := self.desk.hear(delivery):
                self._answers(seen, delivery.payload)
                self._metrics.take(seen)

    def _answers(self, seen: Observation, payload: bytes) -> None:
        """Does it answer what an operator asked for?"""
        with suppress(BadMessage):
            match seen.kind:
                case "barrier":
                    self.actions.hear_barrier(seen.lane, decode(Barrier, payload))
                case "receipt" if "command" in seen.data:
                    self.actions.hear_receipt(decode(Receipt, payload))
                case "refund":
                    self.actions.hear_refund(decode(Refund, payload))

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(self._options.tick_s)
            self.desk.tick()
            if self.desk.history_trouble:
                self._endpoint.degraded(f"what is heard is not kept: {self.desk.history_trouble}")
            else:
                self._endpoint.healthy()

    async def _journal_fails(self) -> None:
        raise await self.actions.journal_error()

    async def _scraped(self, request: web.Request) -> web.Response:
        """Nobody signs in to scrape: it is for this machine, or for whoever has the token. What a proxy passes on has
        come from elsewhere."""
        token, given = self._options.metrics_token, request.headers.get("Authorization", "")
        if token:
            is_known = hmac.compare_digest(given.encode(), b"Bearer " + token)
        else:
            is_known = request.remote in LOOPBACK and not PASSED_ON.intersection(map(str.lower, request.headers))
        if not is_known:
            raise web.HTTPNotFound
        body, content_type = self._metrics.page(request.headers.get("Accept", ""))
        return web.Response(body=body, headers={"Content-Type": content_type, "Cache-Control": "no-store"})

    @asynccontextmanager
    async def _served(self) -> AsyncIterator[None]:
        if self._is_mounted:
            yield
            return
        outer = web.Application()

        async def to_desk(_: web.Request) -> web.Response:
            raise web.HTTPFound(f"{BASE}/")

        outer.add_routes([web.get("/", to_desk), web.get(BASE, to_desk), web.get("/metrics", self._scraped)])
        outer.add_subapp(BASE, self.app)
        server = HttpSite(outer, shutdown_s=1.0)
        try:
            try:
                self.port = await server.start(self._options.host, self._options.port)
            except OSError as error:
                key, why, advice = cannot_listen("console", self._options.host, self._options.port, error)
                raise ConfigError(f"{key}: {why}; {advice}") from None
            yield
        finally:
            await server.stop()


def _history(path: Path) -> tuple[DeskHistory | None, str]:
    """The history, or why there is none: a damaged file is set aside, since nothing depends on it."""
    for again in (True, False):
        try:
            return DeskHistory(path), ""
        except sqlite3.DatabaseError as error:
            trouble = str(error)
            if again and not isinstance(error, sqlite3.OperationalError):
                with suppress(OSError):
                    path.replace(path.with_name(path.name + ".damaged"))
                continue
        except OSError as error:
            trouble = (error.strerror or type(error).__name__).lower()
        return None, trouble
    return None, "damaged"
