"""The worker's settings, made from the configuration."""

from collections.abc import Callable

from terminal import __version__, build
from terminal.config import schema as sections
from terminal.config import tokens
from terminal.config.load import read_ticket_keys
from terminal.config.schema import Settings
from terminal.contract.signatures import TrustedKeys
from terminal.core import money
from terminal.mqtt.endpoint import Endpoint
from terminal.roles.worker.event_mapper import JudgementSettings
from terminal.roles.worker.message_builder import WorkerSigner
from terminal.roles.worker.payby_requests import PayByRequests
from terminal.roles.worker.settings import WorkerSettings
from terminal.roles.worker.ticket_lookup import ForeignTicketPolicy
from terminal.roles.worker.ticket_readings import ForeignTicketSettings
from terminal.roles.worker.ticket_source import TicketSource


def worker_settings(settings: Settings, signer: WorkerSigner, trusted: TrustedKeys) -> WorkerSettings:
    """What the worker of this configuration goes by. Raises ConfigError."""
    garage, payby = settings.need(sections.GarageSettings), settings.need(sections.PaybySettings)
    payby_keys, tariff = build.payby_public_keys(payby), build.tariff(settings)
    return WorkerSettings(
        garage=garage.id,
        rules=build.rules(settings, mark=signer.mark),
        judgement=JudgementSettings(
            garage.id,
            read_ticket_keys(settings.need(sections.TicketSettings)),
            tariff,
            payby_keys,
            payby.payee_mid,
            read_ticket_keys(settings.coupon) if settings.coupon else {},
            settings.coupon is not None and settings.coupon.passback == "soft",
        ),
        signer=signer,
        trusted=trusted,
        query_every=payby.query_every,
        words_for=PayByRequests(garage.id, garage.name, garage.name_ar, payby.notify_url, tariff, payby.device_ids),
        version=__version__,
        device_ids=payby.device_ids,
        foreign=foreign_tickets(settings),
        stations=build.stations(settings),
        receipt_url=(settings.receipt.url or "").rstrip("/") if settings.receipt else "",
        holds_lease=settings.need(sections.JournalSettings).url is not None,
    )


def foreign_tickets(settings: Settings) -> ForeignTicketSettings:
    """Which tickets of others the worker takes, and how."""
    plate, lookup = settings.plate, settings.lookup
    least = plate.least_confidence if plate else None
    if lookup is None:
        return ForeignTicketSettings(None, least)
    flat, current_ms = money.parse(lookup.flat_fee or "0"), lookup.cache_minutes * 60_000
    policy = ForeignTicketPolicy(lookup.timeout, flat, current_ms, lookup.cache_tickets)
    return ForeignTicketSettings(build.numbers(settings), least, policy)


def ticket_source(settings: Settings, endpoint: Endpoint) -> Callable[[], TicketSource | None]:
    """Makes what asks about the tickets of others, anew for each start of the worker; raises ConfigError."""
    from terminal.roles.worker.lookup_http import HttpTickets
    from terminal.roles.worker.lookup_mqtt import MqttTickets

    lookup = settings.lookup
    if lookup is None:
        return lambda: None
    if lookup.url is None:
        return lambda: MqttTickets(endpoint)
    url, token, tls = lookup.url, tokens.lookup_token(lookup), build.lookup_tls(lookup)
    return lambda: HttpTickets(url, token=token, tls=tls, agent=f"exit-terminal/{__version__}")
