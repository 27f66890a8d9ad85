"""Which stay a lift belongs to: a barrier's answer names the lift alone."""

from terminal.core.visit import Stay


class Lifts:
    """Lifts of stays that are in memory."""

    def __init__(self) -> None:
        self._sessions: dict[str, str] = {}
        self._lifts_of: dict[str, set[str]] = {}

    def session_of(self, lift: str) -> str | None:
        """The stay of a lift to which an answer still matters."""
        return self._sessions.get(lift)

    def know(self, stay: Stay) -> None:
        """Know a stay by its lifts while an answer to them matters."""
        lifts = {g.id for g in stay.grants} | {p.grant for p in stay.payments if p.grant}
        for lift in self._lifts_of.get(stay.session, set()) - lifts:
            self._sessions.pop(lift, None)
        self._sessions |= dict.fromkeys(lifts, stay.session)
        self._lifts_of[stay.session] = lifts

    def forget(self, stay: Stay) -> None:
        """The stay has left memory."""
        for lift in self._lifts_of.pop(stay.session, ()):
            self._sessions.pop(lift, None)
