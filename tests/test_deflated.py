"""PayBy's words that are longer than a message."""

import base64
import zlib

import pytest
from msgspec.structs import replace

from terminal.contract.deflated import MOST, PREFIX, pack, unpack
from terminal.contract.messages import MAX_BYTES, BadMessage, Paid, Refund, decode, encode

ID, AT = "0190d3f0-7c1e-7a52-9d2f-0123456789ab", "2026-07-22T10:00:00.000Z"
SHORT = Paid(id=ID, at=AT, order_no="marina-exit-1-x", notify_id="n", body="{}", sign="A" * 684)


@pytest.mark.parametrize("filling", ["x", '"', "\\", "\n", "م", "\U0001f17f"], ids=ascii)
def test_every_length_goes_into_a_message_and_comes_out_as_it_was(filling: str) -> None:
    for size in (0, 3000, 3100, 5000, 8000, 15_000, MOST // len(filling.encode())):
        said = replace(SHORT, body=filling * size)
        told = pack(said)
        assert len(encode(told)) <= MAX_BYTES
        assert unpack(decode(Paid, encode(told))) == said
        assert told.body.startswith(PREFIX) is (told is not said)


def test_what_fits_a_message_goes_as_it_is() -> None:
    assert pack(SHORT) is SHORT
    fits = replace(SHORT, body="x" * 15_000)
    assert pack(fits) is fits
    bare = Refund(id=ID, at=AT, order_no="o", refund_no="r", status="asked")
    assert unpack(pack(bare)) is bare


def packed(data: bytes) -> Paid:
    return replace(SHORT, body=PREFIX + base64.b64encode(data).decode())


@pytest.mark.parametrize(
    "said",
    [
        packed(b"no deflated text"),
        packed(zlib.compress(b"x" * 1000)[:-5]),
        packed(zlib.compress(b"x") + b"more"),
        packed(zlib.compress(b"\xff\xfe")),
        packed(zlib.compress(b" " * (MOST + 1))),
        packed(zlib.compress(bytes(10_000_000))),
        replace(SHORT, body=PREFIX + "no base64!"),
        replace(SHORT, body=PREFIX + "م"),
    ],
    ids=["deflated", "cut", "more", "text", "longer", "bomb", "base64", "ascii"],
)
def test_what_is_no_packed_text_is_refused(said: Paid) -> None:
    with pytest.raises(BadMessage, match="`body`, deflated"):
        unpack(said)
