"""Three readers of QR codes that share no code."""

import pytest
from PIL import Image

from terminal.screen import qr

SHORT = "https://qr.payby.com?BIZ_TYPE=202&ft=7ac1495837234592be948e83fcaae0cb&t=1765054600668"
"""A link that a smaller symbol holds: its token has a long run of digits."""


def by_zxing(image: Image.Image) -> str | None:
    return qr.decode(image)


def by_zbar(image: Image.Image) -> str | None:
    pyzbar = pytest.importorskip("pyzbar.pyzbar", exc_type=ImportError)
    found = pyzbar.decode(image.convert("L"), symbols=[pyzbar.ZBarSymbol.QRCODE])
    return str(found[0].data.decode()) if len(found) == 1 else None


def by_opencv(image: Image.Image) -> str | None:
    cv2, numpy = pytest.importorskip("cv2"), pytest.importorskip("numpy")
    text: str = cv2.QRCodeDetector().detectAndDecode(numpy.asarray(image.convert("L")))[0]
    return text or None
