"""What the worker waits for at a lane."""

import asyncio
from dataclasses import dataclass, field

from terminal.roles.worker.barrier_clock import BarrierClock


@dataclass(slots=True)
class LaneTimers:
    """What is waited for at a lane, and what it last said."""

    vehicle_silent: asyncio.TimerHandle | None = None
    waiting: bool = False
    """What the loops last said."""
    barrier_silent: asyncio.TimerHandle | None = None
    rhythm: BarrierClock = field(default_factory=BarrierClock)
