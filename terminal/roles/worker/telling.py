"""What is said once: alerts, their end, and a refund's progress."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from terminal.contract.topics import GARAGE_WIDE
from terminal.core import numbers
from terminal.core.actions import Action, Alert, Clear, Reply, TellRefund
from terminal.core.events import AlertTold
from terminal.link import Link
from terminal.roles.worker.speaking import Voice

TOLD_LIMIT_S = 3600.0
"""An alert that the broker has not taken by then is told again by the next start."""


@dataclass(frozen=True, slots=True)
class Teller:
    """``post`` takes the event that an owed alert has reached the broker; ``spawn`` runs what waits for that."""

    link: Link
    voice: Voice
    now: Callable[[], int]
    post: Callable[[AlertTold], None]
    spawn: Callable[[Coroutine[Any, Any, None], str], object]

    async def tell(self, action: Action) -> None:
        """Say it on the topic of its lane, or of the garage."""
        link = self.link
        match action:
            case Alert(code, severity, text, lane, session, order_no, once, help_code):
                help_code = help_code or (numbers.help_code(session) if session else None)
                await link.alert(
                    code,
                    severity,
                    text,
                    lane=lane or GARAGE_WIDE,
                    session=session,
                    order_no=order_no,
                    help_code=help_code,
                    once=once,
                )
                if action.owed and session:
                    self.spawn(self._until_told(session, code), f"alert {code}")
            case Clear(code, text, lane):
                await link.clear(code, text, lane=lane or GARAGE_WIDE)
            case TellRefund(refund):
                name = numbers.parse_order_no(refund.order_no)
                lane = name.lane if name else GARAGE_WIDE
                await link.say(self.voice.refund(link.head(), refund), lane=lane)
            case Reply():
                pass  # answered by whoever asked

    async def _until_told(self, session: str, code: str) -> None:
        try:
            async with asyncio.timeout(TOLD_LIMIT_S):
                arrived = await self.link.bus.settled()
        except TimeoutError:
            return
        if arrived:
            self.post(AlertTold(self.now(), session, code))
