"""What the panel shows: fonts, the operator's own picture, the lane's Wi-Fi, every screen in the garage's words."""

from collections.abc import AsyncIterator

from terminal import build
from terminal.config.lcd_settings import LcdSettings
from terminal.config.schema import ConfigError, Settings
from terminal.screen import idle_picture as picture_file
from terminal.screen.fonts import INSTALL, DoesNotFit, font, lacking, raqm_available
from terminal.screen.layouts import layout_for, pixels
from terminal.screen.qr import QrError
from terminal.screen.renderer import Renderer
from terminal.screen.sample_views import views
from terminal.screen.view import View
from terminal.tools.check.finding import Finding, Machine


async def fonts(settings: Settings, _: Machine) -> AsyncIterator[Finding]:
    """Are the screens' fonts there, and can Arabic be shaped?"""
    if settings.lcd:
        try:
            font("Regular", 12)
        except OSError as error:
            why, command = str(error).partition(": ")[::2]
            yield Finding("fonts", False, why, command or "install the program anew: deploy/install.md, 1")
            return
        ready = raqm_available()
        text = "Arabic is shaped" if ready else "Arabic cannot be shaped without libfribidi0"
        yield Finding("fonts", ready, text, "" if ready else INSTALL)


async def lane_wifi(settings: Settings, _: Machine) -> AsyncIterator[Finding]:
    """Does the lane's Wi-Fi code fit on the panel, and can its password be read?"""
    if (lcd := settings.lcd) and lcd.wifi:
        try:
            renderer = Renderer(layout_for(lcd.panel, *_size(lcd)), build.site(settings.garage, lcd, build.wifi(lcd)))
            renderer.compose(View("pay", page="wifi"))
        except ConfigError as error:
            yield Finding("wifi", False, error.text, error.advice)
        except (OSError, ValueError) as error:
            refused = build.cannot_show_wifi(error)
            yield Finding("wifi", False, refused.text, refused.advice)
        else:
            opened = "" if lcd.wifi_password_file else "; an open network"
            yield Finding("wifi", True, f"{lcd.wifi} fits on the panel{opened}")


async def idle_picture(settings: Settings, _: Machine) -> AsyncIterator[Finding]:
    """Is the operator's own picture a PNG of the panel's size?"""
    if (lcd := settings.lcd) and lcd.idle_picture:
        try:
            picture_file.load(lcd.idle_picture, _size(lcd))
        except picture_file.PictureError as error:
            advice = "use a still PNG of exactly the panel's size, or leave lcd.idle_picture out"
            yield Finding("idle picture", False, str(error), advice)
        else:
            yield Finding("idle picture", True, f"{lcd.idle_picture} fits the panel")


async def screens(settings: Settings, _: Machine) -> AsyncIterator[Finding]:
    """Does every screen fit on the panel with the garage's own words? Silent where fonts or panel failed before."""
    if not (lcd := settings.lcd):
        return
    site = build.site(settings.garage, lcd, lane=settings.lane.id if settings.lane else "")
    try:
        for key in ("name", "name_ar", "help_phone"):
            if unknown := lacking(getattr(site, key)):
                text, advice = f"the screens' font lacks {' '.join(unknown)}", "use other characters"
                yield Finding(f"screens garage.{key}", False, text, advice)
        layout = layout_for(lcd.panel, *_size(lcd))
    except (OSError, ValueError):
        return  # the fonts' line or the panel's reports it
    wrong = _wrong(Renderer(layout, site))
    if wrong:
        text = f"{', '.join(wrong)} do not fit on the {lcd.panel}: {next(iter(wrong.values()))}"
        advice = "shorten garage.help_phone or the garage's name, or take a larger panel"
        yield Finding("screens", False, text, advice)
    else:
        yield Finding("screens", True, f"all of them fit on the {lcd.panel}")


def _wrong(renderer: Renderer) -> dict[str, str]:
    """Which screens cannot be drawn, and why."""
    wrong: dict[str, str] = {}
    for name, view in views().items():
        try:
            renderer.compose(view)
        except (DoesNotFit, QrError) as error:
            wrong[name] = str(error)
    return wrong


def _size(lcd: LcdSettings) -> tuple[int, int]:
    return lcd.pixels if not lcd.on_bus else pixels(lcd.panel, lcd.rotate)
