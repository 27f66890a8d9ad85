"""What a panel does when its wire breaks, hangs or is not there: the next picture mends everything."""

import threading
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.panel import PanelError, PanelWire, SpiPanel
from tests.models.glass import Model, rounded
from tests.support.panel_rig import BITS, PANELS, Rig, drawing

BROKEN = OSError(5, "Input/output error")


class Failing:
    """A wire that breaks after this many bytes."""

    def __init__(self, model: Model, good_bytes: int, fault: BaseException = BROKEN) -> None:
        self._model, self._left, self._fault = model, good_bytes, fault

    def _send(self, count: int, send: Callable[[], None]) -> None:
        self._left -= count
        if self._left < 0:
            raise self._fault
        send()

    def reset(self) -> None:
        self._model.reset()

    def command(self, code: int) -> None:
        self._send(1, lambda: self._model.command(code))

    def data(self, data: bytes) -> None:
        self._send(len(data), lambda: self._model.data(data))

    def light(self, share: float) -> None:
        self._model.light(share)

    def close(self) -> None:
        self._model.close()


@pytest.mark.fault("lcd-fails")
@settings(max_examples=40)
@given(kind=st.sampled_from(PANELS), good=st.integers(0, 1200))
def test_after_an_error_at_any_byte_the_panel_is_set_up_anew_and_shows_the_whole_picture(kind: str, good: int) -> None:
    rig = Rig(kind)
    picture = rig.blank()
    first = Rig(kind)
    set_up_and_frame = first.show(first.blank())
    wires: list[PanelWire] = []

    def open_wire() -> PanelWire:
        wires.append(rig.open() if wires else Failing(rig.open(), set_up_and_frame + good))  # type: ignore[arg-type]
        return wires[-1]

    panel = SpiPanel(kind, open_wire, pause=lambda s: rig.model.pause(s), clock=lambda: 0.0)
    panel.show(picture)
    try:
        for i in range(400):
            picture.paste("black", (i % 40 * 5, i // 40 * 5, i % 40 * 5 + 3, i // 40 * 5 + 3))
            panel.show(picture)
    except PanelError as error:
        assert "Input/output error" in str(error)
        assert rig.opened[0].closed
    panel.show(picture)
    assert len(wires) == 2
    assert rig.seen() == rounded(picture, BITS[kind])


class StuckReset(Failing):
    """Its reset line is not connected, so the chip goes on as the break left it."""

    def reset(self) -> None:
        self._model.torn()
        self._model.pause(0.12)

    def close(self) -> None:
        """The chip knows nothing of it."""


@pytest.mark.fault("lcd-fails")
@pytest.mark.parametrize("kind", PANELS)
@pytest.mark.parametrize("fault", [BROKEN, KeyboardInterrupt()])
def test_a_break_anywhere_in_a_step_is_mended_by_the_next_picture_even_without_a_reset(
    kind: str, fault: BaseException
) -> None:
    rig = Rig(kind)
    before = rig.blank()
    before.paste("black", (30, 30, 200, 200))
    after = drawing(rig.panel.size)
    after.paste("black", (100, 120, 180, 190))  # on an ILI9488 in 3 bits
    rig.show(before)
    whole, step = rig.model.sent, rig.show(after)
    for good in range(0, step, max(1, step // 12)):
        model = Rig(kind).open()
        wires = [StuckReset(model, 1 << 30), StuckReset(model, whole + good, fault)]
        panel = SpiPanel(kind, wires.pop, pause=model.pause, clock=lambda: 0.0)
        panel.show(before)
        with pytest.raises((PanelError, KeyboardInterrupt)):
            panel.show(after)
        panel.show(after)
        assert wires == []
        assert model.seen() == rounded(after, BITS[kind])


@pytest.mark.fault("lcd-fails")
def test_a_device_that_is_absent_is_said_and_tried_again_with_the_next_picture() -> None:
    rig = Rig("ili9488")
    tries = []

    def open_wire() -> PanelWire:
        tries.append(1)
        if len(tries) < 3:
            raise OSError("/dev/spidev0.0 is not there: switch SPI on")
        return rig.open()

    panel = SpiPanel("ili9488", open_wire, pause=lambda s: rig.model.pause(s))
    for _ in range(2):
        with pytest.raises(PanelError, match=r"the ili9488 cannot be reached: /dev/spidev0\.0 is not there"):
            panel.show(rig.blank())
    panel.show(rig.blank())
    assert rig.seen() == rig.blank()


def test_a_mistake_of_our_own_is_not_taken_for_a_broken_cable_but_still_ends_in_a_whole_picture() -> None:
    rig = Rig("ili9341")
    rig.show(rig.blank())
    rig.model.close()  # any further use of this wire is garbage, which is no OSError
    picture = rig.blank("red")
    with pytest.raises(Exception, match="closed"):
        rig.panel.show(picture)
    rig.panel.show(picture)
    assert rig.seen() == rounded(picture, BITS["ili9341"])


def test_close_does_not_wait_for_a_bus_that_hangs() -> None:
    rig, hanging, go_on = Rig("st7789-240"), threading.Event(), threading.Event()

    def open_wire() -> PanelWire:
        hanging.set()
        go_on.wait(20)
        raise OSError("gave up")

    panel = SpiPanel("st7789-240", open_wire, patience_s=0.01)
    failed = []

    def show() -> None:
        try:
            panel.show(rig.blank())
        except PanelError as error:
            failed.append(error)

    thread = threading.Thread(target=show)
    thread.start()
    hanging.wait(5)
    panel.close()
    assert thread.is_alive()
    go_on.set()
    thread.join()
    assert len(failed) == 1
