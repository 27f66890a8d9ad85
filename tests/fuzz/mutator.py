"""Inputs made from samples, the same ones for the same seed: for a test run, which is to find again what a long search
with coverage has found, and for a machine without that."""

import random
from collections.abc import Iterator, Sequence

LONGEST = 8 * 1024
"""Bytes of an input; what only counts beyond has a test of its own."""


def inputs(samples: Sequence[bytes], words: Sequence[bytes], seed: int) -> Iterator[bytes]:
    """Samples with one to four changes each, without end."""
    chance = random.Random(seed)
    while True:
        data = bytearray(chance.choice(samples) if samples and chance.random() < 0.95 else chance.randbytes(20))
        for _ in range(chance.randint(1, 4)):
            _change(data, samples, words, chance)
        yield bytes(data[:LONGEST])


def _change(data: bytearray, samples: Sequence[bytes], words: Sequence[bytes], chance: random.Random) -> None:
    at = chance.randint(0, len(data))
    end = min(len(data), at + chance.choice((0, 1, 1, 2, 4, 8, 40)))
    match chance.randrange(8):
        case 0 if at < len(data):
            data[at] ^= 1 << chance.randrange(8)
        case 1:
            del data[at:end]
        case 2:
            data[at:at] = data[at:end] * chance.randint(1, 5)
        case 3:
            data[at:end] = chance.randbytes(chance.randint(1, 4))
        case 4 if samples:
            other = chance.choice(samples)
            start = chance.randint(0, len(other))
            data[at:end] = other[start : start + chance.randint(1, 60)]
        case 5:
            del data[at:]
        case _ if words:
            data[at:end] = chance.choice(words)
        case _:
            data[at:end] = bytes(chance.choices(b'0123456789{}[]",:.-| \r\n\t\x00\xff', k=chance.randint(1, 3)))
