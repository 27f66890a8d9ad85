"""What the worker is told at its start."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from terminal.contract import grant as grants
from terminal.core.actions import Pursuit
from terminal.core.visit import Rules
from terminal.ledger import CHECKPOINT_ROWS
from terminal.roles.worker.hearing import Beliefs
from terminal.roles.worker.speaking import Signer


@dataclass(frozen=True, slots=True)
class WorkerSettings:
    """What the worker is told at its start. ``words_for`` makes the bizContent of an order, refund or cancellation."""

    garage: str
    rules: Rules
    beliefs: Beliefs
    signer: Signer
    trusted: grants.Trusted
    query_every: float
    words_for: Callable[[Pursuit, int], bytes]
    version: str
    checkpoint_rows: int = CHECKPOINT_ROWS
    device_ids: Mapping[str, str] = field(default_factory=dict)
