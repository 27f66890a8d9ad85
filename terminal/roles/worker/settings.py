"""The worker's settings."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from terminal.contract import signatures
from terminal.core.actions import Pursuit
from terminal.core.model import Rules
from terminal.eventstore.store import CHECKPOINT_ROWS
from terminal.roles.worker.event_mapper import JudgementSettings
from terminal.roles.worker.message_builder import WorkerSigner
from terminal.roles.worker.ticket_readings import ForeignTicketSettings


@dataclass(frozen=True, slots=True)
class WorkerSettings:
    """The worker's settings. ``words_for`` makes the bizContent of an order, refund or cancellation. ``holds_lease``:
    its journal is in a database, whose lease says who works."""

    garage: str
    rules: Rules
    judgement: JudgementSettings
    signer: WorkerSigner
    trusted: signatures.TrustedKeys
    query_every: float
    words_for: Callable[[Pursuit, int], bytes]
    version: str
    checkpoint_rows: int = CHECKPOINT_ROWS
    device_ids: Mapping[str, str] = field(default_factory=dict)
    stations: signatures.TrustedKeys | None = None
    """The keys of pay stations, and of who validates tickets; None: there are none."""
    receipt_url: str = ""
    """Where invoices are served; an invoice's address follows it. Empty: nowhere."""
    foreign: ForeignTicketSettings = field(default_factory=ForeignTicketSettings)
    holds_lease: bool = False
