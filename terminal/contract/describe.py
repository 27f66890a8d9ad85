"""An MQTT message in one readable line, for the page's list."""

from collections.abc import Callable
from typing import Any

MessageFields = dict[str, Any]
"""A message's JSON."""


def in_words(kind: str, data: MessageFields) -> str:
    """A message in one line of English. ``kind`` is a key of messages.MESSAGES; its JSON ``data`` is not trusted."""
    try:
        return _WORDS[kind](data)
    except (KeyError, TypeError, ValueError, AttributeError):
        return "does not follow the contract"


def stay(minutes: int) -> str:
    """1 -> ``1 min``, 95 -> ``1 h 35 min``, 2880 -> ``2 d``."""
    days, rest = divmod(int(minutes), 1440)
    hours, mins = divmod(rest, 60)
    parts = [f"{n} {unit}" for n, unit in ((days, "d"), (hours, "h"), (mins, "min")) if n]
    return " ".join(parts) or "0 min"


def _money(data: MessageFields) -> str:
    return f"{data['currency']} {data['amount']}"


def _fee(data: MessageFields) -> str:
    match data["reason"]:
        case "refused":
            return f"ticket refused: {data['why']}"
        case "lost":
            return f"ticket lost, {_money(data)} due"
        case "coupon":
            return "a coupon was read"
        case "number":
            return f"ticket {data['ticket']} of another system"
        case "free":
            return f"stay of {stay(data['minutes'])}, free"
        case _:
            return f"stay of {stay(data['minutes'])}, {_money(data)} due"


def _found(data: MessageFields) -> str:
    return f"{data['number']} entered at {data['entered']}" if "entered" in data else f"{data['number']} is unknown"


def _order(data: MessageFields) -> str:
    if data["status"] == "none":
        return "no order"
    scanned = ", scanned" if data.get("scanned") else ""
    return f"{data['status']}, {_money(data)}{scanned}" if "amount" in data else str(data["status"])


def _screen(data: MessageFields) -> str:
    match data["state"]:
        case "pay":
            scanned = ", scanned" if data.get("scanned") else ""
            return f"shows the code for {_money(data)}, {data['remaining']} s left{scanned}"
        case "paid" if "qr" in data:
            return "shows paid, and the code of the invoice"
        case "help" | "closed" | "out-of-order" as state if "reason" in data:
            code = f", help code {data['help_code']}" if "help_code" in data else ""
            return f"shows {state}: {data['reason']}{code}"
        case state:
            return f"shows {state}"


def _lift(data: MessageFields) -> str:
    proof = ", with PayBy's signed proof" if "proof" in data else ""
    return f"permission to raise the boom: {data['reason']}{proof}"


def _barrier(data: MessageFields) -> str:
    if answer := data.get("answer"):
        why = f" ({answer['why']})" if "why" in answer else ""
        return f"{data['state']}; lift {answer['outcome']}{why}"
    return str(data["state"])


def _vehicle(data: MessageFields) -> str:
    waiting = "a car waits" if data["waiting"] else "nobody waits"
    return waiting + (", one is under the boom" if data["under_boom"] else "")


def _why(data: MessageFields) -> str:
    return f": {data['why']}" if "why" in data else ""


def _code(data: MessageFields) -> str:
    return f" {data['code']}" if "code" in data else ""


def _credit(data: MessageFields) -> str:
    return " ".join(filter(None, (data["kind"], data.get("amount"), data.get("percent"), "by", data["by"])))


def _enquiry(data: MessageFields) -> str:
    return "asks for an invoice by " + ("order" if "order_no" in data else f"address …{data['address'][-4:]}")


def _invoice(data: MessageFields) -> str:
    known = data.get("invoice")
    return f"invoice {known['number']}" if known else f"no invoice for {data['enquiry'][-4:]}"


def _raised(alerts: list[MessageFields], more: int) -> str:
    """What a role has raised, by codes."""
    codes = ", ".join(str(alert["code"]) for alert in alerts)
    return f"raised: {codes}" + (f" and {more} more" if more else "") if codes else "nothing is raised"


_WORDS: dict[str, Callable[[MessageFields], str]] = {
    "fee": _fee,
    "plate": lambda data: f"plate {data['plate']}, read with {data['confidence']} %",
    "lookup": lambda data: f"asks when {data['kind']} {data['number']} entered",
    "found": _found,
    "order": _order,
    "screen": _screen,
    "paid": lambda data: f"PayBy notified: order {data['order_no'][-12:]} is paid",
    "receipt": lambda data: f"journaled, {data['outcome']}{_why(data)}",
    "lift": _lift,
    "barrier": _barrier,
    "vehicle": _vehicle,
    "command": lambda data: f"{data['command']} by {data['by']}",
    "refund": lambda data: f"{data['refund_no']}: {data['status']}",
    "credit": _credit,
    "enquiry": _enquiry,
    "invoice": _invoice,
    "alert": lambda data: f"{data['severity']}, {data['state']}{_code(data)}: {data['text']}",
    "alerts": lambda data: _raised(data["raised"], data.get("more", 0)),
    "health": lambda data: data["state"] + (f": {data['reason']}" if "reason" in data else ""),
}
