"""The contract as AsyncAPI 3.0, generated from the types that the code itself uses.

``exit-terminal contract`` prints document(). decode() and the printed schemas accept the same messages, except for
null: readers here accept it, but nobody may send it.
"""

import re
from typing import Any

import msgspec

from terminal import __version__
from terminal.contract.access import RIGHTS
from terminal.contract.fields import EVERY, FIELDS
from terminal.contract.messages import MAX_BYTES, MESSAGES
from terminal.contract.topics import BY_ROLE, FLEETING, RETAINED

MEANINGS = {
    "fee": "A ticket was read, and this is what is due.",
    "plate": "A camera has read the plate of the vehicle that waits, in place of a ticket.",
    "lookup": "The worker asks another system when the stay of one of its tickets, or of a plate, began.",
    "found": "The other system's answer to a `lookup`.",
    "order": "The lane's PayBy order and how it stands.",
    "screen": "What the LCD shows now, the QR bitmap included.",
    "paid": "PayBy says that an order is paid, in PayBy's own signed words.",
    "receipt": "A `paid`, a refund notification or a `command` is in the journal, and what came of it.",
    "lift": "A signed leave to raise the boom once, with its proof.",
    "barrier": "What the boom does, and by which lift it rose. Every lift is answered here, repeats included.",
    "vehicle": "Is a vehicle waiting, which one, is one under the boom; on change and every 5 s.",
    "command": "What an operator asks for: cancel, refund, keep, let go, reset, read a ticket, open or close the lane.",
    "refund": "A refund's progress.",
    "credit": "A ticket was paid at a pay station, or something is taken off its fee.",
    "enquiry": "The listener or the console asks for a payment's tax invoice.",
    "invoice": "The worker's answer to an `enquiry`: the invoice as it was issued, and its credit notes.",
    "alert": "Something a person must know, raised or cleared.",
    "alerts": "What a role has raised now at this place, replaced on every change; empty when there is nothing.",
    "health": "Online, degraded, offline; version; a heartbeat every 5 s (under `run` only the process's, for all its "
    "roles). Also each connection's last will. A worker signs its own, and names as `rival` the other "
    "worker that it hears.",
}
SIGNED_TEXTS = {
    "lift": (
        "lift|<garage>|<lane>|<id>|<session>|<car>|<reason>|<by>|<note>|<not_after>|<order_no>|<amount>|"
        "<SHA-256 of the proof's body, hex>|<key>"
    ),
    "screen": "screen|<garage>|<lane>|<id>|<session>|<amount>|<expires>|<SHA-256 of the QR's bits, hex>|<key>",
    "command": ("command|<garage>|<lane>|<id>|<command>|<by>|<session>|<not_after>|<order_no>|<amount>|<reason>|<key>"),
    "credit": ("credit|<garage>|<lane>|<id>|<session>|<kind>|<by>|<amount>|<percent>|<until>|<not_after>|<key>"),
    "health": "health|<garage>|<lane>|<id>|<at>|<instance>|<rival>|<key>",
}
"""What ``sign`` covers, as UTF-8; absent parts are empty."""

_CONDITIONS: dict[str, list[dict[str, Any]]] = {}


def _when(kind: str, field: str, values: list[str], needed: list[str]) -> None:
    given = {"properties": {field: {"enum": values}}, "required": [field]}
    _CONDITIONS.setdefault(kind, []).append({"if": given, "then": {"required": needed}})


# What the types' __post_init__ asks for; tests compare the two.
_when("Fee", "reason", ["refused"], ["why"])
_when("Fee", "reason", ["due", "free", "lost", "number", "coupon"], ["exited"])
_when("Fee", "reason", ["due", "free", "lost"], ["amount", "currency"])
_when("Fee", "reason", ["due", "free"], ["session", "entered", "minutes"])
_when("Screen", "state", ["pay"], ["session", "amount", "currency", "expires", "remaining", "qr", "key", "sign"])
_when("Command", "command", ["cancel", "refund", "keep", "let-go"], ["order_no"])
_when("Command", "command", ["reset"], ["session"])
_when("Command", "command", ["ticket"], ["reason"])
_when("Credit", "kind", ["paid", "amount"], ["amount"])
_when("Credit", "kind", ["percent"], ["percent"])
_CONDITIONS["Enquiry"] = [{"anyOf": [{"required": ["order_no"]}, {"required": ["address"]}]}]
_CONDITIONS["Receipt"] = [{"anyOf": [{"required": ["command"]}, {"required": ["notify_id"]}]}]

_DESCRIPTION = f"""\
Topics are parking/<garage>/<lane>/<what>, MQTT 3.1.1. All is published with QoS 1; what is said again all the time
({", ".join(kind for kind in MESSAGES if kind in FLEETING)}) is subscribed with QoS 0. What concerns a whole garage has
`garage` in the lane's place. Messages are JSON objects in UTF-8 of at most {MAX_BYTES} bytes. What is absent is left
out, never null. Readers ignore fields that they do not know, and refuse a message that lacks one that they need. A
repeated `id` changes nothing but is answered again: senders repeat, with the same `id`, until they see the answer. No
signed field may hold `|` or a control character; `sign` is Ed25519, in Base64."""


def document() -> dict[str, Any]:
    """The whole contract of topics and messages, ready to print as JSON."""
    schemas = _schemas()
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Parking exit terminal",
            "version": __version__,
            "description": _DESCRIPTION,
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "servers": {
            "broker": {
                "host": "127.0.0.1:1883",
                "protocol": "mqtt",
                "protocolVersion": "3.1.1",
                "description": "The garage's broker, `mqtt.url` of the configuration; `mqtts` where it is Mosquitto.",
            }
        },
        "channels": {kind: _channel(kind) for kind in MESSAGES},
        "operations": _operations(),
        "components": {
            "messages": {kind: _message(kind) for kind in MESSAGES},
            "parameters": {
                "garage": {"description": "The garage: 1 to 12 of a-z and 0-9.", "examples": ["marina"]},
                "lane": {
                    "description": "The lane: 1 to 16 of a-z, 0-9 and -; `garage` for the whole garage.",
                    "examples": ["exit-1"],
                },
                "role": {
                    "description": "Whose health or alerts; `run` for a process with all roles of a lane.",
                    "enum": [*RIGHTS, "run"],
                },
            },
            "schemas": schemas,
        },
    }


def _channel(kind: str) -> dict[str, Any]:
    names = ["garage", "lane", *(["role"] if kind in BY_ROLE else [])]
    address = f"parking/{{garage}}/{{lane}}/{kind}" + ("/{role}" if kind in BY_ROLE else "")
    return {
        "address": address,
        "description": MEANINGS[kind],
        "parameters": {name: {"$ref": f"#/components/parameters/{name}"} for name in names},
        "messages": {kind: {"$ref": f"#/components/messages/{kind}"}},
        "x-retained": kind in RETAINED,
        "x-published-by": [role for role, rights in RIGHTS.items() if kind in rights.says or kind in BY_ROLE],
    }


def _message(kind: str) -> dict[str, Any]:
    message: dict[str, Any] = {
        "name": kind,
        "summary": MEANINGS[kind],
        "contentType": "application/json",
        "payload": {"$ref": f"#/components/schemas/{MESSAGES[kind].__name__}"},
    }
    return message | ({"x-signed-text": SIGNED_TEXTS[kind]} if kind in SIGNED_TEXTS else {})


def _operations() -> dict[str, Any]:
    """Who publishes and subscribes to what, for roles that run apart; and each role's own health and alerts."""
    operations = {}
    for role, rights in RIGHTS.items():
        for action, verb, kinds in (
            ("send", "says", rights.says | BY_ROLE),
            ("receive", "hears", rights.hears | BY_ROLE),
        ):
            for kind in MESSAGES:
                if kind in kinds:
                    qos = 0 if action == "receive" and kind in FLEETING else 1
                    mqtt = {"qos": qos, "bindingVersion": "0.2.0"}
                    if action == "send":
                        mqtt["retain"] = kind in RETAINED
                    operations[f"{role}-{verb}-{kind}"] = {
                        "action": action,
                        "title": f"{role} {verb} {kind}",
                        "channel": {"$ref": f"#/channels/{kind}"},
                        "messages": [{"$ref": f"#/channels/{kind}/messages/{kind}"}],
                        "bindings": {"mqtt": mqtt},
                    }
    return operations


def _schemas() -> dict[str, Any]:
    _, schemas = msgspec.json.schema_components(MESSAGES.values(), ref_template="#/components/schemas/{name}")
    for name, schema in schemas.items():
        for field, kind in schema["properties"].items():
            meaning = FIELDS[name].get(field) or EVERY[field]
            schema["properties"][field] = _described(_without_null(kind), meaning)
        if name in _CONDITIONS:
            schema["allOf"] = _CONDITIONS[name]
        for field in re.findall(r"<(\w+)>", SIGNED_TEXTS.get(name.lower(), "")):
            if schema["properties"].get(field, {}).keys() == {"type", "description"}:
                schema["properties"][field]["pattern"] = r"^[^|\u0000-\u001f\u007f-\u009f]*(?!\n)$"
    return schemas


def _described(kind: dict[str, Any], meaning: str) -> dict[str, Any]:
    """The schema with what it means; beside a reference draft 7 lets nothing stand, so that goes into an allOf."""
    if "$ref" in kind:
        return {"allOf": [kind], "description": meaning}
    return {**kind, "description": meaning}


def _without_null(kind: dict[str, Any]) -> dict[str, Any]:
    """An optional field's schema without null, which readers accept and nobody may send."""
    match kind:
        case {"anyOf": [only, {"type": "null"}]}:
            return dict(only)
        case _:
            return {key: value for key, value in kind.items() if key != "default"}
