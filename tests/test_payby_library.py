"""The library's page: its program runs as it stands, against the sandbox."""

import asyncio
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from cryptography.hazmat.primitives import serialization as ser

from terminal.payby.sandbox.server import Sandbox
from terminal.payby.signing import sign
from tests.support.rsa_keys import rsa_key

PAGE = Path(__file__).parents[1] / "deploy/payby-library.md"
PROGRAM = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)[0]
MERCHANT, PAYBY = rsa_key("merchant"), rsa_key("payby")
DUBAI = timedelta(hours=4)


@pytest.fixture
def program(tmp_path: Path) -> dict[str, Any]:
    pem = MERCHANT.private_bytes(ser.Encoding.PEM, ser.PrivateFormat.PKCS8, ser.NoEncryption())
    (tmp_path / "merchant.pem").write_bytes(pem)
    (tmp_path / "merchant.pem").chmod(0o600)
    public = PAYBY.public_key().public_bytes(ser.Encoding.PEM, ser.PublicFormat.SubjectPublicKeyInfo)
    (tmp_path / "payby.pub.pem").write_bytes(public)
    found: dict[str, Any] = {"__name__": "page"}
    exec(compile(PROGRAM, str(PAGE), "exec"), found)
    return found


def test_the_program_is_short_and_imports_nothing_of_the_terminal() -> None:
    assert len(PROGRAM.splitlines()) < 60
    imported = re.findall(r"^(?:from|import) (terminal[.\w]*)", PROGRAM, re.MULTILINE)
    assert imported and all(name.startswith("terminal.payby.") for name in imported)


async def test_the_program_sells_hears_gives_back_and_reads_the_statement(
    program: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    paid: list[str] = []
    runner = web.AppRunner(program["notifications"]([PAYBY.public_key()], paid.append))
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}/notify"
    payers: list[asyncio.Task[Any]] = []
    try:
        async with Sandbox(merchant_keys=[MERCHANT.public_key()], private_key=PAYBY) as sandbox:
            today = (datetime.now(UTC) + DUBAI).date()

            def show(token: str) -> None:
                payers.append(asyncio.create_task(sandbox.pay(token)))

            await program["main"](sandbox.base_url, sandbox.partner_id, tmp_path, url, show, today)
            await sandbox.notified()
            assert [d.ok for d in sandbox.deliveries] == [True, True]  # the payment, and its refund
            (no,) = sandbox.orders
            assert paid == [no]
            said = capsys.readouterr().out
            assert "SUCCESS\n" in said and "transactions 2\n" in said
            await program["main"](sandbox.base_url, sandbox.partner_id, tmp_path, url, show, today - timedelta(days=9))
            assert "no statement of that day yet" in capsys.readouterr().out
    finally:
        await runner.cleanup()


async def test_the_programs_server_refuses_what_payby_did_not_say(program: dict[str, Any]) -> None:
    paid: list[str] = []
    runner = web.AppRunner(program["notifications"]([PAYBY.public_key()], paid.append))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}/notify"
    answers = []
    try:
        async with aiohttp.ClientSession() as session:
            for key in (MERCHANT, PAYBY):
                async with session.post(url, data=b"{}", headers={"sign": sign(key, b"{}")}) as reply:
                    answers.append(reply.status)
    finally:
        await runner.cleanup()
    assert (answers, paid) == ([401, 400], [])
