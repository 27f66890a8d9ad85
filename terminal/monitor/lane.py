"""One lane as its messages tell it."""

from terminal.contract.describe import MessageFields
from terminal.monitor.heard import Heard
from terminal.monitor.opened import Lifts, Opened

RISEN = ("rising", "up")
_SAID_ANEW = ("id", "at", "remaining", "key", "sign")
"""What differs in a screen that is only repeated."""


class LaneMonitor:
    """The last of each kind of message of a lane; None: none was heard."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.fee: Heard | None = None
        self.order: Heard | None = None
        self.screen: Heard | None = None
        self.shown_since: Heard | None = None
        """The first of the messages that say what the screen shows now."""
        self.vehicle: Heard | None = None
        self.barrier: Heard | None = None
        self.opened: Opened | None = None
        """Its last raise that was heard of."""
        self._lifts = Lifts()

    def take(self, kind: str, heard: Heard) -> Opened | None:
        """Note a message; the raise that begins with it, if one does."""
        match kind:
            case "fee":
                self.fee = heard
            case "order":
                self.order = heard
            case "screen":
                if self.screen is None or _content(self.screen) != _content(heard):
                    self.shown_since = heard
                self.screen = heard
            case "vehicle":
                self.vehicle = heard
            case "lift":
                self._lifts.note(heard.data)
            case "barrier":
                before, self.barrier = self.barrier, heard
                return self._rises(before, heard)
        return None

    def session_of(self, kind: str, data: MessageFields) -> str:
        """The stay that a message of this lane is about; empty where it is about none."""
        if isinstance(session := data.get("session"), str):
            return session
        answer = data.get("answer")
        if kind == "barrier" and isinstance(answer, dict):
            return self._lifts.session_of(answer.get("lift"))
        return ""

    def _rises(self, before: Heard | None, now: Heard) -> Opened | None:
        if now.text("state") not in RISEN or now.retained:
            return None
        if before is None or before.text("state") in RISEN:
            return None
        self.opened = self._lifts.opened(now.data, now.said_ms, before=_last(before))
        return self.opened


def _content(screen: Heard) -> MessageFields:
    return {name: value for name, value in screen.data.items() if name not in _SAID_ANEW}


def _last(barrier: Heard) -> str:
    """The lift that an arm at rest names."""
    last = barrier.data.get("last")
    if isinstance(last, dict) and isinstance(lift := last.get("lift"), str):
        return lift
    return barrier.text("lift")
