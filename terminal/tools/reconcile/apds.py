"""Stays and payments in the words of APDS 4 (Alliance for Parking Data Standards): `Session`, `Segment`,
`AssignedRight`, `Payment`, `PaymentLine`. https://github.com/parkingdata/spec

A `Session` is one stay and has one `Segment`, whose `AssignedRight` (to have parked, and to leave) has the stay's
payments. A refund is a `Payment` below zero. What APDS has no word for is left out, and so is the ticket's text, which
somebody could have read again.
"""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import msgspec

from terminal.core import ids
from terminal.tools.reconcile.takings import ExportedStay, Movement, Period

PROVIDER = "PayBy"


def document(garage: str, name: str, period: Period, stays: Sequence[ExportedStay]) -> bytes:
    """UTF-8 JSON: ``{"sessions": […]}``. Amounts are numbers with two decimals, times RFC 3339 with the garage's
    offset."""
    found = {"sessions": [_session(garage, name, period, stay) for stay in stays]}
    encoder = msgspec.json.Encoder(decimal_format="number")
    return msgspec.json.format(encoder.encode(found), indent=2) + b"\n"


def _session(garage: str, name: str, period: Period, stay: ExportedStay) -> dict[str, Any]:
    begins = _time(period, stay.entered_ms if stay.entered_ms is not None else stay.read_ms)
    ends = {} if stay.left_ms is None else {"actualEnd": _time(period, stay.left_ms)}
    credential = {
        "type": "ticket",
        "identifier": {"className": "ParkingTicket", "id": stay.session},
        "issuer": [{"language": "en", "string": name}],
    }
    right = {
        "id": f"{stay.session}-right",
        "version": 1,
        "rightHolder": {"credentials": [credential]},
        "rightSpecification": {"id": f"{garage}-exit", "version": 1, "className": "RightSpecification"},
        "payments": [_payment(period, one) for one in stay.movements],
    }
    segment = {
        "id": f"{stay.session}-1",
        "version": 1,
        "actualStart": begins,
        **ends,
        "assignedRight": right,
        "validationType": ["ticket"],
    }
    if stay.ticket == "lost":
        segment["notes"] = [{"language": "en", "string": "the ticket was lost; the start is when that was said"}]
    return {
        "id": stay.session,
        "version": 1,
        "actualStart": begins,
        **ends,
        "initiator": {"id": garage, "version": 1, "className": "Place"},
        "hierachyElement": {"id": garage, "version": 1, "className": "Place"},
        "identifiedCredentials": [credential],
        "segments": [segment],
    }


def _payment(period: Period, one: Movement) -> dict[str, Any]:
    line = {
        "id": f"{one.no}-1",
        "version": 1,
        "value": {"currencyType": "AED", "currencyValue": aed(one.fils)},
        "paymentType": "payment",
        "identifierId": one.no,
        "idCode": one.kind,
    }
    return {
        "id": one.no,
        "version": 1,
        "dateCollected": _time(period, one.at_ms),
        "serviceProvider": {"id": PROVIDER, "version": 1},
        "transactionID": one.payby_no or one.order_no,
        "idCode": ids.help_code(one.session),
        "paymentLines": [line],
    }


def aed(fils: int) -> Decimal:
    """Whole fils -> dirhams with two decimals, exactly."""
    return Decimal(fils).scaleb(-2)


def _time(period: Period, at_ms: int) -> str:
    return period.local(at_ms).isoformat(timespec="seconds")
