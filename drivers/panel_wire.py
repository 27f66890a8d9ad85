"""The wire to a panel on a Raspberry Pi: spidev for the bus, GPIO pins for data/command, reset and backlight."""

import time
from collections.abc import Callable
from typing import Any, Protocol, TypeAlias

from gpiozero import DigitalOutputDevice, Factory, PWMOutputDevice

from drivers.pins import claiming

RESET_LOW_S, RESET_WAIT_S = 0.01, 0.12
"""The data sheets ask for 10 us low, and for 120 ms before ``sleep out`` if the controller was awake."""
_SWRESET = 0x01
PWM_HZ = 1000
"""The frequency (Hz) of a dimmed backlight, faster than an eye sees. At full light there are no pulses, which a camera
sees."""

Light: TypeAlias = DigitalOutputDevice | PWMOutputDevice


class SpiDev(Protocol):
    """The part of spidev.SpiDev that we use."""

    max_speed_hz: int
    mode: int

    def open(self, bus: int, device: int) -> None:
        """Open the bus and its chip select by their numbers in /dev/spidev<bus>.<device>. Raises OSError."""

    def writebytes2(self, data: memoryview) -> None:
        """Send all bytes, in as many transfers as the kernel needs. Raises OSError or, after a part, SystemError."""

    def close(self) -> None:
        """Close the bus. A second call does nothing."""


class SpiWire:
    """A panel.Wire. Use open_spi(); this class takes a bus and pins that are already open.

    Data are sent by writebytes2, which lets other threads run meanwhile (writebytes blocks them for the whole frame),
    at most ``transfer_size`` bytes a call, and an even number of them, so that no 16-bit word is cut in two.
    """

    def __init__(
        self,
        spi: SpiDev,
        *,
        dc: DigitalOutputDevice,
        reset: DigitalOutputDevice | None,
        light: Light | None,
        transfer_size: int = 4096,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._spi, self._dc, self._reset, self._light = spi, dc, reset, light
        self._most = max(2, transfer_size - transfer_size % 2)
        self._pause = pause

    def reset(self) -> None:
        """Reset by the reset line, or by command if none is wired."""
        if self._reset is None:
            self.command(_SWRESET)
        else:
            for level, wait_s in ((1, 0.0), (0, RESET_LOW_S), (1, 0.0)):
                _set(self._reset, level)
                self._pause(wait_s)
        self._pause(RESET_WAIT_S)

    def command(self, code: int) -> None:
        _set(self._dc, 0)
        self._write(memoryview(bytes([code])))

    def data(self, data: bytes) -> None:
        _set(self._dc, 1)
        view = memoryview(data)
        for start in range(0, len(data), self._most):
            self._write(view[start : start + self._most])

    def light(self, share: float) -> None:
        if self._light is not None:
            _set(self._light, share if isinstance(self._light, PWMOutputDevice) else int(share > 0))

    def close(self) -> None:
        self._spi.close()
        for pin in (self._dc, self._reset, self._light):
            if pin is not None:
                pin.close()

    def _write(self, data: memoryview) -> None:
        try:
            self._spi.writebytes2(data)
        except SystemError:  # spidev 3.8 sets no error if the kernel took only a part
            raise OSError("the bus took only a part of what was sent") from None


def open_spi(
    bus: int,
    device: int,
    *,
    speed_hz: int,
    transfer_size: int,
    dc_pin: int,
    reset_pin: int,
    backlight_pin: int,
    pin_factory: Factory,
    backlight_pwm: bool = False,
    mode: int = 0,
) -> SpiWire:
    """Open /dev/spidev<bus>.<device> and the pins, by their BCM numbers; -1 for reset or backlight means none.
    ``backlight_pwm``: the backlight can be dimmed by pulses. ``mode``: the SPI mode; in 3 the clock rests high, without
    which an ST7789 whose chip select is tied to ground receives nothing.

    Raises PinHeld for a pin that cannot be used, and OSError with one line that says what to do.
    """
    path = f"/dev/spidev{bus}.{device}"
    try:
        import spidev
    except ImportError:
        raise OSError("the package spidev is missing: pip install spidev") from None
    spi = spidev.SpiDev()
    try:
        spi.open(bus, device)
        spi.max_speed_hz, spi.mode = speed_hz, mode
    except FileNotFoundError:
        raise OSError(f"{path} is not there: switch SPI on (raspi-config, Interface Options)") from None
    except PermissionError:
        raise OSError(f"{path} may not be opened: put the user into the group spi") from None
    made: list[Any] = []
    try:
        for number in (dc_pin, reset_pin, backlight_pin):
            pulsed = backlight_pwm and len(made) == 2
            made.append(None if number < 0 else _output(number, pin_factory, pulsed=pulsed))
    except BaseException:
        spi.close()
        for pin in made:
            if pin is not None:
                pin.close()
        raise
    dc, reset, light = made
    return SpiWire(spi, dc=dc, reset=reset, light=light, transfer_size=transfer_size)


def _output(number: int, pin_factory: Factory, *, pulsed: bool) -> Light:
    with claiming(number):
        if pulsed:
            return PWMOutputDevice(number, initial_value=0, frequency=PWM_HZ, pin_factory=pin_factory)
        return DigitalOutputDevice(number, initial_value=False, pin_factory=pin_factory)


def _set(pin: Light, level: float) -> None:
    try:
        pin.value = level
    except Exception as error:
        raise OSError(f"{pin.pin} cannot be set: {error}") from error
