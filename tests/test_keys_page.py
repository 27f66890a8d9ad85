"""deploy/keys.md, step by step: its commands and its parts of the configuration, as they stand there, with a driver in
front of the code at each step."""

import contextlib
import re
import shlex
import signal
import subprocess
import sys
import textwrap
import tomllib
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from terminal.core.ticket import read_form
from terminal.payby.sandbox.command import key_pair
from terminal.payby.signing import load_private_key
from tests.conftest import Mosquitto
from tests.support.eventually import soon
from tests.support.garage import EMBEDDED, Garage
from tests.support.leaving import leaves
from tests.support.separate_machine import FOLDER, PROGRAM, SeparateMachine, cable, possible

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "deploy/keys.md").read_text(encoding="utf-8")


@dataclass(frozen=True)
class Step:
    """A block of the page: ``sh``, whose lines are commands, or ``toml``."""

    kind: str
    text: str


def steps(title: str) -> list[Step]:
    """The blocks of a chapter, in their order."""
    chapter = PAGE.partition(f"\n## {title}\n")[2].partition("\n## ")[0]
    found = re.findall(r"^ *```(sh|toml)\n(.*?)^ *```", chapter, re.DOTALL | re.MULTILINE)
    assert found, title
    return [Step(kind, textwrap.dedent(text)) for kind, text in found]


def commands(title: str) -> Iterator[str]:
    for step in steps(title):
        yield from step.text.splitlines() if step.kind == "sh" else ()


def applied(step: Step, lane: Garage) -> None:
    """Do it in that garage's folder."""
    if step.kind == "sh":
        for line in step.text.splitlines():
            words = shlex.split(line.replace(FOLDER, str(lane.folder)))
            assert words[0] == "exit-terminal"
            command = [sys.executable, "-m", "terminal", *words[1:]]
            subprocess.run(command, check=True, cwd=ROOT, capture_output=True, text=True)
        return
    text = lane.file.read_text(encoding="utf-8")
    ((section, keys),) = tomllib.loads(step.text).items()
    for key in keys:
        (line,) = [line for line in step.text.splitlines() if line.startswith(f"{key} = ")]
        before, own, after = text.partition(f"[{section}]\n")
        assert own
        after, count = re.subn(rf"^{key} = .*$", line.replace("\\", r"\\"), after, count=1, flags=re.MULTILINE)
        assert count == 1
        text = before + own + after
    lane.file.write_text(text, encoding="utf-8")


PATIENT = {"EXIT_TERMINAL_PAYBY_CANCEL_AFTER": "110.0"}
"""An order that lives through a restart on a slow machine."""


async def restarted(lane: Garage, **env: str) -> None:
    """As systemd does it."""
    assert await lane.running.pop("run").kill(signal.SIGTERM) == 0
    await lane.start("run", env=PATIENT | env)


@contextlib.asynccontextmanager
async def serving(folder: Path, broker: Mosquitto) -> AsyncIterator[Garage]:
    async with Garage(folder, broker.url, notify=False) as lane:
        await lane.start("run", env=PATIENT)
        yield lane


async def over(lane: Garage, *did: Step, **env: str) -> None:
    """A driver's visit, with these steps and a restart between the code and the payment."""
    mark = lane.scan(lane.ticket())
    order = await lane.order(since=mark)
    await lane.code_on_glass(order["token_url"])
    for step in did:
        applied(step, lane)
    await restarted(lane, **env)
    await lane.code_on_glass(order["token_url"])
    await lane.sandbox.pay(order["token_url"])
    await leaves(lane, mark)


def pem(path: Path) -> object:
    return load_pem_public_key(path.read_bytes())


@pytest.mark.fault("keys-rotate")
async def test_payby_s_key(tmp_path: Path, mosquitto: Mosquitto) -> None:
    both, alone = steps("PayBy's key")
    async with serving(tmp_path, mosquitto) as lane:
        new = key_pair(tmp_path / "secrets", "payby-2")
        await over(lane, both)
        lane.sandbox.private_key = new
        await over(lane, alone)


@pytest.mark.fault("keys-rotate")
async def test_the_merchant_s_key(tmp_path: Path, mosquitto: Mosquitto) -> None:
    make, use = steps("The merchant's key")
    async with serving(tmp_path, mosquitto) as lane:
        applied(make, lane)
        lane.sandbox.merchant_keys.append(pem(tmp_path / "upload/merchant-2.pub.pem"))  # type: ignore[arg-type]
        await over(lane, use)
        lane.sandbox.merchant_keys[:] = [load_private_key(tmp_path / "secrets/merchant-2.pem").public_key()]
        await over(lane)


@pytest.mark.fault("keys-rotate")
async def test_the_keys_that_sign_lifts(tmp_path: Path, mosquitto: Mosquitto) -> None:
    make, both, sign, alone = steps("The keys that sign lifts")
    async with serving(tmp_path, mosquitto) as lane:
        await over(lane, make, both)
        await over(lane, sign)
        assert lane.heard.of("lift")[-1]["key"] == "worker2"
        await over(lane, alone)


@pytest.mark.fault("keys-rotate")
async def test_ticket_keys(tmp_path: Path, mosquitto: Mosquitto) -> None:
    make, both, new_first, alone = steps("Ticket keys")
    async with serving(tmp_path, mosquitto) as lane:
        await over(lane, make, both)
        await over(lane, new_first)
        words = [sys.executable, *lane.words("ticket"), "--text"]
        said = subprocess.run(words, check=True, cwd=ROOT, capture_output=True, text=True).stdout
        assert read_form(said.splitlines()[-1], "marina").key_id == "K2"
        old = lane.ticket()
        applied(alone, lane)
        await restarted(lane)
        mark = lane.scan(old)
        await lane.heard.until("screen", since=mark, state="help")


async def test_passwords_of_the_embedded_broker(tmp_path: Path) -> None:
    renew, restart = commands("Passwords of the embedded broker")
    assert restart == "sudo systemctl restart exit-terminal"
    password = tmp_path / "secrets/mqtt/lane"
    env = {"EXIT_TERMINAL_MQTT_PASSWORD_FILE": str(password)}
    async with Garage(tmp_path, EMBEDDED, notify=False) as lane:
        await lane.start("run", env=PATIENT | env)
        before = password.read_text()
        await over(lane, Step("sh", renew), **env)
        assert password.read_text() != before


# -- Mosquitto's -----------------------------------------------------------------------------------------------------


def did(line: str, server: SeparateMachine, lane: SeparateMachine) -> None:
    """A command of the page: on the lane's machine if it is the lane's service, else on the server."""
    words = shlex.split(line)
    if words[0] == "scp":
        source, target = server.path(words[1]), lane.path(words[2].partition(":")[2])
        target.write_bytes(source.read_bytes())
        target.chmod(source.stat().st_mode)
    else:
        server.run(line.replace("exit-terminal init", f"{PROGRAM} init"))


def served(machine: SeparateMachine) -> int:
    """The serial number of the certificate that the broker shows to that machine."""
    script = (
        f"openssl s_client -connect garage-server:8883 -CAfile {FOLDER}/certs/ca.crt -verify_return_error"
        " </dev/null 2>/dev/null | openssl x509"
    )
    return x509.load_pem_x509_certificate(machine.run(script).encode()).serial_number


def serial(machine: SeparateMachine, name: str) -> int:
    return x509.load_pem_x509_certificate(machine.path(f"{FOLDER}/{name}").read_bytes()).serial_number


def speaks(machine: SeparateMachine, user: str) -> bool:
    """Does the broker take a message of that user from that machine, and the machine the broker?"""
    files = f"--cafile certs/ca.crt --cert certs/{user}.crt --key secrets/mqtt/{user}.key"
    words = f"cd {FOLDER}; mosquitto_pub -V mqttv311 -h garage-server -p 8883 {files} -q 1 -t parking/marina/exit-2/fee"
    return machine.run(f"{words} -m x >/dev/null 2>&1 && echo yes || echo no") == "yes\n"


@pytest.mark.fault("keys-rotate", "certificate")
@pytest.mark.skipif(not possible(), reason="namespaces, Mosquitto and ip are needed here, and root")
def test_every_certificate_and_the_authority_change_while_both_machines_stay_served(tmp_path: Path) -> None:
    hosts = {"garage-server": "10.77.0.1"}
    with SeparateMachine(tmp_path / "a", hosts) as server, SeparateMachine(tmp_path / "b", hosts) as lane:
        cable(server, lane, ("10.77.0.1", "10.77.0.2"))
        made = "--shape server --mqtt-url mqtts://garage-server --payby sandbox --garage marina"
        server.run(f"{PROGRAM} init {FOLDER} {made} && cp -r {FOLDER}/mosquitto/. /etc/mosquitto/")
        server.run("chgrp -R mosquitto /etc/mosquitto && chmod -R g+rX /etc/mosquitto; systemctl restart mosquitto")
        server.run(f"{PROGRAM} init {FOLDER} --lane exit-2 --reader stdin --panel png --pins mock")
        server.run(f"cp {FOLDER}/mosquitto/acl /etc/mosquitto/acl && systemctl reload mosquitto")
        carried = server.path(f"{FOLDER}/lanes/exit-2.tar").read_bytes()
        lane.path("/opt/exit-terminal/exit-2.tar").write_bytes(carried)
        lane.run(f"{PROGRAM} init {FOLDER} --from exit-2.tar")

        def both_served() -> None:
            soon(lambda: speaks(server, "lane") and speaks(lane, "lane.exit-2"))

        def change(title: str, machine: SeparateMachine, name: str) -> None:
            before = serial(machine, name)
            for line in commands(title):
                did(line, server, lane)
            assert serial(machine, name) != before

        both_served()
        of_users = "Certificates of Mosquitto's users"
        change(of_users, lane, "certs/lane.exit-2.crt")
        change("The broker's certificate", server, "mosquitto/certs/server.crt")
        soon(lambda: served(lane) == serial(server, "mosquitto/certs/server.crt"))
        both_served()
        begin, end = steps("The authority")
        for line in begin.text.splitlines():
            did(line, server, lane)
        both_served()  # old certificates, and both authorities
        change(of_users, server, "certs/lane.crt")
        change("The broker's certificate", server, "mosquitto/certs/server.crt")
        stolen = server.path(f"{FOLDER}/certs/lane.exit-2.crt.old").read_bytes()
        stolen_key = server.path(f"{FOLDER}/secrets/mqtt/lane.exit-2.key.old").read_bytes()
        for line in end.text.splitlines():
            did(line, server, lane)
        both_served()
        soon(lambda: served(lane) == serial(server, "mosquitto/certs/server.crt"))
        lane.path(f"{FOLDER}/certs/lane.exit-2.crt").write_bytes(stolen)
        lane.path(f"{FOLDER}/secrets/mqtt/lane.exit-2.key").write_bytes(stolen_key)
        assert not speaks(lane, "lane.exit-2")


@pytest.mark.fault("stolen-lane", "certificate")
@pytest.mark.skipif(not possible(), reason="namespaces, Mosquitto and ip are needed here, and root")
def test_a_stolen_lane_is_shut_out_and_the_one_in_its_place_let_in(tmp_path: Path) -> None:
    hosts = {"garage-server": "10.77.0.1"}
    with SeparateMachine(tmp_path / "a", hosts) as server, SeparateMachine(tmp_path / "b", hosts) as lane:
        cable(server, lane, ("10.77.0.1", "10.77.0.2"))
        made = "--shape server --mqtt-url mqtts://garage-server --payby sandbox --garage marina"
        server.run(f"{PROGRAM} init {FOLDER} {made} && cp -r {FOLDER}/mosquitto/. /etc/mosquitto/")
        server.run("chgrp -R mosquitto /etc/mosquitto && chmod -R g+rX /etc/mosquitto; systemctl restart mosquitto")

        def carries() -> None:
            carried = server.path(f"{FOLDER}/lanes/exit-2.tar").read_bytes()
            lane.path("/opt/exit-terminal/exit-2.tar").write_bytes(carried)
            lane.run(f"{PROGRAM} init {FOLDER} --from exit-2.tar")

        kerb = "--reader stdin --panel png --pins mock"
        server.run(f"{PROGRAM} init {FOLDER} --lane exit-2 {kerb}")
        server.run(f"cp {FOLDER}/mosquitto/acl /etc/mosquitto/acl && systemctl reload mosquitto")
        carries()
        soon(lambda: speaks(server, "lane") and speaks(lane, "lane.exit-2"))
        shut_out, anew = steps("A lane that was stolen")
        for line in shut_out.text.splitlines():
            did(line, server, lane)
        soon(lambda: speaks(server, "lane"))  # the broker is back, and the others are served
        assert not speaks(lane, "lane.exit-2")
        conf = server.path("/etc/mosquitto/mosquitto.conf").read_text()
        did(shut_out.text.splitlines()[2], server, lane)
        assert server.path("/etc/mosquitto/mosquitto.conf").read_text() == conf, "named once, however often it is done"
        for line in anew.text.splitlines():
            did(f"{line} {kerb}", server, lane)
        lane.run(f"rm -r {FOLDER}/*")
        carries()
        soon(lambda: speaks(lane, "lane.exit-2"))


def test_every_chapter_of_the_page_is_tried() -> None:
    own = Path(__file__).read_text(encoding="utf-8")
    titles = re.findall(r"^## (.*)$", PAGE, re.MULTILINE)
    assert len(titles) == 9
    assert [title for title in titles if own.count(f'"{title}"') < 1] == []
