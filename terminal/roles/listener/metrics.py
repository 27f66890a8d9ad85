"""The listener's metrics for Prometheus."""

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics
from prometheus_client.exposition import choose_encoder

BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
DELAY_BUCKETS_S = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 600.0)
"""PayBy sends again what was not taken after two minutes."""


class Metrics:
    """The metrics of one listener. ``connections``, ``waiting`` and ``is_whole`` are called at every scrape."""

    def __init__(
        self, connections: Callable[[], int], waiting: Callable[[], int], is_whole: Callable[[], bool]
    ) -> None:
        disable_created_metrics()  # otherwise each outcome has a second series with the time of its creation
        self._registry = registry = CollectorRegistry()
        self._outcomes = Counter(
            "payby_notifications",
            "Requests to the notification path, by what became of them.",
            ["outcome"],
            registry=registry,
        )
        self._seconds = Histogram(
            "payby_notification_seconds",
            "From a genuine notification's arrival to its answer.",
            buckets=BUCKETS_S,
            registry=registry,
        )
        self._delay = Histogram(
            "payby_payment_to_notification_seconds",
            "From the payment, by PayBy's clock, to the arrival of its notification.",
            buckets=DELAY_BUCKETS_S,
            registry=registry,
        )
        whole = Gauge(
            "payby_listener_healthy",
            "1: the broker is there, and the worker journals notifications.",
            registry=registry,
        )
        whole.set_function(lambda: float(is_whole()))
        open_now = Gauge("payby_listener_connections", "Open connections.", registry=registry)
        open_now.set_function(connections)
        in_hand = Gauge(
            "payby_listener_waiting", "Notifications that wait for their receipt, copies included.", registry=registry
        )
        in_hand.set_function(waiting)

    def count(self, outcome: str) -> None:
        """Count a request by its outcome, one of a few fixed words."""
        self._outcomes.labels(outcome).inc()

    def observe(self, seconds: float) -> None:
        """Record how long (s) a genuine notification took to be answered."""
        self._seconds.observe(seconds)

    def observe_delay(self, seconds: float) -> None:
        """Record how long (s) a payment was known to PayBy before its notification came; below 0 the clocks differ."""
        self._delay.observe(max(0.0, seconds))

    def page(self, accept: str) -> tuple[bytes, str]:
        """All metrics in the format that the Accept header asks for, and that format's content type."""
        try:
            encode, content_type = choose_encoder(accept)
        except (TypeError, ValueError):  # a version that is no number
            encode, content_type = choose_encoder("")
        return encode(self._registry), content_type
