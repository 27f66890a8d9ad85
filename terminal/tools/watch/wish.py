"""What somebody wants to see of a garage's messages."""

from collections.abc import Collection
from dataclasses import dataclass

HIDDEN = frozenset({"alerts"})
"""Kinds that are shown only when they are asked for: what they say stands in the header, and came as `alert`."""


@dataclass(frozen=True, slots=True)
class WatchWish:
    """Empty means: all. ``session`` and ``order`` may be any part of one. ``everything``: repetitions too."""

    lanes: Collection[str] = ()
    kinds: Collection[str] = ()
    session: str = ""
    order: str = ""
    code: str = ""
    everything: bool = False

    def wants(
        self, *, lane: str, kind: str, session: str = "", order_no: str = "", code: str = "", is_news: bool = True
    ) -> bool:
        """Is this to be shown?"""
        if not is_news and not self.everything:
            return False
        if kind in HIDDEN and not (self.everything or kind in self.kinds):
            return False
        return (
            (not self.lanes or lane in self.lanes)
            and (not self.kinds or kind in self.kinds)
            and _bare(self.session) in _bare(session)
            and _bare(self.order) in _bare(order_no or session)
            and (not self.code or self.code.upper() == code)
        )


def _bare(name: str) -> str:
    """Sessions stand in order numbers without their dashes."""
    return name.replace("-", "").lower()
