"""A lane behind a router that forgets connections: real processes, TLS, PayBy's sandbox behind a swallowing proxy."""

import ssl
import time
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from terminal.clock import SystemClock, new_id
from tests.conftest import Mosquitto
from tests.support.authority import Authority
from tests.support.garage import Garage
from tests.support.nat import Nat

FAST_S = 1.0
"""From the ticket to the code's order, on a loaded machine; a forgotten connection cost 3 s (``timeout``) and more."""


@pytest.mark.fault("nat-forgets")
async def test_the_first_driver_after_a_quiet_spell_sees_his_code_as_fast_as_the_one_before(
    tmp_path: Path, mosquitto: Mosquitto
) -> None:
    authority = Authority(tmp_path)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(*authority.issue("payby", "127.0.0.1"))
    async with AsyncExitStack() as stack:
        lane = await stack.enter_async_context(Garage(tmp_path, mosquitto.url))
        nat = await stack.enter_async_context(Nat(lane.sandbox.base_url, tls))
        stack.push_async_callback(lane.kill, "run")
        trust = {"EXIT_TERMINAL_PAYBY_BASE_URL": nat.url, "SSL_CERT_FILE": str(authority.file)}
        await lane.start("run", env=trust)
        taken = []
        for _ in range(2):
            opened = nat.opened
            await lane.vehicle(True, car=new_id(SystemClock()))
            await nat.until_opened(opened + 1)  # before there is a ticket
            began = time.monotonic()
            mark = lane.scan(lane.ticket())
            order = await lane.order(since=mark)
            taken.append(time.monotonic() - began)
            await lane.heard.until("screen", since=mark, state="pay")
            await lane.sandbox.pay(order["token_url"])
            up = await lane.heard.until("barrier", since=mark, state="up", reason="paid")
            await lane.vehicle(True, under=True)
            await lane.vehicle(False)
            await lane.heard.until("barrier", since=mark, state="down", lift=up["lift"])
            nat.forget()
        assert max(taken) < FAST_S, taken
        assert nat.swallowed == b""
