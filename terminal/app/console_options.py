"""The operator's desk, made from the configuration."""

from typing import TYPE_CHECKING

from terminal import build
from terminal.config import schema as sections
from terminal.config import tokens
from terminal.config.schema import Settings
from terminal.core import money

if TYPE_CHECKING:
    from terminal.roles.console.role import ConsoleOptions


def console_options(settings: Settings) -> "ConsoleOptions":
    """What the operator's desk needs; without a key of its own it can look, not act. Raises ConfigError."""
    from zoneinfo import ZoneInfo

    from terminal.config.users import folder_of
    from terminal.roles.console.actions import DeskSigner
    from terminal.roles.console.role import ConsoleOptions
    from terminal.screen.layouts import pixels

    console, garage = settings.need(sections.ConsoleSettings), settings.need(sections.GarageSettings)
    lcd, lift = settings.lcd, settings.lift
    signer = None
    if console.lift_private_key:
        lift = settings.need(sections.LiftSettings)
        signer = DeskSigner(*build.signing_key("console.lift_private_key", console.lift_private_key, lift))
    panel = lcd.panel if lcd else "ili9488"
    return ConsoleOptions(
        folder_of(settings),
        build.site(garage, lcd),
        ZoneInfo(garage.timezone),
        signer,
        build.trusted(lift) if lift else None,
        panel,
        lcd.pixels if lcd and not lcd.on_bus else pixels(panel, lcd.rotate if lcd else 0),
        money.parse(console.refund_limit),
        console.idle * 60_000,
        console.host,
        console.port,
        metrics_token=tokens.metrics_token(console),
        issues_invoices=settings.receipt is not None,
    )
