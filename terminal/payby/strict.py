"""PayBy's JSON read strictly: exact amounts, no duplicate keys, valid UTF-8 without a byte order mark.

JSON libraries keep one of two equal keys in silence, and read 0.1 as a binary fraction; with money neither will do.
"""

import json
import re
from decimal import Decimal
from typing import Any, TypeVar

import msgspec

from .errors import BadWords

T = TypeVar("T")
_AMOUNT = re.compile(r"\d{1,12}(\.\d{1,2})?", re.ASCII)


class Amount(Decimal):
    """An amount of money exactly as written: 0 or more, up to 12 digits and 2 decimals, without an exponent."""

    @classmethod
    def read(cls, value: object) -> "Amount":
        """Take a JSON number or string; raises ValueError for all else, and for what is no amount of money."""
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


class Number:
    """A JSON number with a point or an exponent, as written. It becomes an Amount, and fits no other type."""

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text


def _constant(_: str) -> object:
    raise BadWords("NaN and Infinity are no JSON")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise BadWords("an object has the same key twice")
    return found


_AS_WRITTEN = json.JSONDecoder(object_pairs_hook=_object, parse_float=Number, parse_constant=_constant)
_AS_DECIMALS = json.JSONDecoder(object_pairs_hook=_object, parse_float=Decimal, parse_constant=_constant)


def load(body: str | bytes, *, decimals: bool = False) -> dict[str, Any]:
    """JSON text -> its top object; raises BadWords. Numbers with a point are for fit(), or Decimals on request."""
    try:
        text = body.decode("utf-8") if isinstance(body, bytes) else body  # a byte order mark stays, and is no JSON
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
    if kind is Amount:
        return Amount.read(value)
    raise NotImplementedError(kind)


def fit(value: object, kind: type[T], what: str) -> T:
    """What load() found -> a struct of ``kind``; raises BadWords that names ``what`` and the field, and echoes nothing.

    Whole numbers may come as strings of digits, as some of PayBy's pages have them.
    """
    try:
        return msgspec.convert(value, kind, strict=False, dec_hook=_hook)
    except msgspec.ValidationError as error:
        raise BadWords(f"{what}: {error}") from None
