"""What the worker's journal says of the past, in the words of `watch`."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import msgspec

from terminal.config.schema import ConfigError
from terminal.contract.describe import stay
from terminal.contract.topics import GARAGE_WIDE
from terminal.core import events, ids, money
from terminal.core.events import EVENTS, Event
from terminal.core.foreign_ticket import ForeignTicket
from terminal.core.model import ParkingFee
from terminal.journal.history import JournalHistory
from terminal.journal.kinds import ASKED, TOLD
from terminal.payby.plain_text import plain
from terminal.tools.watch.line import Line, Tone
from terminal.tools.watch.wish import WatchWish

_DECODERS: dict[str, msgspec.json.Decoder[Event]] = {name: msgspec.json.Decoder(kind) for name, kind in EVENTS.items()}
_UNITS = {"s": "seconds", "m": "minutes", "min": "minutes", "h": "hours", "d": "days"}
TAKES = "takes a time of today as 14:30, a date and time as 2026-11-30T14:30, or how long ago as 90s, 30m, 2h or 1d"


def since_ms(text: str, zone: ZoneInfo, now_ms: int) -> int:
    """What was typed for --since as ms since the epoch; times without a zone are the garage's. Raises ConfigError."""
    now = datetime.fromtimestamp(now_ms / 1000, zone)
    digits = text.rstrip("smindh")
    if digits.isdecimal() and len(digits) < 7 and (unit := _UNITS.get(text[len(digits) :])):
        return round((now - timedelta(**{unit: int(digits)})).timestamp() * 1000)
    try:
        if len(text) <= 8 and ":" in text:
            clock = datetime.strptime(text, "%H:%M:%S" if text.count(":") == 2 else "%H:%M")  # noqa: DTZ007 - of today
            at = now.replace(hour=clock.hour, minute=clock.minute, second=clock.second, microsecond=0)
            return round((at if at <= now else at - timedelta(days=1)).timestamp() * 1000)
        at = datetime.fromisoformat(text)
    except ValueError:
        raise ConfigError(f"watch --since: got {text[:40]!r}, {TAKES}") from None
    return round((at if at.tzinfo else at.replace(tzinfo=zone)).timestamp() * 1000)


def replay(journal: JournalHistory, since: int, wish: WatchWish) -> Iterator[tuple[Line, dict[str, object]]]:
    """Each fact from ``since`` on that ``wish`` wants, with its fields; what only repeats is left out. Raises
    FileNotFoundError, JournalDamaged at the first row in doubt."""
    told: dict[tuple[str, ...], str] = {}
    lanes: dict[str, str] = {}
    for row in journal.read():
        if (asked := _asked(row.kind, row.data, lanes)) and row.at_ms >= since:
            lane, kind, words = asked
            if wish.wants(lane=lane, kind=kind, session="", order_no="", code="", is_news=True):
                fields = msgspec.json.decode(row.data, type=dict[str, object])
                yield Line(row.at_ms, lane, kind, plain(words, 400), "plain", ""), {"event": row.kind, **fields}
            continue
        decoder = _DECODERS.get(row.kind)
        if decoder is None or row.at_ms < since:
            continue
        try:
            event = decoder.decode(row.data)
        except msgspec.MsgspecError:  # of another version: it is a fact, but we have no words for it
            continue
        said = _said(event)
        if said is None:
            continue
        kind, words, tone = said
        lane, session, order_no = _about(event)
        subject = (kind, lane, order_no or session)
        is_news, told[subject] = told.get(subject) != words, words
        code = ids.help_code(session) if session else ""
        if wish.wants(lane=lane, kind=kind, session=session, order_no=order_no, code=code, is_news=is_news):
            line = Line(row.at_ms, lane, kind, plain(words, 400), tone, code)
            yield line, {"event": row.kind, **msgspec.to_builtins(event)}


class _AskedAbout(msgspec.Struct):
    """What a look-up's row says that a person wants to know: ``text`` only in an answer."""

    id: str
    lane: str = ""
    ticket: ForeignTicket | None = None
    text: str = ""


def _asked(kind: str, data: bytes, lanes: dict[str, str]) -> tuple[str, str, str] | None:
    """Lane, kind and words of a look-up; ``lanes``: where each was asked for. None for any other row."""
    if kind not in (ASKED, TOLD):
        return None
    try:
        said = msgspec.json.decode(data, type=_AskedAbout)
    except msgspec.MsgspecError:  # of another version
        return None
    if said.ticket:
        lanes[said.id] = said.lane
        return said.lane, "lookup", f"asks when {said.ticket.kind} {said.ticket.number} entered"
    return lanes.get(said.id, GARAGE_WIDE), "found", said.text


def _about(event: Event) -> tuple[str, str, str]:
    """Lane, stay and order of a fact; empty where it is about none."""
    order_no: str = getattr(event, "order_no", None) or ""
    name = ids.parse_order_no(order_no)
    fee: ParkingFee | None = getattr(event, "fee", None)
    session = (fee.session if fee else getattr(event, "session", None)) or (name.session if name else "")
    return getattr(event, "lane", None) or (name.lane if name else GARAGE_WIDE), session, order_no


def _said(event: Event) -> tuple[str, str, Tone] | None:
    """Kind, words and tone of a fact; None for one that says nothing to a person."""
    match event:
        case events.Started():
            return "worker", f"started, version {event.version}", "plain"
        case events.Damaged():
            return "worker", f"the journal was damaged: {event.text}", "bad"
        case events.StayFailed():
            return "worker", f"a stay is a person's: {event.text}", "bad"
        case events.TicketRead(fee=fee):
            return "fee", _fee(fee) + (f"; no new visit: {event.hindrance}" if event.hindrance else ""), "plain"
        case events.TicketRefused():
            return "fee", f"ticket refused: {event.reason}", "warn"
        case events.VehicleSeen():
            return "vehicle", _vehicle(event.waiting, event.under_boom), "dim"
        case events.VehicleUnknown():
            return "vehicle", "the loops are silent", "warn"
        case events.BoomSeen():
            return "barrier", event.state, "warn" if event.state in ("fault", "unknown") else "plain"
        case events.BarrierGone():
            return "barrier", "the barrier is not there", "bad"
        case events.LiftAnswered():
            why = f" ({event.why})" if event.why else ""
            return "lift", f"lift {event.outcome}{why}", "good" if event.outcome == "raised" else "warn"
        case events.OrderReported():
            amount = f", AED {money.text(event.amount)}"
            by = ", as PayBy notified" if event.notified and event.status == "PAID" else ""
            wrong = f"; it does not fit: {event.wrong}" if event.wrong else ""
            tones: dict[str, Tone] = {"PAID": "good", "CREATED": "plain"}
            return "order", event.status.lower() + amount + by + wrong, tones.get(event.status, "warn")
        case events.OrderScanned():
            return "order", "a phone has read the code", "plain"
        case events.OrderUnheard():
            return "order", f"no answer from PayBy to {event.call}: {event.text}", "warn"
        case events.OrderDenied():
            return "order", f"PayBy refused {event.call}: {event.code} {event.text}", "warn"
        case events.RefundReported():
            return "refund", f"{event.refund_no}: {event.stage}", "plain"
        case events.RefundUnheard():
            return "refund", f"{event.refund_no}: {event.code or 'no answer'} {event.text}", "warn"
        case events.CommandGiven():
            reason = f": {event.reason}" if event.reason else ""
            return "command", f"{event.command} by {event.by}{reason}", "act"
        case events.AllowanceGiven():
            amounts = {"percent": f"{event.value / 100:g} % off", "free": "nothing is due"}
            fils = f"AED {money.text(event.value)} {'paid' if event.kind == 'paid' else 'off'}"
            return "credit", f"{amounts.get(event.kind, fils)}, by {event.by}", "act"
        case events.CouponRead():
            return "credit", f"coupon: {event.kind} {event.value or ''}".strip(), "act"
        case events.PassRead():
            return "credit", f"pass {event.number}", "act"
        case events.AlertTold() | events.TimePassed():
            return None


def _fee(fee: ParkingFee) -> str:
    length = f"stay of {stay(fee.minutes)}, " if fee.minutes is not None else ""
    match fee.reason:
        case "free":
            return f"{length}free"
        case "lost":
            return f"ticket lost, AED {money.text(fee.amount)} due"
        case _:
            return f"{length}AED {money.text(fee.amount)} due"


def _vehicle(waiting: bool, under_boom: bool) -> str:
    return ("a car waits" if waiting else "nobody waits") + (", one is under the boom" if under_boom else "")
