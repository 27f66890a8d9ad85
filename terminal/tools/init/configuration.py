"""The text of a configuration: its sections and keys in the order in which a person reads them, each with its meaning.

``LAYOUT`` is the order. Which of it a file has is said by the values: a section is there if one of its keys is.
"""

import json
from collections.abc import Collection, Mapping

TO_SET = "TO BE SET"
"""In the comment of a value that stands in for one which nobody has told."""

Value = str | int | float | bool | list[str] | dict[str, str]

LAYOUT: Mapping[str, tuple[str, Mapping[str, str]]] = {
    "garage": ("", {
        "id": "part of every topic, ticket and order number: do not change it later",
        "name": "shown to drivers", "name_ar": "", "timezone": "", "help_phone": "shown to drivers who need help",
        "lanes": "exit lanes of the garage: with one, no screen sends a driver to another",
    }),
    "lane": ("", {"id": "part of every topic and order number"}),
    "mqtt": ("", {
        "url": "mqtts:// is TLS", "username": "for `run`; a role that runs alone is a user of its own",
        "password_file": "", "ca_file": "whom to trust", "cert_file": "this machine's certificate and its key",
        "key_file": "",
    }),
    "broker": ("the embedded broker, on this machine alone", {"port": "", "users": "a file for each user"}),
    "payby": ("", {
        "base_url": "", "partner_id": "from the portal", "payee_mid": "who must have been paid",
        "private_key": "the merchant's, made here; never leaves this machine",
        "payby_public_key": "downloaded from the portal; two while PayBy changes its key",
        "notify_url": "public HTTPS that leads to [listener]",
    }),
    "lift": ("who may raise the boom", {"private_key": "the worker's", "trusted": ""}),
    "ticket": ("", {"keys": "the entry terminal has the same; never at a lane"}),
    "coupon": ("exit-terminal ticket --coupon makes them", {"keys": "never at a lane"}),
    "lookup": ("tickets of another system; the same for reader and worker", {"numbers": "the form of their numbers"}),
    "tariff": ("VAT included; the same for reader and worker", {
        "free_minutes": "a stay up to this costs nothing", "block_minutes": "", "block_price": "for each started block",
        "day_cap": "for each 24 h from entry", "lost_ticket": "", "vat_percent": "", "exit_grace": "minutes to leave",
    }),
    "reader": ("", {"driver": "serial, hid, stdin", "device": "", "baud": ""}),
    "lcd": ("wiring: deploy/wiring.md", {
        "panel": "", "folder": "", "size": "", "dc_pin": "", "reset_pin": "", "speed_hz": "",
    }),
    "barrier": ("", {
        "raise_pin": "", "pulse": "s", "rise_time": "s, from the pulse to `up`, where no switch tells",
        "close_time": "s, from `up` to `down`, where no switch or loop tells", "journal": "lifts that were used",
    }),
    "loops": ("leave out where there are none", {
        "waiting_pin": "a vehicle waits", "boom_pin": "one is under the boom",
    }),
    "listener": ("behind a reverse proxy: deploy/proxy/", {"host": "", "port": ""}),
    "receipt": ("tax invoices for drivers: deploy/operations.md", {
        "supplier": "as registered for VAT", "supplier_ar": "", "address": "", "address_ar": "",
        "trn": "tax registration number", "url": "public HTTPS that leads to [listener], whose path is /receipt",
    }),
    "paystation": ("who may say that a ticket was paid elsewhere", {"trusted": ""}),
    "console": ("", {"host": "", "port": "", "lift_private_key": "raises the boom by an operator's word"}),
    "journal": ("this machine runs the garage's one worker", {"path": ""}),
    "gpio": ("", {"pins": "mock: without hardware, no relay closes"}),
}  # fmt: skip


def text(values: Mapping[str, Value], *, head: str, to_set: Collection[str] = ()) -> str:
    """The file. ``values`` by key, as ``garage.id``; ``to_set``: the keys whose values stand in for others."""
    lines = [f"# {line}" for line in head.splitlines()]
    for section, (about, keys) in LAYOUT.items():
        there = [key for key in keys if f"{section}.{key}" in values]
        if not there:
            continue
        lines += ["", f"[{section}]" + (f"  # {about}" if about else "")]
        for key in there:
            name = f"{section}.{key}"
            notes = [TO_SET] if name in to_set else []
            notes += [keys[key]] if keys[key] else []
            line = f"{key} = {_toml(values[name])}"
            lines.append(f"{line}  # {': '.join(notes)}" if notes else line)
    return "\n".join(lines) + "\n"


def _toml(value: Value) -> str:
    """A value as TOML; JSON's texts, numbers and lists are TOML as well."""
    if isinstance(value, dict):
        return f"{{ {', '.join(f'{key} = {_toml(inner)}' for key, inner in value.items())} }}"
    return json.dumps(value, ensure_ascii=False)
