"""``check --json``: what the lines say, for a program; the same checks, the same verdict, the same exit status."""

import asyncio
import json
import os
import re
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from broker.embedded import EmbeddedBroker
from terminal import __version__
from terminal.__main__ import main
from terminal.config.load import load
from terminal.config.schema import Settings, key_in
from terminal.payby.sandbox.faults import Fault
from terminal.payby.sandbox.server import Sandbox
from terminal.tools.check import order
from terminal.tools.check.command import check
from terminal.tools.check.finding import Finding, Machine
from terminal.tools.check.order import prove
from terminal.tools.check.report import Document, Lines
from tests.support.installation import CHANGES, configured, environment, machine, place, sandbox
from tests.support.order_payer import ONE, Payer
from tests.support.order_payer import settings as with_notifications
from tests.support.ports import free_port

__all__ = ["place", "sandbox"]
PAGE = Path(__file__).parents[1] / "deploy" / "install.md"
TEXT = {"type": "string", "minLength": 1}
KEY = {"type": "string", "pattern": r"^[a-z]+(\.\w+)+$"}
SCHEMA = {
    "type": "object",
    "additionalProperties": False,
    "required": ["v", "version", "verdict", "checks"],
    "properties": {
        "v": {"const": 1},
        "version": {"const": __version__},
        "file": TEXT,
        "garage": {"const": "marina"},
        "lane": {"const": "exit-1"},
        "verdict": {"enum": ["ready", "not ready"]},
        "error": {
            "type": "object",
            "additionalProperties": False,
            "required": ["message"],
            "properties": {"message": TEXT, "key": KEY},
        },
        "checks": {
            "type": "array",
            "items": {
                "type": "object",
                "additionalProperties": False,
                "required": ["name", "outcome", "message"],
                "properties": {
                    "name": TEXT,
                    "outcome": {"enum": ["proved", "failed", "unproven", "warning"]},
                    "message": TEXT,
                    "key": KEY,
                    "advice": TEXT,
                },
            },
        },
    },
}


class Both:
    """Each finding goes to both forms."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.document = Document(self.said.append)
        self._lines = Lines(self.said.append)

    def found(self, finding: Finding) -> None:
        self.document.found(finding)
        self._lines.found(finding)

    def show(self, text: str) -> None:
        self._lines.show(text)

    def judge(self, ready: bool) -> None:
        self.document.judge(ready)
        self._lines.judge(ready)


def read(text: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(text)
    jsonschema.validate(document, SCHEMA)
    return document


def as_line(said: dict[str, str]) -> str:
    """A check of the document, as the other form says it."""
    mark = "FAIL" if said["outcome"] == "failed" else "ok  "
    return f"{mark}  {said['name']}: {said['message']}" + (f" -> {said['advice']}" if "advice" in said else "")


async def both_forms(settings: Settings, at: Machine) -> dict[str, Any]:
    """The document, once it is known to say what the lines say."""
    both = Both()
    ready = await check(settings, at, both)
    document = read(both.document.text(settings))
    unproven = [said["name"] for said in document["checks"] if said["outcome"] == "unproven"]
    summary = [f"      not proven here: {', '.join(unproven)}"] if unproven else []
    assert [*map(as_line, document["checks"]), *summary, document["verdict"]] == both.said
    assert document["verdict"] == ("ready" if ready else "not ready")
    return document


async def outcomes(settings: Settings, at: Machine) -> dict[str, str]:
    return {said["name"]: said["outcome"] for said in (await both_forms(settings, at))["checks"]}


async def test_a_whole_installation_is_proved(place: Path, sandbox: Sandbox, embedded: EmbeddedBroker) -> None:
    settings = configured(place, sandbox.base_url, embedded.url)
    document = await both_forms(settings, machine(place))
    assert (document["verdict"], document["file"]) == ("ready", str(place / "exit.toml"))
    assert {said["outcome"] for said in document["checks"]} == {"proved"}
    assert {said["name"]: said.get("key") for said in document["checks"]}["disk journal.path"] == "journal.path"


@pytest.mark.parametrize(("changes", "line"), CHANGES, ids=[", ".join(changes) for changes, _ in CHANGES])
async def test_what_is_not_ready_is_said_with_its_key_and_what_to_do(
    place: Path, sandbox: Sandbox, embedded: EmbeddedBroker, changes: dict[str, str], line: str
) -> None:
    settings = configured(place, sandbox.base_url, embedded.url, **changes)
    document = await both_forms(settings, machine(place))
    assert document["verdict"] == "not ready"
    (failed, *_) = [said for said in document["checks"] if line in as_line(said)]
    assert failed["outcome"] == "failed" and failed["advice"]
    assert "payby_partner_id" in changes or failed["key"], "PayBy does not say which of three things is wrong"


@pytest.mark.parametrize(
    ("changes", "name", "outcome"),
    [
        ({"gpio_pins": "mock"}, "pins", "warning"),
        ({"lcd_speed_hz": "32000000"}, "panel", "warning"),
        ({"lcd_transfer_size": "65536"}, "panel", "warning"),
        ({"mqtt_password_file": "fresh/lane"}, "password mqtt.password_file", "unproven"),
        ({"mqtt_password_file": "fresh/lane"}, "broker", "unproven"),
        ({"payby_notify_url": "http://127.0.0.1:1/x", "listener_port": "1"}, "notify_url", "unproven"),
    ],
)
async def test_what_could_not_be_proved_and_what_to_look_at_are_no_failures(
    place: Path, sandbox: Sandbox, changes: dict[str, str], name: str, outcome: str
) -> None:
    own = {"broker_users": "fresh", "broker_port": "1", "mqtt_password_file": "fresh/lane"}
    found = await outcomes(configured(place, sandbox.base_url, "mqtt://127.0.0.1:1", **own | changes), machine(place))
    assert found[name] == outcome
    assert "failed" not in found.values()


@pytest.mark.parametrize(("ntp", "outcome"), [(True, "proved"), (None, "unproven"), (False, "failed")])
async def test_a_clock_that_payby_is_not_asked_about_is_proved_by_the_network(
    place: Path, embedded: EmbeddedBroker, ntp: bool | None, outcome: str
) -> None:
    of_loops = ("GARAGE_ID", "LANE_ID", "MQTT_URL", "LOOPS_WAITING_PIN", "LOOPS_BOOM_PIN")
    whole = environment("", embedded.url)
    given = {variable: whole[variable] for variable in (f"EXIT_TERMINAL_{name}" for name in of_loops)}
    given["EXIT_TERMINAL_MQTT_USERNAME"] = "loops"
    given["EXIT_TERMINAL_MQTT_PASSWORD_FILE"] = str(embedded.password_file("loops"))
    assert (await outcomes(load(None, given), machine(place, ntp=ntp)))["clock"] == outcome


async def test_a_service_s_pins_are_its_own_and_not_proved(
    place: Path, sandbox: Sandbox, embedded: EmbeddedBroker
) -> None:
    at_work = replace(machine(place), serves=lambda: True)
    assert (await outcomes(configured(place, sandbox.base_url, embedded.url), at_work))["pins"] == "unproven"


# The order


async def ordered(settings: Settings, payer: Payer) -> tuple[bool, dict[str, Any]]:
    """Did all go well; and the document, whose code went to the payer."""

    class Paid(Document):
        def found(self, finding: Finding) -> None:
            super().found(finding)
            payer(f"  {finding.name}: ")

    document = Paid(payer)
    document.judge(True)
    ready = await prove(settings, ONE, blocks=False, report=document, wait_s=5.0)
    return ready, read(document.text(settings))


async def test_the_steps_of_an_order_are_checks_and_its_code_is_shown_elsewhere(place: Path, sandbox: Sandbox) -> None:
    payer = Payer(sandbox)
    ready, document = await ordered(with_notifications(place, sandbox, free_port()), payer)
    assert ready and document["verdict"] == "ready"
    steps = {said["name"]: said["outcome"] for said in document["checks"]}
    assert steps == dict.fromkeys(("order", "scanned", "paid", "notification", "refund"), "proved")
    assert any("https://qr" in text for text in payer.lines) and "https://qr" not in json.dumps(document)


async def test_of_an_order_too_what_was_not_seen_is_not_proved(
    place: Path, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(order, "REFUNDED_S", 0.0)
    sandbox.book.refund_status = "CREATED"
    sandbox.fail("getCashierUrlInfo", Fault(code="404", msg="SERVICE_NOT_AVAILABLE"), times=None)
    bare = configured(place, sandbox.base_url, "mqtt://127.0.0.1:1", payby_query_every="2.0")
    ready, document = await ordered(bare, Payer(sandbox))
    assert ready and document["verdict"] == "ready"
    steps = {said["name"]: said["outcome"] for said in document["checks"]}
    assert steps == {
        "order": "proved", "scanned": "unproven", "paid": "proved", "notification": "unproven", "refund": "unproven",
    }  # fmt: skip


async def test_an_order_that_fails_takes_the_verdict_with_it(place: Path, sandbox: Sandbox) -> None:
    sandbox.fail("placeOrder", Fault(code="62026", msg="PRODUCT_NOT_APPLIED"), times=None)
    bare = configured(place, sandbox.base_url, "mqtt://127.0.0.1:1")
    ready, document = await ordered(bare, Payer(sandbox))
    assert (ready, document["verdict"]) == (False, "not ready")
    assert [said["outcome"] for said in document["checks"]] == ["failed"]


# The command


async def run(folder: Path, given: dict[str, str], *words: str) -> tuple[int, str, str]:
    """Exit status, stdout, stderr."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "terminal", "--config", str(folder / "exit.toml"), "check", *words),
        env={**os.environ, **given},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(60):
        out, err = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


@pytest.mark.parametrize(
    "changes",
    [{}, {"lift_private_key": "keys/console.pem", "reader_device": "absent", "reader_driver": "hid"}],
    ids=["well", "not well"],
)
async def test_both_forms_of_the_command_make_the_same_checks_and_end_alike(
    place: Path, sandbox: Sandbox, embedded: EmbeddedBroker, changes: dict[str, str]
) -> None:
    (place / "exit.toml").write_text("")
    plain = {"gpio_pins": "mock", "lcd_panel": "png", "lcd_folder": "out", "lcd_size": "480x320"}
    plain |= {"reader_driver": "stdin", "mqtt_password_file": str(embedded.password_file("lane"))}
    given = environment(sandbox.base_url, embedded.url, **plain | changes)
    status, lines, _ = await run(place, given)
    json_status, text, _ = await run(place, given, "--json")
    document = read(text)
    assert json_status == status == (0 if document["verdict"] == "ready" else 1)
    *findings, verdict = lines.splitlines()
    assert verdict == document["verdict"]
    said = [(said["outcome"] == "failed", said["name"]) for said in document["checks"]]
    assert said == [(line.startswith("FAIL"), re.split(": ", line[6:])[0]) for line in findings]
    if changes:
        assert status == 1 and (True, "key lift.private_key") in said


@pytest.mark.parametrize(
    ("toml", "words", "key"),
    [
        ("[payby]\nquery_every = 9.0\n", (), "payby.query_every"),
        ("[payby]\nqueries = 9\n", (), "payby.queries"),
        ("[paypal]\n", (), None),
        ("[lane\n", (), None),
        (None, (), None),
        ("", ("--amount", "0"), None),
        ("", ("--order", "--amount", "7000"), None),
    ],
)
def test_what_does_not_load_is_said_in_the_document_and_in_the_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], toml: str | None, words: tuple[str, ...], key: str | None
) -> None:
    file = tmp_path / "exit.toml"
    if toml is not None:
        file.write_text(toml)
    command = ["--config", str(file), "check", *words]
    assert main(command) == 2
    out, line = capsys.readouterr()
    assert out == "" and line.count("\n") == 1
    assert main([*command, "--json"]) == 2
    out, err = capsys.readouterr()
    assert err == line
    document = read(out)
    assert (document["verdict"], document["checks"]) == ("not ready", [])
    assert line == f"exit-terminal: {document['error']['message']}\n"
    assert document["error"].get("key") == key


def test_the_environment_s_names_lead_to_their_key(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EXIT_TERMINAL_LANE_ID", "EXIT 1")
    assert main(["check", "--json"]) == 2
    document = read(capsys.readouterr().out)
    assert document["error"]["key"] == "lane.id" and "file" not in document


def test_the_install_page_shows_a_document_as_it_is() -> None:
    (shown,) = re.findall(r"```json\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    given = {"EXIT_TERMINAL_GARAGE_ID": "marina", "EXIT_TERMINAL_LANE_ID": "exit-1"}
    settings = replace(load(None, given), file=Path("/var/lib/exit-terminal/exit-terminal.toml"))
    document = Document(print)
    advice = "plug the scanner in, or correct reader.device"
    document.found(Finding("scanner", False, "/dev/ttyACM0 is not there", advice))
    document.judge(False)
    assert shown == document.text(settings) + "\n"


def test_a_check_that_was_ended_early_is_not_ready() -> None:
    document = Document(print)
    document.found(Finding("fonts", True, "Arabic is shaped"))
    assert read(document.text(None, "TimeoutError"))["verdict"] == "not ready"
    assert read(document.text(None))["verdict"] == "not ready", "nobody has judged it"


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("payby.timeout: got 0, takes seconds", "payby.timeout"),
        ("lift.trusted has no worker with its public half", "lift.trusted"),
        ("correct payby.device_ids: the portal forbids that device", "payby.device_ids"),
        ("ticket.keys.k1: k1 is not hex", "ticket.keys.k1"),
        ("see lane.toml and broker.port.", "broker.port"),
        ("/etc/mqtt.url/x cannot be written", ""),
        ("payby.portal has it", ""),
        ("EXIT_TERMINAL_LCD_GLASS (lcd.glass): no such key; [lcd] takes panel", "lcd.glass"),
        ("see deploy/install.md, 3", ""),
    ],
)
def test_the_key_is_the_first_that_a_text_names(text: str, key: str) -> None:
    assert key_in(text) == key
