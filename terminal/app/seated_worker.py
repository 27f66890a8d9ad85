"""What a worker is opened with where its journal is in a database."""

from collections.abc import Callable
from dataclasses import dataclass

from terminal import build
from terminal.app.worker_seat import WorkerSeat
from terminal.clock import Clock
from terminal.config import schema as sections
from terminal.config.load import read_ticket_keys
from terminal.config.schema import Settings, present
from terminal.journal.kinds import ASKED, TOLD
from terminal.journal.postgres.lease import Lease
from terminal.roles.worker.journal_keeper import WorkerJournal


@dataclass(frozen=True, slots=True)
class SeatedWorker:
    """The journal of a worker that holds the lease."""

    log: WorkerJournal
    lease: Lease

    def may_speak(self) -> bool:
        """Does it still hold the lease?"""
        return self.lease.is_valid


def worker_seat(
    settings: Settings, clock: Clock, tell: Callable[[str, bool], None] = lambda words, well: None
) -> WorkerSeat:
    """Where this process waits for the lease of ``journal.url``. Raises ConfigError."""
    address = build.journal_database(settings)
    keys = build.trusted(settings.need(sections.LiftSettings)).fingerprints("worker")
    return WorkerSeat(address, keys, clock.wall_ms, aside_kinds=(ASKED, TOLD), tell=tell)


def warm_up(settings: Settings) -> None:
    """Import what a worker needs, so that a standby that takes over waits for none of it. Raises ConfigError for a key
    that cannot be read: a standby that cannot serve must not wait for the moment when it should."""
    import terminal.payby.client
    import terminal.roles.worker.role  # noqa: F401 - for the time that it takes

    build.tariff(settings)
    payby, lift = settings.need(sections.PaybySettings), settings.need(sections.LiftSettings)
    build.payby_public_keys(payby)
    build.merchant_key(payby)
    build.signing_key("lift.private_key", lift.private_key, lift)
    read_ticket_keys(settings.need(sections.TicketSettings))
    build.password(present(settings.mqtt, "mqtt.url"))
