"""How long a client waits before it connects again."""

import random

RETRY_S = 0.2, 2.0
"""The wait (s) before the first connect; it doubles for later ones. A lane must work 5 s after the broker's return."""
STEADY_S = 5.0
"""After a connection that lasted this long (s), the next retry counts as a first one; otherwise two clients that fight
over an id, or a broker that drops everybody, would cause five connects a second."""
YIELDING_S = 4.0, 8.0
"""The wait if another machine uses our client id: whichever has the id needs it long enough to let a car out."""
REFUSED_AFTER = 8
"""So many connections in a row that the broker took, granted nothing on, and soon ended are a refusal: some brokers say
no to a filter by ending the connection. A line that breaks again and again is none: on it something was granted."""
REFUSED_S = 30.0, 60.0
"""The wait then. Nothing is heard or said meanwhile, as before; what is wrong is the user's rights, which a person must
mend, and a cluster must not be kept busy by one client."""


class ReconnectPace:
    """Told of every end of a connection, or of an attempt; knows the next wait."""

    def __init__(self) -> None:
        self._wait_s = RETRY_S[0]
        self._ended = 0

    @property
    def is_refused(self) -> bool:
        """Does the broker end every connection soon, and grant nothing on it?"""
        return self._ended >= REFUSED_AFTER

    def next_s(self, lasted_s: float, *, in_vain: bool, yields: bool) -> float:
        """The wait (s) after a connection, or an attempt at one, that took ``lasted_s``. ``in_vain``: the broker had
        taken it, and granted nothing. ``yields``: another machine connects under our client id."""
        if lasted_s > STEADY_S:
            self._wait_s = RETRY_S[0]
        self._ended = self._ended + 1 if in_vain and lasted_s <= STEADY_S else 0
        if yields:
            return random.uniform(*YIELDING_S)
        if self.is_refused:
            return random.uniform(*REFUSED_S)
        wait_s = self._wait_s * random.uniform(0.8, 1.0)
        self._wait_s = min(self._wait_s * 2, RETRY_S[1])
        return wait_s
