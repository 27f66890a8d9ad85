"""Signs and sends lifts. A lift is signed while the event that it follows from is being written, and sent then."""

import contextlib
from collections.abc import Callable

from terminal.contract.messages import Lift
from terminal.core.actions import SendLift
from terminal.core.outbox import owed
from terminal.core.rules import Change, Garage
from terminal.mqtt.endpoint import Endpoint
from terminal.roles.worker.lift_index import LiftWindow
from terminal.roles.worker.message_builder import MessageBuilder


class LiftSender:
    """``garage`` returns the state as it is written."""

    def __init__(self, endpoint: Endpoint, builder: MessageBuilder, garage: Callable[[], Garage]) -> None:
        self._endpoint, self._builder, self._garage = endpoint, builder, garage
        self._window = LiftWindow(endpoint)
        self._signed: tuple[SendLift, Lift] | None = None
        """The lift that was signed last and is not sent yet."""

    def sign(self, change: Change) -> None:
        """Sign the new lift of a change that is being written; nothing of it may leave before it is."""
        for stay in change.stays.values():
            before = self._garage().stays.get(stay.session)
            known = {grant.id for grant in before.grants} if before else set()
            for wanted in owed(stay):
                if isinstance(wanted, SendLift) and wanted.grant.id not in known:
                    with contextlib.suppress(Exception):  # send() fails on it too, and there a person is told
                        self._signed = wanted, self._builder.lift(self._endpoint.head(), wanted)

    async def send(self, wanted: SendLift) -> None:
        """Publish a lift, unless nobody knows which car it would let out."""
        if not self._window.carries(wanted.grant, self._garage()):
            return
        signed, self._signed = self._signed, None
        lift = signed[1] if signed and signed[0] == wanted else self._builder.lift(self._endpoint.head(), wanted)
        await self._endpoint.publish(lift, lane=wanted.grant.lane)
