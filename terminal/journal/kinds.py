"""The kinds of rows in both journals: writers and readers take the names from here.

If a reader meets a kind that its journal does not have, it reads another journal, or a newer program's.
"""

PRUNED = "pruned"
"""In either journal: the one row that stands for all rows before it and has the hash of the last of them."""
REPAIRED = "repaired"
"""… rows were lost before this one."""

OPENED = "opened"
"""In a database: a worker took the lease, and with it this epoch; who it is. It changes no state."""

# The worker's, beside its events, each under the name of its class (core/events.py)

WORDS = "request"
"""A request to PayBy: ``<call> <number>``, a line feed, and its bizContent."""
CHECKPOINT = "checkpoint"
"""The whole state at this point: a reader may begin there, so pruning ends before one."""
SHELVED, RECALLED = "shelved", "recalled"
"""Stays that leave memory, and a stay that comes back."""
NOTICE = "notice"
"""PayBy's signed words that change no state: the signature, a line feed, and the body."""
ASKED, TOLD = "ticket-asked", "ticket-told"
"""A reading of another system's ticket or of a plate, before that system is asked, and what came of it: both as JSON.
They change no state; the fee that follows is in its event."""
GONE = "gone"
"""What is still known of shelved stays whose rows are pruned."""

# A barrier's

INTENT, DONE = "intent", "done"
"""A lift without its proof, written before the pulse, and its id, written after it."""
REFUSED = "refused"
"""The refusal of a lift that must outlast the process."""

# A console's

SIGNED = "signed"
"""Somebody signed in or out, or was refused."""
DESK_ASKED, OUTCOME = "asked", "outcome"
"""What an operator asks for, written before it is said; and what came of it."""
SEEN = "seen"
"""An alert that somebody has seen, and his note."""

BARRIERS = frozenset({INTENT, DONE, REFUSED, REPAIRED})
CONSOLES = frozenset({SIGNED, DESK_ASKED, OUTCOME, SEEN, REPAIRED})
