"""Texts to be known again, in 8 bytes each: the texts themselves would outgrow a small computer."""

import hashlib
from array import array
from bisect import bisect_left, insort
from collections.abc import Iterable, Iterator


class Digests:
    """A collection of texts, by their digests, in the order of these.

    Two texts that are taken for one (of a million, with a chance of 1 in 40 million) cost a driver a call for help.
    """

    def __init__(self, digests: Iterable[int] = ()) -> None:
        self._sorted = array("Q", sorted(digests))

    @staticmethod
    def of(text: str) -> int:
        """The digest of ``text``: 64 bits of BLAKE2b."""
        return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big")

    def add(self, text: str) -> None:
        """Know ``text``; a second time is a second one."""
        insort(self._sorted, self.of(text))

    def discard(self, text: str) -> None:
        """Forget one adding of ``text``."""
        at, known = self.place(text)
        if known:
            del self._sorted[at]

    def place(self, text: str) -> tuple[int, bool]:
        """Where ``text`` stands among the others, or would; and whether it is there."""
        digest = self.of(text)
        at = bisect_left(self._sorted, digest)
        return at, at < len(self._sorted) and self._sorted[at] == digest

    def __contains__(self, text: object) -> bool:
        return self.place(str(text))[1]

    def __iter__(self) -> Iterator[int]:
        return iter(self._sorted)

    def __len__(self) -> int:
        return len(self._sorted)
