"""A worker's journal with one visit in it."""

from pathlib import Path

import msgspec

from terminal.core import events, ids
from terminal.core.model import ParkingFee, PaymentProof
from terminal.journal.journal import Journal


async def write_visit(path: Path, began: int, session: str, order_no: str) -> None:
    """From ``began`` (ms) on: a start, a ticket of AED 20.00, its order, the payment after 7 s, and a raise."""
    fee = ParkingFee("f", session, "PX1", 2000, "due", 91)
    proof = PaymentProof("{}", "c2ln")
    said: list[events.Event] = [
        events.Started(began, "0.1.0"),
        events.TicketRead(began + 1000, "exit-1", fee),
        events.OrderReported(began + 2000, order_no, "CREATED", 2000, proof),
        events.OrderReported(began + 5000, order_no, "CREATED", 2000, proof),
        events.TimePassed(began + 6000, "exit-1"),
        events.OrderReported(began + 7000, order_no, "PAID", 2000, proof, notified=True),
        events.LiftAnswered(began + 8000, "exit-1", session, ids.derived_id(began, "lift"), "raised"),
    ]
    journal = Journal.open(path, role="worker", ballast_bytes=0)
    try:
        for event in said:
            await journal.append([(type(event).__name__, msgspec.json.encode(event))], event.at)
    finally:
        journal.close()
