"""What happens in the demo, passed to everybody who watches: the page's visitors and the run of cars."""

import asyncio
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from PIL import Image

KEPT = 80
"""How many past messages a late visitor gets."""

_BEHIND = 400
"""How many happenings a watcher may lag behind; each further one drops the oldest."""


@dataclass(frozen=True, slots=True)
class MessagePassed:
    """An MQTT message passed. ``data`` is its JSON; ``routine`` says that only its time differs from the last one."""

    number: int
    topic: str
    kind: str
    data: dict[str, Any]
    retained: bool
    routine: bool
    at_s: float


@dataclass(frozen=True, slots=True)
class FrameShown:
    """A frame reached the glass: RGB, of the panel's size; nobody may draw on ``image`` any more."""

    image: Image.Image = field(repr=False)
    at_s: float


@dataclass(frozen=True, slots=True)
class RelayPulsed:
    """The relay closed."""

    at_s: float


@dataclass(frozen=True, slots=True)
class BoomMoved:
    """The arm is now ``state``: down, rising, up or lowering."""

    state: str
    at_s: float


@dataclass(frozen=True, slots=True)
class LaneChanged:
    """Something else of the lane changed: car, phone, what is cut."""


Happening = MessagePassed | FrameShown | RelayPulsed | BoomMoved | LaneChanged


class Feed:
    """Passes each happening to every watcher, in order. Use it only in the event loop's thread."""

    def __init__(self) -> None:
        self._watchers: set[asyncio.Queue[Happening | None]] = set()
        self._closed = False
        self.messages: deque[MessagePassed] = deque(maxlen=KEPT)

    def tell(self, happening: Happening) -> None:
        """Pass ``happening`` to all watchers; one that lags too far behind loses its oldest."""
        if isinstance(happening, MessagePassed) and not happening.routine:
            self.messages.append(happening)
        for queue in self._watchers:
            if queue.qsize() >= _BEHIND:
                queue.get_nowait()
            queue.put_nowait(happening)

    @contextmanager
    def watch(self) -> Iterator["Watch"]:
        """What happens from now on, until the feed is closed."""
        watch = Watch()
        if self._closed:
            watch.queue.put_nowait(None)
        self._watchers.add(watch.queue)
        try:
            yield watch
        finally:
            self._watchers.discard(watch.queue)

    def close(self) -> None:
        """End every watch; may be called twice."""
        self._closed = True
        for queue in self._watchers:
            queue.put_nowait(None)


class Watch:
    """The happenings of one watcher, in order. A cancelled wait loses none."""

    def __init__(self) -> None:
        self.queue: asyncio.Queue[Happening | None] = asyncio.Queue()

    def __aiter__(self) -> "Watch":
        return self

    async def __anext__(self) -> Happening:
        happening = await self.queue.get()
        if happening is None:
            raise StopAsyncIteration
        return happening
