"""PayBy's words that are longer than a message: they travel deflated, so that the worker gets every byte.

Instalment terms and the like may bring a notification to MOST bytes. What PayBy signed must reach the journal whole,
and only PayBy's signature is believed, so the words are neither cut nor passed on without it. A deflated body begins as
JSON never does.
"""

import base64
import zlib
from typing import TypeVar

from msgspec.structs import replace

from terminal.contract.messages import BadMessage, Paid, Refund, encode

MOST = 64 * 1024
"""The most bytes of a notification that are accepted."""
PREFIX = "zlib,base64:"
"""How a deflated body begins."""
_FITS = 3 * 1024
"""This many characters fit into a message, whatever they are."""
_Said = TypeVar("_Said", bound=Paid | Refund)


def pack(said: _Said) -> _Said:
    """The same message, with its body deflated if it would be too long."""
    if said.body is None or len(said.body) <= _FITS:
        return said
    try:
        encode(said)
    except BadMessage:
        return replace(said, body=PREFIX + base64.b64encode(zlib.compress(said.body.encode(), 9)).decode())
    return said


def unpack(said: _Said) -> _Said:
    """The message with its body as PayBy signed it; raises BadMessage unless that is a text of up to MOST bytes."""
    if said.body is None or not said.body.startswith(PREFIX):
        return said
    inflating = zlib.decompressobj()
    try:
        found = inflating.decompress(base64.b64decode(said.body.removeprefix(PREFIX), validate=True), MOST + 1)
        body = found.decode()
    except (zlib.error, ValueError) as error:
        raise BadMessage(f"`body`, deflated: {error}") from None
    if len(found) > MOST or not inflating.eof or inflating.unused_data:
        raise BadMessage(f"`body`, deflated: a text of up to {MOST} bytes is taken")
    return replace(said, body=body)
