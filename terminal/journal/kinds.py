"""The kinds of rows in both journals: who writes one and who reads one take its name from here.

A reader that meets a kind which is none of its journal's reads another journal, or one of a newer program.
"""

PRUNED = "pruned"
"""Of either journal: the one row that stands for all rows before it and bears the hash of the last of them."""
REPAIRED = "repaired"
"""… rows were lost before this one."""

# The worker's, beside its events, each under the name of its class (core/events.py)

WORDS = "request"
"""A request to PayBy: ``<call> <number>``, a line feed, and its bizContent."""
CHECKPOINT = "checkpoint"
"""The whole state at its place: a reader may begin there, so pruning ends before one."""
SHELVED, RECALLED = "shelved", "recalled"
"""Stays that leave memory there, and one that comes back."""
NOTICE = "notice"
"""PayBy's signed words that change no state: the signature, a line feed, the body."""
GONE = "gone"
"""What is known of shelved stays whose rows are pruned."""

# A barrier's

INTENT, DONE = "intent", "done"
"""A lift without its proof, before the pulse, and its id after it."""
REFUSED = "refused"
"""The refusal of a lift that must outlast the process."""

BARRIERS = frozenset({INTENT, DONE, REFUSED, REPAIRED})
