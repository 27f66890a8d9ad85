"""The peer of `line`: an exit as an afternoon's script, with the product's packages, by PayBy's page on its API.

It has no journal, no signatures but PayBy's, no retries and no recovery: a lost message or a restart loses the money.

    python -m tests.bench.plain_lane '{"scanner": "/dev/pts/3", "mqtt": 1883, ...}'
"""

import asyncio
import base64
import json
import os
import socket
import sys
import time
from decimal import Decimal
from importlib.resources import files
from pathlib import Path
from typing import Any

import aiohttp
import paho.mqtt.client as mqtt
import segno
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key
from gpiozero import DigitalOutputDevice
from gpiozero.pins.mock import MockFactory
from paho.mqtt.enums import CallbackAPIVersion
from PIL import Image, ImageDraw, ImageFont

FONT = str(files("fontpkg_ibm_plex_sans_arabic") / "files" / "IBMPlexSansArabic-SemiBold.ttf")


class PlainLane:
    def __init__(self, told: dict[str, Any]) -> None:
        self.told, self.loop = told, asyncio.get_running_loop()
        self.private: Any = load_pem_private_key(Path(told["private_key"]).read_bytes(), None)
        self.payby: Any = load_pem_public_key(Path(told["payby_key"]).read_bytes())
        self.relay = DigitalOutputDevice(17, pin_factory=MockFactory())
        self.font = ImageFont.truetype(FONT, 32)
        self.orders: dict[str, str] = {}
        self.mqtt = mqtt.Client(CallbackAPIVersion.VERSION2, "plain")
        self.mqtt.on_socket_open = lambda *args: args[2].setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.mqtt.on_connect = lambda client, *_: client.subscribe([("plain/fee", 1), ("plain/paid", 1)])
        self.mqtt.on_message = self.heard
        self.mqtt.connect("127.0.0.1", told["mqtt"])
        self.mqtt.loop_start()

    async def run(self) -> None:
        self.session = aiohttp.ClientSession()
        app = web.Application()
        app.router.add_post("/payby/notify", self.notified)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", self.told["port"]).start()
        scanner = os.open(self.told["scanner"], os.O_RDONLY | os.O_NOCTTY)
        self.loop.add_reader(scanner, lambda: self.scanned(os.read(scanner, 512).decode()))
        self.show("Scan your ticket")
        await asyncio.Event().wait()

    def scanned(self, ticket: str) -> None:
        minutes = -(-(int(time.time()) - int(ticket.split(".")[3])) // 60)
        fee = {"stay": ticket.split(".")[2], "minutes": minutes, "amount": f"{-(-minutes // 60) * 10}.00"}
        self.mqtt.publish("plain/fee", json.dumps(fee), 1)

    def heard(self, _client: Any, _userdata: Any, message: mqtt.MQTTMessage) -> None:
        take = {"plain/fee": self.order, "plain/paid": self.paid}[message.topic]
        asyncio.run_coroutine_threadsafe(take(json.loads(message.payload)), self.loop)

    async def paid(self, said: dict[str, Any]) -> None:
        if (amount := self.orders.pop(said["order_no"], None)) is None:
            return
        self.relay.blink(on_time=0.1, off_time=0, n=1)
        self.show("Paid, thank you", f"AED {amount}")
        await asyncio.sleep(0.6)  # the script hears of no arm, so its thanks stay a while
        self.show("Scan your ticket")

    async def order(self, fee: dict[str, Any]) -> None:
        self.show("Please wait", f"AED {fee['amount']}")
        no, amount = fee["stay"], {"amount": float(fee["amount"]), "currency": "AED"}
        biz = {"merchantOrderNo": no, "subject": "Parking", "totalAmount": amount, "paySceneCode": "DYNQR"}
        biz |= {"expiredTime": round(time.time() * 1000) + 110_000, "notifyUrl": self.told["notify_url"]}
        body = json.dumps({"requestTime": round(time.time() * 1000), "bizContent": biz}).encode()
        headers = {"Content-Type": "application/json", "Partner-Id": self.told["partner_id"]}
        headers["sign"] = base64.b64encode(self.private.sign(body, PKCS1v15(), SHA256())).decode()
        url = self.told["payby"] + "/acquire2/placeOrder"
        async with self.session.post(url, data=body, headers=headers) as answer:
            said = self.verified(await answer.read(), answer.headers["sign"])
        self.orders[no] = fee["amount"]
        self.show(f"{fee['minutes']} min", f"AED {fee['amount']}", said["body"]["interActionParams"]["tokenUrl"])

    async def notified(self, request: web.Request) -> web.Response:
        order = self.verified(await request.read(), request.headers["sign"])["acquireOrder"]
        if order["status"] in ("PAID_SUCCESS", "SETTLED"):
            self.mqtt.publish("plain/paid", json.dumps({"order_no": order["merchantOrderNo"]}), 1)
        return web.json_response({"response": "SUCCESS"})

    def verified(self, body: bytes, sign: str) -> Any:
        self.payby.verify(base64.b64decode(sign), body, PKCS1v15(), SHA256())
        return json.loads(body, parse_float=Decimal)

    def show(self, title: str, text: str = "", url: str = "") -> None:
        image = Image.new("RGB", (480, 320), "white")
        pen = ImageDraw.Draw(image)
        pen.text((10, 20), title, "black", self.font)
        pen.text((10, 80), text, "black", self.font)
        if url:
            code = segno.make(url, error="m", micro=False)
            picture = Image.new("L", (code.symbol_size(border=4)[0],) * 2)
            picture.putdata([0 if dark else 255 for row in code.matrix_iter(border=4) for dark in row])
            image.paste(picture.resize((310, 310)), (165, 5))
        image.save(Path(self.told["glass"]) / "new.png", compress_level=1)
        (Path(self.told["glass"]) / "new.png").replace(Path(self.told["glass"]) / "latest.png")


async def main() -> None:
    await PlainLane(json.loads(sys.argv[1])).run()


if __name__ == "__main__":
    asyncio.run(main())
