"""What the listener counts, as Prometheus reads it."""

from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass, field

BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)


@dataclass(slots=True)
class Metrics:
    outcomes: Counter[str] = field(default_factory=Counter)
    buckets: list[int] = field(default_factory=lambda: [0] * (len(BUCKETS_S) + 1))
    seconds: float = 0.0

    def observe(self, seconds: float) -> None:
        self.buckets[bisect_left(BUCKETS_S, seconds)] += 1
        self.seconds += seconds

    def text(self, connections: int, waiting: int) -> str:
        lines = [
            "# HELP payby_notifications_total Requests to the notification path, by what became of them.",
            "# TYPE payby_notifications_total counter",
            *(f'payby_notifications_total{{outcome="{o}"}} {n}' for o, n in sorted(self.outcomes.items())),
            "# HELP payby_notification_seconds From a genuine notification's arrival to its answer.",
            "# TYPE payby_notification_seconds histogram",
        ]
        total = 0
        for bound, count in zip((*BUCKETS_S, "+Inf"), self.buckets, strict=True):
            total += count
            lines.append(f'payby_notification_seconds_bucket{{le="{bound}"}} {total}')
        lines += [
            f"payby_notification_seconds_sum {self.seconds:.6f}",
            f"payby_notification_seconds_count {total}",
            "# HELP payby_listener_connections Open connections.",
            "# TYPE payby_listener_connections gauge",
            f"payby_listener_connections {connections}",
            "# HELP payby_listener_waiting Notifications that wait for their receipt, copies included.",
            "# TYPE payby_listener_waiting gauge",
            f"payby_listener_waiting {waiting}",
        ]
        return "\n".join(lines) + "\n"
