"""The page that leads from PayBy's credentials to the first boom: every command in it runs, against the sandbox."""

import asyncio
import os
import re
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization as ser

from terminal.journal.journal import Journal
from terminal.payby.sandbox.server import Sandbox
from terminal.payby.signing import load_public_keys
from tests.support.ports import free_port

PAGE = (Path(__file__).parents[1] / "deploy/payby.md").read_text()
TREE = Path(__file__).parents[1]
SHELL = [line for block in re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL) for line in block.splitlines()]
TERMINAL = [line.partition("exit-terminal ")[2] for line in SHELL if line.startswith(".venv/bin/exit-terminal ")]
PAYBY = re.findall(r"```toml\n(\[payby\]\n.*?)```", PAGE, re.DOTALL)[0]
REST = """
[garage]
id = "marina"
name = "Marina Garage"
name_ar = "موقف المارينا"
timezone = "Asia/Dubai"
help_phone = "+971 4 000 0000"
[lane]
id = "exit-1"
[mqtt]
url = "mqtt://127.0.0.1:{broker}"
username = "lane"
password_file = "secrets/mqtt/lane"
[broker]
port = {broker}
users = "secrets/mqtt"
[lift]
private_key = "secrets/worker.pem"
trusted = {{ worker = "secrets/worker.pub.pem" }}
[ticket]
keys = {{ k1 = "secrets/ticket-k1" }}
[listener]
port = {listener}
[journal]
path = "journal.db"
"""


async def terminal(folder: Path, words: str) -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "terminal", "--config", "exit.toml", *words.split()),
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(TREE), "PYTHONIOENCODING": "utf-8"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        stdin=asyncio.subprocess.DEVNULL,
    )
    async with asyncio.timeout(60):
        said, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, said.decode()


async def pay_what_is_shown(sandbox: Sandbox) -> None:
    """A phone that pays each new order, and is seen to have scanned it first."""
    known: set[str] = set()
    while True:
        for no, order in list(sandbox.orders.items()):
            if no not in known and order.status == "CREATED":
                known.add(no)
                await sandbox.scan(no)
            elif order.status == "CREATED" and sandbox.calls_of("getCashierUrlInfo"):
                await sandbox.pay(no)
        await asyncio.sleep(0.1)  # a phone that looks now and then; its test ends it


def test_the_page_s_commands_are_these() -> None:
    assert [words.split()[0] for words in TERMINAL] == ["init", "check", "check", "ticket", "ticket", "reconcile"]


async def test_every_command_of_the_page_does_what_it_says(tmp_path: Path) -> None:
    assert not [line for line in SHELL if not line.startswith(".venv/")]
    status, said = await terminal(tmp_path, TERMINAL[0])
    assert status == 0, said
    merchant = load_public_keys([tmp_path / "upload/merchant.pub.pem"])
    async with Sandbox(merchant_keys=merchant) as sandbox:
        public = sandbox.public_key.public_bytes(ser.Encoding.PEM, ser.PublicFormat.SubjectPublicKeyInfo)
        (tmp_path / "secrets/payby.pub.pem").write_bytes(public)
        listener = free_port()
        payby = PAYBY.replace("https://uat.test2pay.com/sgs/api", sandbox.base_url)
        payby = payby.replace("https://pay.example.com", f"http://127.0.0.1:{listener}")
        (tmp_path / "exit.toml").write_text(payby + REST.format(broker=free_port(), listener=listener))
        phone = asyncio.create_task(pay_what_is_shown(sandbox))
        try:
            for words in TERMINAL[1:]:
                today = (datetime.now(UTC) + timedelta(hours=4)).date()
                Journal.open(tmp_path / "journal.db", role="worker").close()
                status, said = await terminal(tmp_path, re.sub(r"\d{4}-\d\d-\d\d", str(today), words))
                if words == "check":
                    lines = [line for line in said.splitlines() if "FAIL" in line and "clock" not in line]
                    assert lines == [] and "ok    PayBy: " in said
                    continue
                if words == "check --order" and status and "FAIL  clock" in said:
                    pytest.skip("this machine's clock is kept by nobody, so that `check` ends before the order")
                assert status == 0, said
                if words == "check --order":
                    for step in ("order", "scanned", "paid", "notification", "refund"):
                        assert f"ok    {step}: " in said
                if words == "ticket --minutes-ago 7200":
                    assert "500.00" in said
                if words.startswith("reconcile"):
                    assert "everything is explained" in said
        finally:
            phone.cancel()
            await asyncio.gather(phone, return_exceptions=True)
