"""The shipped dashboard, on what a real Prometheus scrapes of a real garage by the shipped configuration: each panel's
query must come to figures. And the whole file, by Grafana's own types of a dashboard, in an environment of its own.

Grafana itself is in no registry that this project uses.
"""

import asyncio
import json
import math
import re
import shutil
import signal
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

from tests.conftest import Mosquitto
from tests.support.console_desk import write_users
from tests.support.eventually import eventually
from tests.support.garage import Garage
from tests.support.leash import LEASH, bring_down
from tests.support.leaving import leaves
from tests.support.ports import free_port, listens
from tests.support.refunding import Spoken, with_console

ROOT = Path(__file__).parents[2]
SHIPPED = ROOT / "deploy" / "prometheus"
PYTHON = ROOT / ".venv" / "grafana" / "bin" / "python"
DASHBOARD = json.loads((SHIPPED / "dashboard.json").read_text(encoding="utf-8"))
QUERIES = {
    (panel["title"], target["refId"]): target["expr"].replace("$__rate_interval", "1m").replace("$lane", ".*")
    for panel in DASHBOARD["panels"]
    for target in panel["targets"]
}
LIMIT_S = 60.0


@asynccontextmanager
async def prometheus(folder: Path, desk: int, listener: int) -> AsyncIterator[str]:
    """A real one, by the shipped configuration and rules but for the ports and its pace; where its API is."""
    assert shutil.which("prometheus"), "deploy/packages test installs it"
    folder.mkdir()
    shutil.copy(SHIPPED / "rules.yml", folder)
    text = (SHIPPED / "prometheus.yml").read_text(encoding="utf-8")
    for shipped, own in (("127.0.0.1:8081", desk), ("127.0.0.1:8080", listener)):
        assert shipped in text
        text = text.replace(shipped, f"127.0.0.1:{own}")
    (folder / "prometheus.yml").write_text(text.replace("scrape_interval: 15s", "scrape_interval: 1s"))
    words = [f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data"]
    words.append(f"--web.listen-address=127.0.0.1:{(port := free_port())}")
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([*LEASH, "prometheus", *words], stdout=log, stderr=log)
    try:
        await asyncio.to_thread(listens, process, port, folder / "log", limit_s=LIMIT_S)
        yield f"http://127.0.0.1:{port}/api/v1"
    finally:
        bring_down(process, signal.SIGTERM)


class Panels:
    """``open`` are the queries that have come to no figure yet."""

    def __init__(self, api: str, http: aiohttp.ClientSession) -> None:
        self._api, self._http = api, http
        self.open = dict(QUERIES)

    async def asked(self, expression: str) -> list[float]:
        """What a query comes to now: a figure for each series."""
        async with self._http.get(f"{self._api}/query", params={"query": expression}) as answer:
            said = await answer.json()
        assert said["status"] == "success", said
        return [float(series["value"][1]) for series in said["data"]["result"]]

    async def come(self, *but: str) -> bool:
        """Do all come to figures but those of these panels, now or before?"""
        for name, expression in list(self.open.items()):
            if any(math.isfinite(figure) for figure in await self.asked(expression)):
                del self.open[name]
        return {title for title, _ in self.open} <= set(but)

    async def all_come(self, *but: str) -> None:
        """Wait for it; raises AssertionError with those that do not."""
        try:
            await eventually(lambda: self.come(*but), limit_s=LIMIT_S, every_s=0.5)
        except TimeoutError:
            raise AssertionError(f"no figures: {self.open}") from None


async def is_paid_and_leaves(garage: Garage) -> dict[str, Any]:
    mark = garage.scan(garage.ticket())
    order = await garage.order(since=mark)
    await garage.code_on_glass(order["token_url"])
    await garage.sandbox.pay(order["token_url"])
    await leaves(garage, mark)
    await garage.heard.until("screen", since=mark, state="idle")
    return order


async def test_each_panel_has_figures_after_some_visits(tmp_path: Path, mosquitto: Mosquitto) -> None:
    async with Garage(tmp_path, mosquitto.url) as garage, aiohttp.ClientSession() as http:
        settings = with_console(garage, f"port = {(desk := free_port())}\n")
        write_users(tmp_path / "console")
        await garage.start("worker", "listener", "barrier", "lcd", "reader", "console")
        listener = int(re.findall(r":(\d+)/", garage.notify_url)[0])
        async with prometheus(tmp_path / "prometheus", desk, listener) as api:
            panels = Panels(api, http)
            takings = QUERIES["Takings, last 24 h", "A"]
            await is_paid_and_leaves(garage)
            await eventually(lambda: panels.asked(takings), limit_s=LIMIT_S, every_s=0.5)  # its series is there
            order = await is_paid_and_leaves(garage)
            mark = garage.scan("rubbish")
            await garage.heard.until("screen", since=mark, state="help")
            assert await Spoken().give_back(settings, amount="5", order=order["order_no"]) == 0
            away = "Roles that are not online"
            await panels.all_come(away)
            assert {title for title, _ in panels.open} <= {away}
            await garage.running.pop("lcd").kill(signal.SIGTERM)
            await panels.all_come()
            assert 0 < (await panels.asked(takings))[0] <= 100
            label = DASHBOARD["templating"]["list"][1]["query"]["query"]
            series, name = re.findall(r"label_values\((\w+), (\w+)\)", label)[0]
            async with http.get(f"{api}/label/{name}/values", params={"match[]": series}) as answer:
                assert (await answer.json())["data"] == ["exit-1"]


def test_the_dashboard_is_one_by_grafana_s_own_types() -> None:
    assert PYTHON.exists(), "make integrations installs it"
    words = [str(PYTHON), str(Path(__file__).with_name("grafana_types.py")), str(SHIPPED / "dashboard.json")]
    ended = subprocess.run(words, capture_output=True, text=True, check=False, timeout=90)
    assert (ended.returncode, ended.stdout) == (0, "[]\n"), ended.stderr
