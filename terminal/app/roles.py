"""The wiring of the roles: concrete classes, chosen by the configuration and opened in order in one exit stack."""

import asyncio
import gc
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from functools import partial
from typing import TYPE_CHECKING

from terminal import __version__, build
from terminal.app.connection import GARAGE_ROLES, enter_broker, process_client
from terminal.app.console_options import console_options
from terminal.app.hardware import Hardware
from terminal.app.ready import tell_when_ready
from terminal.app.service_manager import ServiceManager
from terminal.clock import Clock, SystemClock, kernel_keeps
from terminal.config import schema as sections
from terminal.config.lcd_settings import LcdSettings
from terminal.config.schema import ConfigError, Settings, present
from terminal.mqtt.client import MqttClient
from terminal.mqtt.endpoint import Endpoint
from terminal.mqtt.heartbeat import HEARTBEAT_S, SELDOM_S

if TYPE_CHECKING:
    from terminal.app.seated_worker import SeatedWorker
    from terminal.journal.postgres.lease import Lease
    from terminal.roles.barrier.spent_lifts import BarrierJournal
    from terminal.roles.console.desk_journal import DeskJournal
    from terminal.roles.worker.journal_keeper import WorkerJournal
    from terminal.screen.view import View

_GLASS_FIRST = ("broker", "lcd", "reader", "loops", "barrier", "listener", "worker", "console", "alerts", "discovery")
"""The order of opening: first what a driver sees."""


async def run_roles(
    settings: Settings,
    roles: Sequence[str],
    *,
    process: str,
    hardware: Hardware,
    clock: Clock | None = None,
    manager: ServiceManager | None = None,
    lcd_shows: "Callable[[View], None] | None" = None,
) -> None:
    """Open everything that ``roles`` need, run them over one connection, and close it all again. ``manager`` is told
    when they serve, and that they still do. A worker alone whose journal is in a database has a connection only while
    it holds the lease. ``lcd_shows`` is told what has reached the glass."""
    clock, manager = clock or SystemClock(), manager or ServiceManager({})
    if not (tuple(roles) == ("worker",) and settings.journal and settings.journal.url):
        await _run_opened(settings, roles, process, hardware, clock, manager, lcd_shows)
        return
    from terminal.app.seated_worker import SeatedWorker, warm_up, worker_seat

    seat = worker_seat(settings, clock, manager.stands_by)
    warm_up(settings)

    async def serve(log: "WorkerJournal", lease: "Lease") -> None:
        seated = SeatedWorker(log, lease)
        await _run_opened(settings, roles, process, hardware, clock, manager, lcd_shows, seated)

    await seat.run(serve)


async def _run_opened(
    settings: Settings,
    roles: Sequence[str],
    process: str,
    hardware: Hardware,
    clock: Clock,
    manager: ServiceManager,
    lcd_shows: "Callable[[View], None] | None",
    seated: "SeatedWorker | None" = None,
) -> None:
    waits_for_lease = settings.journal is not None and settings.journal.url is not None
    async with AsyncExitStack() as stack:
        if "broker" in roles:
            await enter_broker(stack, settings, process)
        mqtt_client = await stack.enter_async_context(
            process_client(settings, roles, process, clock, seated.may_speak if seated else None)
        )
        stack.callback(mqtt_client.on_change(lambda up: manager.connection(up, mqtt_client.trouble)))
        opener = _Opener(
            settings, hardware, stack, mqtt_client, clock, process, manager.heartbeat_came_back, lcd_shows, seated
        )
        runs = [(role, await opener.open(role)) for role in sorted(roles, key=_GLASS_FIRST.index)]
        gc.freeze()  # what is imported and opened by now stays: no search for circles need look at it during a visit
        async with asyncio.TaskGroup() as group:
            if process == "run":
                own = opener.endpoint("run", at_lane=True)
                group.create_task(own.run_heartbeat(), name="run health")
                in_any_case = [role for role in roles if role != "worker" or not waits_for_lease]
                group.create_task(tell_when_ready(own, in_any_case, settings, manager), name="ready")
            else:
                manager.ready_at_once = f"serves {settings.need(sections.GarageSettings).id} as {process}"
            for role, run in runs:
                group.create_task(_coroutine(run), name=role)


async def _coroutine(run: Callable[[], Awaitable[None]]) -> None:
    await run()


class _Opener:
    """Makes each role from its settings; ``stack`` closes what it opens. A role is imported when needed: a barrier
    that starts alone waits neither for PayBy's client nor for the screens."""

    def __init__(
        self,
        settings: Settings,
        hardware: Hardware,
        stack: AsyncExitStack,
        mqtt_client: MqttClient,
        clock: Clock,
        process: str,
        came_back: Callable[[], None],
        lcd_shows: "Callable[[View], None] | None",
        seated: "SeatedWorker | None" = None,
    ) -> None:
        self._seated = seated
        self._settings, self._hardware, self._stack, self._mqtt_client, self._clock = (
            settings,
            hardware,
            stack,
            mqtt_client,
            clock,
        )
        self._process, self._came_back, self._lcd_shows = process, came_back, lcd_shows
        self._garage = settings.need(sections.GarageSettings)
        self._lease: Lease | None = None
        """The lease of a worker beside other roles, from its first on."""

    def endpoint(self, role: str, *, at_lane: bool) -> Endpoint:
        lane = self._settings.lane.id if at_lane and self._settings.lane else None
        return Endpoint(
            self._mqtt_client,
            garage=self._garage.id,
            lane=lane,
            role=role,
            version=__version__,
            clock=self._clock,
            heartbeat_s=HEARTBEAT_S if role == self._process else SELDOM_S,
            tells_of_connection=role == self._process,
            came_back=self._came_back if role == self._process else lambda: None,
        )

    async def open(self, role: str) -> Callable[[], Awaitable[None]]:
        """The coroutine function that serves ``role``."""
        endpoint = self.endpoint(role, at_lane=role not in GARAGE_ROLES)
        match role:
            case "broker":
                return endpoint.run_heartbeat
            case "reader":
                return await self._reader(endpoint)
            case "worker":
                return await self._worker(endpoint)
            case "listener":
                return self._listener(endpoint)
            case "barrier":
                return await self._barrier(endpoint)
            case "lcd":
                return await self._lcd(endpoint)
            case "loops":
                from terminal.roles.loops import LoopsRole

                loops = await self._stack.enter_async_context(self._hardware.loops())
                return LoopsRole(endpoint, loops).run
            case "console":
                return self._console(endpoint)
            case "alerts":
                from terminal.app.outward import alerts_role

                return alerts_role(self._settings, endpoint).run
            case "discovery":
                from terminal.app.outward import discovery_role

                own = self.endpoint(self._process, at_lane=self._process not in GARAGE_ROLES)
                return discovery_role(self._settings, endpoint, own.where(f"health/{self._process}")).run
            case _:
                raise AssertionError(f"there is no role {role}")

    async def _reader(self, endpoint: Endpoint) -> Callable[[], Awaitable[None]]:
        from terminal.roles.reader import ReaderRole

        scanner = await self._stack.enter_async_context(self._hardware.scanner())
        button = await self._stack.enter_async_context(self._hardware.lost_button())
        tariff, numbers = build.tariff(self._settings), build.numbers(self._settings)
        return ReaderRole(endpoint, scanner, tariff=tariff, kept=kernel_keeps, numbers=numbers, button=button).run

    async def _worker(self, endpoint: Endpoint) -> Callable[[], Awaitable[None]]:
        from terminal.app.journal_watch import JournalWatch, OutOfOrder
        from terminal.app.worker_settings import ticket_source, worker_settings
        from terminal.roles.worker.journal_keeper import WorkerJournal
        from terminal.roles.worker.message_builder import WorkerSigner
        from terminal.roles.worker.role import WorkerRole

        settings = self._settings
        payby, lift = settings.need(sections.PaybySettings), settings.need(sections.LiftSettings)
        trusted = build.trusted(lift)
        name, key = build.signing_key("lift.private_key", lift.private_key, lift)
        gate = self._endpoint_gate(endpoint)
        client = await self._stack.enter_async_context(build.payby_client(payby, clock=self._clock, may_call=gate))
        signer = WorkerSigner(name, key)
        journal = settings.need(sections.JournalSettings)
        told = worker_settings(settings, signer, trusted)
        ask = ticket_source(settings, endpoint)

        async def serve(log: "WorkerJournal") -> None:
            await WorkerRole(endpoint, client, log, told, kept=kernel_keeps, tickets=ask()).run()

        if self._seated:
            return partial(serve, self._seated.log)
        if journal.url:
            from terminal.app.seated_worker import worker_seat

            seat = worker_seat(settings, self._clock)

            async def serve_seated(log: "WorkerJournal", lease: "Lease") -> None:
                self._lease = lease
                endpoint.healthy()
                for code in endpoint.raised():  # what is still wrong is raised again
                    await endpoint.clear(code, "the worker begins anew")
                await serve(log)

            return partial(seat.run, serve_seated)
        path = present(journal.path, "journal.path")
        return JournalWatch(
            endpoint,
            lambda: WorkerJournal.open(path, self._clock.wall_ms),
            serve,
            OutOfOrder(endpoint, {settings.lane.id} if settings.lane else set()).run,
            key="journal.path",
            cannot="no lane is served, because nothing can be journaled",
            beats_on=True,
        ).run

    def _endpoint_gate(self, endpoint: Endpoint) -> Callable[[], bool] | None:
        """Says whether a worker whose journal is in a database may speak now, on ``endpoint`` and to PayBy."""
        if not (self._settings.journal and self._settings.journal.url):
            return None

        def may_speak() -> bool:
            lease = self._seated.lease if self._seated else self._lease
            return lease is not None and lease.is_valid

        endpoint.may_speak = may_speak
        return may_speak

    def _listener(self, endpoint: Endpoint) -> Callable[[], Awaitable[None]]:
        from terminal.roles.listener.role import InvoiceServer, ListenerRole

        invoices: InvoiceServer | None = None
        if self._settings.receipt and self._settings.receipt.url:
            from zoneinfo import ZoneInfo

            from terminal.invoice.enquiries import InvoiceEnquiries
            from terminal.roles.listener.invoice_pages import InvoicePages

            invoices = InvoicePages(InvoiceEnquiries(endpoint), ZoneInfo(self._garage.timezone))
        payby, listener = self._settings.need(sections.PaybySettings), self._settings.need(sections.ListenerSettings)
        keys = build.payby_public_keys(payby)
        return ListenerRole(
            endpoint,
            payby_keys=keys,
            host=listener.host,
            port=listener.port,
            payee_mid=payby.payee_mid,
            invoices=invoices,
        ).run

    def _console(self, endpoint: Endpoint) -> Callable[[], Awaitable[None]]:
        from terminal.app.journal_watch import JournalWatch
        from terminal.config.users import JOURNAL
        from terminal.roles.console.desk_journal import DeskJournal
        from terminal.roles.console.out_of_service import OutOfService
        from terminal.roles.console.role import ConsoleRole

        options = console_options(self._settings)

        async def serve(journal: "DeskJournal") -> None:
            await ConsoleRole(endpoint, journal, options).run()

        return JournalWatch(
            endpoint,
            lambda: DeskJournal.open(options.folder / JOURNAL, self._clock.wall_ms()),
            serve,
            OutOfService(endpoint, options.host, options.port).run,
            key="console.folder",
            cannot="nobody can act at the operator's desk, because nothing can be journaled",
        ).run

    async def _barrier(self, endpoint: Endpoint) -> Callable[[], Awaitable[None]]:
        from terminal.app.journal_watch import JournalWatch
        from terminal.contract import lift_rules
        from terminal.roles.barrier.role import BarrierRole
        from terminal.roles.barrier.spent_lifts import BarrierJournal

        settings = self._settings
        payby, barrier = settings.need(sections.PaybySettings), settings.need(sections.BarrierSettings)
        trust = lift_rules.BarrierTrust(
            self._garage.id,
            settings.need(sections.LaneSettings).id,
            build.trusted(settings.need(sections.LiftSettings)),
            build.payby_public_keys(payby),
            payby.payee_mid,
        )

        async def serve(book: "BarrierJournal") -> None:
            async with self._hardware.relay(book.spent.quiet_ms(self._clock) / 1000) as relay:
                await BarrierRole(endpoint, relay, book, trust).run()

        return JournalWatch(
            endpoint,
            lambda: BarrierJournal.open(barrier.journal, self._clock.wall_ms()),
            serve,
            endpoint.run_heartbeat,
            key="barrier.journal",
            cannot="no lift can be journaled, so none raises the boom",
        ).run

    async def _lcd(self, endpoint: Endpoint) -> Callable[[], Awaitable[None]]:
        from zoneinfo import ZoneInfo

        from terminal.roles.lcd import LcdRole
        from terminal.screen.dimming import Dimming, night_of
        from terminal.screen.idle_picture import PictureError, load
        from terminal.screen.qr import QrError

        lcd, garage = self._settings.need(LcdSettings), self._garage
        panel = await self._stack.enter_async_context(self._hardware.panel())
        trusted = build.trusted(self._settings.need(sections.LiftSettings))
        idle, no_idle = None, ""
        if lcd.idle_picture:
            try:
                idle = load(lcd.idle_picture, panel.size)
            except PictureError as error:
                no_idle = f"lcd.idle_picture: {error}"
        try:
            return LcdRole(
                endpoint,
                panel,
                name=lcd.panel,
                site=build.site(garage, lcd, build.wifi(lcd) if lcd.wifi else None, endpoint.lane or ""),
                trusted=trusted,
                idle=idle,
                no_idle=no_idle,
                dimming=Dimming(
                    lcd.idle_brightness / 100,
                    lcd.dim_after * 60_000 or None,
                    night_of(lcd.night),
                    ZoneInfo(garage.timezone),
                ),
                light=panel.light if lcd.backlight_pwm or not lcd.on_bus else None,
                told=self._lcd_shows,
            ).run
        except QrError as error:
            raise build.cannot_show_wifi(error) from None
        except ValueError as error:  # the panel's size
            raise ConfigError(str(error), "correct lcd.size") from None
