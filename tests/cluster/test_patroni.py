"""Patroni and etcd of Debian's, as deploy/cluster/garage.md sets them up, and what `check` says of them."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from tempfile import mkdtemp

import pytest

from terminal.config.load import parse
from terminal.tools.check.finding import Finding
from terminal.tools.check.patroni import patroni
from tests.cluster.patroni_cluster import NAMES, PAGE, PatroniCluster
from tests.support.installation import machine
from tests.support.page_blocks import CLUSTER, blocks

pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def servers() -> Iterator[PatroniCluster]:
    made = PatroniCluster(Path(mkdtemp(prefix="patroni-")))
    try:
        made.start()
        yield made
    finally:
        made.stop()
        made.remove()


async def judged(servers: PatroniCluster, folder: Path) -> list[Finding]:
    authority = servers.folder / "db-ca.crt"
    urls = json.dumps([servers.url(name) for name in NAMES])
    journal = f'[journal]\nurl = "postgresql://db/marina?sslrootcert={authority}"\npatroni = {urls}\n'
    text = f'[garage]\nid = "marina"\n{journal}'
    return [finding async for finding in patroni(parse(text, folder / "exit-terminal.toml"), machine(folder))]


def line_with(words: str) -> str:
    [found] = [line.strip() for block in blocks(PAGE, "sh") for line in block.splitlines() if words in line]
    return found


async def test_the_page_s_cluster_is_strict_and_an_old_patroni_is_refused(
    servers: PatroniCluster, tmp_path: Path
) -> None:
    said = servers.control(line_with("--validate-config"))
    running, only_of_3_0 = "is already in use", "bootstrap.pg_hba  is not defined."
    complaints = [line for line in said.partition(" ")[2].splitlines() if line and running not in line]
    assert complaints in ([], [only_of_3_0]), said
    listed = servers.control(line_with("patroni.yml list"))
    assert listed.startswith("0 ") and "Leader" in listed and "Sync Standby" in listed
    found = await judged(servers, tmp_path)
    old = "Patroni 3.0.2" in found[0].text
    assert [finding.ok for finding in found] == [not old] * 3 + [True, True], found
    assert not old or "can lose rows" in found[0].text
    assert "strictly synchronous" in found[3].text and "1 leader and 1 synchronous" in found[4].text
    switched = servers.control(line_with("switchover"))
    assert switched.startswith("0 "), switched
    servers.until("b", "leader")
    servers.until("ac", "sync_standby")
    assert [finding.ok for finding in await judged(servers, tmp_path)] == [not old] * 3 + [True, True]
    servers.kill("b")
    servers.until("ac", "leader")
    servers.until("ac", "sync_standby")
    found = await judged(servers, tmp_path)
    assert [finding.ok for finding in found] == [not old, False, not old, True, True], (
        "it goes on, without the dead one"
    )
    assert "does not answer" in found[1].text
    relaxed = servers.control(
        "patronictl -c /etc/patroni/patroni.yml edit-config --set synchronous_mode_strict=false --force"
    )
    assert relaxed.startswith("0 "), relaxed
    found = await judged(servers, tmp_path)
    assert not found[3].ok and "synchronous_mode_strict is not on" in found[3].text


def test_keepalived_takes_its_configuration() -> None:
    words = ["keepalived", "-t", "-f", str(CLUSTER / "keepalived.conf")]
    ended = subprocess.run(words, capture_output=True, text=True, check=False, timeout=30)
    assert ended.returncode == 0, ended.stdout + ended.stderr
