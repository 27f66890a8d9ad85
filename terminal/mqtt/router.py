"""Which subscriptions get an arriving message, what the broker has granted them, and what is parked.

Nothing here knows the MQTT library: client.py tells it what was asked and answered, and feeds it.
"""

import asyncio
import logging
from collections.abc import Iterable, Sequence

from terminal.mqtt.errors import SubscriptionRefused
from terminal.mqtt.subscription import Arrival, Subscription, matches

log = logging.getLogger(__name__)

GRACE_S = 10.0
ROUTES_KEPT = 1024
"""How many topics' subscribers are remembered; a client that publishes under ever new topics makes it forget."""


PARKED = 1_000
"""How many messages wait for a subscription; more are not taken, and QoS 1 comes again after a reconnect."""


class SubscriptionRouter:
    """The subscriptions of one connection. A message that nobody takes is kept unacknowledged (parked) for
    ``grace_s`` seconds: after a start, until the roles have subscribed; after a subscription's end, so that a program
    that is being stopped leaves it with the broker."""

    def __init__(self, grace_s: float) -> None:
        self._grace_s = grace_s
        self._loop: asyncio.AbstractEventLoop
        self._park_until = 0.0
        self._subscriptions: list[Subscription] = []
        self._granted: set[str] = set()
        self._asked: dict[int | None, list[str]] = {}
        self._routes: dict[str, list[Subscription]] = {}
        self._parked: dict[Arrival, asyncio.TimerHandle] = {}

    def begin(self, loop: asyncio.AbstractEventLoop) -> None:
        """From now on, and within the grace, park what nobody takes."""
        self._loop = loop
        self._park_until = loop.time() + self._grace_s

    def add(self, subscription: Subscription) -> None:
        """Add a subscription; it gets parked messages too."""
        self._subscriptions.append(subscription)
        self._routes.clear()
        for arrival in [a for a in self._parked if any(matches(f, a.topic) for f in subscription.filters)]:
            self._parked.pop(arrival).cancel()
            subscription.offer(arrival)

    def remove(self, subscription: Subscription, *, park: bool) -> list[str]:
        """Remove a subscription; returns the filters that no other one needs. ``park``: keep what it has not
        acknowledged for a subscription that comes within the grace."""
        self._subscriptions.remove(subscription)
        self._routes.clear()
        for arrival in subscription.held:
            arrival.holders.discard(subscription)
            if park and not arrival.holders:
                self._park(arrival)
        subscription.held.clear()
        return [f for f in subscription.filters if not any(f in s.filters for s in self._subscriptions)]

    def close(self) -> None:
        """End every subscription."""
        for subscription in list(self._subscriptions):
            subscription.close()

    def fail(self, error: Exception) -> None:
        """Raise ``error`` in every consumer."""
        for subscription in self._subscriptions:
            subscription.fail(error)

    # What the broker grants

    def filters(self) -> set[str]:
        """All that is subscribed to."""
        return {f for s in self._subscriptions for f in s.filters}

    def wanted(self, filters: Iterable[str]) -> dict[str, int]:
        """Each of ``filters`` with the QoS that the most demanding of its subscriptions wants."""
        return {f: max(s.filters.get(f, 0) for s in self._subscriptions) for f in sorted(filters)}

    def asked(self, mid: int | None, filters: Iterable[str]) -> None:
        """Note that the SUBSCRIBE with that message id asks for ``filters``."""
        self._granted.difference_update(filters)
        self._asked[mid] = list(filters)

    def answered(self, mid: int, refusals: Sequence[bool]) -> None:
        """Take its SUBACK, which says for each filter whether it is refused."""
        asked = self._asked.pop(mid, [])
        refused = tuple(f for f, is_refused in zip(asked, refusals, strict=False) if is_refused)
        self._granted.update(f for f in asked if f not in refused)
        for subscription in self._subscriptions:
            if mine := tuple(f for f in refused if f in subscription.filters):
                log.error("mqtt: the broker refuses the subscription to %s", ", ".join(mine))
                subscription.fail(SubscriptionRefused(mine))
            elif self._granted.issuperset(subscription.filters):
                subscription.grant(True)

    def lost(self, *, ends: bool) -> None:
        """The connection is lost, and with it every grant; ``ends``: there will be no other connection."""
        self._granted.clear()
        self._asked.clear()
        for subscription in () if ends else self._subscriptions:
            subscription.grant(False)

    # What arrives

    def route(self, arrival: Arrival) -> bool:
        """Give a message to the subscriptions that take it, or park it; False: nobody takes it, so acknowledge it."""
        takers = self._routes.get(arrival.topic)
        if takers is None:
            takers = [s for s in self._subscriptions if any(matches(f, arrival.topic) for f in s.filters)]
            if len(self._routes) >= ROUTES_KEPT:
                self._routes.clear()
            self._routes[arrival.topic] = takers
        for subscription in takers:
            subscription.offer(arrival)
        if not takers and self._loop.time() < self._park_until:
            if len(self._parked) < PARKED:
                self._park(arrival)
            return True
        return bool(takers)

    def forget_parked(self) -> None:
        """Forget what is parked; it stays with the broker."""
        for timer in self._parked.values():
            timer.cancel()
        self._parked.clear()

    def _park(self, arrival: Arrival) -> None:
        self._parked[arrival] = self._loop.call_later(self._grace_s, self._give_up, arrival)

    def _give_up(self, arrival: Arrival) -> None:
        del self._parked[arrival]
        arrival.puback()
