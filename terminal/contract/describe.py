"""An MQTT message in one readable line, for the page's list."""

from collections.abc import Callable
from typing import Any

Data = dict[str, Any]


def in_words(kind: str, data: Data) -> str:
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


def _money(data: Data) -> str:
    return f"{data['currency']} {data['amount']}"


def _fee(data: Data) -> str:
    match data["reason"]:
        case "refused":
            return f"ticket refused: {data['why']}"
        case "lost":
            return f"ticket lost, {_money(data)} due"
        case "free":
            return f"stay of {stay(data['minutes'])}, free"
        case _:
            return f"stay of {stay(data['minutes'])}, {_money(data)} due"


def _order(data: Data) -> str:
    if data["status"] == "none":
        return "no order"
    scanned = ", scanned" if data.get("scanned") else ""
    return f"{data['status']}, {_money(data)}{scanned}" if "amount" in data else str(data["status"])


def _screen(data: Data) -> str:
    match data["state"]:
        case "pay":
            scanned = ", scanned" if data.get("scanned") else ""
            return f"shows the code for {_money(data)}, {data['remaining']} s left{scanned}"
        case "help" | "closed" | "out-of-order" as state if "reason" in data:
            code = f", help code {data['help_code']}" if "help_code" in data else ""
            return f"shows {state}: {data['reason']}{code}"
        case state:
            return f"shows {state}"


def _lift(data: Data) -> str:
    proof = ", with PayBy's signed proof" if "proof" in data else ""
    return f"permission to raise the boom: {data['reason']}{proof}"


def _barrier(data: Data) -> str:
    if answer := data.get("answer"):
        why = f" ({answer['why']})" if "why" in answer else ""
        return f"{data['state']}; lift {answer['outcome']}{why}"
    return str(data["state"])


def _vehicle(data: Data) -> str:
    waiting = "a car waits" if data["waiting"] else "nobody waits"
    return waiting + (", one is under the boom" if data["under_boom"] else "")


def _why(data: Data) -> str:
    return f": {data['why']}" if "why" in data else ""


_WORDS: dict[str, Callable[[Data], str]] = {
    "fee": _fee,
    "order": _order,
    "screen": _screen,
    "paid": lambda data: f"PayBy notified: order {data['order_no'][-12:]} is paid",
    "receipt": lambda data: f"journaled, {data['outcome']}{_why(data)}",
    "lift": _lift,
    "barrier": _barrier,
    "vehicle": _vehicle,
    "command": lambda data: f"{data['command']} by {data['by']}",
    "refund": lambda data: f"{data['refund_no']}: {data['status']}",
    "alert": lambda data: f"{data['severity']}, {data['state']}: {data['text']}",
    "health": lambda data: data["state"] + (f": {data['reason']}" if "reason" in data else ""),
}
