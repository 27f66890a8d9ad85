"""A token URL on its way to the LCD: the worker sends only a code that a reader gives back."""

import inspect

import pytest

from terminal.contract.messages import Alert, Health, Screen, stamp
from terminal.payby.sandbox.server import Sandbox
from terminal.roles.worker.role import WorkerRole
from terminal.screen import qr
from tests.support.worker_lane import sandbox, working

__all__ = ["sandbox"]


def test_a_worker_sends_only_codes_that_a_reader_has_given_back() -> None:
    assert inspect.signature(WorkerRole).parameters["encode"].default is qr.proven


@pytest.mark.fault("qr-unreadable")
async def test_a_link_that_makes_no_code_becomes_help_and_an_alert_until_another_makes_one(sandbox: Sandbox) -> None:
    refused: list[str] = []

    def encode(url: str) -> qr.Symbol:
        if not refused:
            refused.append(url)
            raise qr.QrError(f"QR code: no reader gives {url[:40]!r} back")
        return qr.proven(url)

    async with working(sandbox, encode=encode) as lane:
        await lane.pays_at_the_qr()
        screen = await lane.until(Screen, state="help", reason="qr")
        alert = await lane.until(Alert, code="qr-unreadable", state="raised")
        assert (screen.qr, alert.severity, alert.help_code) == (None, "critical", screen.help_code)
        assert lane.topic("alert") in [topic for topic, _, _ in lane.bus.said]
        assert alert.text == f"PayBy's link makes no QR code: QR code: no reader gives {refused[0][:40]!r} back"
        health = Health(**lane.head(), state="online", version="1", instance="lcd-2", since=stamp(0))
        await lane.bus.hears(lane.topic("health/lcd"), health)  # everything is said to it again
        assert (await lane.until(Screen, state="pay")).qr is not None
        await lane.until(Alert, code="qr-unreadable", state="cleared")
