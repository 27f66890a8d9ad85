"""What orders and refunds say of a garage, in the words that a driver reads in the app."""

import json

import pytest

from terminal.core.actions import PlaceOrder
from terminal.core.model import VisitOrder
from terminal.roles.worker.payby_requests import PayByRequests
from tests.support.worker_lane import TARIFF

ORDER = VisitOrder("marina-exit-1-0190d3f07c1e7a529d2f0123456789ab", "exit-1", "s", 1, 2000, 0, 110_000, 710_000)


def subjects(name: str, name_ar: str) -> tuple[str, str | None]:
    said = json.loads(PayByRequests("marina", name, name_ar, None, TARIFF)(PlaceOrder(ORDER), 1_770_000_000_000))
    return said["subject"], said.get("subjectAr")


@pytest.mark.parametrize(
    ("name", "subject"),
    [
        ("Marina Garage", "Parking Marina Garage"),
        ("Marina Parking", "Marina Parking"),
        ("PARKING Deira", "PARKING Deira"),
        ("Parkinson Tower", "Parking Parkinson Tower"),
        ("", "Parking marina"),
    ],
)
def test_the_english_subject_says_parking_once(name: str, subject: str) -> None:
    assert subjects(name, "") == (subject, None)


@pytest.mark.parametrize(
    ("name", "subject"),
    [
        ("مواقف المارينا", "مواقف المارينا"),
        ("موقف المارينا", "موقف المارينا"),
        ("المواقف الذكية", "المواقف الذكية"),
        ("مَوَاقِف المارينا", "مَوَاقِف المارينا"),
        ("مـواقف المارينا", "مـواقف المارينا"),
        ("مارينا (مواقف)", "مارينا (مواقف)"),
        ("مارينا مول", "موقف مارينا مول"),
    ],
)
def test_the_arabic_subject_says_parking_once(name: str, subject: str) -> None:
    assert subjects("Marina", name)[1] == subject


def test_a_long_name_is_cut_where_payby_cuts() -> None:
    said = json.loads(PayByRequests("marina", "x" * 300, "م" * 300, None, TARIFF)(PlaceOrder(ORDER), 1_770_000_000_000))
    assert (len(said["subject"]), len(said["subjectAr"])) == (64, 200)
    terminal = said["accessoryContent"]["terminalDetail"]
    assert (len(terminal["merchantName"]), len(terminal["storeName"])) == (200, 200)
