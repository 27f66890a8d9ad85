"""Three readers of QR codes that share no code."""

import pytest
from PIL import Image

from terminal.screen import qr

SHORT = "https://qr.payby.com?BIZ_TYPE=202&ft=7ac1495837234592be948e83fcaae0cb&t=1765054600668"
"""Of the same length, with a long run of digits in its token."""


def by_zxing(image: Image.Image) -> str | None:
    return qr.decode(image)


def by_zbar(image: Image.Image) -> str | None:
    pyzbar = pytest.importorskip("pyzbar.pyzbar", exc_type=ImportError)
    return next((found.data.decode() for found in pyzbar.decode(image, symbols=[pyzbar.ZBarSymbol.QRCODE])), None)


def by_opencv(image: Image.Image) -> str | None:
    cv2, numpy = pytest.importorskip("cv2"), pytest.importorskip("numpy")
    text: str = cv2.QRCodeDetector().detectAndDecode(numpy.asarray(image))[0]
    return text or None
