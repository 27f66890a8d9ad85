"""The refund command's connection: a user of its own, and whether a worker is there to be asked."""

import asyncio
from pathlib import Path

import pytest

from broker.embedded import EmbeddedBroker
from terminal.clock import SystemClock, new_id
from terminal.config.load import load
from terminal.config.schema import ConfigError
from terminal.contract.messages import Command, Health, Receipt, Refund, decode, encode, stamp
from terminal.mqtt.client import MqttClient
from terminal.tools.refund.follow_up import LIMITS
from terminal.tools.refund.user import refunder
from tests.conftest import embedded_bus
from tests.support.authority import Authority
from tests.support.refunding import QUICK, Spoken, Worker, at_work, configured, on
from tests.support.shipped_mosquitto import ShippedMosquitto


async def beat(bus: MqttClient, role: str, *, at_ms: int, state: str = "online", instance: str = "i-1") -> None:
    """What the broker keeps of a role's health."""
    at = stamp(at_ms)
    health = Health(id=new_id(SystemClock()), at=at, state=state, version="1", instance=instance, since=at)  # type: ignore[arg-type]
    await bus.publish(f"parking/marina/garage/health/{role}", encode(health), retain=True)


@pytest.mark.parametrize(
    ("state", "age_s", "words"), [("offline", 1, "that it is offline"), ("online", 60, "it has been silent for 6")]
)
async def test_a_worker_that_is_not_there_is_told_within_two_seconds_and_nothing_is_asked_for(
    embedded: EmbeddedBroker, tmp_path: Path, state: str, age_s: int, words: str
) -> None:
    settings, spoken, clock = on(embedded, tmp_path), Spoken(), SystemClock()
    async with embedded_bus(embedded, "lane") as bus:
        commands = bus.subscribe("parking/marina/+/command")
        await commands.granted()
        await beat(bus, "worker", at_ms=clock.wall_ms() - age_s * 1000, state=state)
        began_ms = clock.steady_ms()
        assert await spoken.give_back(settings, LIMITS) == 1
        assert clock.steady_ms() - began_ms < 2_000
        await bus.publish("parking/marina/exit-1/command", b"the end")
        async for delivery in commands:
            delivery.ack()
            assert delivery.payload == b"the end"
            break
    (complaint,) = spoken.complaints
    assert "no worker is there" in complaint and words in complaint and "nothing was asked for" in complaint


async def test_a_broker_that_keeps_no_health_is_told_of_within_two_seconds_too(
    embedded: EmbeddedBroker, tmp_path: Path
) -> None:
    spoken, clock = Spoken(), SystemClock()
    began_ms = clock.steady_ms()
    assert await spoken.give_back(on(embedded, tmp_path), LIMITS) == 1
    assert clock.steady_ms() - began_ms < 2_500  # a command was sent meanwhile, for a worker that merely says nothing
    assert "no worker is there: none was heard of; one that starts before" in spoken.complaints[0]


async def test_a_process_beats_for_its_worker(embedded: EmbeddedBroker, tmp_path: Path) -> None:
    """Under `run` the worker's own health may be a minute old."""
    now_ms = SystemClock().wall_ms()
    async with embedded_bus(embedded, "lane") as bus:
        await beat(bus, "run", at_ms=now_ms)
        await beat(bus, "worker", at_ms=now_ms - 59_000)
        spoken = Spoken()

        def answers(worker: Worker, command: Command, _: int) -> list[Receipt | Refund]:
            return [worker.receipt(command), worker.refund(command, "success")]

        status, worker = await at_work(embedded, answers, spoken.give_back(on(embedded, tmp_path), LIMITS))
        assert (status, len(worker.commands)) == (0, 1)


async def test_a_worker_that_comes_back_meanwhile_is_asked(embedded: EmbeddedBroker, tmp_path: Path) -> None:
    settings, spoken, clock = on(embedded, tmp_path), Spoken(), SystemClock()
    async with embedded_bus(embedded, "lane") as bus:
        await beat(bus, "worker", at_ms=clock.wall_ms(), state="offline")
        arrivals = bus.subscribe("parking/marina/+/health/+")

        def answers(worker: Worker, command: Command, _: int) -> list[Receipt | Refund]:
            return [worker.receipt(command), worker.refund(command, "success")]

        work = asyncio.create_task(at_work(embedded, answers, spoken.give_back(settings, LIMITS)))
        await arrivals.granted()
        await beat(bus, "worker", at_ms=clock.wall_ms(), instance="i-2")
        status, worker = await work
        assert (status, len(worker.commands)) == (0, 1)


async def test_it_connects_as_a_user_of_its_own_and_pushes_nobody_off_the_shipped_mosquitto(
    tmp_path: Path,
) -> None:
    """There each client id is its user's name."""
    authority = Authority(tmp_path)
    server = ShippedMosquitto(tmp_path, authority)
    server.start()
    certificate, key = authority.issue("lane")
    key.chmod(0o600)
    more = f'ca_file = "{authority.file}"\ncert_file = "{certificate}"\nkey_file = "{key}"\n'
    configured(tmp_path, server.url, user="lane")
    text = (tmp_path / "console.toml").read_text().replace("[lift]", more + "[lift]")
    (tmp_path / "console.toml").write_text(text)
    settings = load(tmp_path / "console.toml", {})
    try:
        with pytest.raises(ConfigError, match=r"could push that role off the broker; make the broker's user"):
            await Spoken().give_back(settings, QUICK)
        authority.issue("refund")[1].chmod(0o600)
        (tmp_path / "refund").touch(mode=0o600)
        (tmp_path / "refund").write_text("unused\n")
        spoken = Spoken()
        async with server.bus("lane") as role:
            changes: list[bool] = []
            role.on_change(changes.append)
            commands = role.subscribe("parking/marina/+/command")
            await commands.granted()
            work = asyncio.create_task(spoken.give_back(settings, QUICK))
            work.add_done_callback(lambda _: commands.close())
            async for delivery in commands:
                delivery.ack()
                command = decode(Command, delivery.payload)
                receipt = Receipt(
                    id=new_id(SystemClock()), at=command.at, outcome="refused", command=command.id, why="heard"
                )
                await role.publish("parking/marina/exit-1/receipt", encode(receipt))
                break
            assert await work == 1
            assert spoken.complaints == ["refund: the worker refused: heard"]
            assert role.connected and changes == []
    finally:
        server.stop()


def test_on_the_embedded_broker_it_has_a_user_of_its_own(embedded: EmbeddedBroker, tmp_path: Path) -> None:
    found = refunder(on(embedded, tmp_path))
    assert (found.username, found.password_file) == ("refund", embedded.password_file("refund"))
