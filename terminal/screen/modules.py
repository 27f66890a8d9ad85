"""The modules of a QR symbol (ISO/IEC 18004), twenty times faster than segno makes them.

Among symbols of one version, level and mask only the codewords differ. Segno draws the first of each kind; where its
codewords went is a template, into which the next ones are set. A template is used only if it gives segno's own first
symbol back, bit for bit; otherwise segno draws every one.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import zip_longest
from operator import itemgetter
from typing import Protocol, cast

import segno
from segno import consts

Part = tuple[str, int]
"""A segment: its characters, and segno.consts.MODE_NUMERIC or MODE_BYTE (then printable ASCII)."""

_MASKS: tuple[Callable[[int, int], bool], ...] = (
    lambda i, j: (i + j) % 2 == 0,
    lambda i, j: i % 2 == 0,
    lambda i, j: j % 3 == 0,
    lambda i, j: (i + j) % 3 == 0,
    lambda i, j: (i // 2 + j // 3) % 2 == 0,
    lambda i, j: i * j % 2 + i * j % 3 == 0,
    lambda i, j: (i * j % 2 + i * j % 3) % 2 == 0,
    lambda i, j: (i * j % 3 + (i + j) % 2) % 2 == 0,
)


class _Blocks(Protocol):
    """What segno.consts says of blocks that are alike."""

    num_blocks: int
    num_total: int
    num_data: int


@dataclass(frozen=True)
class _Template:
    """``pick`` takes each module's character, row after row, out of the codewords' bits followed by "01" (for what is
    always light or dark); ``mask`` is what the data mask flips of them, as one number."""

    pick: Callable[[str], tuple[str, ...]]
    mask: int


_templates: dict[tuple[int, str, int], _Template | None] = {}


def modules(parts: Sequence[Part], version: int, level: str, mask: int) -> tuple[int, int]:
    """Modules a side, and all modules row after row as one number, the first its highest bit, 1 = dark. The parts must
    fit (qr.py sees to it)."""
    size, key = 17 + 4 * version, (version, level, mask)
    if template := _templates.get(key):
        return size, _set(template, parts, version, level)
    code = segno.make(
        cast(str, list(parts)),  # its stub forgets lists of segments
        version=version,
        error=level,
        mask=mask,
        micro=False,
        boost_error=False,
    )
    drawn = int("".join("1" if module else "0" for row in code.matrix for module in row), 2)
    if key not in _templates:
        made = _template(code, version, mask)
        _templates[key] = made if _set(made, parts, version, level) == drawn else None
    return size, drawn


def _set(template: _Template, parts: Sequence[Part], version: int, level: str) -> int:
    """The symbol of these parts, by a template."""
    words = _interleaved(_data(parts, version, level), version, level)
    bits = format(int.from_bytes(words, "big"), f"0{len(words) * 8}b")
    # Up to seven modules beyond the last codeword hold zeros; then the two constants.
    return int("".join(template.pick(bits + "0000000" + "01")), 2) ^ template.mask


def _template(code: segno.QRCode, version: int, mask: int) -> _Template:
    size, fixed = 17 + 4 * version, _fixed(version)
    order = {place: at for at, place in enumerate(place for place in _zigzag(size) if place not in fixed)}
    constants = len(order) // 8 * 8 + 7
    flipped, index = 0, []
    for i in range(size):
        for j in range(size):
            flipped = flipped << 1 | ((i, j) in order and _MASKS[mask](i, j))
            index.append(order.get((i, j), constants + (code.matrix[i][j] & 1)))
    return _Template(itemgetter(*index), flipped)


def _fixed(version: int) -> set[tuple[int, int]]:
    """The places that no codeword fills: finders with their borders and the format, timing, alignment, version."""
    size = 17 + 4 * version
    areas = [(0, 0, 9, 9), (0, size - 8, 9, 8), (size - 8, 0, 8, 9), (6, 0, 1, size), (0, 6, size, 1)]
    if version > 6:
        areas += [(0, size - 11, 6, 3), (size - 11, 0, 3, 6)]
    centres = consts.ALIGNMENT_POS[version - 2] if version > 1 else ()
    corners = {(6, 6), (6, size - 7), (size - 7, 6)}
    areas += [(i - 2, j - 2, 5, 5) for i in centres for j in centres if (i, j) not in corners]
    return {(i, j) for top, left, high, wide in areas for i in range(top, top + high) for j in range(left, left + wide)}


def _zigzag(size: int) -> list[tuple[int, int]]:
    """All places in the order in which codewords fill them: pairs of columns from the right, upwards first, then
    downwards, and so on; the column of the vertical timing pattern is left out."""
    columns = [*range(size - 1, 6, -2), *range(5, 0, -2)]
    return [
        (size - 1 - step if turn % 2 == 0 else step, right - side)
        for turn, right in enumerate(columns)
        for step in range(size)
        for side in (0, 1)
    ]


def _blocks(version: int, level: str) -> list[tuple[int, int]]:
    """For each block its codewords of data and of error correction."""
    infos = cast("dict[int, tuple[_Blocks, ...]]", consts.ECC[version])[consts.ERROR_MAPPING[level]]
    return [(info.num_data, info.num_total - info.num_data) for info in infos for _ in range(info.num_blocks)]


def _data(parts: Sequence[Part], version: int, level: str) -> bytes:
    """The data codewords: segments, terminator, padding."""
    bits = "".join(_segment(text, mode, version) for text, mode in parts)
    room = sum(data for data, _ in _blocks(version, level))
    bits += "0" * min(4, room * 8 - len(bits))
    bits += "0" * (-len(bits) % 8)
    words = int(bits, 2).to_bytes(len(bits) // 8, "big")
    return words + (b"\xec\x11" * room)[: room - len(words)]


def count_bits(mode: int, version: int) -> int:
    """Bits that say how many characters a segment has."""
    if mode == consts.MODE_BYTE:
        return 16 if version > 9 else 8
    return 10 + 2 * ((version > 9) + (version > 26))


def _segment(text: str, mode: int, version: int) -> str:
    head = format(mode, "04b") + format(len(text), f"0{count_bits(mode, version)}b")
    if mode == consts.MODE_BYTE:
        return head + format(int.from_bytes(text.encode(), "big"), f"0{8 * len(text)}b")
    threes = [text[at : at + 3] for at in range(0, len(text), 3)]
    return head + "".join(format(int(digits), f"0{(4, 7, 10)[len(digits) - 1]}b") for digits in threes)


def _interleaved(data: bytes, version: int, level: str) -> bytes:
    """The blocks' data codewords in turn, then their error correction in turn."""
    blocks, checks, at = [], [], 0
    for size, check in _blocks(version, level):
        blocks.append(data[at : at + size])
        checks.append(_remainder(blocks[-1], check))
        at += size
    return bytes(
        word for group in (blocks, checks) for words in zip_longest(*group) for word in words if word is not None
    )


def _remainder(block: bytes, check: int) -> bytes:
    """Reed and Solomon's ``check`` codewords: the remainder of a division in GF(256), a byte a step."""
    table, top, keep = _products(check), 8 * (check - 1), (1 << 8 * (check - 1)) - 1
    rest = 0
    for word in block:
        rest = (rest & keep) << 8 ^ table[word ^ rest >> top]
    return rest.to_bytes(check, "big")


@lru_cache(maxsize=16)
def _products(check: int) -> list[int]:
    """For each factor of one byte its product with the generator polynomial, but for the leading term."""
    logs, powers, generator = consts.GALIOS_LOG, consts.GALIOS_EXP, consts.GEN_POLY[check]
    return [0] + [int.from_bytes(bytes(powers[logs[f] + g] for g in generator), "big") for f in range(1, 256)]
