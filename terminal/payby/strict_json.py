"""PayBy's JSON read strictly: exact amounts, no duplicate keys, valid UTF-8 without a byte order mark.

JSON libraries silently keep one of two equal keys, and read 0.1 as a binary fraction; with money neither is acceptable.
Fields that decide nothing are read leniently: a fee with three decimals must not keep a driver in.
"""

import contextlib
import json
import re
import typing
from collections.abc import Mapping
from decimal import Decimal
from functools import cache
from typing import Any, TypeVar

import msgspec

from .errors import BadWords
from .plain_text import plain

T = TypeVar("T")
_AMOUNT = re.compile(r"\d{1,12}(\.\d{1,2})?", re.ASCII)
_FIGURE = re.compile(r"-?\d{1,30}(\.\d{1,30})?", re.ASCII)
_LONGEST_INT = 40  # digits; a longer one is not a time, number or amount, and Python refuses thousands of digits


class Amount(Decimal):
    """An amount of money exactly as written: 0 or more, up to 12 digits and 2 decimals, without an exponent."""

    @classmethod
    def read(cls, value: object) -> "Amount":
        """Read a JSON number or string; raises ValueError for anything else, and for what is not an amount of money."""
        if isinstance(value, Number):
            text = value.text
        else:
            text = str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""
        if not _AMOUNT.fullmatch(text):
            raise ValueError("an amount has up to 12 digits and up to 2 decimals, and no sign or exponent")
        return cls(text)


class Money(msgspec.Struct, frozen=True):
    """``amount`` in whole units of ``currency`` with up to two decimals; PayBy knows AED alone."""

    amount: Amount
    currency: str


class Figure(Decimal):
    """A number that decides nothing, such as a fee: of any sign, with any decimals, without an exponent."""

    @classmethod
    def read(cls, value: object) -> "Figure":
        """Read a JSON number or string; raises ValueError for anything else."""
        text = value.text if isinstance(value, Number) else str(value)
        if not isinstance(value, Number | int | str) or not _FIGURE.fullmatch(text):
            raise ValueError("no number")
        return cls(text)


class Sum(msgspec.Struct, frozen=True):
    """An amount that decides nothing."""

    amount: Figure
    currency: str


class PlainLine(str):
    """A text or whole number for people: one printable line of at most 200 characters."""

    __slots__ = ()

    @classmethod
    def read(cls, value: object) -> "PlainLine":
        """Make it printable; raises ValueError for what is neither a text nor a whole number."""
        if not isinstance(value, str | int) or isinstance(value, bool):
            raise ValueError("no text")
        return cls(plain(str(value)))


class Number:
    """A JSON number with a point, an exponent or very many digits, as written. It can become an Amount or a Figure, and
    fits no other type."""

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text


def _constant(_: str) -> object:
    raise BadWords("NaN and Infinity are not JSON")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise BadWords("an object has the same key twice")
    return found


def _whole(text: str) -> int | Number:
    return int(text) if len(text) <= _LONGEST_INT else Number(text)


_AS_WRITTEN = json.JSONDecoder(
    object_pairs_hook=_object, parse_float=Number, parse_int=_whole, parse_constant=_constant
)
_AS_DECIMALS = json.JSONDecoder(object_pairs_hook=_object, parse_float=Decimal, parse_constant=_constant)


def load(body: str | bytes, *, decimals: bool = False) -> dict[str, Any]:
    """JSON text -> its top object; raises BadWords. Numbers with a point are for fit(), or Decimals on request."""
    try:
        text = body.decode("utf-8") if isinstance(body, bytes) else body  # a byte order mark stays, and is not JSON
        found = (_AS_DECIMALS if decimals else _AS_WRITTEN).decode(text)
    except UnicodeDecodeError:
        raise BadWords("not UTF-8") from None
    except json.JSONDecodeError as error:
        raise BadWords(f"not JSON (position {error.pos})") from None
    except RecursionError:
        raise BadWords("nested too deeply") from None
    except ValueError:  # Python's limit on the digits of an int
        raise BadWords("a number has too many digits") from None
    if not isinstance(found, dict):
        raise BadWords("not a JSON object")
    return found


def _hook(kind: type, value: object) -> object:
    if kind in (Amount, Figure, PlainLine):
        return kind.read(value)
    raise NotImplementedError(kind)


def fit(value: object, kind: type[T], what: str) -> T:
    """What load() read -> a struct of ``kind``; raises BadWords, which names ``what`` and the field and echoes nothing.

    Whole numbers may be strings of digits, as on some of PayBy's pages. A field that has a default and is
    not in the struct's ``DECIDES`` counts as absent if it does not fit.
    """
    with contextlib.suppress(msgspec.ValidationError):
        return _convert(value, kind)
    try:
        return _convert(_fitting(value, kind), kind)
    except msgspec.ValidationError as error:
        raise BadWords(f"{what}: {error}") from None


def _convert(value: object, kind: type[T]) -> T:
    try:
        return msgspec.convert(value, kind, strict=False, dec_hook=_hook)
    except UnicodeEncodeError:  # half a surrogate pair where a number is needed
        raise msgspec.ValidationError("half a character") from None


def _fitting(value: object, kind: Any) -> object:
    """An object without its fields that do not fit and decide nothing."""
    if not isinstance(value, Mapping):
        return value
    kept = dict(value)
    for name, (hint, inner, decides) in _fields(kind).items():
        if name not in kept:
            continue
        if inner:
            kept[name] = _fitting(kept[name], inner)
        if not decides:
            try:
                _convert(kept[name], hint)
            except msgspec.ValidationError:
                del kept[name]
    return kept


@cache
def _fields(kind: Any) -> dict[str, tuple[Any, type[Any] | None, bool]]:
    """By each field's JSON name: its type, the struct in it, and whether it decides something."""
    deciding = getattr(kind, "DECIDES", ())
    found = {}
    for field in msgspec.structs.fields(kind):
        parts = (field.type, *typing.get_args(field.type))
        inner = (part for part in parts if isinstance(part, type) and issubclass(part, msgspec.Struct))
        found[field.encode_name] = field.type, next(inner, None), field.required or field.name in deciding
    return found
