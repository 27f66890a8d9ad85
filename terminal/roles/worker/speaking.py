"""What the state comes to on the wire: the `screen`, `order` and `lift` messages of a lane."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from terminal.contract import grant as grants
from terminal.contract import messages
from terminal.contract.messages import stamp
from terminal.core import money
from terminal.core.actions import SendLift
from terminal.core.shown import Shown, order_status
from terminal.core.visit import Lane, Order, Refund, Stay
from terminal.screen import qr

Head = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Signer:
    """The worker's Ed25519 key and the name that its public half has in `trusted`."""

    name: str
    key: Ed25519PrivateKey


@dataclass(frozen=True, slots=True)
class Voice:
    """Makes messages; ``to_wall`` turns the worker's steady time into ms since the epoch."""

    garage: str
    signer: Signer
    to_wall: Callable[[int], int]

    def screen(self, head: Head, lane: str, shown: Shown, symbol: qr.Symbol | None, now: int) -> messages.Screen:
        """The screen message; one in state `pay` is signed over its QR."""
        fields: dict[str, Any] = {
            **head,
            "state": shown.state,
            "fee": shown.fee,
            "session": shown.session,
            "car": shown.car,
            "reason": shown.reason or None,
            "help_code": shown.help_code,
            "minutes": shown.minutes,
        }
        if shown.amount is not None:
            fields |= {"amount": money.text(shown.amount), "currency": "AED"}
        if shown.state != "pay" or shown.expires is None or symbol is None:
            return messages.Screen(**fields)
        fields |= {
            "expires": stamp(self.to_wall(shown.expires)),
            "remaining": max(0, shown.expires - now) // 1000,
            "qr": qr.to_wire(symbol),
        }
        return grants.sign_screen(self.signer.key, self.garage, lane, key=self.signer.name, **fields)

    def order_facts(self, lane: Lane, stay: Stay | None) -> dict[str, Any]:
        """How the lane's order stands: the visit's, or the last one where no visit is."""
        visit = lane.visit
        number = visit.order_no if visit else lane.order_no
        order = stay.order(number) if stay and number else None
        facts: dict[str, Any] = {
            "status": order_status(order),
            "fee": lane.fee_ids[-1] if lane.fee_ids else None,
            "session": visit.fee.session if visit else lane.session,
        }
        return facts | _about(order) if order else facts

    def order(self, head: Head, lane: Lane, stay: Stay | None) -> messages.Order:
        """The order message; ``expires`` in wall time."""
        facts = self.order_facts(lane, stay)
        if "expires" in facts:
            facts["expires"] = stamp(self.to_wall(facts["expires"]))
        return messages.Order(**head, **facts)

    def lift(self, at: Head, send: SendLift) -> messages.Lift:
        """The signed lift of a grant; the same id however often it is signed."""
        grant = send.grant
        fields: dict[str, Any] = {
            "id": grant.id,
            "at": at["at"],
            "session": grant.session,
            "car": grant.car,
            "reason": grant.reason,
            "by": self.signer.name,
            "not_after": stamp(self.to_wall(grant.not_after)),
            "order_no": grant.order_no,
        }
        if grant.amount is not None:
            fields["amount"] = money.text(grant.amount)
        if send.proof is not None:
            fields["proof"] = messages.Proof(send.proof.body, send.proof.sign)
        return grants.sign_lift(self.signer.key, self.garage, grant.lane, key=self.signer.name, **fields)

    @staticmethod
    def refund(head: Head, refund: Refund) -> messages.Refund:
        """A refund's progress."""
        return messages.Refund(
            **head,
            order_no=refund.order_no,
            refund_no=refund.no,
            status=refund.stage,
            amount=money.text(refund.amount),
            currency="AED",
        )


def _about(order: Order) -> dict[str, Any]:
    return {
        "order_no": order.no,
        "amount": money.text(order.amount),
        "currency": "AED",
        "token_url": order.token_url or None,
        "expires": order.expires,
    }
