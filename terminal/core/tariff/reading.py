"""The values of `[tariff]` -> tariffs. An error is one line that begins with the key.

deploy/tariffs/README.md has the keys, and what each takes. A list's tables are counted from 1: `rate[2].hours`.
"""

import re
from collections.abc import Callable, Mapping
from datetime import tzinfo
from typing import Any, TypeVar

from terminal.core import money
from terminal.core.money import Fils
from terminal.core.tariff import notation
from terminal.core.tariff.calendar import DAY_MINUTES, Dates, Hours, instant
from terminal.core.tariff.conflicts import contradiction
from terminal.core.tariff.history import TariffHistory
from terminal.core.tariff.rate import Rate, RateBook
from terminal.core.tariff.schedule import LONGEST_MS, Overnight, TariffSchedule
from terminal.core.tariff.stay import MAX_PRICE, MINUTE_MS
from terminal.core.tariff.table import FREE, PriceStep, PriceTable

BLOCK = ("block_minutes", "block_price")
"""The plain form's own keys; `rate` takes their place."""
SAME_ALWAYS = ("vat_percent", "exit_grace", "classes", "next")
T = TypeVar("T")
_ABSENT: Any = object()
_NO_DAYS: frozenset[int] = frozenset()
_NO_HOURS: tuple[Hours, ...] = ()
_NO_CLASSES: Mapping[str, str] = {}
_NO_DATES: tuple[Dates, ...] = ()


class _Table:
    """One table of the configuration; each of its values is taken once, by its key."""

    def __init__(self, values: object, path: str, takes: str = "a table") -> None:
        if not isinstance(values, Mapping):
            raise ValueError(f"{path.removesuffix('.')}: got {values!r}, takes {takes}")
        self.values = {str(key): value for key, value in values.items()}
        self._known: list[str] = []
        self.path = path

    def take(self, key: str, read: Callable[[Any], T], default: T = _ABSENT) -> T:
        """The value of a key as ``read`` understands it; an absent or empty one is the default. Raises ValueError,
        which begins with the key, for a wrong value, and for an absent one that has no default."""
        self._known.append(key)
        value = self.values.get(key)
        if value is None or value in ("", [], (), {}):
            if default is _ABSENT:
                raise ValueError(f"{self.path}{key}: missing")
            return default
        try:
            return read(value)
        except ValueError as error:
            said = str(error)
            raise ValueError(said if said.startswith(f"{self.path}{key}") else f"{self.path}{key}: {said}") from None

    def tables(self, key: str, takes: str) -> "list[_Table]":
        """The tables of a list; raises ValueError, which says what it ``takes``."""

        def read(values: object) -> list[_Table]:
            if not isinstance(values, list | tuple):
                raise ValueError(f"got {values!r}, takes {takes}")
            return [_Table(value, f"{self.path}{key}[{n}].", takes) for n, value in enumerate(values, 1)]

        return self.take(key, read, [])

    def has(self, key: str) -> bool:
        """Does the key have a value that is not empty?"""
        return self.values.get(key) not in (None, "", [], (), {})

    def end(self) -> None:
        """Raises ValueError for a key that was not taken."""
        for key in self.values:
            if key not in self._known:
                raise ValueError(f"{self.path}{key}: no such key; takes {', '.join(self._known)}")


def read(values: Mapping[str, Any], zone: tzinfo) -> TariffHistory:
    """The tariffs in the values of `[tariff]`, all keys included; raises ValueError, whose text begins with the key."""
    top = {key: value for key, value in values.items() if key not in ("next", "classes")}
    classes = _Table({"classes": values.get("classes")}, "").take("classes", _classes, _NO_CLASSES)
    versions = [(0, _schedule(top, zone, ""))]
    for later in _Table({"next": values.get("next", ())}, "").tables("next", "tables, such as [[tariff.next]]"):
        begins = later.take("from", notation.day)
        changed = {key: value for key, value in later.values.items() if key != "from"}
        for key in changed:
            if key in SAME_ALWAYS or key not in values:
                raise ValueError(f"{later.path}{key}: no such key; takes from, and what changes of [tariff]")
        versions.append((instant(begins, 0, zone), _schedule(_followed(top, changed), zone, later.path)))
    return TariffHistory(tuple(versions), classes)


def _followed(before: Mapping[str, Any], changed: Mapping[str, Any]) -> dict[str, Any]:
    """A tariff that follows another one: what it leaves out stays as it was. Rates replace blocks, and blocks replace
    rates."""
    kept = dict(before)
    if "rate" in changed:
        kept |= dict.fromkeys((*BLOCK, "free_minutes", "day_cap"))
    elif any(key in changed for key in BLOCK):
        kept |= {"rate": ()}
    return kept | dict(changed)


def _schedule(values: Mapping[str, Any], zone: tzinfo, path: str) -> TariffSchedule:
    table = _Table(values, path)
    holidays = table.take("holidays", _dates, _NO_DATES)
    rates = [_rate(rate) for rate in _rates(table)]
    books = {}
    for name in sorted({rate.ticket_class for rate in rates}):
        book = RateBook(tuple(rate for rate in rates if rate.ticket_class == name), zone, holidays)
        if wrong := contradiction(book):
            raise ValueError(wrong)
        books[name] = book
    overnight = table.take("overnight", lambda value: _overnight(_Table(value, f"{path}overnight.")), None)
    try:
        schedule = TariffSchedule(
            books,
            zone,
            lost_ticket=table.take("lost_ticket", _price),
            vat_percent=table.take("vat_percent", _percent),
            exit_grace_ms=table.take("exit_grace", _minutes),
            rates_by=table.take("rates_by", _one_of("entry", "stretch", "block", "paid-time"), "entry"),
            free_ms=table.take("free_minutes", _minutes, 0),
            off_ms=table.take("minutes_off", _minutes, 0),
            unpaid_grace_ms=table.take("unpaid_grace", _minutes, 0),
            day_cap=table.take("day_cap", _price, None),
            calendar_cap=table.take("calendar_cap", _price, None),
            minimum=table.take("minimum", _price, Fils(0)),
            maximum=table.take("maximum", _price, None),
            round_to=table.take("round_to", _price, Fils(1)),
            rounding=table.take("rounding", _one_of("up", "down", "nearest"), "up"),
            overnight=overnight,
            reentry_ms=table.take("reentry_minutes", _minutes, 0),
        )
    except ValueError as error:
        said = str(error)
        raise ValueError(said if said.startswith(path) else path + said) from None
    table.end()
    return schedule


def _rates(table: _Table) -> list[_Table]:
    """The rates of a tariff; the plain form's blocks are one of them."""
    rates = table.tables("rate", "tables, such as [[tariff.rate]]")
    for key in BLOCK:
        if rates and table.has(key):
            raise ValueError(f"{table.path}{key}: stands beside rate; takes one of the two")
    minutes = table.take("block_minutes", _minutes, 0)
    price = table.take("block_price", _price, Fils(0))
    if rates:
        return rates
    if not minutes or not price:
        raise ValueError(f"{table.path}block_price: missing, with block_minutes; takes both, or rate")
    every = f"{minutes // MINUTE_MS} min"
    return [_Table({"steps": [{"every": every, "add": money.text(price)}]}, f"{table.path}block_price.")]


def _rate(table: _Table) -> Rate:
    days = table.take("days", lambda value: notation.days(_text(value)), _NO_DAYS)
    hours = table.take("hours", lambda value: notation.hours(_text(value)), _NO_HOURS)
    if table.has("week"):
        if days or hours:
            raise ValueError(f"{table.path}week: stands beside days or hours; takes one of the two")
        days, span = table.take("week", lambda value: notation.week(_text(value)))
        hours = (span,)
    else:
        table.take("week", _text, "")
    free = table.take("free", _truth, False)
    if free and table.has("steps"):
        raise ValueError(f"{table.path}free: stands beside steps; takes one of the two")
    steps = [_step(step) for step in table.tables("steps", 'steps, such as [{ until = "1 h", total = "5.00" }]')]
    repeat = table.take("repeat", _length, None)
    if not steps and not free:
        raise ValueError(f"{table.path}steps: missing; takes steps, or free = true")
    try:
        prices = FREE if free else PriceTable(tuple(steps), repeat)
    except ValueError as error:
        raise ValueError(f"{table.path}{_counted(str(error))}") from None
    name, path = table.take("name", _name, ""), table.path.removesuffix(".")
    rate = Rate(
        prices,
        name=name,
        name_ar=table.take("name_ar", _name, ""),
        ticket_class=table.take("class", _name, ""),
        days=days,
        dates=table.take("dates", _dates, _NO_DATES),
        hours=hours,
        exit_hours=table.take("exit_hours", lambda value: notation.hours(_text(value)), _NO_HOURS),
        most=table.take("most", _price, None),
        free_ms=table.take("free_minutes", _minutes, None),
        off_ms=table.take("minutes_off", _minutes, None),
        day_cap=table.take("day_cap", _price, None),
        calendar_cap=table.take("calendar_cap", _price, None),
        label=f"{path} ({name})" if name else path,
    )
    table.end()
    return rate


def _step(table: _Table) -> PriceStep:
    until = table.take("until", _length, None)
    every = table.take("every", _length, None)
    if every is None:
        total = table.take("total", _amount)
        table.end()
        return PriceStep(until, total)
    add = table.take("add", _amount)
    if table.has("total"):
        raise ValueError(f"{table.path}total: stands beside every; takes one of the two")
    table.end()
    return PriceStep(until, add, every)


def _overnight(table: _Table) -> Overnight:
    minute = table.take("at", lambda value: notation.clock(_text(value)))
    if minute == DAY_MINUTES:
        raise ValueError(f"{table.path}at: got '24:00', takes a time of day before 24:00")
    least = table.has("least")
    if least and table.has("add"):
        raise ValueError(f"{table.path}add: stands beside least; takes one of the two")
    found = Overnight(minute, table.take("least" if least else "add", _price), least)
    table.end()
    return found


def _counted(said: str) -> str:
    """``steps 2: …`` -> ``steps[2]: …``, and so within it."""
    return re.sub(r"\bsteps ([0-9]+)", r"steps[\1]", said)


# -- what a key takes ----------------------------------------------------------------------------------------------


def _wrong(value: object, takes: str) -> ValueError:
    shown = repr(value)
    return ValueError(f"got {shown if len(shown) <= 60 else shown[:60] + '…'}, takes {takes}")


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise _wrong(value, "a text in quotes")
    return value


def _name(value: object) -> str:
    if not isinstance(value, str) or not value.isprintable() or len(value) > 64:
        raise _wrong(value, "1 to 64 characters on one line")
    return value


def _truth(value: object) -> bool:
    if not isinstance(value, bool):
        raise _wrong(value, "true or false")
    return value


def _minutes(value: object) -> int:
    """Minutes -> ms."""
    if type(value) is not int or not 0 <= value <= LONGEST_MS // MINUTE_MS:
        raise _wrong(value, f"minutes, 0 to {LONGEST_MS // MINUTE_MS}")
    return value * MINUTE_MS


def _length(value: object) -> int:
    return notation.length(_text(value))


def _amount(value: object) -> Fils:
    if isinstance(value, str):
        try:
            found = money.parse(value)
        except ValueError:
            found = Fils(MAX_PRICE + 1)
        if found <= MAX_PRICE:
            return found
    raise _wrong(value, 'dirhams in quotes, such as "10.00"')


def _price(value: object) -> Fils:
    found = _amount(value)
    if not found:
        raise _wrong(value, "an amount above 0.00")
    return found


def _classes(value: object) -> Mapping[str, str]:
    """Keys' ids, in capitals, and the classes of the tickets that they sign."""
    named = _Table(value, "classes.", 'ids of [ticket] keys and classes, such as { k2 = "motorcycle" }')
    return {key.upper(): named.take(key, _name) for key in named.values}


def _percent(value: object) -> str:
    try:
        money.percent(_text(value))
    except ValueError:
        raise _wrong(value, 'per cent in quotes, such as "5"') from None
    return _text(value)


def _list(value: object) -> list[Any]:
    if not isinstance(value, list | tuple):
        raise _wrong(value, 'a list, such as ["2026-12-02"]')
    return list(value)


def _dates(value: object) -> tuple[Dates, ...]:
    return tuple(notation.dates(part) for part in _list(value))


def _one_of(*words: str) -> Callable[[Any], Any]:
    def read(value: object) -> object:
        if value not in words:
            raise _wrong(value, " or ".join(words))
        return value

    return read
