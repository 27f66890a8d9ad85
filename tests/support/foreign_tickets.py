"""Numbers of another system at a worker's lane, and what its journal and its screen say of them."""

import re

import msgspec

from terminal.contract.messages import Fee, Screen
from terminal.journal.kinds import ASKED, TOLD
from terminal.roles.worker.ticket_lookup import ForeignTicketPolicy
from terminal.roles.worker.ticket_readings import ForeignTicketSettings
from tests.support.memory_journal import MemoryJournal
from tests.support.worker_lane import Lane

NUMBERS = re.compile(r"[0-9]{12}")
NUMBER = "000123456789"
HELP = ForeignTicketSettings(NUMBERS, None, ForeignTicketPolicy(timeout_s=1.0))
SHORT = ForeignTicketSettings(NUMBERS, None, ForeignTicketPolicy(timeout_s=0.2))
FLAT = ForeignTicketSettings(NUMBERS, None, ForeignTicketPolicy(timeout_s=0.2, flat=2500))


async def help_shows(lane: Lane, fee: Fee) -> str:
    return str((await lane.until(Screen, state="help", fee=fee.id)).reason)


def asked(log: MemoryJournal) -> list[tuple[str, str]]:
    """What was asked and told, in the journal."""
    rows = [row for row in log.rows if row.kind in (ASKED, TOLD)]
    return [(row.kind, (said := msgspec.json.decode(row.data)).get("text") or said["ticket"]["number"]) for row in rows]
