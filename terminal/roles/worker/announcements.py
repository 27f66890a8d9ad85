"""What is published once: alerts, their end, and a refund's progress."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from terminal.contract.topics import GARAGE_WIDE
from terminal.core import ids
from terminal.core.actions import Action, ClearAlert, PublishRefund, RaiseAlert, SendReceipt
from terminal.core.events import AlertTold
from terminal.mqtt.endpoint import Endpoint
from terminal.roles.worker.message_builder import MessageBuilder

TOLD_LIMIT_S = 3600.0
"""How long the broker may take for an owed alert; if it takes longer, the next start raises the alert again."""


@dataclass(frozen=True, slots=True)
class Announcer:
    """``post`` takes the event that an owed alert has reached the broker; ``spawn`` runs the task that waits for it."""

    endpoint: Endpoint
    builder: MessageBuilder
    now: Callable[[], int]
    post: Callable[[AlertTold], None]
    spawn: Callable[[Coroutine[Any, Any, None], str], object]

    async def announce(self, action: Action) -> None:
        """Publish it on the topic of its lane, or of the garage."""
        endpoint = self.endpoint
        match action:
            case RaiseAlert(code, severity, text, lane, session, order_no, once, help_code):
                help_code = help_code or (ids.help_code(session) if session else None)
                await endpoint.alert(
                    code,
                    text,
                    severity=severity,
                    once=once,
                    lane=lane or GARAGE_WIDE,
                    session=session,
                    order_no=order_no,
                    help_code=help_code,
                )
                if action.owed and session:
                    self.spawn(self._until_told(session, code), f"alert {code}")
            case ClearAlert(code, text, lane):
                await endpoint.clear(code, text, lane=lane or GARAGE_WIDE)
            case PublishRefund(refund):
                name = ids.parse_order_no(refund.order_no)
                lane = name.lane if name else GARAGE_WIDE
                await endpoint.publish(self.builder.refund(endpoint.head(), refund), lane=lane)
            case SendReceipt():
                pass  # answered where the message came in

    async def _until_told(self, session: str, code: str) -> None:
        try:
            async with asyncio.timeout(TOLD_LIMIT_S):
                arrived = await self.endpoint.mqtt_client.settled()
        except TimeoutError:
            return
        if arrived:
            self.post(AlertTold(self.now(), session, code))
