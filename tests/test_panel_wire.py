"""The wire on spidev and GPIO pins: what leaves in which order, and what is said where it cannot be opened."""

from pathlib import Path

import pytest
from gpiozero import DigitalOutputDevice, PWMOutputDevice
from gpiozero.pins.mock import MockFactory, MockPWMPin
from PIL import Image

from drivers.panel import PanelError, SpiPanel
from drivers.panel_wire import SpiWire, open_spi
from drivers.simulated import RelayPin
from tests.models.glass import Model, model_of, rounded

DC, RESET, LIGHT = 24, 25, 18


class Bus:
    """A spidev.SpiDev that leads to a model, by the level of the data/command pin."""

    max_speed_hz, mode = 0, 0

    def __init__(self, model: Model, pins: MockFactory) -> None:
        self.model, self.dc = model, pins.pin(DC)
        self.sizes: list[int] = []
        self.closed = 0

    def open(self, bus: int, device: int) -> None:
        """It is open."""

    def writebytes2(self, data: memoryview) -> None:
        self.sizes.append(len(data))
        if self.dc.state:
            self.model.data(bytes(data))
        else:
            assert len(data) == 1
            self.model.command(data[0])

    def close(self) -> None:
        self.closed += 1


class Rig:
    """A panel, the real wire, and a model at its other end."""

    def __init__(self, kind: str, *, transfer_size: int = 4096, reset: bool = True) -> None:
        self.pins, self.model = MockFactory(), model_of(kind)
        self.reset_pin: RelayPin = self.pins.pin(RESET, pin_class=RelayPin)
        self.reset_pin.watchers.append(lambda level: None if level else self.model.reset())
        self.bus = Bus(self.model, self.pins)
        self.wire = SpiWire(
            self.bus,
            dc=self.output(DC),
            reset=self.output(RESET) if reset else None,
            light=self.output(LIGHT),
            transfer_size=transfer_size,
            pause=self.model.pause,
        )
        self.panel = SpiPanel(kind, lambda: self.wire, pause=self.model.pause)

    def output(self, pin: int) -> DigitalOutputDevice:
        return DigitalOutputDevice(pin, initial_value=False, pin_factory=self.pins)


@pytest.mark.parametrize("kind", ["st7789-240", "ili9341", "ili9486", "ili9488"])
@pytest.mark.parametrize("reset", [True, False])
def test_a_picture_goes_through_bus_and_pins_to_the_glass(kind: str, reset: bool) -> None:
    rig = Rig(kind, reset=reset)
    picture = Image.new("RGB", rig.panel.size, (200, 100, 50))
    picture.paste("white", (10, 20, 100, 70))
    rig.panel.show(picture)
    assert rig.model.seen() == rounded(picture, (6, 6, 6) if kind == "ili9488" else (5, 6, 5))
    assert rig.model.resets == int(reset)
    assert rig.pins.pin(LIGHT).state


@pytest.mark.parametrize(("transfer_size", "most"), [(4096, 4096), (64, 64), (101, 100), (1, 2)])
def test_no_transfer_is_longer_than_asked_for_nor_cuts_a_word_in_two(transfer_size: int, most: int) -> None:
    rig = Rig("ili9486", transfer_size=transfer_size)
    rig.panel.show(Image.new("RGB", rig.panel.size))
    assert max(rig.bus.sizes) == most
    assert all(size % 2 == 0 or size == 1 for size in rig.bus.sizes)


def test_the_light_goes_out_and_everything_is_given_back_on_close() -> None:
    rig = Rig("ili9341")
    rig.panel.show(Image.new("RGB", rig.panel.size, "white"))
    light = rig.pins.pin(LIGHT)
    rig.panel.close()
    rig.panel.close()
    assert [state.state for state in light.states] == [False, True, False]
    assert rig.bus.closed == 1
    for pin in (DC, RESET, LIGHT):
        rig.output(pin).close()


def test_a_backlight_that_dims_by_pulses_has_none_at_full() -> None:
    pins = MockFactory(pin_class=MockPWMPin)
    light = PWMOutputDevice(LIGHT, initial_value=0, frequency=1000, pin_factory=pins)
    dc = DigitalOutputDevice(DC, pin_factory=pins)
    wire = SpiWire(Bus(model_of("ili9341"), pins), dc=dc, reset=None, light=light)
    for share in (1.0, 0.4, 0):
        wire.light(share)
    assert [state.state for state in pins.pin(LIGHT).states] == [0, 1, 0.4, 0]


@pytest.mark.parametrize("fault", [OSError(5, "Input/output error"), SystemError("returned NULL")])
def test_a_failing_bus_is_an_error_of_the_panel(fault: Exception) -> None:
    rig = Rig("ili9341")

    def fail(data: memoryview) -> None:
        raise fault

    rig.bus.writebytes2 = fail  # type: ignore[method-assign]
    with pytest.raises(PanelError, match="the ili9341 cannot be reached"):
        rig.panel.show(Image.new("RGB", rig.panel.size))


def test_a_pin_that_cannot_be_set_is_an_error_of_the_panel() -> None:
    rig = Rig("ili9341")

    def fail(level: bool) -> None:
        raise RuntimeError("the chip is gone")

    rig.reset_pin.watchers.insert(0, fail)
    with pytest.raises(PanelError, match="cannot be set"):
        rig.panel.show(Image.new("RGB", rig.panel.size))


@pytest.mark.skipif(Path("/dev/spidev0.0").exists(), reason="this machine has an SPI bus")
def test_a_bus_that_is_not_there_is_told_in_one_line_and_no_pin_stays_taken() -> None:
    pytest.importorskip("spidev")
    pins = MockFactory()
    options = {"speed_hz": 32_000_000, "transfer_size": 4096, "dc_pin": DC, "reset_pin": RESET, "backlight_pin": -1}
    with pytest.raises(OSError, match=r"/dev/spidev0\.0 is not there: switch SPI on"):
        open_spi(0, 0, **options, pin_factory=pins)
    assert pins.pins == {}
