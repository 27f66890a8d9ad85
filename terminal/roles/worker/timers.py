"""What the worker waits for at a lane."""

import asyncio
from collections import deque
from dataclasses import dataclass, field


@dataclass(slots=True)
class LaneTimers:
    """What a lane is waited for, and what it was last heard to say."""

    vehicle_silent: asyncio.TimerHandle | None = None
    waiting: bool = False
    """What the loops said last."""
    barrier_silent: asyncio.TimerHandle | None = None
    apart: deque[int] = field(default_factory=lambda: deque(maxlen=3))
    """How far ahead of our clock the barrier's last messages were as they came, ms; a late one seems behind."""
