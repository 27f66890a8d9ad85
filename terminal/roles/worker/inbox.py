"""How what was heard gets into the worker's queue of events."""

from collections.abc import Awaitable, Callable
from typing import Protocol

from terminal.core.events import Event
from terminal.core.rules import Change

Done = Callable[[Change | None], Awaitable[None]]
"""What to do once an event is taken; it gets None where the event could not be taken."""


class PostEvent(Protocol):
    """Hands over an event, which is taken in its turn."""

    def __call__(self, event: Event, done: Done | None = None) -> None: ...
