"""Takes what gets a receipt: PayBy's notifications, operators' commands and pay stations' credits, all signed by
somebody outside the lane."""

import hashlib
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Literal

from terminal.contract import lift_rules as grants
from terminal.contract import signatures
from terminal.contract.credit_messages import Credit
from terminal.contract.deflated import unpack
from terminal.contract.messages import BadMessage, Command, Paid, Proof, Receipt, Refund
from terminal.contract.topics import GARAGE_WIDE
from terminal.core import ids
from terminal.core.actions import ReceiptOutcome, SendReceipt
from terminal.core.events import OrderReported
from terminal.core.model import VisitOrder
from terminal.core.rules import Change
from terminal.mqtt.endpoint import Endpoint, ReceivedMessage
from terminal.payby.errors import BadSignature, BadWords
from terminal.roles.worker.event_mapper import command_event, credit_event, notification_event
from terminal.roles.worker.inbox import Done, PostEvent, Reply
from terminal.roles.worker.payby_notices import PayByNotices
from terminal.roles.worker.settings import WorkerSettings

REMEMBERED = 1000
"""How many of PayBy's notifications are remembered, so that repetitions are not journaled again."""


class Receipts:
    """``post`` takes an event, and a callback for when it is taken; ``order`` finds one of our orders; ``look`` asks
    PayBy about one and posts the answer, with a callback for when that is taken; ``read_out`` takes a ticket that an
    operator read."""

    def __init__(
        self,
        endpoint: Endpoint,
        settings: WorkerSettings,
        notices: PayByNotices,
        *,
        now: Callable[[], int],
        post: PostEvent,
        order: Callable[[str], VisitOrder | None],
        look: Callable[[str, Done], object],
        read_out: Callable[[Command, str, Reply], Awaitable[None]],
    ) -> None:
        self._endpoint, self._settings, self._now, self._post = endpoint, settings, now, post
        self._notices, self._order, self._look, self._read_out = notices, order, look, read_out
        self._answers: OrderedDict[bytes, SendReceipt | None] = OrderedDict()
        """By the digest of PayBy's words: their outcome, which a copy gets too; None: they are being taken."""

    async def hear_notification(self, received: ReceivedMessage) -> None:
        """Take in PayBy's words, as the listener or anybody else passes them on."""
        said = received.message
        assert isinstance(said, Paid | Refund)
        if said.sign is None or said.notify_id is None:  # a refund's progress as a worker publishes it
            received.ack()
            return
        try:
            said = unpack(said)
        except BadMessage as error:
            received.ack()
            await self._endpoint.bad_message(str(received.topic), str(error))
            return
        digest = hashlib.sha256(f"{received.topic.kind}\n{said.body}".encode()).digest()
        if digest in self._answers:
            received.ack()
            if reply := self._answers[digest]:
                await self._say_receipt(said.order_no, said.notify_id, reply)
            return
        try:
            event = notification_event(said, at=self._now(), judgement=self._settings.judgement)
        except (BadSignature, BadWords) as error:
            received.ack()
            text = f"a `{received.topic.kind}` without PayBy's genuine signature was dropped: {error}"
            ours = said.order_no if self.lane_of(said.order_no) else None
            await self._endpoint.alert("forged-paid", text, lane=self._place(said.order_no), order_no=ours)
            return
        await self._notices.handle(said, is_all=event is None)
        self._answers[digest] = None
        if len(self._answers) > REMEMBERED:
            self._answers.popitem(last=False)

        async def done(change: Change | None) -> None:
            received.ack()
            if change is None:  # not journaled: PayBy gets no SUCCESS and sends it again
                self._answers.pop(digest, None)
                return
            reply = next((a for a in change.actions if isinstance(a, SendReceipt)), SendReceipt("noted"))
            self._answers[digest] = SendReceipt("duplicate") if reply.outcome in ("lifting", "late") else reply
            await self._say_receipt(said.order_no, said.notify_id, reply)

        if event is None:
            await done(Change({}, {}, []))
        elif isinstance(event, OrderReported) and self._needs_a_proof(event, said.body or "", said.sign or ""):
            self._look(event.order_no, done)
        else:
            self._post(event, done)

    async def _say_receipt(self, order_no: str, notify_id: str | None, reply: SendReceipt) -> None:
        why = reply.why or None
        receipt = Receipt(
            **self._endpoint.head(), order_no=order_no, notify_id=notify_id, outcome=reply.outcome, why=why
        )
        await self._endpoint.publish(receipt, lane=self._place(order_no))

    def _needs_a_proof(self, event: OrderReported, body: str, sign: str) -> bool:
        """Is this the news of a payment, in words too long for a lift?"""
        if event.status != "PAID" or event.wrong or grants.fits(Proof(body, sign)):
            return False
        order = self._order(event.order_no)
        return order is not None and order.stage not in ("paid", "quarantined")

    def lane_of(self, order_no: str) -> str | None:
        """The lane of an order of ours."""
        name = ids.parse_order_no(order_no)
        return name.lane if name and name.garage == self._settings.garage else None

    def _place(self, order_no: str) -> str:
        return self.lane_of(order_no) or GARAGE_WIDE

    async def hear_credit(self, received: ReceivedMessage) -> None:
        """Take in what a pay station says, or who validates tickets."""
        credit, place = received.message, received.topic.lane
        assert isinstance(credit, Credit)
        wall, stations = self._endpoint.clock.wall_ms(), self._settings.stations
        why = signatures.check_credit(credit, self._settings.garage, place, stations, wall) if stations else "signature"
        if why == "signature":
            received.ack()
            text = "a credit was dropped, because no pay station of this garage signed it"
            await self._endpoint.alert("forged-credit", text, lane=GARAGE_WIDE, session=credit.session)
            return

        async def reply(outcome: ReceiptOutcome, why: str) -> None:
            received.ack()
            receipt = Receipt(**self._endpoint.head(), command=credit.id, outcome=outcome, why=why or None)
            await self._endpoint.publish(receipt, lane=place)

        event, wrong = credit_event(credit, at=self._now(), wall=wall)
        if refusal := why or wrong:
            await self._endpoint.alert(
                "credit-refused", f"{credit.by}: {refusal}", lane=GARAGE_WIDE, session=credit.session
            )
            await reply("refused", refusal)
            return

        async def done(change: Change | None) -> None:
            replies = [a for a in change.actions if isinstance(a, SendReceipt)] if change else []
            answer = replies[0] if replies else SendReceipt("refused", "nothing came of it")
            await reply(answer.outcome, answer.why)

        self._post(event, done)

    async def hear_command(self, received: ReceivedMessage) -> None:
        """Take in an operator's command."""
        command, lane = received.message, received.topic.lane
        assert isinstance(command, Command)
        wall = self._endpoint.clock.wall_ms()
        why = signatures.check_command(command, self._settings.garage, lane, self._settings.trusted, wall)
        if why == "signature":
            received.ack()
            text = f"a `{command.command}` was dropped, because no trusted console signed it"
            await self._endpoint.alert(
                "forged-command", text, lane=lane, session=command.session, order_no=command.order_no
            )
            return
        if why is not None:
            received.ack()
            await self._endpoint.publish(
                Receipt(**self._endpoint.head(), command=command.id, outcome="refused", why=why), lane=lane
            )
            return

        if command.command == "ticket":

            async def replied(outcome: Literal["done", "refused"], why: str) -> None:
                received.ack()
                receipt = Receipt(**self._endpoint.head(), command=command.id, outcome=outcome, why=why or None)
                await self._endpoint.publish(receipt, lane=lane)

            await self._read_out(command, lane, replied)
            return

        async def done(change: Change | None) -> None:
            received.ack()
            replies = [a for a in change.actions if isinstance(a, SendReceipt)] if change else []
            reply = replies[0] if replies else SendReceipt("refused", "nothing came of it")
            receipt = Receipt(**self._endpoint.head(), command=command.id, outcome=reply.outcome, why=reply.why or None)
            await self._endpoint.publish(receipt, lane=lane)

        self._post(command_event(command, lane, at=self._now(), wall=wall), done)
