"""A driver's tax invoice from the glass to the phone: real processes, a real broker, a code as a phone reads it."""

import asyncio
from pathlib import Path

import aiohttp
from PIL import Image

from terminal.screen import qr
from tests.conftest import Mosquitto
from tests.support.garage import LIMIT_S, Garage
from tests.support.leaving import leaves

RECEIPT = """
[receipt]
supplier = "Marina Parking LLC"
supplier_ar = "المارينا للمواقف"
address = "Marina Walk, Dubai"
trn = "100123456700003"
url = "http://127.0.0.1:{port}/receipt"
"""


async def code_for_invoice(garage: Garage, url: str) -> str:
    """Until the very glass shows a code that begins with ``url``; returns all of it."""
    latest = garage.folder / "glass" / "latest.png"
    async with asyncio.timeout(LIMIT_S):
        while True:
            with Image.open(latest) as image:
                text = await asyncio.to_thread(qr.decode, image.convert("RGB"))
            if text and text.startswith(url):
                return text
            await garage.heard_more()


async def test_who_has_paid_reads_his_invoice_and_still_does_after_a_restart(
    tmp_path: Path, mosquitto: Mosquitto
) -> None:
    garage = Garage(tmp_path, mosquitto.url, more=RECEIPT)
    async with garage:
        text = garage.file.read_text(encoding="utf-8")
        port = garage.notify_url.rpartition(":")[2].partition("/")[0]
        garage.file.write_text(text.replace("{port}", port).replace("close_time = 0.5", "close_time = 3"), "utf-8")
        await garage.start("run")
        mark = garage.scan(garage.ticket())
        order = await garage.order(since=mark)
        await garage.sandbox.pay(order["token_url"])
        address = await code_for_invoice(garage, f"http://127.0.0.1:{port}/receipt/")
        pages = []
        async with aiohttp.ClientSession() as phone:
            for _ in range(2):
                async with phone.get(address) as reply:
                    assert reply.status == 200
                    pages.append(await reply.text())
                if len(pages) == 1:
                    await leaves(garage, mark)
                    await garage.kill("run")
                    await garage.start("run")
        assert order["order_no"] in pages[0] and "100123456700003" in pages[0] and "AED 20.00" in pages[0]
        assert pages[0] == pages[1]
