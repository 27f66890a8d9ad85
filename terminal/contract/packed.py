"""PayBy's words that are longer than a message: they go deflated, so that the worker still has every byte of them.

Instalment terms and the like may take a notification to MOST bytes. What PayBy signed must reach the journal whole, and
nothing but its signature is believed, so they are neither cut nor announced without it.
"""

import base64
import zlib
from typing import TypeVar

from msgspec.structs import replace

from terminal.contract.messages import BadMessage, Paid, Refund, encode

MOST = 64 * 1024
"""Bytes of a notification that are taken."""
_FITS = 3 * 1024
"""So many characters fit a message whatever they are."""
_Said = TypeVar("_Said", bound=Paid | Refund)


def pack(said: _Said) -> _Said:
    """The same message; where it would be too long, with ``packed`` in its body's place."""
    if said.body is None or len(said.body) <= _FITS:
        return said
    try:
        encode(said)
    except BadMessage:
        return replace(said, body="", packed=base64.b64encode(zlib.compress(said.body.encode(), 9)).decode())
    return said


def unpack(said: _Said) -> _Said:
    """The message with its body; raises BadMessage for what is packed and no text of up to MOST bytes."""
    if said.packed is None:
        return said
    inflating = zlib.decompressobj()
    try:
        found = inflating.decompress(base64.b64decode(said.packed, validate=True), MOST + 1)
        body = found.decode()
    except (zlib.error, ValueError) as error:
        raise BadMessage(f"`packed`: {error}") from None
    if len(found) > MOST or not inflating.eof or inflating.unused_data or said.body:
        raise BadMessage(f"`packed` takes a text of up to {MOST} bytes, deflated, and no `body` beside it")
    return replace(said, body=body, packed=None)
