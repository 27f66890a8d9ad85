"""A listener as one writes it with Flask, paho and gunicorn: ``gunicorn -k gthread ...peers.flask_listener:app``."""

import json
import socket
import threading
from typing import Any

import flask
import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from tests.bench.peers.notices import PAID, PORT, RECEIPT, REPLY, WAIT_S, checked

app = flask.Flask("listener")
waiting: dict[str, threading.Event] = {}


def heard(_client: Any, _userdata: Any, message: mqtt.MQTTMessage) -> None:
    if event := waiting.get(json.loads(message.payload)["notify_id"]):
        event.set()


client = mqtt.Client(CallbackAPIVersion.VERSION2, "flask")
client.on_socket_open = lambda *args: args[2].setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
client.on_connect = lambda client, *_: client.subscribe(RECEIPT, 1)
client.on_message = heard
client.connect("127.0.0.1", PORT)
client.loop_start()


@app.post("/payby/notify")
def notified() -> flask.Response:
    said = checked(flask.request.get_data(), flask.request.headers["sign"])
    event = waiting[said["notify_id"]] = threading.Event()
    client.publish(PAID, json.dumps(said), 1)
    journaled = event.wait(WAIT_S)
    del waiting[said["notify_id"]]
    return flask.Response(REPLY if journaled else b"", 200 if journaled else 503, mimetype="application/json")
