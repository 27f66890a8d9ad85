"""What APDS 4 asks of a `Session` and of what stands in one, as JSON Schema: names, types and what is required.
By github.com/parkingdata/spec, api/models, of 2024-05."""

from typing import Any

TIME = {"type": "string", "format": "date-time"}
IDENTITY = {"id": {"type": "string", "minLength": 1}, "version": {"type": "integer", "minimum": 1}}


def _a(required: str, closed: bool = True, **properties: Any) -> dict[str, Any]:
    found = {"type": "object", "required": required.split(), "properties": properties}
    return found | {"additionalProperties": False} if closed else found


STRINGS = {
    "type": "array",
    "minItems": 1,
    "items": _a("language string", language={"type": "string"}, string={"type": "string"}),
}
VERSIONED = _a("id version", **IDENTITY, className={"type": "string", "pattern": "^([A-Z][a-z0-9]+)+"})
REFERENCE = _a("className id", className={"type": "string", "minLength": 1}, id={"type": "string"})
CREDENTIAL_TYPES = {"enum": ["barcode", "bluetooth", "eticket", "hangtag", "licensePlate", "permit", "qrCode", "rfid",
                             "ticket", "electronicID", "ticketcoupon", "vehicleplate"]}  # fmt: skip
CREDENTIAL = _a("identifier issuer", identifier=REFERENCE, issuer=STRINGS, type=CREDENTIAL_TYPES)
AMOUNT = _a(
    "currencyType currencyValue",
    currencyType={"type": "string", "pattern": "^[A-Z]{3}$"},
    currencyValue={"type": "number"},
)
LINE = _a(
    "id version value paymentType", **IDENTITY, value=AMOUNT, idCode={"type": "string"},
    identifierId={"type": "string"}, paymentType={"enum": ["payment", "validation"]},
)  # fmt: skip
PAYMENT = _a(
    "id version serviceProvider paymentLines", **IDENTITY, dateCollected=TIME, idCode={"type": "string"},
    serviceProvider=VERSIONED, transactionID={"type": "string"}, paymentLines={"type": "array", "items": LINE},
)  # fmt: skip
RIGHT = _a(
    "id version rightHolder rightSpecification", **IDENTITY,
    rightHolder=_a("", credentials={"type": "array", "items": CREDENTIAL}),
    rightSpecification=VERSIONED, payments={"type": "array", "items": PAYMENT},
)  # fmt: skip
SEGMENT = _a(
    "id version actualStart assignedRight validationType", **IDENTITY, actualStart=TIME, actualEnd=TIME,
    assignedRight=RIGHT, validationType={"type": "array", "minItems": 1, "items": CREDENTIAL_TYPES}, notes=STRINGS,
)  # fmt: skip
SESSION = _a(
    "id version actualStart initiator identifiedCredentials segments", **IDENTITY, actualStart=TIME, actualEnd=TIME,
    initiator=VERSIONED, hierachyElement=VERSIONED,
    identifiedCredentials={"type": "array", "minItems": 1, "items": CREDENTIAL},
    segments={"type": "array", "minItems": 1, "items": SEGMENT},
)  # fmt: skip
"""(`hierachyElement` is spelt so in the standard.)"""
DOCUMENT = _a("sessions", sessions={"type": "array", "items": SESSION})
