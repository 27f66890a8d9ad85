"""Makes messages of the state: the `screen`, `order` and `lift` of a lane."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from terminal.contract import messages, signatures
from terminal.contract.messages import stamp
from terminal.core import money
from terminal.core.actions import SendLift
from terminal.core.display import LaneDisplay, order_status
from terminal.core.model import Lane, Stay, VisitOrder, VisitRefund
from terminal.screen import qr

Head = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class WorkerSigner:
    """The worker's Ed25519 key, and the name of its public half in `trusted`."""

    name: str
    key: Ed25519PrivateKey

    @property
    def mark(self) -> str:
        """A secret that follows from the key and marks the ids of our lifts (core/ids.py, lift_id)."""
        return hashlib.sha256(self.key.sign(b"the mark in the ids of lifts")).hexdigest()


@dataclass(frozen=True, slots=True)
class MessageBuilder:
    """Makes messages; ``to_wall`` turns the worker's steady time (ms) into ms since the epoch."""

    garage: str
    signer: WorkerSigner
    to_wall: Callable[[int], int]
    receipt_url: str = ""

    def screen(self, head: Head, lane: str, shown: LaneDisplay, symbol: qr.Symbol | None, now: int) -> messages.Screen:
        """The screen message; the signature covers its QR code."""
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
        if symbol is None or not self.link(shown):
            return messages.Screen(**fields)
        fields["qr"] = qr.to_wire(symbol)
        if shown.state == "pay" and shown.expires is not None:
            fields |= {
                "expires": stamp(self.to_wall(shown.expires)),
                "remaining": max(0, shown.expires - now) // 1000,
                "scanned": shown.scanned,
            }
        return signatures.sign_screen(self.signer.key, self.garage, lane, key=self.signer.name, **fields)

    def link(self, shown: LaneDisplay) -> str:
        """What the screen's code says: the order's link, or where its invoice is; empty if it has none."""
        if shown.state == "pay":
            return shown.token_url or ""
        return f"{self.receipt_url}/{shown.invoice}" if shown.invoice and self.receipt_url else ""

    def order_facts(self, lane: Lane, stay: Stay | None, now: int) -> dict[str, Any]:
        """The status of the visit's order; there is none without a visit, and while another fee's refusal shows."""
        visit = lane.visit
        if visit is None or (lane.notice and now < lane.notice.until):
            last = lane.fee_ids[-1] if lane.fee_ids else None
            return {"status": "none", "fee": last}
        order = stay.order(visit.order_no) if stay else None
        facts: dict[str, Any] = {"status": order_status(order), "fee": visit.fee.id, "session": visit.fee.session}
        return facts | _about(order) if order else facts

    def order(self, head: Head, facts: Mapping[str, Any]) -> messages.Order:
        """The order message of these facts; ``expires`` in wall time."""
        if "expires" in facts:
            facts = {**facts, "expires": stamp(self.to_wall(facts["expires"]))}
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
        return signatures.sign_lift(self.signer.key, self.garage, grant.lane, key=self.signer.name, **fields)

    @staticmethod
    def refund(head: Head, refund: VisitRefund) -> messages.Refund:
        """A refund's progress."""
        return messages.Refund(
            **head,
            order_no=refund.order_no,
            refund_no=refund.no,
            status=refund.stage,
            amount=money.text(refund.amount),
            currency="AED",
        )


def _about(order: VisitOrder) -> dict[str, Any]:
    return {
        "order_no": order.no,
        "amount": money.text(order.amount),
        "currency": "AED",
        "token_url": order.token_url or None,
        "expires": order.expires,
        "scanned": order.scanned,
    }
