"""The drivers that the configuration asks for, as the roles get them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, suppress
from functools import cached_property
from typing import TYPE_CHECKING, Protocol, TypeVar

from drivers.pin_errors import NoGpio, PinHeld
from terminal.config import schema as sections
from terminal.config.lcd_settings import LcdSettings
from terminal.config.schema import ConfigError, Settings, present
from terminal.threads import aside

if TYPE_CHECKING:
    from drivers.panel_wire import SpiWire
    from drivers.pins import Pins
    from drivers.scanner import PortScanner
    from drivers.simulated import SimulatedArm
    from terminal.roles.barrier.role import RelayDriver
    from terminal.roles.lcd import PanelDriver
    from terminal.roles.loops import LoopsDriver
    from terminal.roles.reader import ButtonDriver, ScannerDriver

MOCK = 'gpio.pins = "mock" is for trials without hardware'
PIN_REMEDY = "stop the program that holds it (`sudo gpioinfo` names it), or take another pin"
D = TypeVar("D")


class Hardware(Protocol):
    """Makes drivers. Each method returns a driver that is not entered yet."""

    def scanner(self) -> "AbstractAsyncContextManager[ScannerDriver]":
        """The scanner of [reader]; while it is away, it says so and tries again."""

    def lost_button(self) -> "AbstractAsyncContextManager[ButtonDriver | None]":
        """The button of [reader] for lost tickets, None where there is none; entering it raises ConfigError for a pin
        that cannot be used."""

    def relay(self, quiet_s: float = 0.0) -> "AbstractAsyncContextManager[RelayDriver]":
        """The relay of [barrier]; ``quiet_s`` (s) is how long there was certainly no pulse before this. Entering it
        raises ConfigError for a pin that cannot be used."""

    def loops(self) -> "AbstractAsyncContextManager[LoopsDriver]":
        """The loops of [loops]; entering it raises ConfigError for a pin that cannot be used."""

    def panel(self) -> "AbstractAsyncContextManager[PanelDriver]":
        """The panel of [lcd], darkened at the end if its bus still answers. Raises ConfigError for a size or offset
        that no such panel has."""


class RealHardware:
    """The real hardware of the configuration. A driver is imported when it is needed, so a barrier that starts again
    waits for no other driver."""

    panel_end_s = 4.0
    """How long (s) to wait at the end for a panel to go dark: a little longer than the driver waits for a frame."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    @cached_property
    def pins(self) -> "Pins":
        """One factory for all roles of a process."""
        from drivers.pins import open_pins

        try:
            return open_pins(self._settings.gpio.pins)
        except NoGpio as error:
            raise ConfigError(f"gpio.pins: {error}", MOCK) from None

    @asynccontextmanager
    async def scanner(self) -> "AsyncIterator[ScannerDriver]":
        async with self._scanner() as scanner:
            yield scanner

    @asynccontextmanager
    async def lost_button(self) -> "AsyncIterator[ButtonDriver | None]":
        pin = self._settings.need(sections.ReaderSettings).lost_pin
        if pin is None:
            yield None
            return
        from drivers.lost_button import LostButton

        async with self._opened(LostButton(pin, pin_factory=self.pins)) as opened:
            yield opened

    def _scanner(self) -> "PortScanner":
        from drivers.scanner import HidScanner, SerialScanner, StdinScanner

        reader = self._settings.need(sections.ReaderSettings)
        match reader.driver:
            case "stdin":
                return StdinScanner()
            case "hid":
                return HidScanner(str(present(reader.device, "reader.device")))
            case _:
                return SerialScanner(str(present(reader.device, "reader.device")), reader.baud)

    @asynccontextmanager
    async def relay(self, quiet_s: float = 0.0) -> "AsyncIterator[RelayDriver]":
        """On mock pins a simulated arm hangs at the other end, limit switches included."""
        from drivers.relay import RelayBarrier

        barrier = self._settings.need(sections.BarrierSettings)
        arm = _mock_arm(self.pins, barrier) if self._settings.gpio.pins == "mock" else None
        relay = RelayBarrier(
            barrier.raise_pin,
            pin_factory=self.pins,
            pulse_s=barrier.pulse,
            rise_s=barrier.rise_time,
            close_s=barrier.close_time,
            up_pin=barrier.up_pin,
            down_pin=barrier.down_pin,
            quiet_s=quiet_s,
        )
        try:
            async with self._opened(relay):
                yield relay
        finally:
            if arm:
                arm.close()

    @asynccontextmanager
    async def loops(self) -> "AsyncIterator[LoopsDriver]":
        from drivers.loops import InductionLoops

        loops = self._settings.need(sections.LoopsSettings)
        async with self._opened(InductionLoops(loops.waiting_pin, loops.boom_pin, pin_factory=self.pins)) as opened:
            yield opened

    @asynccontextmanager
    async def _opened(self, driver: AbstractAsyncContextManager[D]) -> AsyncIterator[D]:
        """Enter ``driver``; raises ConfigError for a pin that cannot be used."""
        async with AsyncExitStack() as stack:
            try:
                opened = await stack.enter_async_context(driver)
            except PinHeld as error:
                raise ConfigError(self._held(error)) from None
            yield opened

    def _held(self, error: PinHeld) -> str:
        """The error line: the key, the pin, the reason, and what to do."""
        key = next((key for key, pin in self._settings.pins() if pin == error.number), "gpio")
        return f"{key}: {error}; {PIN_REMEDY}"

    @asynccontextmanager
    async def panel(self) -> "AsyncIterator[PanelDriver]":
        """Darken the glass at the end, so that nobody scans a stale code."""
        panel = self._panel(self._settings.need(LcdSettings))
        try:
            yield panel
        finally:
            with suppress(TimeoutError):  # the bus hangs; the kernel closes it with the process
                async with asyncio.timeout(self.panel_end_s):
                    await aside(panel.close, "panel's end")

    def _panel(self, lcd: LcdSettings) -> "PanelDriver":
        if lcd.panel == "png":
            from drivers.panel_png import PngPanel

            return PngPanel(present(lcd.folder, "lcd.folder"), lcd.pixels)
        if lcd.panel == "framebuffer":
            from drivers.framebuffer import FramebufferPanel

            return FramebufferPanel(lcd.framebuffer_device, lcd.built, rotate=lcd.rotate, backlight=lcd.backlight)
        from drivers.panel import SpiPanel
        from drivers.panel_wire import open_spi

        pins = self.pins

        def open_wire() -> "SpiWire":
            try:
                return open_spi(
                    lcd.spi_bus,
                    lcd.spi_device,
                    speed_hz=lcd.speed_hz,
                    transfer_size=lcd.transfer_size,
                    dc_pin=lcd.dc_pin,
                    reset_pin=lcd.reset_pin,
                    backlight_pin=lcd.backlight_pin,
                    backlight_pwm=lcd.backlight_pwm,
                    pin_factory=pins,
                    mode=lcd.spi_mode,
                )
            except PinHeld as error:  # the lane goes on without its panel: alert, and try again
                raise OSError(self._held(error)) from error

        try:
            return SpiPanel(
                lcd.panel,
                open_wire,
                rotate=lcd.rotate,
                x_offset=lcd.x_offset,
                y_offset=lcd.y_offset,
                bgr=lcd.bgr,
                three_bit=lcd.three_bit,
                speed_hz=lcd.speed_hz,
            )
        except ValueError as error:
            raise ConfigError(f"lcd: {error}") from None


def _mock_arm(pins: "Pins", barrier: sections.BarrierSettings) -> "SimulatedArm":
    from drivers.simulated import SimulatedArm, SimulatedRelay

    return SimulatedArm(
        pins,
        SimulatedRelay(pins, barrier.raise_pin),
        up_pin=barrier.up_pin,
        down_pin=barrier.down_pin,
        rise_s=barrier.rise_time,
        hold_s=barrier.close_time / 2,
        close_s=barrier.close_time / 2,
    )
