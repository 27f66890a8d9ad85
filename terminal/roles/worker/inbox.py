"""How received messages get into the worker's queue of events."""

from collections.abc import Awaitable, Callable
from typing import Literal, Protocol

from terminal.core.events import Event
from terminal.core.rules import Change

Done = Callable[[Change | None], Awaitable[None]]
"""Called once an event is taken; gets None if the event could not be taken."""

Reply = Callable[[Literal["done", "refused"], str], Awaitable[None]]
"""Called with what came of a command, and why."""


class PostEvent(Protocol):
    """Hands over an event, which is taken in its turn."""

    def __call__(self, event: Event, done: Done | None = None) -> None: ...
