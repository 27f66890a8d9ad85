"""What may befall a call to PayBy, and how likely it is."""

from dataclasses import dataclass

FATES = {
    "request lost": 3.0,
    "answer lost": 3.0,
    "request late": 2.0,
    "answer late": 2.0,
    "500 not done": 1.0,
    "500 done": 1.0,
    "504 done": 1.0,
    "404": 0.5,
    "402": 1.0,
    "forged": 1.0,
    "html": 1.0,
    "risk": 0.5,
    "403": 0.3,
    "twice": 1.0,
    "misfit": 0.15,
}
SPELLS = ("request lost", "answer lost", "500 not done", "500 done", "402", "403", "forged", "html", "404")
"""What may befall every call for a while."""


@dataclass(slots=True)
class Mood:
    """How likely a call suffers; what befalls all of them until ``spell_until``; how notifications fare."""

    trouble: float = 0.0
    spell: str = ""
    spell_until: float = 0.0
    latency_s: float = 0.3
    lost_notice: float = 0.0
    late_notice: float = 0.0
    twice_notice: float = 0.0
    wrong_notice: float = 0.0
    settles_at_once: float = 0.0
    refund_fails: float = 0.0
    revives: float = 0.0
    """A payer who confirmed just before a cancellation may have paid nonetheless, though PayBy called it failed."""
    dawdles: float = 0.0
    """A payer whose phone is seen takes his time to confirm, or never does."""

    def calm(self) -> None:
        self.trouble = self.lost_notice = self.late_notice = self.twice_notice = self.wrong_notice = 0.0
        self.refund_fails = self.revives = self.dawdles = 0.0
        self.spell_until = 0.0
