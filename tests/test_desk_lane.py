"""deploy/raspberry-pi.md: a lane on a desk, by the page's own commands on other ports; the drawing."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image

from terminal.screen import qr
from tests.support.eventually import soon
from tests.support.leash import LEASH
from tests.support.ports import free_port
from tests.support.wiring_drawing import FILE, drawing, pins

TREE = Path(__file__).parents[1]
PAGE = (TREE / "deploy/raspberry-pi.md").read_text(encoding="utf-8")
CHAPTER = PAGE.partition("\n## 5. ")[2].partition("\n## ")[0]
MAKE, TALK, PAY = (block.strip().splitlines() for block in re.findall(r"```sh\n(.*?)```", CHAPTER, re.DOTALL))
PATIENCE_S = 30.0


@contextmanager
def started(words: str, folder: Path, env: dict[str, str], log: Path) -> Iterator["subprocess.Popen[str]"]:
    """A command that goes on until the block ends; what it says goes to ``log``."""
    with log.open("w") as out:
        process = subprocess.Popen(
            [*LEASH, "sh", "-c", f"exec {words}"],
            cwd=folder,
            env=env,
            stdin=subprocess.PIPE,
            stdout=out,
            stderr=out,
            text=True,
        )
    try:
        yield process
    finally:
        assert process.stdin
        process.stdin.close()
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=PATIENCE_S)


def test_the_page_s_commands_let_a_paid_car_out_of_a_lane_without_hardware(tmp_path: Path) -> None:
    sandbox = free_port()
    program = tmp_path / ".venv/bin/exit-terminal"
    program.parent.mkdir(parents=True)
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m terminal "$@"\n')
    program.chmod(0o755)
    ports = {name: str(free_port()) for name in ("BROKER_PORT", "LISTENER_PORT", "CONSOLE_PORT")}
    env = {**os.environ, "PYTHONPATH": str(TREE), **{f"EXIT_TERMINAL_{key}": port for key, port in ports.items()}}
    env |= {
        "EXIT_TERMINAL_MQTT_URL": f"mqtt://127.0.0.1:{ports['BROKER_PORT']}",
        "EXIT_TERMINAL_PAYBY_BASE_URL": f"http://127.0.0.1:{sandbox}/sgs/api",
        "EXIT_TERMINAL_BARRIER_RISE_TIME": "0.1",
        "EXIT_TERMINAL_BARRIER_CLOSE_TIME": "0.5",
    }

    def run(command: str) -> str:
        ended = subprocess.run(
            ["sh", "-c", command.replace("8090", str(sandbox))], cwd=tmp_path, env=env, capture_output=True, text=True,
            stdin=subprocess.DEVNULL, check=False, timeout=PATIENCE_S,
        )  # fmt: skip
        assert ended.returncode == 0, f"{command}\n{ended.stdout}{ended.stderr}"
        return ended.stdout

    init, serve = MAKE
    ticket, lane = TALK
    run(init)
    log, said = tmp_path / "sandbox.log", tmp_path / "lane.log"
    with started(f"{serve} --port {sandbox}", tmp_path, env, log):
        soon(lambda: "payby_public_key" in log.read_text(), limit_s=PATIENCE_S)
        text = run(ticket).splitlines()[-1]
        with started(lane, tmp_path, env, said) as process:
            soon(lambda: "ready: version" in said.read_text(), limit_s=PATIENCE_S)
            assert process.stdin
            process.stdin.write(f"{text}\n")
            process.stdin.flush()
            latest = tmp_path / "desk/screens/latest.png"

            def code() -> bool:
                with Image.open(latest) as image:
                    return bool(qr.decode(image.convert("RGB")))

            soon(lambda: latest.exists() and code(), limit_s=PATIENCE_S)
            run("\n".join(PAY))
            soon(lambda: "visit at exit-1 left" in said.read_text(), limit_s=PATIENCE_S)


def test_the_drawing_is_the_one_that_its_maker_draws_and_has_the_example_s_pins() -> None:
    assert FILE.read_text(encoding="utf-8") == drawing(), "run: python -m tests.support.wiring_drawing"
    for key in ("raise_pin", "waiting_pin", "boom_pin", "up_pin", "down_pin"):
        assert f">GPIO {pins()[key]} (pin " in drawing()


def test_the_boot_configuration_has_the_example_s_pins() -> None:
    block = PAGE.partition("\n## 2. ")[2].partition("```\n")[2].partition("```")[0]
    outputs, inputs = re.findall(r"^gpio=([\d,]+)=", block, re.MULTILINE)
    assert outputs == str(pins()["raise_pin"])
    assert {int(pin) for pin in inputs.split(",")} == {
        pins()[key] for key in ("waiting_pin", "boom_pin", "up_pin", "down_pin")
    }
    assert pins()["raise_pin"] > 8, "GPIO 0 to 8 are pulled up until the firmware reads that line"
