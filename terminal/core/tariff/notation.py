"""How a configuration writes times: lengths, hours, days and dates. Each function raises ValueError, which says what it
got and what it takes."""

import re
from datetime import date

from terminal.core.tariff.calendar import DAY_MINUTES, Dates, Hours
from terminal.core.tariff.rate import HOLIDAY

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun", "holiday")
"""By their numbers in Rate.days."""
_UNITS = (("day", 86_400), ("h", 3600), ("min", 60), ("s", 1))
"""In seconds."""
_AND = "(?:^|(?<=.) )"
_LENGTH = re.compile(
    rf"(?:([0-9]{{1,4}}) days?)?(?:{_AND}([0-9]{{1,5}}) h)?(?:{_AND}([0-9]{{1,6}}) min)?(?:{_AND}([0-9]{{1,7}}) s)?"
)
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_CLOCK = re.compile(r"(?:([01][0-9]|2[0-3]):([0-5][0-9])|24:00)")


def _wrong(text: object, takes: str) -> ValueError:
    shown = repr(text)
    return ValueError(f"got {shown if len(shown) <= 60 else shown[:60] + '…'}, takes {takes}")


def length(text: str) -> int:
    """``1 h 30 min`` -> 5_400_000 ms; units are day or days, h, min, s, the larger ones first."""
    found = _LENGTH.fullmatch(text)
    if not found or not text:
        raise _wrong(text, 'a time such as "1 h", "90 min", "1 day" or "1 h 30 min"')
    return 1000 * sum(int(number) * unit for number, (_, unit) in zip(found.groups(), _UNITS, strict=True) if number)


def shown_length(length_ms: int) -> list[tuple[int, str]]:
    """A length as numbers and units (`day`, `h`, `min`, `s`), in whole seconds; up to two days in hours."""
    rest, found = length_ms // 1000, []
    for unit, size in _UNITS:
        if unit == "day" and rest < 2 * size and rest != size:
            continue
        number, rest = divmod(rest, size)
        if number:
            found.append((number, unit))
    return found or [(0, "min")]


def clock(text: str) -> int:
    """``18:30`` -> that minute of the day; ``24:00`` is its end."""
    found = _CLOCK.fullmatch(text)
    if not found:
        raise _wrong(text, 'a time of day such as "18:00"')
    return DAY_MINUTES if found[1] is None else int(found[1]) * 60 + int(found[2])


def hours(text: str) -> tuple[Hours, ...]:
    """``08:00-18:00``, several with commas; one that ends where it begins, or before, ends on the next day."""
    try:
        found = []
        for part in text.split(","):
            begin, end = (clock(word.strip()) for word in part.split("-"))
            found.append(Hours(begin, end if end > begin else end + DAY_MINUTES))
    except ValueError:
        raise _wrong(text, 'hours such as "08:00-18:00", or several with commas') from None
    return tuple(found)


def week(text: str) -> tuple[frozenset[int], Hours]:
    """``fri 18:00-mon 06:00`` -> the day on which it begins, and hours that run over days."""
    try:
        (first, begin), (last, end) = (word.split() for word in text.split("-"))
        day = DAYS[:HOLIDAY].index(first)
        days = (DAYS[:HOLIDAY].index(last) - day) % 7
        minutes = days * DAY_MINUTES + clock(end)
        found = Hours(clock(begin), minutes if minutes > clock(begin) else minutes + 7 * DAY_MINUTES)
    except ValueError:
        raise _wrong(text, 'a part of a week such as "fri 18:00-mon 06:00"') from None
    return frozenset({day}), found


def days(text: str) -> frozenset[int]:
    """``mon-thu, holiday`` -> the days' numbers."""
    found: set[int] = set()
    try:
        for part in text.split(","):
            first, dash, last = (word.strip() for word in part.partition("-"))
            begin = DAYS.index(first)
            end = DAYS[:HOLIDAY].index(last) if dash else begin
            if begin == HOLIDAY and dash:
                raise ValueError
            found.update([HOLIDAY] if begin == HOLIDAY else ((begin + n) % 7 for n in range((end - begin) % 7 + 1)))
    except ValueError:
        raise _wrong(text, 'days such as "mon-thu", "sat, sun" or "fri-sun, holiday"') from None
    return frozenset(found)


def day(value: object) -> date:
    """``2026-12-02``, as a text or as TOML's own date."""
    try:
        if type(value) is date:
            return value
        if isinstance(value, str) and _DAY.fullmatch(value):
            return date.fromisoformat(value)
    except ValueError:
        pass
    raise _wrong(str(value) if isinstance(value, date) else value, 'a date such as "2026-12-02"')


def dates(value: object) -> Dates:
    """``2026-12-02``, ``2026-12-02..2026-12-03``, ``12-02`` (each year) or ``12-02..12-03``."""
    try:
        if not isinstance(value, str):
            found = day(value)
            return Dates(found, found)
        first, _, last = value.partition("..")
        yearly = len(first) == 5
        begin, end = (day(f"2028-{part}" if yearly else part) for part in (first, last or first))
        return Dates(begin, end, yearly)
    except ValueError:
        raise _wrong(value, 'dates such as "2026-12-02", "2026-12-02..2026-12-03" or "12-02" for each year') from None
