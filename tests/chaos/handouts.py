"""What a driver may have besides a ticket: a coupon, a season pass, a payment at a pay station; and the invoice that he
may read afterwards. ``lay`` makes the keys that SECTIONS name.
"""

from pathlib import Path
from typing import Any

import aiohttp
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from terminal.clock import SystemClock, new_id
from terminal.contract.messages import Qr, encode, stamp
from terminal.contract.signatures import load_signing_key, sign_credit
from terminal.contract.topics import GARAGE_WIDE
from terminal.core.coupon import CouponKind, sign_coupon
from terminal.screen import qr
from tests.support.garage import Garage

SECTIONS = """
[coupon]
keys = { c1 = "secrets/coupon-c1" }
[paystation.trusted]
station = "secrets/station.pub.pem"
[receipt]
supplier = "Marina Parking LLC"
address = "Marina Walk, Dubai"
trn = "100123456700003"
url = "https://pay.example.com/receipt"
"""
OFF = 500
"""Fils, of every coupon."""
LASTS_MS = 3_600_000
CODE_PX = 300


def lay(folder: Path) -> None:
    """The keys of coupons and of the pay station."""
    key = Ed25519PrivateKey.generate()
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    public = key.public_key().public_bytes(pem, serialization.PublicFormat.SubjectPublicKeyInfo)
    coupons = Ed25519PrivateKey.generate().private_bytes_raw().hex().encode() + b"\n"
    for name, data in (("coupon-c1", coupons), ("station.pem", private), ("station.pub.pem", public)):
        (folder / "secrets" / name).touch(mode=0o600)
        (folder / "secrets" / name).write_bytes(data)


def coupon(garage: Garage, kind: CouponKind, serial: str) -> str:
    """One of OFF, or a season pass that began an hour ago."""
    key = bytes.fromhex((garage.folder / "secrets" / "coupon-c1").read_text().strip())
    now = garage.clock.wall_ms()
    value = OFF if kind == "amount" else (now - LASTS_MS) // 60_000
    return sign_coupon("marina", serial, kind, value, now + LASTS_MS, "c1", key)


def credit(garage: Garage, session: str) -> tuple[str, bytes]:
    """The station's word that a stay is paid: its id, and the message."""
    key, now = load_signing_key(garage.folder / "secrets" / "station.pem"), garage.clock.wall_ms()
    said: dict[str, Any] = {"session": session, "kind": "paid", "by": "level 1", "amount": "20.00"}
    said |= {"id": new_id(SystemClock()), "at": stamp(now), "until": stamp(now + LASTS_MS)}
    said["not_after"] = stamp(now + 50_000)
    return said["id"], encode(sign_credit(key, "marina", GARAGE_WIDE, key="station", **said))


def address_in(code: dict[str, Any]) -> str:
    """The address of an invoice in the code of a screen, as a phone reads it off the glass."""
    symbol = qr.from_wire(Qr(size=code["size"], bits=code["bits"]))
    return (qr.decode(qr.draw(symbol, CODE_PX)) or "").rpartition("/")[2]


async def page(garage: Garage, address: str) -> int:
    """The status of the invoice's page at the garage's listener; 0 where there is none to ask."""
    url = garage.notify_url.replace("/payby/notify", f"/receipt/{address}")
    try:
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(5.0)) as phone, phone.get(url) as reply:
            await reply.read()
            return reply.status
    except (aiohttp.ClientError, TimeoutError):
        return 0
