"""What a worker without its lease may do: nothing that anybody hears. The real clients, and servers that count."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from terminal.clock import SystemClock, new_id
from terminal.contract.messages import Screen, stamp
from terminal.mqtt.client import MqttClient
from terminal.mqtt.endpoint import Endpoint
from terminal.payby import errors
from terminal.payby.client import PayByClient
from terminal.payby.sandbox.server import Sandbox
from tests.conftest import PuppetBroker
from tests.support.eventually import eventually
from tests.support.line import Line, by_port
from tests.support.payby_client import MERCHANT, NO, PAYBY, biz

CLOCK = SystemClock()
PUBLISH = 3


class Held:
    """A lease that a test takes away."""

    def __init__(self) -> None:
        self.is_valid = True

    def __call__(self) -> bool:
        return self.is_valid


async def test_a_client_whose_lease_is_over_sends_not_a_byte_more_and_drops_the_line() -> None:
    held = Held()
    async with PuppetBroker() as broker, Line(by_port(broker.port)) as line:
        url = f"mqtt://127.0.0.1:{line.port}"
        async with MqttClient(url, username="worker", may_speak=held) as client:
            await client.publish("parking/marina/garage/order", b"before")
            await broker.next(PUBLISH)
            held.is_valid, sent = False, line.sent
            await client.publish("parking/marina/garage/order", b"after")
            await eventually(lambda: not client.connected)
            assert "another process" in client.trouble
            await asyncio.sleep(0.6)  # longer than the first pause before it would connect again
            assert line.sent == sent
        assert line.sent == sent, "not even a goodbye"


async def test_a_client_that_has_no_lease_yet_does_not_connect() -> None:
    held = Held()
    held.is_valid = False
    async with (
        PuppetBroker() as broker,
        Line(by_port(broker.port)) as line,
        MqttClient(f"mqtt://127.0.0.1:{line.port}", username="worker", may_speak=held) as client,
    ):
        assert not client.connected
        assert line.sent == 0
        held.is_valid = True
        await client.wait_connected()


async def test_a_lease_that_ends_while_the_broker_is_dialled_takes_nobody_s_session() -> None:
    """As for a process that is frozen just then: the socket is there, and CONNECT is not sent."""
    asked = 0

    def may_speak() -> bool:
        nonlocal asked
        asked += 1
        return asked == 1

    async with PuppetBroker() as broker, Line(by_port(broker.port)) as line:
        async with MqttClient(f"mqtt://127.0.0.1:{line.port}", username="worker", may_speak=may_speak) as client:
            assert not client.connected
            assert asked >= 2
            assert "another process" in client.trouble
        assert line.sent == 0


async def test_a_role_whose_lease_is_over_drops_what_it_would_publish_on_a_line_that_others_use() -> None:
    held = Held()
    async with PuppetBroker() as broker, MqttClient(broker.url, username="lane") as client:
        worker = Endpoint(client, garage="marina", lane=None, role="worker", version="1", clock=CLOCK)
        reader = Endpoint(client, garage="marina", lane="exit-1", role="reader", version="1", clock=CLOCK)
        worker.may_speak = held
        screen = Screen(id=new_id(CLOCK), at=stamp(CLOCK.wall_ms()), state="idle")
        await worker.publish(screen, lane="exit-1")
        await broker.next(PUBLISH)
        held.is_valid = False
        await worker.publish(screen, lane="exit-2")
        await worker.alert("disk", "full")
        await reader.alert("bad-message", "heard", once=True, severity="warning")
        said = (await broker.next(PUBLISH)).body
        assert b"exit-1/alert" in said


class Ending:
    """A lease that is over after so many more questions, as for a process that is frozen between two of them."""

    def __init__(self) -> None:
        self.left: int | None = None

    def __call__(self) -> bool:
        if self.left is None:
            return True
        self.left -= 1
        return self.left >= 0


async def test_a_lease_that_ends_while_a_message_is_packed_is_asked_before_it_goes_out() -> None:
    ending = Ending()
    async with PuppetBroker() as broker, Line(by_port(broker.port)) as line:
        url = f"mqtt://127.0.0.1:{line.port}"
        async with MqttClient(url, username="worker", may_speak=ending) as client:
            await client.publish("parking/marina/garage/order", b"before")
            await broker.next(PUBLISH)
            ending.left, sent = 1, line.sent
            await client.publish("parking/marina/garage/order", b"after")
            await eventually(lambda: not client.connected)
        assert line.sent == sent


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with Sandbox(merchant_keys=[MERCHANT.public_key()], private_key=PAYBY, seed=1) as running:
        yield running


@pytest.mark.parametrize("connected", [False, True])
async def test_no_call_reaches_payby_once_the_lease_is_over(connected: bool, sandbox: Sandbox) -> None:
    held = Held()
    async with PayByClient(
        sandbox.base_url, sandbox.partner_id, MERCHANT, [sandbox.public_key], may_call=held
    ) as payby:
        if connected:
            await payby.place_order(biz())
        before = len(sandbox.calls)
        held.is_valid = False
        with pytest.raises(errors.NotSent, match="another process"):
            await payby.get_order(NO)
        assert len(sandbox.calls) == before


async def test_a_lease_that_ends_while_payby_is_dialled_is_asked_before_the_call_goes_out(sandbox: Sandbox) -> None:
    """As for a process that is frozen just then: the connection is there, and the call is not."""
    port = int(sandbox.base_url.split(":")[2].split("/")[0])
    asked = 0

    def may_call() -> bool:
        nonlocal asked
        asked += 1
        return asked == 1  # when the call begins, and no longer when its connection is there

    async with Line(by_port(port)) as line:
        url = sandbox.base_url.replace(str(port), str(line.port))
        async with PayByClient(url, sandbox.partner_id, MERCHANT, [sandbox.public_key], may_call=may_call) as payby:
            with pytest.raises(errors.NotSent):
                await payby.get_order(NO)
            assert (asked, line.sent) == (2, 0)


async def test_a_lease_that_ends_while_a_call_is_written_is_asked_before_it_goes_out(sandbox: Sandbox) -> None:
    ending = Ending()
    port = int(sandbox.base_url.split(":")[2].split("/")[0])
    async with Line(by_port(port)) as line:
        url = sandbox.base_url.replace(str(port), str(line.port))
        async with PayByClient(url, sandbox.partner_id, MERCHANT, [sandbox.public_key], may_call=ending) as payby:
            await payby.place_order(biz())
            ending.left, sent = 1, line.sent
            with pytest.raises(errors.CallFailed):
                await payby.get_order(NO)
            assert line.sent == sent
