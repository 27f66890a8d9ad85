"""The garage in figures for Prometheus: each step of a visit, what came of everything, and how everybody is.

They are made of what the console hears, so they concern the whole garage, and cost its other roles nothing. Labels have
words of the contract alone; what is none of them counts as ``other``, and so does a lane beyond those that are watched.
"""

from collections.abc import Callable, Iterable
from typing import get_args

from prometheus_client import CollectorRegistry, Counter, Histogram, disable_created_metrics
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from terminal.contract.alerts import ALERTS
from terminal.contract.messages import RefusalReason
from terminal.contract.topics import GARAGE_WIDE
from terminal.core import money
from terminal.core.model import HelpReason, LiftOutcome, OrderStatus, RefundStage, ScreenState
from terminal.monitor.garage import GarageMonitor, Observation
from terminal.monitor.roles import RoleState, RoleStatus
from terminal.monitor.steps import VisitSteps

BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
ORDERS_MOST = 4_096
"""Orders and refunds whose outcome is remembered, so that each counts once."""
OTHER = "other"
_FEES = ("due", "free", "lost", "number", "refused")
_STATUSES = tuple(status for status in get_args(OrderStatus) if status != "none")
_SEVERITIES = ("critical", "warning", "info")


class GarageMetrics:
    """``roles`` and ``away_ms`` (how long the broker has been away) are asked at every scrape."""

    def __init__(
        self, monitor: GarageMonitor, roles: Callable[[], Iterable[RoleStatus]], away_ms: Callable[[], int]
    ) -> None:
        disable_created_metrics()
        self._monitor = monitor
        self._steps = VisitSteps()
        self._counted: dict[tuple[str, str], None] = {}
        self.registry = registry = CollectorRegistry()
        self._step_s = Histogram(
            "exit_terminal_step_seconds",
            "A step of a visit, by the times of its messages.",
            ["lane", "step"],
            buckets=BUCKETS_S,
            registry=registry,
        )

        def counter(name: str, meaning: str, *labels: str) -> Counter:
            return Counter(f"exit_terminal_{name}", meaning, labels, registry=registry)

        self._fees = counter("tickets", "Tickets that were read, by what is due.", "lane", "reason")
        self._refused = counter("tickets_refused", "Tickets that were refused, by the reason.", "lane", "why")
        self._orders = counter("orders", "PayBy orders, by what came of them.", "lane", "status")
        self._taken = counter("takings_fils", "What drivers paid, in fils.", "lane")
        self._lifts = counter("lift_answers", "The barrier's answers to lifts.", "lane", "outcome", "why")
        self._raises = counter("raises", "Raises of the boom, by who opened it.", "lane", "by")
        self._helps = counter("helps", "Visits that needed a person, by the reason.", "lane", "reason")
        self._refunds = counter("refunds", "Refunds, by how far they came.", "status")
        self._given_back = counter("given_back_fils", "What went back to drivers, in fils.")
        self._alerts = counter("alerts", "Alerts that were raised.", "lane", "code", "severity")
        registry.register(_Now(monitor, roles, away_ms))

    def take(self, seen: Observation) -> None:
        """Count a message; what the broker had kept tells nothing new."""
        if seen.retained:
            return
        lane = seen.lane if seen.lane == GARAGE_WIDE or seen.lane in self._monitor.lanes else OTHER
        for step in self._steps.take(seen.kind, lane, seen.data):
            self._step_s.labels(lane, step.name).observe(step.ms / 1000)
        if not seen.is_news:
            return
        match seen.kind:
            case "fee":
                self._fee(seen, lane)
            case "order":
                self._order(seen, lane)
            case "screen" if seen.data.get("state") == "help":
                self._helps.labels(lane, _word(seen.data.get("reason"), get_args(HelpReason))).inc()
            case "barrier":
                self._barrier(seen, lane)
            case "refund":
                self._refund(seen)
            case "alert" if seen.data.get("state") == "raised":
                code, severity = seen.data.get("code"), seen.data.get("severity")
                self._alerts.labels(lane, _word(code, ALERTS), _word(severity, _SEVERITIES)).inc()

    def page(self, accept: str) -> tuple[bytes, str]:
        """All metrics in the format that the Accept header asks for, and that format's content type."""
        encode, content_type = choose_encoder(accept)
        return encode(self.registry), content_type

    def _fee(self, seen: Observation, lane: str) -> None:
        if not self._first("fee", str(seen.data.get("id"))):
            return
        reason = _word(seen.data.get("reason"), _FEES)
        self._fees.labels(lane, reason).inc()
        if reason == "refused":
            self._refused.labels(lane, _word(seen.data.get("why"), get_args(HelpReason))).inc()

    def _order(self, seen: Observation, lane: str) -> None:
        status = seen.data.get("status")
        if status in _STATUSES and self._first(f"order {status}", seen.order_no):
            self._orders.labels(lane, status).inc()
            if status == "paid":
                self._taken.labels(lane).inc(_fils(seen.data.get("amount")))

    def _barrier(self, seen: Observation, lane: str) -> None:
        if seen.opened:
            self._raises.labels(lane, seen.opened.by).inc()
        answer = seen.data.get("answer")
        if isinstance(answer, dict) and self._first(f"answer {answer.get('outcome')}", str(answer.get("lift"))):
            why = "" if answer.get("why") is None else _word(answer["why"], get_args(RefusalReason))
            self._lifts.labels(lane, _word(answer.get("outcome"), get_args(LiftOutcome)), why).inc()

    def _refund(self, seen: Observation) -> None:
        status = seen.data.get("status")
        if status not in get_args(RefundStage) or not self._first(f"refund {status}", str(seen.data.get("refund_no"))):
            return
        self._refunds.labels(status).inc()
        if status in ("settled", "success") and self._first("given back", str(seen.data.get("refund_no"))):
            self._given_back.inc(_fils(seen.data.get("amount")))

    def _first(self, what: str, key: str) -> bool:
        """Is it the first time? A sender repeats until it is answered."""
        if (what, key) in self._counted:
            return False
        self._counted[what, key] = None
        if len(self._counted) > ORDERS_MOST:
            del self._counted[next(iter(self._counted))]
        return True


class _Now(Collector):
    """How everything is at the moment of a scrape."""

    def __init__(
        self, monitor: GarageMonitor, roles: Callable[[], Iterable[RoleStatus]], away_ms: Callable[[], int]
    ) -> None:
        self._monitor, self._roles, self._away_ms = monitor, roles, away_ms

    def collect(self) -> Iterable[Metric]:
        """prometheus_client's: the gauges."""
        away_s = self._away_ms() / 1000
        yield GaugeMetricFamily(
            "exit_terminal_broker_away_seconds", "How long the broker has been away; 0: it is there.", value=away_s
        )
        roles = GaugeMetricFamily(
            "exit_terminal_role_state", "1 for the state that a role has now.", labels=["lane", "role", "state"]
        )
        for role in self._roles():
            for state in get_args(RoleState):
                roles.add_metric([role.lane, role.role, state], float(role.state == state))
        yield roles
        raised = GaugeMetricFamily("exit_terminal_alerts_raised", "Alerts that are raised now.", labels=["severity"])
        counts = dict.fromkeys(_SEVERITIES, 0)
        for there in self._monitor.raised():
            counts[there.alert.severity] += 1
        for severity, count in counts.items():
            raised.add_metric([severity], count)
        yield raised
        screens = GaugeMetricFamily(
            "exit_terminal_screen", "1 for the state that a lane's screen shows now.", labels=["lane", "state"]
        )
        for name, lane in sorted(self._monitor.lanes.items()):
            shown = lane.screen.text("state") if lane.screen else ""
            for screen in get_args(ScreenState):
                screens.add_metric([name, screen], float(shown == screen))
        yield screens


def _word(value: object, known: Iterable[str]) -> str:
    """A label's value: one of the contract's words."""
    return value if isinstance(value, str) and value in known else OTHER


def _fils(text: object) -> int:
    try:
        return money.parse(text) if isinstance(text, str) else 0
    except ValueError:
        return 0
