"""Who may write a journal in a database: the holder of a lease, which is renewed each second and by each append.

The rule of the wait is by steady clocks alone, so no clock that jumps, the database's or a machine's, can give the
lease to two. The holder believes in it until 2.5 s after it *sent* the last renewal that came through. Another may take
it once it has *seen* the same renewal stand for 3 s. It takes exactly what it saw, and the epoch grows; an append of an
older epoch is refused.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

from terminal.journal.postgres.connection import BoundedConnection

LEASE_S = 3.0
RENEW_S = 1.0
MARGIN_S = 0.5
"""The holder stops this long before anybody may take its lease: what it says last needs time to arrive."""
STANDBY = "exit-terminal standby"
"""The name under which a standby is connected, so that others see that there is one."""
TAKING_S = 0.25
"""How often one who waits for the lease looks."""


def uptime_s() -> float:
    """Seconds by a clock that never jumps, and also runs while the machine sleeps."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


@dataclass(frozen=True, slots=True)
class LeaseState:
    """What the database says of the lease. ``holder``: empty if it is free. ``asked``: the holder that somebody asked
    to hand over."""

    epoch: int
    holder: str
    renewed: int
    asked: str
    seq: int
    chain: bytes


class Lease:
    """The holder's own view. It may be asked in any thread; once it is lost, it stays so."""

    def __init__(self, holder: str, steady_s: Callable[[], float] = uptime_s) -> None:
        self.holder = holder
        self.epoch = 0
        self.steady_s = steady_s
        self.asked_to_hand_over = False
        self._until = float("-inf")
        self._lost = ""

    def taken(self, epoch: int, sent_s: float) -> None:
        """It is held from now on; ``sent_s``: when the taking was sent."""
        self.epoch = epoch
        self.renewed(sent_s)

    def renewed(self, sent_s: float) -> None:
        """A renewal came through that was sent at ``sent_s``."""
        self._until = max(self._until, sent_s + LEASE_S - MARGIN_S)

    def note_asked(self, holder: str) -> None:
        """The database says which holder somebody asked to hand over; empty for none."""
        self.asked_to_hand_over = holder == self.holder

    def lose(self, why: str) -> None:
        """From now on nothing may be said."""
        self._lost = self._lost or why

    @property
    def is_valid(self) -> bool:
        """May anything be said now, and PayBy be called?"""
        return self.left_s() > 0

    @property
    def why_lost(self) -> str:
        """Empty while it is held."""
        return self._lost or ("" if self.is_valid else "it was not renewed in time")

    def left_s(self) -> float:
        """For how many seconds it holds; 0 once it is over."""
        if self._lost:
            return 0.0
        left = self._until - self.steady_s()
        if left <= 0 and self.epoch:
            self.lose("it was not renewed in time")
        return max(0.0, left)


class LeaseWatch:
    """Looks at another's lease, and says when it may be taken."""

    def __init__(self, holder: str, steady_s: Callable[[], float] = uptime_s) -> None:
        self._holder, self._steady_s = holder, steady_s
        self._seen: tuple[int, int] | None = None
        self._since = 0.0

    def may_take(self, state: LeaseState, read_s: float) -> bool:
        """``read_s``: when the reading of ``state`` was done, so that it stood at least since then."""
        if state.holder in ("", self._holder):
            return True
        if self._seen != (state.epoch, state.renewed):
            self._seen, self._since = (state.epoch, state.renewed), read_s
            return False
        return self._steady_s() - self._since >= LEASE_S


def look(connection: BoundedConnection) -> LeaseState | None:
    """The lease as it stands; None if the journal has not been made. Raises psycopg.Error."""
    found = connection.execute("SELECT epoch, holder, renewed, asked, seq, chain FROM journal", binary=True).fetchone()
    return LeaseState(*found) if found else None


def take(connection: BoundedConnection, seen: LeaseState, lease: Lease, keys: str) -> LeaseState | None:
    """Take the lease as it was seen; None if it is no longer so. Raises psycopg.Error."""
    sent_s = lease.steady_s()
    found = connection.execute(
        "UPDATE journal SET epoch = epoch + 1, holder = %s, renewed = renewed + 1, renewed_at = clock_timestamp(),"
        " asked = '', keys = %s WHERE epoch = %s AND renewed = %s"
        " RETURNING epoch, holder, renewed, asked, seq, chain",
        (lease.holder, keys, seen.epoch, seen.renewed),
        binary=True,
    ).fetchone()
    if found is None:
        return None
    state = LeaseState(*found)
    lease.taken(state.epoch, sent_s)
    return state


def renew(connection: BoundedConnection, lease: Lease) -> bool:
    """Renew it; False if another has it. Raises psycopg.Error."""
    sent_s = lease.steady_s()
    found = connection.execute(
        "UPDATE journal SET renewed = renewed + 1, renewed_at = clock_timestamp() WHERE epoch = %s AND holder = %s"
        " RETURNING asked",
        (lease.epoch, lease.holder),
    ).fetchone()
    if found is None:
        return False
    lease.renewed(sent_s)
    lease.note_asked(found[0])
    return True


def release(connection: BoundedConnection, lease: Lease) -> None:
    """Let the next one take it at once. Raises psycopg.Error."""
    connection.execute(
        "UPDATE journal SET holder = '', renewed = renewed + 1, renewed_at = clock_timestamp(), asked = ''"
        " WHERE epoch = %s AND holder = %s",
        (lease.epoch, lease.holder),
    )


def ask_to_hand_over(connection: BoundedConnection, holder: str) -> bool:
    """Ask a holder to hand over; False if it holds the lease no longer. Raises psycopg.Error."""
    return connection.execute("UPDATE journal SET asked = holder WHERE holder = %s", (holder,)).rowcount == 1


def standbys(connection: BoundedConnection) -> int:
    """How many workers stand by: they look several times a second, and one that fell silent is gone, although its
    connection may still be there. Raises psycopg.Error."""
    found = connection.execute(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE %s"
        " AND clock_timestamp() - state_change < '3 s'",
        (f"{STANDBY}%",),
    ).fetchone()
    return int(found[0]) if found else 0
