"""The install page's chapter about a larger garage: its commands, as they stand there and nothing else, make a server
and a lane on two machines that meet over TLS and let a paid car out."""

import json
import re
from pathlib import Path

import pytest
from PIL import Image

from terminal.screen import qr
from tests.support.eventually import soon
from tests.support.separate_machine import FOLDER, PROGRAM, SeparateMachine, cable, possible

PAGE = (Path(__file__).parents[1] / "deploy/install.md").read_text(encoding="utf-8")
CHAPTER = PAGE.partition("\n## 4. ")[2].partition("\n## ")[0]
SERVER, LANE_FILE, LANE, RULES = (
    block.strip().splitlines() for block in re.findall(r"```sh\n(.*?)```", CHAPTER, re.DOTALL)
)
HARDLY = {"clock"}
"""Nobody keeps this machine's clock."""
RUN = f"{PROGRAM} --config {FOLDER}/exit-terminal.toml run"
QUICK = "env EXIT_TERMINAL_BARRIER_RISE_TIME=0.1 EXIT_TERMINAL_BARRIER_CLOSE_TIME=0.5 "
"""An arm that is quicker than a real one."""

pytestmark = pytest.mark.skipif(not possible(), reason="namespaces, Mosquitto and ip are needed here, and root")


def failed(found: dict[str, tuple[str, str]]) -> dict[str, str]:
    return {name: said for name, (outcome, said) in found.items() if outcome == "failed" and name not in HARDLY}


def asked(machine: SeparateMachine, path: str, **fields: str) -> None:
    """Tell the sandbox on that machine something."""
    command = (
        "/opt/exit-terminal/.venv/bin/python -c 'import sys, urllib.request as r; r.urlopen(r.Request(sys.argv[1],"
        f' sys.argv[2].encode(), {{"Content-Type": "application/json"}}))\' http://127.0.0.1:8090/sandbox/{path}'
    )
    machine.run(f"{command} '{json.dumps(fields)}'")


def test_the_page_s_commands_end_in_a_server_and_a_lane_that_let_a_paid_car_out_over_tls(tmp_path: Path) -> None:
    hosts = {"garage-server": "10.77.0.1"}
    with SeparateMachine(tmp_path / "a", hosts) as server, SeparateMachine(tmp_path / "b", hosts) as lane:
        cable(server, lane, ("10.77.0.1", "10.77.0.2"))
        for command in SERVER:  # what a person answers, and PayBy's sandbox in PayBy's place
            server.run(command.replace("--shape server", "--shape server --payby sandbox --garage marina"))
        sandbox = f"sandbox --folder {FOLDER}/sandbox --merchant-key {FOLDER}/upload/merchant.pub.pem"
        server.start(f"{PROGRAM} {sandbox}", tmp_path / "sandbox.log")
        server.says(tmp_path / "sandbox.log", "payby_public_key")
        for command in LANE_FILE:
            server.run(command.replace("--lane exit-2", "--lane exit-2 --reader stdin --panel png --pins mock"))
        carried = server.path(f"{FOLDER}/lanes/exit-2.tar").read_bytes()
        lane.path("/opt/exit-terminal/exit-2.tar").write_bytes(carried)
        for command in LANE:
            lane.run(command)
        for machine in (server, lane):
            found = machine.checked()
            assert failed(found) == {}, found
            assert found["broker"][0] == "proved"
        server.start(RUN, tmp_path / "server.log")
        server.says(tmp_path / "server.log", "ready: version")
        at_lane = lane.start(QUICK + RUN, tmp_path / "lane.log")
        lane.says(tmp_path / "lane.log", "ready: version")
        ticket = server.run(f"{PROGRAM} --config {FOLDER}/exit-terminal.toml ticket --text").splitlines()[-1]
        assert at_lane.stdin
        at_lane.stdin.write(f"{ticket}\n")
        at_lane.stdin.flush()
        shown: list[str] = []

        def code() -> bool:
            latest = lane.path(f"{FOLDER}/screens/latest.png")
            if latest.exists():
                with Image.open(latest) as image:
                    shown[:] = filter(None, [qr.decode(image.convert("RGB"))])
            return bool(shown)

        soon(code)
        asked(server, "pay", ref=shown[0])
        server.says(tmp_path / "server.log", "visit at exit-2 left")
        assert lane.checked()["broker"][0] == "unproven", "a lane at work is not thrown off"


def test_the_page_s_other_command_prints_the_rules() -> None:
    assert RULES == [".venv/bin/python -m terminal.contract.access marina exit-1 exit-2    # garage, lanes"]
