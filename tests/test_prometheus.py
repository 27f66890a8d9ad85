"""What Prometheus gets, by its own tool; and the shipped rules and dashboard, against what the product really says."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families

from broker.embedded import EmbeddedBroker
from terminal.clock import SystemClock, new_id
from terminal.contract.messages import stamp
from terminal.monitor.garage import GarageMonitor
from terminal.roles.console.metrics import GarageMetrics
from terminal.roles.listener.metrics import Metrics
from tests.support.console_desk import open_desk
from tests.support.eventually import eventually
from tests.support.visit_steps import ORDER, T0, WHOLE, visit

SHIPPED = Path(__file__).parents[1] / "deploy" / "prometheus"
CLOCK = SystemClock()
SESSION = "0190d3f0-7c1e-7a52-9d2f-0123456789ab"


def promtool(*words: str, given: str = "") -> str:
    assert shutil.which("promtool"), "deploy/packages test installs it"
    ended = subprocess.run(
        ["promtool", *words], input=given, capture_output=True, text=True, check=False, cwd=SHIPPED, timeout=60
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout + ended.stderr


class Told:
    """A garage's metrics, fed as the console feeds them."""

    def __init__(self) -> None:
        self.monitor = GarageMonitor("marina", CLOCK)
        self.metrics = GarageMetrics(self.monitor, self.monitor.roles, lambda: 1_500)

    def say(self, what: str, lane: str = "exit-1", *, retained: bool = False, at_ms: int = T0, **fields: Any) -> None:
        payload = {"v": 1, "id": new_id(CLOCK), "at": stamp(at_ms), **fields}
        seen = self.monitor.take(f"parking/marina/{lane}/{what}", json.dumps(payload).encode(), retained=retained)
        if seen:
            self.metrics.take(seen)

    def page(self) -> str:
        return self.metrics.page("")[0].decode()

    def value(self, name: str, **labels: str) -> float | None:
        return self.metrics.registry.get_sample_value(name, labels)


def busy() -> Told:
    """A garage in which everything has happened once."""
    told = Told()
    told.say("barrier", state="down")
    for at, kind, data in visit():
        told.say(kind, at_ms=T0 + at, **data)
    told.say("order", status="created", order_no=ORDER, amount="20.00", currency="AED", session=SESSION)
    for _ in range(2):  # said again after a connect
        told.say("order", status="paid", order_no=ORDER, amount="20.00", currency="AED", session=SESSION)
    told.say("fee", reason="refused", ticket="x", why="ticket-used")
    told.say("fee", reason="refused", ticket="x", why="a new word")
    told.say("barrier", state="down", answer={"lift": "l2", "outcome": "refused", "why": "car"})
    told.say("screen", state="help", reason="barrier", help_code="7KQ2M")
    for status in ("asked", "settled", "success"):
        told.say("refund", order_no=ORDER, refund_no="R1", status=status, amount="12.50", currency="AED")
    told.say("alert", severity="critical", code="arm", state="raised", text="it does not rise")
    raised = {"code": "arm", "severity": "critical", "text": "it does not rise", "since": stamp(T0)}
    told.say("alerts/barrier", raised=[raised])
    now = CLOCK.wall_ms()
    told.say("health/lcd", at_ms=now, state="online", version="1", instance="i1", since=stamp(now))
    told.say("health/worker", "garage", state="offline", version="1", instance="i2", since=stamp(now))
    return told


def test_each_step_is_a_histogram_and_each_outcome_a_counter() -> None:
    told, lane = busy(), {"lane": "exit-1"}
    for step, ms in WHOLE.items():
        assert told.value("exit_terminal_step_seconds_count", **lane, step=step) == 1
        assert told.value("exit_terminal_step_seconds_sum", **lane, step=step) == pytest.approx(ms / 1000)
    assert told.value("exit_terminal_tickets_total", **lane, reason="due") == 1
    assert told.value("exit_terminal_tickets_total", **lane, reason="refused") == 2
    assert told.value("exit_terminal_tickets_refused_total", **lane, why="ticket-used") == 1
    assert told.value("exit_terminal_tickets_refused_total", **lane, why="other") == 1
    assert told.value("exit_terminal_orders_total", **lane, status="paid") == 1
    assert told.value("exit_terminal_takings_fils_total", **lane) == 2_000
    assert told.value("exit_terminal_lift_answers_total", **lane, outcome="raised", why="") == 1
    assert told.value("exit_terminal_lift_answers_total", **lane, outcome="refused", why="car") == 1
    assert told.value("exit_terminal_raises_total", **lane, by="paid") == 1
    assert told.value("exit_terminal_helps_total", **lane, reason="barrier") == 1
    assert told.value("exit_terminal_refunds_total", status="success") == 1
    assert told.value("exit_terminal_given_back_fils_total") == 1_250
    assert told.value("exit_terminal_alerts_total", **lane, code="arm", severity="critical") == 1


def test_health_is_a_gauge() -> None:
    told = busy()
    assert told.value("exit_terminal_broker_away_seconds") == 1.5
    assert told.value("exit_terminal_role_state", lane="exit-1", role="lcd", state="online") == 1
    assert told.value("exit_terminal_role_state", lane="garage", role="worker", state="offline") == 1
    assert told.value("exit_terminal_role_state", lane="garage", role="worker", state="online") == 0
    assert told.value("exit_terminal_alerts_raised", severity="critical") == 1
    assert told.value("exit_terminal_screen", lane="exit-1", state="help") == 1


def test_what_the_broker_kept_is_no_event() -> None:
    told = Told()
    told.say("order", retained=True, status="paid", order_no=ORDER, amount="20.00", currency="AED")
    told.say("screen", retained=True, state="help", reason="barrier")
    assert "exit_terminal_orders_total{" not in told.page()
    assert "exit_terminal_helps_total{" not in told.page()


def test_strangers_words_make_no_series_of_their_own() -> None:
    told = Told()
    for number in range(300):
        told.say("alert", severity="warning", code=f"c{number}", state="raised", text="x")
        told.say("fee", reason=f"r{number}", ticket="x")
        told.say("screen", state="help", reason=f"w{number}")
    assert told.value("exit_terminal_alerts_total", lane="exit-1", code="other", severity="warning") == 300
    assert len(told.page().splitlines()) < 120


def test_promtool_finds_nothing_wrong_with_either_page() -> None:
    listener = Metrics(lambda: 1, lambda: 0, lambda: True)
    listener.count("success")
    listener.observe(0.1)
    listener.observe_delay(0.4)
    for page in (busy().page(), listener.page("")[0].decode()):
        assert promtool("check", "metrics", given=page).strip() == ""


def test_promtool_takes_the_configuration_and_the_rules_and_their_story_holds() -> None:
    assert "SUCCESS" in promtool("check", "config", "--syntax-only", "prometheus.yml")
    assert "SUCCESS: 10 rules found" in promtool("check", "rules", "rules.yml")
    assert "SUCCESS" in promtool("test", "rules", "rules_test.yml")


# -- what is shipped asks for what there is -------------------------------------------------------------------------


def series() -> dict[str, set[str]]:
    """Each series that the product has, with its labels."""
    listener = Metrics(lambda: 1, lambda: 0, lambda: True)
    listener.count("success")
    found: dict[str, set[str]] = {"up": {"job", "instance"}}
    for page in (busy().page(), listener.page("")[0].decode()):
        for family in text_string_to_metric_families(page):
            for sample in family.samples:
                found.setdefault(sample.name, set()).update(sample.labels)
    return found


DASHBOARD = json.loads((SHIPPED / "dashboard.json").read_text(encoding="utf-8"))
QUERIES = [target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]]
_SELECTOR = re.compile(r"\b((?:exit_terminal|payby)_\w+|up)(?:\{([^}]*)\})?")


def asked(expression: str) -> list[tuple[str, list[str]]]:
    found = _SELECTOR.findall(expression)
    return [(name, re.findall(r"(\w+)\s*[=!]", selector)) for name, selector in found]


@pytest.mark.parametrize("expression", [*QUERIES, (SHIPPED / "rules.yml").read_text().replace("exit-terminal", "")])
def test_every_query_is_about_a_series_with_such_labels(expression: str) -> None:
    known, names = series(), asked(expression)
    assert names, expression
    for name, labels in names:
        assert name in known, name
        assert set(labels) <= known[name], (name, labels)
    for by in re.findall(r"\bby \(([^)]*)\)", expression):
        labels = {label.strip() for label in by.split(",")}
        assert labels <= set().union(*(known[name] for name, _ in names)), expression


def test_the_dashboard_s_queries_are_promql(tmp_path: Path) -> None:
    rules = [
        {"record": f"dashboard:{number}", "expr": re.sub(r"\$__rate_interval", "5m", expression).replace("$lane", ".*")}
        for number, expression in enumerate(QUERIES)
    ]
    (tmp_path / "queries.yml").write_text(json.dumps({"groups": [{"name": "dashboard", "rules": rules}]}))
    assert f"SUCCESS: {len(QUERIES)} rules found" in promtool("check", "rules", str(tmp_path / "queries.yml"))


def test_the_dashboard_can_be_imported() -> None:
    """As Grafana's own schema has it: ids are unique, panels lie in 24 columns and on no other, and each names the
    variable of its data source."""
    panels = DASHBOARD["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels) > 15
    assert DASHBOARD["uid"] and DASHBOARD["title"] and DASHBOARD["schemaVersion"] >= 36
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert at["x"] + at["w"] <= 24 and not cells & taken, panel["title"]
        taken |= cells
        assert panel["type"] in ("stat", "timeseries", "state-timeline")
        assert panel["datasource"] == {"type": "prometheus", "uid": "${source}"}
        assert [target["refId"] for target in panel["targets"]] == ["A", "B", "C"][: len(panel["targets"])]
    variables = {one["name"]: one["type"] for one in DASHBOARD["templating"]["list"]}
    assert variables == {"source": "datasource", "lane": "query"}


# -- the desk's own page --------------------------------------------------------------------------------------------


async def scraped(port: int, **headers: str) -> tuple[int, str]:
    async with aiohttp.ClientSession() as http, http.get(f"http://127.0.0.1:{port}/metrics", headers=headers) as answer:
        return answer.status, await answer.text()


async def test_the_desk_tells_this_machine_and_nobody_whom_a_proxy_passes_on(
    embedded: EmbeddedBroker, tmp_path: Path
) -> None:
    async with open_desk(embedded, tmp_path / "console") as rig:
        await rig.say("order", status="paid", order_no=ORDER, amount="20.00", currency="AED", session=SESSION)

        async def counted() -> bool:
            status, text = await scraped(rig.role.port)
            return status == 200 and 'exit_terminal_takings_fils_total{lane="exit-1"} 2000.0' in text

        await eventually(counted, every_s=0.05)
        _, text = await scraped(rig.role.port)
        assert 'exit_terminal_role_state{lane="garage",role="console",state="online"} 1.0' in text
        for header in ("X-Forwarded-For", "Forwarded", "X-Real-IP", "Via"):
            assert (await scraped(rig.role.port, **{header: "192.0.2.1"}))[0] == 404


async def test_with_a_token_only_whoever_has_it_may_read(embedded: EmbeddedBroker, tmp_path: Path) -> None:
    async with open_desk(embedded, tmp_path / "console", metrics_token=b"s3cret") as rig:
        assert (await scraped(rig.role.port))[0] == 404
        assert (await scraped(rig.role.port, Authorization="Bearer wrong"))[0] == 404
        status, text = await scraped(rig.role.port, Authorization="Bearer s3cret", **{"X-Forwarded-For": "192.0.2.1"})
        assert status == 200 and "s3cret" not in text
