"""`mqtt.clean_session`: what a broker keeps for a role that is away."""

from pathlib import Path

import pytest

from terminal import build
from terminal.config.load import parse
from terminal.mqtt.client import MqttClient
from tests.conftest import Mosquitto

WHERE = "parking/marina/exit-1/lift"


@pytest.mark.parametrize("is_clean", [False, True])
async def test_a_broker_keeps_what_came_meanwhile_unless_the_session_is_clean(
    is_clean: bool, mosquitto: Mosquitto, tmp_path: Path
) -> None:
    (tmp_path / "password").write_text("unused")
    (tmp_path / "password").chmod(0o600)
    text = f'[mqtt]\nurl = "{mosquitto.url}"\nusername = "worker"\npassword_file = "password"\n'
    settings = parse(f"{text}clean_session = {str(is_clean).lower()}\n", tmp_path / "c.toml").mqtt
    assert settings
    async with build.mqtt_client(settings, "worker") as role:
        await role.subscribe(WHERE).granted()
    async with MqttClient(mosquitto.url, client_id="other") as other:
        await other.publish(WHERE, b"meanwhile")
        await other.settled()
        async with build.mqtt_client(settings, "worker") as role:
            heard = role.subscribe(WHERE)
            await heard.granted()
            await other.publish(WHERE, b"now")
            first = await anext(heard)
            first.ack()
    assert first.payload == (b"now" if is_clean else b"meanwhile")
