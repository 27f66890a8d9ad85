"""What the worker waits for at a lane."""

import asyncio
from dataclasses import dataclass, field

from terminal.roles.worker.barrier_clock import BarrierClock


@dataclass(slots=True)
class LaneTimers:
    """What a lane is waited for, and what it was last heard to say."""

    vehicle_silent: asyncio.TimerHandle | None = None
    waiting: bool = False
    """What the loops said last."""
    barrier_silent: asyncio.TimerHandle | None = None
    rhythm: BarrierClock = field(default_factory=BarrierClock)
