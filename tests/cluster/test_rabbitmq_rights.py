"""RabbitMQ with the rights that the contract makes for it: what they grant goes through, and nothing else."""

import asyncio
import json
from dataclasses import replace
from pathlib import Path

from terminal.config.load import parse as parse_settings
from terminal.contract.topics import parse
from terminal.mqtt.client import MqttClient
from terminal.mqtt.errors import SubscriptionRefused
from terminal.tools.check.rabbitmq import rabbitmq as judge
from tests.cluster.conftest import GARAGE, PASSWORD
from tests.cluster.rabbitmq_server import RabbitMq
from tests.support.eventually import eventually
from tests.support.garage import Garage
from tests.support.installation import machine
from tests.support.leaving import leaves
from tests.support.page_blocks import CLUSTER, block_with

AGAIN_S = 75.0
"""What stands is said again once a minute."""

LANE = f"parking/{GARAGE}/exit-1"
OTHER = f"parking/{GARAGE}/exit-2"


def client(server: RabbitMq, user: str, *, client_id: str = "", password: str = PASSWORD) -> MqttClient:
    return MqttClient(server.url, username=f"{GARAGE}.{user}", password=password, client_id=client_id, clean=True)


async def is_refused(client: MqttClient, text: str) -> bool:
    """Does the broker refuse this filter? RabbitMQ 4 says so and ends the connection, 3.10 only ends it."""
    granted = asyncio.ensure_future(client.subscribe(text).granted())
    lost = asyncio.ensure_future(eventually(lambda: not client.connected, limit_s=10))
    try:
        done, _ = await asyncio.wait({granted, lost}, return_when=asyncio.FIRST_COMPLETED)
        return lost in done or isinstance(granted.exception(), SubscriptionRefused)
    finally:
        granted.cancel()
        lost.cancel()
        await asyncio.wait({granted, lost})


SAYS = [  # who, what it may say, what not
    ("reader.exit-1", f"{LANE}/fee", f"{LANE}/lift"),
    ("reader.exit-1", f"{LANE}/alert", f"{OTHER}/fee"),
    ("barrier.exit-1", f"{LANE}/barrier", f"{OTHER}/barrier"),
    ("listener", f"{LANE}/paid", f"{LANE}/receipt"),
    ("worker", f"{OTHER}/lift", f"parking/{GARAGE}/garage/lift"),
    ("lane.exit-2", f"{OTHER}/vehicle", f"{OTHER}/screen"),
    ("console", f"{LANE}/command", f"{LANE}/paid"),
]
HEARS = [  # who, what it may hear, what not
    ("lcd.exit-1", f"{LANE}/screen", f"parking/{GARAGE}/+/screen"),
    ("barrier.exit-1", f"{LANE}/lift", f"{LANE}/paid"),
    ("worker", f"parking/{GARAGE}/+/fee", f"parking/{GARAGE}/#"),
    ("watch", f"parking/{GARAGE}/#", "parking/other/#"),
]


async def test_what_is_granted_goes_through_and_nothing_else(rabbitmq: RabbitMq) -> None:
    async with client(rabbitmq, "watch") as watch:
        heard = watch.subscribe(f"parking/{GARAGE}/#")
        await heard.granted()
        for user, granted, refused in SAYS:
            async with client(rabbitmq, user) as talker:
                await talker.publish(granted, user.encode())
                message = await anext(heard)
                message.ack()
                assert (message.topic, message.payload) == (granted, user.encode())
                await talker.publish(refused, b"not mine")
                await eventually(lambda talker=talker: not talker.connected, limit_s=10)
        await watch.publish(f"{LANE}/screen", b"a watcher says nothing")
        await eventually(lambda: not watch.connected, limit_s=10)
    for user, granted, refused in HEARS:
        async with client(rabbitmq, user) as listener:
            await listener.subscribe(granted).granted()
            assert await is_refused(listener, refused)
    async with client(rabbitmq, "worker") as worker:
        await worker.subscribe(f"parking/{GARAGE}/+/fee").granted()
        async with client(rabbitmq, "lcd.exit-1", client_id=f"{GARAGE}.worker") as thief:
            assert await is_refused(thief, f"{LANE}/screen")


USERS = {
    "worker": "worker",
    "listener": "listener",
    "barrier": "barrier.exit-1",
    "lcd": "lcd.exit-1",
    "reader": "reader.exit-1",
}


async def test_a_car_leaves_where_each_role_is_a_process_with_its_own_user(rabbitmq: RabbitMq, tmp_path: Path) -> None:
    async with Garage(
        tmp_path, rabbitmq.url, user=f"{GARAGE}.watch", client=f"{GARAGE}.watch-test", password=PASSWORD
    ) as garage:
        for command, user in USERS.items():
            await garage.spawn(command, env={"EXIT_TERMINAL_MQTT_USERNAME": f"{GARAGE}.{user}"})
        for command in USERS:
            await garage.online(command)
        mark = garage.scan(garage.ticket())
        order = await garage.order(since=mark)
        await garage.code_on_glass(order["token_url"])
        await garage.sandbox.pay(order["token_url"])
        await leaves(garage, mark)
        for command in USERS:
            assert "ends it at once" not in garage.running[command].said()
        async with client(rabbitmq, "watch", client_id=f"{GARAGE}.watch-late") as late, asyncio.timeout(AGAIN_S):
            heard = late.subscribe(f"parking/{GARAGE}/#")
            screens, roles = set[str](), set[str]()
            while not (screens and roles >= {"worker", "listener", "barrier", "lcd", "reader"}):
                message = await anext(heard)
                message.ack()
                where = parse(message.topic)
                (screens if where.kind == "screen" else roles if where.kind == "health" else set()).add(
                    where.role or where.lane
                )


async def test_check_finds_the_page_s_node_sound_and_says_that_one_is_no_cluster(
    rabbitmq: RabbitMq, tmp_path: Path
) -> None:
    for line in block_with(CLUSTER / "hosted.md", "sh", "quorum_critical").splitlines():
        rabbitmq.types(line)
    async with MqttClient(
        rabbitmq.url, username=f"{GARAGE}.worker", password=PASSWORD, client_id="", clean=False
    ) as worker:
        await worker.subscribe(f"parking/{GARAGE}/+/fee").granted()
        files = rabbitmq.exports(tmp_path)
    queues = json.loads((tmp_path / "queues.json").read_text())
    assert {(queue["name"], queue["type"]) for queue in queues} == {("mqtt-subscription-marina.workerqos1", "quorum")}
    settings = parse_settings(f'[garage]\nid = "{GARAGE}"\n', tmp_path / "c.toml")
    here = replace(machine(tmp_path), rabbitmq_reports=tuple(files))
    found = [finding async for finding in judge(settings, here)]
    assert [finding.outcome for finding in found][:2] == ["proved", "warning"], found
    assert "1 nodes and 1 queues" in found[0].text and "fewer than three" in found[1].text
    assert all(finding.ok for finding in found)
