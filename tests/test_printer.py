"""Tickets on paper: the bytes for an ESC/POS printer, read back by a model of one, and the ways to reach it."""

import os
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
import zxingcpp
from PIL import Image, ImageDraw

from drivers.printer import PROFILES, PrinterError, TicketPrinter
from tests.models.receipt_paper import ReceiptPaper


def ticket_picture(dots: int, height: int = 300) -> Image.Image:
    """Anything with a symbol in it that begins and ends at the paper's edges."""
    picture = Image.new("L", (dots, height), 255)
    made = zxingcpp.create_barcode("TICKET 1", zxingcpp.BarcodeFormat.QRCode)
    code: Any = made.to_image(scale=6, add_quiet_zones=False)
    picture.paste(Image.frombytes("L", code.shape[::-1], bytes(memoryview(code))), (60, 60))
    ImageDraw.Draw(picture).rectangle((0, 0, dots - 1, height - 1), outline=0)
    return picture


@pytest.fixture
def device(tmp_path: Path) -> Path:
    """A device that takes everything."""
    (tmp_path / "lp0").touch()
    return tmp_path / "lp0"


def paper_of(data: bytes, dots: int) -> ReceiptPaper:
    paper = ReceiptPaper(dots)
    paper.take(data)
    return paper


@pytest.mark.parametrize("dots", PROFILES)
def test_what_comes_out_of_the_printer_is_the_picture(device: Path, dots: int) -> None:
    picture = ticket_picture(dots)
    TicketPrinter(str(device), dots).print(picture)
    paper = paper_of(device.read_bytes(), dots)
    out = paper.picture()
    assert out.crop((0, 0, dots, picture.height)).tobytes() == picture.tobytes()
    assert set(out.crop((0, picture.height, dots, out.height)).tobytes()) == {255}
    assert (paper.initialised, len(paper.cut_at)) == (1, 0 if dots == 384 else 1)
    assert out.height > picture.height, "the ticket is fed out before it is cut"
    assert [found.text for found in zxingcpp.read_barcodes(out)] == ["TICKET 1"]


def test_a_picture_longer_than_one_command_can_hold_comes_out_whole(device: Path) -> None:
    picture = ticket_picture(576, 2500)
    TicketPrinter(str(device), 576).print(picture)
    paper = paper_of(device.read_bytes(), 576)
    assert paper.picture().crop((0, 0, 576, 2500)).tobytes() == picture.tobytes()


def test_nothing_is_said_beside_the_ticket(device: Path, capsys: pytest.CaptureFixture[str]) -> None:
    TicketPrinter(str(device), 576).print(ticket_picture(576))
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    "where", ["http://printer", "tcp://", "tcp://host:0", "tcp://host:65536", "tcp://a b", "usb://1"]
)
def test_what_is_no_printer_is_refused(where: str) -> None:
    with pytest.raises(
        ValueError, match=r"^--printer: got .*, takes a device such as /dev/usb/lp0, or tcp://HOST:PORT$"
    ):
        TicketPrinter(where, 576)
    with pytest.raises(ValueError, match=r"^--dots: got 600, takes 576, 512, 384$"):
        TicketPrinter("/dev/usb/lp0", 600)


def test_a_printer_without_paper_ends_the_wait(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "lp0")
    reading = os.open(tmp_path / "lp0", os.O_RDONLY | os.O_NONBLOCK)
    try:
        with pytest.raises(PrinterError, match="it takes nothing more: is there paper"):
            TicketPrinter(str(tmp_path / "lp0"), 576, limit_s=0.05).print(ticket_picture(576, 2500))
    finally:
        os.close(reading)


def test_a_ticket_reaches_a_printer_on_the_network() -> None:
    received = bytearray()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                while data := connection.recv(65536):
                    received.extend(data)

        thread = threading.Thread(target=serve)
        thread.start()
        TicketPrinter(f"tcp://127.0.0.1:{server.getsockname()[1]}", 576).print(ticket_picture(576))
        thread.join(10)
    paper = paper_of(bytes(received), 576)
    assert [found.text for found in zxingcpp.read_barcodes(paper.picture())] == ["TICKET 1"]


def test_a_printer_that_is_away_fails_in_one_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    for where in (str(tmp_path / "none/lp0"), f"tcp://127.0.0.1:{port}"):
        with pytest.raises(PrinterError) as failed:
            TicketPrinter(where, 576).print(ticket_picture(576))
        assert str(failed.value).startswith(f"ticket --printer: {where}: ")
        assert "\n" not in str(failed.value)


def test_a_device_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(PrinterError, match="no such file"):
        TicketPrinter(str(tmp_path / "lp1"), 576).print(ticket_picture(576))
    assert list(tmp_path.iterdir()) == []


def test_a_picture_wider_than_the_paper_is_not_printed(device: Path) -> None:
    with pytest.raises(ValueError, match="a picture of 576 dots on paper of 384"):
        TicketPrinter(str(device), 384).print(ticket_picture(576))
    assert device.read_bytes() == b""


def test_without_the_library_the_command_to_install_it_is_named() -> None:
    """In a process of its own, where the library cannot be found."""
    code = (
        "import sys; sys.modules['escpos.printer'] = None\n"
        "from PIL import Image; from drivers.printer import PrinterError, TicketPrinter\n"
        "try: TicketPrinter('/dev/null', 576).print(Image.new('L', (8, 8)))\n"
        "except PrinterError as error: print(error)"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert said == "ticket --printer: python-escpos is missing; run: pip install 'parking-exit-terminal[printer]'\n"
