"""A message as it was heard: what it says, and how old that is."""

from dataclasses import dataclass

from terminal.contract.describe import MessageFields
from terminal.contract.topics import SILENT_MS


@dataclass(frozen=True, slots=True)
class Heard:
    """``data`` is a message's JSON, trusted in nothing. ``said_ms``: when it was made, by its own ``at``, ms since the
    epoch. ``heard_ms``: when it came, by the steady clock. ``retained``: the broker had kept it, so ``said_ms`` alone
    tells how old it is."""

    data: MessageFields
    said_ms: int
    heard_ms: int
    retained: bool

    def age_ms(self, wall_ms: int, steady_ms: int) -> int:
        """How old it is: since it came, or, where the broker had kept it, since it was made."""
        return max(0, wall_ms - self.said_ms) if self.retained else steady_ms - self.heard_ms

    def is_old(self, wall_ms: int, steady_ms: int) -> bool:
        """Is it too old to say how things are now, where it is of what is repeated?"""
        return self.age_ms(wall_ms, steady_ms) > SILENT_MS

    def text(self, name: str) -> str:
        """A field that is a text; empty where there is none."""
        value = self.data.get(name)
        return value if isinstance(value, str) else ""
