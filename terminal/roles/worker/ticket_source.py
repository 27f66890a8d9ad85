"""Where the entry of another system's ticket comes from, as the worker needs it."""

from collections.abc import Callable
from typing import Protocol

from terminal.core.foreign_ticket import ForeignEntry, ForeignTicket

LateAnswer = Callable[[ForeignTicket, ForeignEntry], None]
"""Called with an answer that came after its time limit."""


class LookupFailed(Exception):
    """Nobody knows the entry now: no answer, or none that counts. The text says why, in one line."""


class OddAnswer(LookupFailed):
    """There was an answer, and it cannot be true or does not follow the contract."""


class TicketSource(Protocol):
    """Another system that knows its own tickets, over HTTP (lookup_http) or MQTT (lookup_mqtt)."""

    async def run(self, late: LateAnswer) -> None:
        """Keep what asking needs open until cancelled."""

    async def ask(self, lookup_id: str, ticket: ForeignTicket) -> ForeignEntry | None:
        """When the ticket's stay began; None: there is no such ticket. Changes nothing there. The caller limits the
        time. Raises LookupFailed."""
