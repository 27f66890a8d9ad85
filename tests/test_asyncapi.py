"""terminal/contract/asyncapi.py: what is printed is what the code takes."""

import json
import re
from typing import Any

import jsonschema  # type: ignore[import-untyped]  # its types are a package of their own
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from terminal import __version__
from terminal.contract import signatures
from terminal.contract.access import RIGHTS, may_publish, may_subscribe
from terminal.contract.asyncapi import SIGNED_TEXTS, document
from terminal.contract.fields import EVERY, FIELDS
from terminal.contract.messages import (
    MAX_BYTES,
    MESSAGES,
    BadMessage,
    Command,
    Health,
    Lift,
    Message,
    Proof,
    Qr,
    Screen,
    decode,
    encode,
    stamp,
)
from terminal.contract.topics import BY_ROLE, RETAINED
from terminal.core.ids import derived_id, order_no

DOCUMENT = document()
NOW = 1_795_000_000_000
ID, SESSION, CAR = (derived_id(NOW, name) for name in ("id", "session", "car"))
NUMBER = order_no("marina", "exit-1", SESSION, 2)
AT = stamp(NOW)
MONEY = {"amount": "20.00", "currency": "AED"}
SAMPLES: dict[str, dict[str, Any]] = {
    "fee": {
        "session": SESSION, "car": CAR, "ticket": "PX1.k1.abc", "entered": AT, "exited": AT, "minutes": 90,
        "reason": "due", "why": "damaged", **MONEY,
    },
    "plate": {"plate": "D 12345", "confidence": 93, "entered": AT, "car": CAR},
    "lookup": {"kind": "number", "number": "000123456789"},
    "found": {"lookup": ID, "number": "000123456789", "entered": AT, "ticket_class": "k2"},
    "order": {
        "fee": ID, "session": SESSION, "order_no": NUMBER, "status": "created", "token_url": "https://qr.payby.com",
        "expires": AT, "scanned": True, **MONEY,
    },
    "screen": {
        "fee": ID, "session": SESSION, "car": CAR, "state": "pay", "minutes": 90, "expires": AT, "remaining": 110,
        "scanned": False,
        "reason": "unpaid", "help_code": "X2B4C", "qr": {"size": 29, "bits": "AAAA"}, "key": "worker", "sign": "c2ln",
        **MONEY,
    },
    "paid": {"order_no": NUMBER, "notify_id": "2026", "body": "{}", "sign": "c2ln"},
    "receipt": {"order_no": NUMBER, "notify_id": "2026", "command": ID, "outcome": "done", "why": "because"},
    "lift": {
        "session": SESSION, "car": CAR, "reason": "paid", "by": "worker", "note": "words", "not_after": AT,
        "order_no": NUMBER, "amount": "20.00", "proof": {"body": "{}", "sign": "c2ln"}, "key": "worker", "sign": "c2ln",
    },
    "barrier": {
        "state": "up", "lift": ID, "session": SESSION, "reason": "paid",
        "answer": {"lift": ID, "outcome": "refused", "why": "busy", "order_no": NUMBER},
        "last": {"lift": ID, "session": SESSION, "reason": "free"},
    },
    "vehicle": {"waiting": True, "car": CAR, "under_boom": False},
    "command": {
        "command": "reset", "by": "Amal", "session": SESSION, "order_no": NUMBER, "amount": "1.00", "reason": "words",
        "not_after": AT, "key": "console", "sign": "c2ln",
    },
    "refund": {
        "order_no": NUMBER, "refund_no": "R1", "status": "asked", "notify_id": "2026", "body": "{}", "sign": "c2ln",
        **MONEY,
    },
    "credit": {
        "session": SESSION, "kind": "percent", "by": "station", "until": AT, "not_after": AT, "key": "station",
        "sign": "c2ln", "amount": "20.00", "percent": "25",
    },
    "enquiry": {"address": "0" * 68, "order_no": NUMBER},
    "invoice": {
        "enquiry": ID,
        "invoice": {
            "number": "marina-2609211413-000001-7K3Q", "issued": AT, "order_no": NUMBER, "lane": "exit-1",
            "supplier": "words", "supplier_ar": "words", "address": "words", "address_ar": "words", "trn": "1" * 15,
            "vat": "0.95", "vat_percent": "5", "entered": AT, "minutes": 90, **MONEY,
            "notes": [{"number": "marina-2609211413-C000001-7K3Q", "issued": AT, "amount": "20.00", "vat": "0.95"}],
        },
    },
    "alert": {
        "severity": "critical", "code": "arm", "state": "raised", "text": "words", "session": SESSION,
        "order_no": NUMBER, "help_code": "X2B4C",
    },
    "alerts": {
        "raised": [
            {
                "code": "arm", "severity": "critical", "text": "words", "since": AT, "session": SESSION,
                "order_no": NUMBER, "help_code": "X2B4C",
            }
        ],
        "more": 3,
    },
    "health": {
        "state": "online", "version": "1", "instance": ID, "since": AT, "reason": "words", "rival": ID, "key": "worker",
        "sign": "c2ln",
    },
}  # fmt: skip
VALUES = [
    "", "words", "a|b", "a\nb", "line\n", "\x7f", "\x85", "paid", "refused", "due", "free", "lost", "pay", "idle",
    "number", "plate", "cancel", "reset", "AED", "USD", "20.00", "20.0", "-1.00", "01.00", "20.00\n", AT, AT + "\n",
    "today", ID, ID.upper(), NUMBER, NUMBER + "!",
    "x" * 600, 0, -1, 20, 21, 177, 178, True, False, [], {}, {"body": "x"},
    {"size": 20, "bits": ""},
    {"lift": ID, "outcome": "raised", "why": "no"},
]  # fmt: skip


def whole(kind: str) -> dict[str, Any]:
    return {"v": 1, "id": ID, "at": AT, **SAMPLES[kind]}


def is_printed(kind: str, message: dict[str, Any]) -> bool:
    """Does ``message`` fit the printed schema?"""
    schema = {"$ref": f"#/components/schemas/{MESSAGES[kind].__name__}", **DOCUMENT}
    return bool(jsonschema.Draft7Validator({"allOf": [schema], **DOCUMENT}).is_valid(message))


def is_taken(kind: str, message: dict[str, Any]) -> bool:
    try:
        decode(MESSAGES[kind], json.dumps(message).encode())
    except BadMessage:
        return False
    return True


@pytest.mark.parametrize("kind", MESSAGES)
def test_a_sample_with_every_field_is_taken_and_fits_the_printed_schema(kind: str) -> None:
    fields = set(MESSAGES[kind].__struct_fields__) | {"v"}
    assert set(whole(kind)) == fields
    assert is_taken(kind, whole(kind))
    assert is_printed(kind, whole(kind))
    said = json.loads(encode(decode(MESSAGES[kind], json.dumps(whole(kind)).encode())))
    assert said == whole(kind)


@pytest.mark.parametrize("kind", MESSAGES)
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_what_is_taken_and_what_is_printed_is_the_same(kind: str, data: st.DataObject) -> None:
    message = whole(kind)
    for field in data.draw(st.sets(st.sampled_from(sorted(message)), max_size=6)):
        del message[field]
    for field in data.draw(st.sets(st.sampled_from(sorted(message)), max_size=2)) if message else ():
        message[field] = data.draw(st.sampled_from(VALUES))
    if data.draw(st.booleans()):
        message["unknown"] = "passes"
    if "v" in message and message["v"] is True:
        message["v"] = 2  # JSON Schema and msgspec tell 1 from true alike, but not in every library
    assert is_taken(kind, message) == is_printed(kind, message)


@pytest.mark.parametrize("kind", MESSAGES)
def test_null_is_printed_nowhere(kind: str) -> None:
    for field in whole(kind):
        assert not is_printed(kind, {**whole(kind), field: None})
    assert '"null"' not in json.dumps(DOCUMENT)


def test_the_document_is_json_and_every_reference_in_it_leads_somewhere() -> None:
    text = json.dumps(DOCUMENT)
    assert json.loads(text) == DOCUMENT
    for path in re.findall(r'"\$ref": "#/([^"]+)"', text):
        node = DOCUMENT
        for name in path.split("/"):
            node = node[name]
        assert node


def test_it_is_asyncapi_3_about_this_version() -> None:
    assert DOCUMENT["asyncapi"] == "3.0.0"
    assert DOCUMENT["info"]["version"] == __version__
    assert str(MAX_BYTES) in DOCUMENT["info"]["description"]


def test_it_says_mqtt_3_1_1_and_no_other() -> None:
    assert DOCUMENT["servers"]["broker"]["protocolVersion"] == "3.1.1"
    assert "MQTT 3.1.1." in DOCUMENT["info"]["description"]
    assert "or 5" not in DOCUMENT["info"]["description"]


def test_every_field_is_described_in_one_line() -> None:
    for name, schema in DOCUMENT["components"]["schemas"].items():
        for field, said in schema["properties"].items():
            assert said.get("description"), (name, field)
            assert "\n" not in said["description"]


def test_no_description_is_of_a_field_that_is_not_there() -> None:
    schemas = DOCUMENT["components"]["schemas"]
    assert {name: set(fields) for name, fields in FIELDS.items()} == {
        name: set(schema["properties"]) - (set(EVERY) if name.lower() in MESSAGES else set())
        for name, schema in schemas.items()
    }


def test_every_message_has_its_channel() -> None:
    assert {kind: channel["address"] for kind, channel in DOCUMENT["channels"].items()} == {
        kind: f"parking/{{garage}}/{{lane}}/{kind}" + ("/{role}" if kind in BY_ROLE else "") for kind in MESSAGES
    }
    for channel in DOCUMENT["channels"].values():
        assert set(re.findall(r"\{(\w+)\}", channel["address"])) == set(channel["parameters"])
    assert {kind for kind, channel in DOCUMENT["channels"].items() if channel["x-retained"]} == RETAINED


def test_who_publishes_what_is_as_the_contract_says() -> None:
    assert {kind: channel["x-published-by"] for kind, channel in DOCUMENT["channels"].items()} == {
        "fee": ["reader"],
        "plate": ["camera"],
        "lookup": ["worker"],
        "found": ["tickets"],
        "order": ["worker"],
        "screen": ["worker"],
        "paid": ["listener"],
        "receipt": ["worker"],
        "lift": ["worker", "console"],
        "barrier": ["barrier"],
        "vehicle": ["loops"],
        "command": ["console"],
        "refund": ["worker", "listener"],
        "credit": ["paystation"],
        "enquiry": ["listener", "console"],
        "invoice": ["worker"],
        "alert": list(RIGHTS),
        "alerts": list(RIGHTS),
        "health": list(RIGHTS),
    }


def test_operations_are_the_brokers_access_rules() -> None:
    for role in RIGHTS:
        for kind in MESSAGES:
            topic = f"parking/marina/exit-1/{kind}" + (f"/{role}" if kind in BY_ROLE else "")
            says, hears = f"{role}-says-{kind}", f"{role}-hears-{kind}"
            assert (says in DOCUMENT["operations"]) == may_publish(role, topic, garage="marina")
            assert (hears in DOCUMENT["operations"]) == may_subscribe(role, topic, garage="marina")
    for name, operation in DOCUMENT["operations"].items():
        kind = name.rpartition("-")[2]
        fleeting = operation["action"] == "receive" and kind in {"fee", "vehicle", "health"}
        assert operation["bindings"]["mqtt"]["qos"] == (0 if fleeting else 1)
        assert operation["bindings"]["mqtt"].get("retain", kind in RETAINED) == (kind in RETAINED)


def sample(kind: type[Message]) -> Any:
    fields = {**SAMPLES[kind.__name__.lower()], "id": ID, "at": AT}
    if "qr" in fields:
        fields["qr"] = Qr(21, "A" * 75 + "=")
    if "proof" in fields:
        fields["proof"] = Proof("{}", "c2ln")
    return kind(**fields)


@pytest.mark.parametrize("kind", [Lift, Screen, Command, Health])
def test_the_signed_texts_that_are_printed_are_those_that_are_signed(kind: Any) -> None:
    message, name = sample(kind), kind.__name__.lower()
    text = getattr(signatures, f"{name}_text")(message, "marina", "exit-1").decode()
    pattern = re.escape(SIGNED_TEXTS[name].replace("<garage>", "marina").replace("<lane>", "exit-1"))
    for field in re.findall(r"<(\w+)>", pattern):
        pattern = pattern.replace(f"<{field}>", re.escape(getattr(message, field)))
    pattern = re.sub(r"<SHA[^|]*>", "[0-9a-f]{64}", pattern)
    assert re.fullmatch(pattern, text)
    assert DOCUMENT["components"]["messages"][name]["x-signed-text"] == SIGNED_TEXTS[name]
