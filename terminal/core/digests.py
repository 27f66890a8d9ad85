"""Texts to be known again, in 8 bytes each: the texts themselves would outgrow a small computer."""

import hashlib
from array import array
from bisect import bisect_left, insort
from collections.abc import Iterable, Iterator
from itertools import chain


class Digests:
    """A collection of texts, by their digests, in the order of these.

    Two texts that are taken for one (of a million, with a chance of 1 in 40 million) cost a driver a call for help.
    They stand in drawers by their first byte: one sorted array of a million costs a millisecond for each that is added.
    """

    DRAWERS = 256

    def __init__(self, digests: Iterable[int] = ()) -> None:
        self._drawers = tuple(array("Q") for _ in range(self.DRAWERS))
        for digest in sorted(digests):
            self._drawers[self.drawer_of(digest)].append(digest)

    @staticmethod
    def of(text: str) -> int:
        """The digest of ``text``: 64 bits of BLAKE2b."""
        return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big")

    @staticmethod
    def drawer_of(digest: int) -> int:
        """The number of the drawer, from 0, in which ``digest`` is."""
        return digest >> 56

    def add(self, text: str) -> None:
        """Know ``text``; a second time is a second one."""
        digest = self.of(text)
        insort(self._drawers[self.drawer_of(digest)], digest)

    def discard(self, text: str) -> None:
        """Forget one adding of ``text``."""
        drawer, at, known = self.place(self.of(text))
        if known:
            del self._drawers[drawer][at]

    def insert(self, drawer: int, at: int, digest: int) -> None:
        """Know a text by its ``digest``, in the place that place() has just found."""
        self._drawers[drawer].insert(at, digest)

    def place(self, digest: int) -> tuple[int, int, bool]:
        """The drawer of ``digest``, where it stands there among the others, or would; and whether it is there."""
        drawer = self.drawer_of(digest)
        held = self._drawers[drawer]
        at = bisect_left(held, digest)
        return drawer, at, at < len(held) and held[at] == digest

    def __contains__(self, text: object) -> bool:
        return self.place(self.of(str(text)))[2]

    def __iter__(self) -> Iterator[int]:
        return chain.from_iterable(self._drawers)

    def __len__(self) -> int:
        return sum(map(len, self._drawers))
