"""Who is signed in, for how long, and how often somebody may try.

A sign-in is a random token in a cookie; here only its hash is kept, in memory, so it ends with the process and can be
revoked at once. Tries are slowed down, not locked out: by address, and by name.
"""

import hashlib
import hmac
import secrets
from collections import OrderedDict
from dataclasses import dataclass, field

from terminal.clock import Clock

LONGEST_MS = 12 * 60 * 60_000
"""A sign-in ends then, however busy it is."""
MOST = 500
"""Sign-ins at once; a further one ends the one that was idle for longest."""
FREE_TRIES, FIRST_WAIT_MS, LONGEST_WAIT_MS = 5, 2_000, 60_000
"""After so many failures each further try waits, twice as long each time, up to a minute."""
FORGET_MS = 15 * 60_000
TRACKED = 10_000


@dataclass(slots=True)
class SignIn:
    """``csrf`` stands in each of its forms. Times are ms by the steady clock."""

    user: str
    csrf: str
    address: str
    began_ms: int
    used_ms: int
    key: bytes = field(repr=False)


class SignIns:
    """``idle_ms``: a sign-in that nobody used for so long has ended."""

    def __init__(self, clock: Clock, idle_ms: int) -> None:
        self._clock, self._idle_ms = clock, idle_ms
        self._open: OrderedDict[bytes, SignIn] = OrderedDict()

    def begin(self, user: str, address: str) -> tuple[str, SignIn]:
        """A new sign-in and its token, which goes into the cookie."""
        token, now = secrets.token_urlsafe(32), self._clock.steady_ms()
        found = SignIn(user, secrets.token_urlsafe(24), address, now, now, _key(token))
        self._open[found.key] = found
        while len(self._open) > MOST:
            self._open.popitem(last=False)
        return token, found

    def find(self, token: str, *, use: bool = True) -> SignIn | None:
        """The sign-in of a token, if it has not ended. ``use`` False: a page that only listens does not prolong it."""
        found = self._open.get(_key(token)) if token else None
        if found is None or not self.lasts(found):
            return None
        if use:
            found.used_ms = self._clock.steady_ms()
            self._open.move_to_end(found.key)
        return found

    def lasts(self, one: SignIn) -> bool:
        """Has it not ended yet?"""
        now = self._clock.steady_ms()
        if self._open.get(one.key) is not one:
            return False
        if now - one.used_ms < self._idle_ms and now - one.began_ms < LONGEST_MS:
            return True
        del self._open[one.key]
        return False

    def end(self, one: SignIn) -> None:
        """End it; a second call does nothing."""
        self._open.pop(one.key, None)

    def end_all_of(self, user: str) -> None:
        """Whoever is no longer a user, or has another role or password, must sign in anew."""
        for one in [one for one in self._open.values() if one.user == user]:
            self.end(one)


class SignInThrottle:
    """How long somebody must wait before he may try again."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._failures: OrderedDict[str, tuple[int, int]] = OrderedDict()
        """How often, and when last, by address and by name."""

    def wait_ms(self, name: str, address: str) -> int:
        """0: now."""
        return max(self._wait_ms(key) for key in _keys(name, address))

    def failed(self, name: str, address: str) -> None:
        """A password was wrong, or there is no such user."""
        now = self._clock.steady_ms()
        for key in _keys(name, address):
            count, last = self._failures.pop(key, (0, now))
            self._failures[key] = (count + 1 if now - last < FORGET_MS else 1), now
        while len(self._failures) > TRACKED:
            self._failures.popitem(last=False)

    def succeeded(self, name: str, address: str) -> None:
        """A good password ends what this address and this name have to wait."""
        for key in _keys(name, address):
            self._failures.pop(key, None)

    def _wait_ms(self, key: str) -> int:
        count, last = self._failures.get(key, (0, 0))
        if count < FREE_TRIES:
            return 0
        wait = min(FIRST_WAIT_MS << min(count - FREE_TRIES, 16), LONGEST_WAIT_MS)
        return max(0, last + wait - self._clock.steady_ms())


def same(one: str, other: str) -> bool:
    """Are two secrets the same? It takes as long whatever differs."""
    return hmac.compare_digest(one.encode(), other.encode())


def _keys(name: str, address: str) -> tuple[str, str]:
    return f"name {name.lower()[:64]}", f"address {address}"


def _key(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
